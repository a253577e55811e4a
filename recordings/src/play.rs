//! A scenario, played on a cluster.

use crate::act::{ActError, Actor, KINDS, OBSERVED};
use crate::read::Scenario;
use crate::seen::Seen;
use crate::wait::Wait;
use futures::stream::SelectAll;
use futures::{Stream, StreamExt};
use kube::api::DynamicObject;
use kube::runtime::watcher;
use serde_json::Value;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks whether a wait holds.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Why a scenario was not played to its end.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// Something could not be done.
    #[error(transparent)]
    Act(#[from] ActError),
    /// Something never came.
    #[error("never came to {what}; the last status: {status}")]
    Wait {
        /// What was waited for.
        what: Value,
        /// The Rollout's status.
        status: Value,
    },
}

type News = (usize, watcher::Result<watcher::Event<DynamicObject>>);

/// Watches a namespace.
struct Observer {
    news: SelectAll<Pin<Box<dyn Stream<Item = News> + Send>>>,
    seen: Seen,
    begin: Instant,
}

impl Observer {
    fn new(actor: &Actor) -> Result<Self, ActError> {
        let mut news = SelectAll::new();
        for (index, (_, kind)) in KINDS.iter().enumerate().take(OBSERVED) {
            let stream = watcher(actor.api(kind)?, watcher::Config::default());
            let boxed: Pin<Box<dyn Stream<Item = News> + Send>> =
                Box::pin(stream.map(move |event| (index, event)));
            news.push(boxed);
        }
        Ok(Self { news, seen: Seen::new(&actor.namespace), begin: Instant::now() })
    }

    fn elapsed(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Takes what comes until `until`.
    async fn watch(&mut self, until: Instant) {
        loop {
            let Ok(Some((index, event))) = tokio::time::timeout_at(until, self.news.next()).await else {
                return;
            };
            let kind = KINDS.get(index).map_or("", |(_, kind)| kind);
            let at = self.elapsed();
            // A watch that fails begins again by itself.
            match event {
                Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                    self.seen.take(kind, &serde_json::to_value(object).unwrap_or_default(), at);
                }
                Ok(watcher::Event::Delete(object)) => {
                    self.seen.gone(kind, &serde_json::to_value(object).unwrap_or_default(), at);
                }
                Ok(watcher::Event::Init | watcher::Event::InitDone) | Err(_) => {}
            }
        }
    }

    async fn wait(&mut self, what: &Value) -> Result<(), PlayError> {
        let wait = Wait(what);
        let begun = self.elapsed();
        loop {
            self.watch(Instant::now() + LOOK_EVERY).await;
            let now = self.elapsed();
            let long_enough = now - begun >= wait.length() && now - self.seen.changed() >= wait.settle();
            if long_enough && wait.holds(&self.seen) {
                return Ok(());
            }
            if now - begun > wait.limit() + wait.length() {
                let status = self.seen.rollout().map(|rollout| rollout["status"].clone()).unwrap_or_default();
                return Err(PlayError::Wait { what: what.clone(), status });
            }
        }
    }
}

/// What is done: one map of verbs, or a list of them.
pub(crate) fn verbs(deeds: &Value) -> Vec<(&String, &Value)> {
    match deeds {
        Value::Array(list) => list.iter().flat_map(verbs).collect(),
        other => other.as_object().into_iter().flatten().collect(),
    }
}

/// Plays a scenario in an empty namespace in which a controller is at work. `pace` is waited for before a Rollout is
/// made; `now` gives the time of the cluster as RFC 3339. What was seen is returned in any case.
///
/// # Errors
/// When something could not be done, or never came.
pub async fn play(
    client: kube::Client,
    namespace: &str,
    scenario: &Scenario,
    pace: Duration,
    now: impl Fn() -> String,
) -> (Vec<Value>, Result<(), PlayError>) {
    let actor = Actor { client, namespace: namespace.to_owned() };
    let mut observer = match Observer::new(&actor) {
        Ok(observer) => observer,
        Err(error) => return (Vec::new(), Err(error.into())),
    };
    let end = acts(&actor, &mut observer, scenario, pace, now).await;
    (observer.seen.lines(), end)
}

async fn acts(
    actor: &Actor,
    observer: &mut Observer,
    scenario: &Scenario,
    pace: Duration,
    now: impl Fn() -> String,
) -> Result<(), PlayError> {
    // Watches are open before anything is there, so that nothing is missed.
    observer.watch(Instant::now() + LOOK_EVERY).await;
    for manifest in &scenario.manifests {
        if manifest["kind"] == "Rollout" {
            observer.watch(Instant::now() + pace).await;
        }
        actor.create(manifest).await?;
    }
    for action in &scenario.actions {
        observer.wait(&action.wait).await?;
        for (verb, value) in verbs(&action.deeds) {
            observer.seen.acted(verb, observer.elapsed());
            actor.act(verb, value, &now(), &observer.seen).await?;
        }
    }
    observer.wait(&scenario.end).await
}
