//! Objects of routers that no Rollout uses any more are let go. `[traffic.release]` `[traffic.left]`

use crate::apply::{Applier, ApplyError, reference as object_reference, routes};
use crate::cache::Former;
use crate::cache::reads::{self, Reads};
use crate::events::Message;
use crate::metrics::Written;
use crate::queue::{Key, Outcome};
use crds::{Rollout, defaults, meta};
use kube::{Api, ResourceExt};
use planner::EventType;
use planner::traffic::Pairs;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use traffic::{Edit, Objects, Problem, Reference, Services};

/// How often it is looked whether the pods have come that weight waits for.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Looks at one object: what Rollouts that do not use it any more have left there is taken out, and with `gives_back` the
/// fields are nobody's afterwards.
pub(crate) async fn look(applier: &Applier, key: &Key, gives_back: bool) -> Outcome {
    let Some(reference) = reads::of_key(&key.namespace, &key.name) else { return Outcome::Done };
    let release = Release { applier, reference: &reference, gives_back };
    match release.run().await {
        Ok(outcome) => outcome,
        Err(ApplyError::NotLeading) => Outcome::Done,
        Err(error) if error.is_stale() => Outcome::Retry,
        Err(error) => {
            let (namespace, name) = (&key.namespace, &key.name);
            tracing::warn!(namespace, name, %error, "an object of a router could not be released");
            Outcome::Retry
        }
    }
}

struct Release<'a> {
    applier: &'a Applier,
    reference: &'a Reference,
    gives_back: bool,
}

/// What is to be done about weights that a Rollout may have left.
enum Next {
    /// Nothing: they are not there, or are somebody's.
    Nothing,
    /// The stable version has no pods for them yet.
    Wait,
    /// The object is to be so; the event is about this Rollout.
    Edit(Box<Edit>, Arc<Rollout>),
}

