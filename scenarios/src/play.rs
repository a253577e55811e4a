//! A story in play: what it applies, waits for and finds.

use crate::{Kind, RolloutView, Seen, Stage, Users};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// The label that says which controllers an object is for.
const INSTANCE_LABEL: &str = "argo-rollouts.argoproj.io/controller-instance-id";

/// Why a story did not end well.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// The stage could not do what was asked.
    #[error("{doing}: {error}")]
    Stage {
        /// What was asked.
        doing: String,
        /// What the stage says.
        error: String,
    },
    /// What should have come did not.
    #[error("waited {} s for: {what}; last seen: {last}", waited.as_secs())]
    NotReached {
        /// The named state.
        what: String,
        /// For how long.
        waited: Duration,
        /// What was there instead.
        last: String,
    },
    /// Something is not as it must be.
    #[error("not true: {what}; seen: {seen}")]
    NotTrue {
        /// What must be.
        what: String,
        /// What was there instead.
        seen: String,
    },
}

/// A story in play on a stage, with its log.
#[derive(Debug)]
pub struct Play<'s, S> {
    stage: &'s S,
    log: RefCell<Vec<String>>,
    /// What users of a Service had seen when they began to count.
    arrivals: RefCell<BTreeMap<String, Seen>>,
}

type Told<T> = Result<T, StoryError>;

impl<'s, S: Stage> Play<'s, S> {
    /// Opens the play.
    #[must_use]
    pub fn on(stage: &'s S) -> Self {
        Self { stage, log: RefCell::default(), arrivals: RefCell::default() }
    }

