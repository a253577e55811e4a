//! Watches: each feeds a store and tells which keys to look at.

use super::received::Received;
use super::routes;
use super::store::{Id, Store, id};
use futures::StreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use planner::defect;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Pause after a watch that failed; it doubles up to [`RETRY_MAX`].
pub(super) const RETRY_MIN: Duration = Duration::from_millis(200);
/// Longest pause after a watch that failed.
pub(super) const RETRY_MAX: Duration = Duration::from_secs(5);

/// The running watches.
#[derive(Default)]
pub(crate) struct Watches {
    tasks: JoinSet<()>,
    listed: Vec<watch::Receiver<bool>>,
}

impl Watches {
    /// Where further watches run, which nobody waits for.
    pub(crate) fn tasks(&mut self) -> &mut JoinSet<()> {
        &mut self.tasks
    }

    /// Waits until every store has been filled once.
    pub(crate) async fn filled(&mut self) {
        for listed in &mut self.listed {
            // The sender lives in a task that only ends with the process.
            let _ = listed.wait_for(|done| *done).await;
        }
    }
}

/// Starts one watch. `changed` is told of each object that came, changed (with what it was before) or went.
pub(crate) fn start<K>(
    watches: &mut Watches,
    api: Api<Received<K>>,
    config: watcher::Config,
    store: Arc<Store<K>>,
    changed: impl Fn(&K, Option<&K>) + Send + 'static,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (sender, receiver) = watch::channel(false);
    watches.listed.push(receiver);
    watches.tasks.spawn(feed(api, config, store, sender, changed));
}

/// Starts one watch when `wanted` becomes true; `filled` is told once its store has been filled. Nobody waits for it.
pub(crate) fn start_when<K>(
    watches: &mut Watches,
    mut wanted: watch::Receiver<bool>,
    api: Api<Received<K>>,
    store: Arc<Store<K>>,
    changed: impl Fn(&K, Option<&K>) + Send + 'static,
    filled: impl FnOnce() + Send + 'static,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (sender, mut receiver) = watch::channel(false);
    watches.tasks.spawn(async move {
        if wanted.wait_for(|wanted| *wanted).await.is_ok() {
            feed(api, watcher::Config::default(), store, sender, changed).await;
        }
    });
    watches.tasks.spawn(async move {
        if receiver.wait_for(|done| *done).await.is_ok() {
            filled();
        }
    });
}

async fn feed<K>(
    api: Api<Received<K>>,
    config: watcher::Config,
    store: Arc<Store<K>>,
    filled: watch::Sender<bool>,
    changed: impl Fn(&K, Option<&K>),
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let mut events = watcher(api, config).boxed();
    let mut listed: BTreeSet<Id> = BTreeSet::new();
    let mut pause = RETRY_MIN;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object))
                if object.0.is_err() && defect!(UnreadableIsFatal) =>
            {
                break;
            }
            Ok(event) => {
                pause = RETRY_MIN;
                take(event, &store, &mut listed, &filled, &changed);
            }
            Err(_) if defect!(WatchEnds) => break,
            Err(error) => {
                tracing::warn!(kind = %K::kind(&()), %error, "a watch failed and is started again");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(RETRY_MAX);
            }
        }
    }
}

fn take<K>(
    event: Event<Received<K>>,
    store: &Store<K>,
    listed: &mut BTreeSet<Id>,
    filled: &watch::Sender<bool>,
    changed: &impl Fn(&K, Option<&K>),
) where
    K: Resource<DynamicType = ()> + Clone + Debug,
{
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(object) => {
            if let Some(object) = readable(object) {
                listed.insert(id(&object));
                if !(defect!(ListBringsNothing) && *filled.borrow()) {
                    put_and_tell(store, object, changed);
                }
            }
        }
        Event::InitDone => {
            for gone in store.retain_listed(listed) {
                changed(&gone, None);
            }
            listed.clear();
            filled.send_replace(true);
        }
        Event::Apply(object) => {
            if let Some(object) = readable(object) {
                put_and_tell(store, object, changed);
            }
        }
        Event::Delete(object) => {
            if let Some(object) = readable(object) {
                if !defect!(DeletionIgnored) {
                    store.delete(&object);
                }
                changed(&object, None);
            }
        }
    }
}

fn put_and_tell<K: Resource<DynamicType = ()>>(
    store: &Store<K>,
    object: K,
    changed: &impl Fn(&K, Option<&K>),
) {
    let (object, before) = put(store, object);
    changed(&object, before.as_deref());
}

/// Takes in an object as the server has it now. Gives it, and the one that it replaces.
pub(crate) fn put<K: Resource<DynamicType = ()>>(
    store: &Store<K>,
    mut object: K,
) -> (Arc<K>, Option<Arc<K>>) {
    // They are the larger part of many objects, and nobody here reads more of them than when we changed it last.
    let fields = object.meta_mut().managed_fields.take().unwrap_or_default();
    object.meta_mut().managed_fields = routes::last_own_change(fields);
    let object = Arc::new(object);
    let before = store.put(object.clone());
    (object, before)
}

/// One object that cannot be read must not stop the others.
fn readable<K: Resource<DynamicType = ()>>(object: Received<K>) -> Option<K> {
    match object.0 {
        Ok(object) => Some(object),
        Err(invalid) => {
            let meta = &invalid.metadata;
            let (namespace, name) =
                (meta.namespace.as_deref().unwrap_or(""), meta.name.as_deref().unwrap_or(""));
            tracing::error!(kind = %K::kind(&()), namespace, name, error = %invalid.error, "an object cannot be read and is left alone");
            None
        }
    }
}