impl Release<'_> {
    async fn run(&self) -> Result<Outcome, ApplyError> {
        self.take_marks_out().await?;
        let mut outcome = Outcome::Done;
        for former in self.applier.caches.left.of(self.reference) {
            match self.next(&former) {
                Next::Wait => {
                    self.applier.caches.left.keep(self.reference, &former);
                    outcome = Outcome::Wake(Instant::now() + LOOK_AGAIN);
                    continue;
                }
                Next::Nothing => {}
                Next::Edit(edit, rollout) => {
                    self.send(&edit).await?;
                    self.tell(&rollout, &former);
                    self.hand_back().await?;
                }
            }
            self.applier.caches.left.forget(self.reference, &former);
        }
        Ok(outcome)
    }

    fn found(&self) -> Objects {
        let references = std::slice::from_ref(self.reference);
        self.applier.caches.routes.find(references, &[], crds::Time::default()).objects
    }

    async fn send(&self, edit: &Edit) -> Result<(), ApplyError> {
        let (applier, kind) = (self.applier, self.reference.kind);
        let found = self.found();
        let sent = routes::send(applier, found.get(self.reference), edit);
        applier.guard(&format!("release {}", kind.kind), sent).await?;
        applier.metrics.wrote(Written::new("edit", kind.plural, "release"));
        Ok(())
    }

    async fn hand_back(&self) -> Result<(), ApplyError> {
        if !self.gives_back {
            return Ok(());
        }
        let what = format!("give back {}", self.reference.kind.kind);
        self.applier.guard(&what, routes::hand_back(self.applier, self.reference)).await
    }

    /// Takes out what Rollouts that do not use it any more have left, where the object tells whose it is.
    async fn take_marks_out(&self) -> Result<(), ApplyError> {
        let found = self.found();
        let Some(value) = found.get(self.reference) else { return Ok(()) };
        // What cannot be read is told where a Rollout uses it.
        let writers = traffic::writers(self.reference, value).unwrap_or_default();
        let mut referring: BTreeSet<String> =
            self.rollouts().iter().map(|rollout| rollout.name_any()).collect();
        for writer in &writers {
            if !referring.contains(writer) && self.is_used_by(writer).await? {
                referring.insert(writer.clone());
            }
        }
        if writers.is_subset(&referring) {
            return Ok(());
        }
        let Ok(Some(to)) = traffic::release(self.reference, value, &referring) else { return Ok(()) };
        self.send(&Edit { object: self.reference.clone(), to }).await?;
        if referring.is_empty() { self.hand_back().await } else { Ok(()) }
    }

    /// The Rollouts in our caches that name the object.
    fn rollouts(&self) -> Vec<Arc<Rollout>> {
        let (namespace, index) = reads::key(self.reference);
        self.applier.caches.rollouts.find(&namespace, &index)
    }

    /// Whether a Rollout that is not in our caches uses the object: one of another instance id, or one that has just come.
    async fn is_used_by(&self, name: &str) -> Result<bool, ApplyError> {
        let api: Api<Rollout> = Api::namespaced(self.applier.client.clone(), &self.reference.namespace);
        let mut uses = false;
        self.applier
            .guard("get Rollout", async {
                let rollout = api.get_opt(name).await?;
                uses = rollout.is_some_and(|rollout| Reads::of(&rollout).references.contains(self.reference));
                Ok(())
            })
            .await?;
        Ok(uses)
    }

    /// The way back of all weight to the stable Service, unless somebody else uses the object between these Services, or
    /// has written all that was ours in it.
    fn next(&self, former: &Former) -> Next {
        let caches = &self.applier.caches;
        let services = &former.services;
        let Some(now) = self.rollout_now(&former.rollout) else { return Next::Nothing };
        let routers = caches.routes.routers(&now);
        let used = routers.iter().any(|router| router.references().contains(self.reference));
        let taken = self.rollouts().iter().any(|other| splits(other, services));
        if used || taken || !caches.routes.has_ours(self.reference) {
            return Next::Nothing;
        }
        match self.edit(former) {
            Ok(None) => Next::Nothing,
            Ok(Some(_)) if !self.is_carried(former, &now, &services.stable) => Next::Wait,
            Ok(Some(edit)) => Next::Edit(Box::new(edit), now),
            Err(problem) => {
                let (kind, name) = (self.reference.kind.kind, &self.reference.name);
                tracing::warn!(kind, name, %problem, "weights that a Rollout has left are not taken back");
                Next::Nothing
            }
        }
    }

    /// The Rollout as it is now; none when it is gone or on its way.
    fn rollout_now(&self, before: &Rollout) -> Option<Arc<Rollout>> {
        let namespace = before.namespace().unwrap_or_default();
        let now = self.applier.caches.rollouts.get(&namespace, &before.name_any())?;
        let stays = now.metadata.uid == before.metadata.uid && now.metadata.deletion_timestamp.is_none();
        stays.then_some(now)
    }

    fn edit(&self, former: &Former) -> Result<Option<Edit>, Problem> {
        let routes = &self.applier.caches.routes;
        let routers = routes.routers(&former.rollout);
        let Some(router) = routers.iter().find(|router| router.name() == former.router) else {
            return Ok(None);
        };
        let objects = routes.find(&router.references(), &router.selections(), crds::Time::default()).objects;
        let mut intent = traffic::at_rest(&former.rollout, &former.services);
        // Which versions its subsets select is told by an object of its own.
        let subsets = router.observe(&objects)?.subsets;
        (intent.canary.hash, intent.stable.hash) = subsets.unwrap_or_default();
        let edits = router.edit(&objects, &intent.within(router.abilities()))?;
        Ok(edits.into_iter().find(|edit| edit.object == *self.reference))
    }

    /// Whether the version that the Service selects carries all requests: a version that has not shrunk does so as soon as
    /// it is there. Pods that the user selects are the user's business.
    fn is_carried(&self, former: &Former, rollout: &Rollout, service: &str) -> bool {
        let caches = &self.applier.caches;
        let namespace = rollout.namespace().unwrap_or_default();
        let service = caches.services.get(&namespace, service);
        let selector = service.as_ref().and_then(|service| service.spec.as_ref()?.selector.as_ref());
        let Some(hash) = selector.and_then(|selector| selector.get(meta::POD_TEMPLATE_HASH_LABEL)) else {
            return true;
        };
        let strategy = former.rollout.spec.strategy.as_ref();
        let shrinks =
            strategy.and_then(|strategy| strategy.canary.as_ref()?.dynamic_stable_scale) == Some(true);
        let needed = if shrinks { defaults::replicas(rollout).max(1) } else { 1 };
        let sets = caches.replica_sets.find(&namespace, &rollout.uid().unwrap_or_default());
        sets.iter().any(|set| {
            set.labels().get(meta::POD_TEMPLATE_HASH_LABEL) == Some(hash)
                && set.status.available_replicas >= needed
        })
    }

    fn tell(&self, rollout: &Rollout, former: &Former) {
        let (kind, name) = (self.reference.kind.kind, &self.reference.name);
        let stable = &former.services.stable;
        self.applier.events.send(Message {
            about: object_reference(rollout),
            event_type: EventType::Normal,
            reason: "TrafficReleased".to_owned(),
            message: format!(
                "{kind} {name} is not used any more: all of its traffic goes to Service {stable}"
            ),
        });
    }
}

/// Whether a Rollout splits traffic between these Services.
fn splits(rollout: &Rollout, services: &Services) -> bool {
    let pairs = Pairs::of(rollout);
    pairs.in_use().any(|(roles, _)| roles.canary == services.canary)
}