    /// The stage.
    #[must_use]
    pub fn stage(&self) -> &'s S {
        self.stage
    }

    /// What happened so far, one line each, with the time in seconds.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    fn note(&self, line: &str) {
        self.log.borrow_mut().push(format!("{:6.1} s  {line}", self.stage.now().as_secs_f64()));
    }

    /// Applies an object.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub async fn apply(&self, object: Value) -> Told<()> {
        let mut object = object;
        let text = |key: &str| object.pointer(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let doing = format!("apply {} {}", text("/kind"), text("/metadata/name"));
        if let (Some(id), true) = (self.stage.instance_id(), text("/apiVersion").starts_with("argoproj.io/"))
            && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("labels".to_owned(), json!({ INSTANCE_LABEL: id }));
        }
        self.note(&doing);
        self.stage.apply(&object).await.map_err(|error| stage_error(&doing, &error))
    }

    /// Runs `kubectl-stepgate`.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn command(&self, args: &[&str]) -> Told<String> {
        let doing = format!("kubectl stepgate {}", args.join(" "));
        self.note(&doing);
        self.stage.command(args).await.map_err(|error| stage_error(&doing, &error))
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn delete(&self, kind: Kind, name: &str) -> Told<()> {
        let doing = format!("delete {kind:?} {name}");
        self.note(&doing);
        self.stage.delete(kind, name).await.map_err(|error| stage_error(&doing, &error))
    }

    /// An object that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub async fn get(&self, kind: Kind, name: &str) -> Told<Value> {
        let doing = format!("get {kind:?} {name}");
        let found = self.stage.get(kind, name).await.map_err(|error| stage_error(&doing, &error))?;
        found.ok_or_else(|| stage_error(&doing, &"it does not exist"))
    }

    /// All objects of a kind.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub async fn list(&self, kind: Kind) -> Told<Vec<Value>> {
        self.stage.list(kind).await.map_err(|error| stage_error(&format!("list {kind:?}"), &error))
    }

    /// A Rollout.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn rollout(&self, name: &str) -> Told<RolloutView> {
        self.get(Kind::Rollout, name).await.map(RolloutView)
    }

    /// Sends users to a Service, and counts from the first answer on: a Service that has just been made answers no
    /// one until the node knows it, and that is not the release's doing.
    ///
    /// # Errors
    /// When none gets an answer within the limit.
    pub async fn send_users(&self, service: &str, per_second: u32, limit: Duration) -> Told<()> {
        let doing = format!("send {per_second} users per second to {service}");
        self.note(&doing);
        let sent = self.stage.send_users(service, per_second).await;
        sent.map_err(|error| stage_error(&doing, &error))?;
        self.arrived(service, limit).await
    }

    async fn arrived(&self, service: &str, limit: Duration) -> Told<()> {
        let what = format!("users of {service} are answered");
        let arrived = self
            .wait(&what, limit, async || {
                let seen = self.seen(service).await?;
                let answered: u64 = seen.versions.values().map(|version| version.answered).sum();
                Ok(if answered > 0 { Ok(seen) } else { Err(seen.to_string()) })
            })
            .await?;
        self.arrivals.borrow_mut().insert(service.to_owned(), arrived);
        Ok(())
    }

    /// Sends users to a host, and counts from the first answer on, as [`Play::send_users`].
    ///
    /// # Errors
    /// When none gets an answer within the limit.
    pub async fn send_through(&self, host: &str, users: Users, limit: Duration) -> Told<()> {
        let doing = format!("send users to {host}: {users:?}");
        self.note(&doing);
        let sent = self.stage.send_through(host, users).await;
        sent.map_err(|error| stage_error(&doing, &error))?;
        // What a stream saw is known when it has ended.
        if matches!(users, Users::Streams(_)) { Ok(()) } else { self.arrived(host, limit).await }
    }

    /// How many requests to a host failed at which pod's address.
    ///
    /// # Errors
    /// When the stage cannot tell.
    pub async fn failed_at(&self, host: &str) -> Told<BTreeMap<String, u64>> {
        let failed = self.stage.failed_at(host).await;
        failed.map_err(|error| stage_error(&format!("where requests to {host} failed"), &error))
    }

    /// Lets a pod crash.
    ///
    /// # Errors
    /// When there is no such pod.
    pub async fn crash(&self, pod: &str) -> Told<()> {
        let doing = format!("crash {pod}");
        self.note(&doing);
        self.stage.crash(pod).await.map_err(|error| stage_error(&doing, &error))
    }

    /// What users of a Service saw so far.
    ///
    /// # Errors
    /// When the stage cannot tell.
    pub async fn seen(&self, service: &str) -> Told<Seen> {
        let seen = self.stage.seen(service).await;
        let seen = seen.map_err(|error| stage_error(&format!("what users of {service} saw"), &error))?;
        Ok(self.arrivals.borrow().get(service).map_or_else(|| seen.clone(), |arrived| seen.since(arrived)))
    }

    /// Waits until a Rollout is as named.
    ///
    /// # Errors
    /// When it is not so within the limit.
    pub async fn until(
        &self,
        name: &str,
        what: &str,
        limit: Duration,
        holds: impl Fn(&RolloutView) -> bool,
    ) -> Told<RolloutView> {
        let mut last = String::new();
        self.wait(&format!("{name}: {what}"), limit, async || {
            let view = self.rollout(name).await?;
            let line = view.line();
            if line != last {
                self.note(&format!("{name}: {line}"));
                last.clone_from(&line);
            }
            Ok(if holds(&view) { Ok(view) } else { Err(line) })
        })
        .await
    }

    /// Waits until there is a Rollout of this name.
    ///
    /// # Errors
    /// When there is none within the limit.
    pub async fn appears(&self, name: &str, limit: Duration) -> Told<()> {
        self.wait(&format!("{name} is there"), limit, async || {
            let found = self.stage.get(Kind::Rollout, name).await;
            let found = found.map_err(|error| stage_error(&format!("get Rollout {name}"), &error))?;
            Ok(found.map(drop).ok_or_else(|| "nothing".to_owned()))
        })
        .await
    }

    /// Looks again and again until there is an answer.
    ///
    /// # Errors
    /// When there is none within the limit, with what was seen last.
    pub async fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl AsyncFnMut() -> Told<Result<T, String>>,
    ) -> Told<T> {
        let begun = self.stage.now();
        loop {
            let last = match look().await? {
                Ok(found) => {
                    self.note(&format!("reached: {what}"));
                    return Ok(found);
                }
                Err(last) => last,
            };
            let waited = self.stage.now().saturating_sub(begun);
            if waited > limit {
                return Err(StoryError::NotReached { what: what.to_owned(), waited, last });
            }
            self.stage.rest().await;
        }
    }

    /// Lets time pass, and looks at a Rollout all the while.
    ///
    /// # Errors
    /// When it is once not as it must stay.
    pub async fn stays(
        &self,
        name: &str,
        what: &str,
        during: Duration,
        holds: impl Fn(&RolloutView) -> bool,
    ) -> Told<()> {
        let begun = self.stage.now();
        while self.stage.now().saturating_sub(begun) < during {
            let view = self.rollout(name).await?;
            self.holds(&format!("{name} stays: {what}"), holds(&view), || view.line())?;
            self.stage.rest().await;
        }
        self.note(&format!("{name} stayed: {what}"));
        Ok(())
    }

    /// What must be.
    ///
    /// # Errors
    /// When it is not.
    pub fn holds(&self, what: &str, is: bool, seen: impl FnOnce() -> String) -> Told<()> {
        if is {
            self.note(&format!("true: {what}"));
            return Ok(());
        }
        Err(StoryError::NotTrue { what: what.to_owned(), seen: seen() })
    }
}

fn stage_error(doing: &str, error: &dyn std::fmt::Display) -> StoryError {
    StoryError::Stage { doing: doing.to_owned(), error: error.to_string() }
}
