//! Watches of the objects of routers: each begins when the first Rollout wants its kind, and this process has the rights.
//! `[traffic.watch]` `[traffic.rights]`

use super::{Change, NOT_FOUND, Routes};
use crate::cache::watch::{RETRY_MAX, RETRY_MIN};
use crate::cache::{Clients, rights};
use futures::StreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use traffic::Kind;

/// How often a watch that cannot begin is told of in the log: a CRD that is not installed is no news after the first time.
const TELL_EVERY: Duration = Duration::from_secs(300);
/// How often it is asked whether rights that are missing have been granted.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// The code of a request that the role does not allow.
const FORBIDDEN: u16 = 403;
/// The code of a request whose options the server does not know.
const INVALID: u16 = 422;

/// Starts the watches. `changed` is told of every change.
pub(crate) fn start(
    tasks: &mut JoinSet<()>,
    clients: &Clients,
    routes: &Routes,
    scope: Option<&str>,
    changed: impl Fn(&Change) + Clone + Send + Sync + 'static,
) {
    for kind in traffic::KINDS {
        let (clients, scope) = (clients.clone(), scope.map(str::to_owned));
        tasks.spawn(routes.clone().feed(*kind, clients, scope, changed.clone()));
    }
}

impl Routes {
    /// Waits until this process may do all that is needed with the kind. `tell` is told of objects to look at. It asks:
    /// a request that is refused would be repeated for ever.
    async fn until_allowed(
        &self,
        kind: Kind,
        clients: &Clients,
        scope: Option<&str>,
        tell: &impl Fn(Change),
    ) {
        while let Some(why) = rights::missing(clients, kind, scope).await {
            let news = self.absent(kind, &why);
            if news.is_some() {
                tracing::warn!(
                    kind = kind.plural,
                    why,
                    "a router's objects cannot be used; it is asked again"
                );
            }
            news.into_iter().for_each(tell);
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Watches one kind, once it is wanted. `changed` is told of each object that came, changed or went.
    async fn feed(self, kind: Kind, clients: Clients, scope: Option<String>, changed: impl Fn(&Change)) {
        let mut wanted = match self.lock().get(&kind) {
            Some(shelf) => shelf.wanted.subscribe(),
            None => return,
        };
        if wanted.wait_for(|wanted| *wanted).await.is_err() {
            return;
        }
        let tell = |change: Change| changed(&change);
        self.until_allowed(kind, &clients, scope.as_deref(), &tell).await;
        let api = clients.api(kind, scope.as_deref());
        // Argo Rollouts' role has no `list` for some kinds: a watch that begins with what there is needs none.
        let mut streams = !kind.listable;
        let config = watcher::Config::default();
        let config = if streams { config.streaming_lists() } else { config };
        let mut events = watcher(api.clone(), config).boxed();
        let mut listed = BTreeSet::new();
        let mut pause = RETRY_MIN;
        let mut told: Option<Instant> = None;
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => {
                    if let Some(change) = self.put(kind, object) {
                        listed.insert((change.object.namespace.clone(), change.object.name.clone()));
                        tell(change);
                    }
                }
                Ok(Event::InitDone) => {
                    pause = RETRY_MIN;
                    for gone in self.listed(kind, &listed) {
                        tell(gone);
                    }
                    listed.clear();
                }
                Ok(Event::Apply(object)) => {
                    self.put(kind, object).into_iter().for_each(tell);
                }
                Ok(Event::Delete(object)) => {
                    let id = (
                        object.metadata.namespace.unwrap_or_default(),
                        object.metadata.name.unwrap_or_default(),
                    );
                    let gone = self.lock().get_mut(&kind).map(|shelf| shelf.remove(kind, id));
                    gone.into_iter().for_each(tell);
                }
                // Kubernetes before 1.32, and 1.33, have no such watch unless they are told to: then the right to list is
                // needed, and what misses it is told.
                Err(error) if streams && code_of(&error) == Some(INVALID) => {
                    tracing::warn!(kind = kind.plural, %error, "a watch cannot begin with what there is: it is listed");
                    streams = false;
                    events = watcher(api.clone(), watcher::Config::default()).boxed();
                }
                Err(error) => {
                    if told.is_none_or(|at| at.elapsed() > TELL_EVERY) {
                        tracing::warn!(kind = kind.plural, %error, "a router's objects cannot be watched; it is tried again");
                        told = Some(Instant::now());
                    }
                    if let Some((code, why)) = refused(&error) {
                        self.absent(kind, &why).into_iter().for_each(tell);
                        if code == FORBIDDEN {
                            self.until_allowed(kind, &clients, scope.as_deref(), &tell).await;
                        }
                    }
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(RETRY_MAX);
                }
            }
        }
    }
}

/// What the API server has answered, if it has.
fn answer(error: &watcher::Error) -> Option<&kube::core::Status> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status),
        _ => None,
    }
}

fn code_of(error: &watcher::Error) -> Option<u16> {
    answer(error).map(|status| status.code)
}

/// What the API server says where a kind is not installed, or may not be read. Any other failure passes, and says nothing
/// about the kind.
fn refused(error: &watcher::Error) -> Option<(u16, String)> {
    let status = answer(error)?;
    matches!(status.code, FORBIDDEN | NOT_FOUND).then(|| (status.code, status.message.trim().to_owned()))
}
