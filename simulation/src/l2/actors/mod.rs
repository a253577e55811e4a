//! What goes on beside the controllers: mishaps that begin and end, a GitOps syncer, an autoscaler.

mod customers;
mod syncer;

use super::checker::Verb;
use super::deeds::{self, ROLLOUTS};
use super::house::NAMESPACE;
use super::look::Look;
use super::observed::lock;
use super::run::{Driver, Run};
use super::scenario::Deed;
use super::scenarios::{ROLLOUT, template};
use super::weather::{FLAP, Fault, LATE_SETS, Manners, Mishap, SLOW_STOP};
use crds::Time;
use sandbox::api::{At, Deletion, Part, Propagation};
use sandbox::traffic::RouterKind;
use sandbox::{Nature, PodChange, PodRule};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;

/// A syncer looks so often.
const SYNC_EVERY: Duration = Duration::from_secs(5);
/// Name of the quota that is used up.
const QUOTA: &str = "used-up";

/// What befalls a run, and what it has changed.
#[derive(Debug)]
pub(super) struct Fortune {
    /// What is still to come, in order.
    coming: VecDeque<(Duration, Mishap)>,
    /// What goes on, and when it ends.
    going_on: Vec<(Duration, Mishap)>,
    /// By how many seconds clocks of controllers that start now are fast.
    pub(super) fast: i64,
    /// Whether something has happened that the people of the scenario did not foresee, so that they may wait in vain.
    pub(super) surprises: bool,
    /// What Git says: the objects as people last applied them.
    git: Vec<Value>,
    /// Tags of images that people wanted, the newest last.
    tags: Vec<&'static str>,
    sync: Option<(Manners, Duration)>,
    /// When the syncer applies the newest template again.
    newest_at: Option<Duration>,
    flapping_since: Option<Time>,
    /// Controllers beside each other, when the scenario has fewer.
    pub(super) beside: u32,
    /// The clients' requests up to here are judged.
    judged: Time,
    /// Until then what has ended may still have effects.
    settled_at: Duration,
}

impl Fortune {
    pub(super) fn new(run: &Run<'_>) -> Self {
        let start = run.scenario.from_the_start.iter().map(|mishap| (Duration::ZERO, *mishap));
        Self {
            coming: start.chain(run.faults.mishaps()).collect(),
            going_on: Vec::new(),
            fast: 0,
            surprises: false,
            git: syncer::git(run.scenario),
            tags: syncer::first_tag(run.scenario),
            sync: None,
            newest_at: None,
            flapping_since: None,
            beside: 1,
            judged: Time::default(),
            settled_at: Duration::ZERO,
        }
    }

    /// Whether nothing is to come, and nothing goes on.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.coming.is_empty()
            && self.going_on.is_empty()
            && self.newest_at.is_none()
            && now >= self.settled_at
    }

    /// When something is next to do.
    pub(super) fn next(&self) -> Option<Duration> {
        let coming = self.coming.front().map(|(at, _)| *at);
        let ends = self.going_on.iter().map(|(at, _)| *at).min();
        let sync = self.sync.map(|(_, at)| at);
        [coming, ends, sync, self.newest_at].into_iter().flatten().min()
    }

    /// What people do, Git learns.
    pub(super) fn remember(&mut self, deed: &Deed) {
        let web = self.git.iter_mut().find(|object| is_rollout(object));
        match (deed, web) {
            (Deed::Image(tag), web) => {
                self.tags.push(tag);
                web.into_iter().for_each(|web| deeds::set(web, "/spec", "template", template(tag)));
            }
            (Deed::Scale(size), Some(web)) => deeds::set(web, "/spec", "replicas", (*size).into()),
            (Deed::Pause(paused), Some(web)) => deeds::set(web, "/spec", "paused", (*paused).into()),
            (Deed::Steps(steps), Some(web)) => {
                deeds::set(web, "/spec/strategy/canary", "steps", steps.clone());
            }
            (Deed::Apply(object), _) => {
                let id = |object: &Value| (object.get("kind").cloned(), name(object).to_owned());
                self.git.retain(|known| id(known) != id(object));
                self.git.push(object.clone());
            }
            (Deed::Delete(_, kind, gone), _) => {
                self.git.retain(|known| kind_of(known) != *kind || name(known) != *gone);
            }
            _ => {}
        }
    }

    fn size(&self) -> i64 {
        self.git.iter().find(|object| is_rollout(object)).map_or(1, |web| Look(web).replicas())
    }
}

fn kind_of(object: &Value) -> &str {
    object.get("kind").and_then(Value::as_str).unwrap_or_default()
}

fn name(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

fn router_kind(object: &Value) -> Option<RouterKind> {
    let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    RouterKind::of(version.split('/').next().unwrap_or_default(), kind_of(object))
}

fn is_rollout(object: &Value) -> bool {
    kind_of(object) == "Rollout"
}

impl Driver<'_> {
    /// Lets everything happen that is due.
    pub(super) fn befall(&mut self) {
        let now = self.house.elapsed();
        while let Some((at, mishap)) = self.fate.coming.pop_front_if(|(at, _)| *at <= now) {
            let milliseconds = u32::try_from(at.as_millis()).unwrap_or(u32::MAX);
            lock(&self.core).hits.push(Fault::World(milliseconds, mishap));
            self.begin(mishap);
        }
        let over = |(at, _): &(Duration, Mishap)| *at <= now;
        let ended: Vec<Mishap> =
            self.fate.going_on.iter().filter(|going| over(going)).map(|(_, mishap)| *mishap).collect();
        self.fate.going_on.retain(|going| !over(going));
        for mishap in ended {
            self.end(mishap);
        }
        if self.fate.newest_at.is_some_and(|at| at <= now) {
            self.fate.newest_at = None;
            self.apply_tag(self.fate.tags.len().saturating_sub(1));
        }
        if let Some((manners, at)) = self.fate.sync
            && at <= now
        {
            self.fate.sync = Some((manners, now + SYNC_EVERY));
            self.synchronise(manners);
        }
    }

    fn leader(&self) -> Option<String> {
        let leader = lock(&self.core).checker.leader.clone();
        leader.rsplit_once('_').map(|(name, _)| name.to_owned())
    }

    /// It begins to go wrong.
    pub(super) fn begin(&mut self, mishap: Mishap) {
        let (now, until) = (self.house.now(), self.house.now().plus(mishap.lasts()));
        let leader = self.leader();
        {
            let mut core = lock(&self.core);
            core.note(now, || format!("MISHAP {mishap:?}"));
            core.blind_until = core.blind_until.max(until);
            core.troubled |= !matches!(mishap, Mishap::Customers(_) | Mishap::Routers(_) | Mishap::Beside(_));
            core.checker.lag = core.checker.lag.max(mishap.delays());
            match mishap {
                Mishap::LeaseLost(_) => core.lease_lost.extend(leader.clone().map(|who| (Some(who), until))),
                Mishap::LeaseDown(_) => {
                    core.lease_lost.push((None, until));
                    core.checker.reach("nobody could renew the lease");
                }
                Mishap::Freeze(_) => {
                    if let Some(who) = leader.clone() {
                        core.frozen.insert(who, until);
                        core.checker.reach("the leader was frozen");
                    }
                }
                _ => {}
            }
        }
        if !mishap.lasts().is_zero() {
            self.fate.going_on.push((self.house.elapsed() + mishap.lasts(), mishap));
        }
        self.begin_in_the_cluster(mishap, leader);
    }

    fn begin_in_the_cluster(&mut self, mishap: Mishap, leader: Option<String>) {
        match mishap {
            Mishap::Clock(fast) => self.fate.fast = fast.into(),
            Mishap::Crash => leader.into_iter().for_each(|name| self.dies(name)),
            Mishap::Sync(manners, _) => self.fate.sync = Some((manners, self.house.elapsed())),
            Mishap::Scale(size, _) => self.scale(size.into()),
            Mishap::Drain => self.drain(),
            Mishap::Quota(_) => {
                let quota = json!({"metadata": {"name": QUOTA}, "spec": {"hard": {"pods": "0"}}});
                // A second one while the first lasts is the same.
                let _ = self.house.cluster.create("v1", "ResourceQuota", NAMESPACE, quota);
                lock(&self.core).checker.reach("a quota was used up");
            }
            Mishap::LateSets(_) => {
                self.nature(|nature| nature.replica_sets = LATE_SETS);
                lock(&self.core).checker.reach("the ReplicaSet controller was a minute late");
            }
            Mishap::SlowStops(_) => {
                self.nature(|nature| nature.stop = SLOW_STOP);
                lock(&self.core).checker.reach("pods took a minute to end");
            }
            Mishap::Flaps(_) => {
                self.fate.flapping_since.get_or_insert(self.house.now());
                self.nature(|nature| nature.pods.push(flaps()));
                lock(&self.core).checker.reach("pods flapped");
            }
            Mishap::Gates(mood, _) => {
                self.fate.surprises = true;
                self.house.answers.set_mood(Some(mood));
                lock(&self.core).checker.reach("gates did not answer well");
            }
            Mishap::Customers(lag) => self.customers(Duration::from_secs(lag.into())),
            Mishap::Routers(lag) => self.clients_of_routes(Duration::from_secs(lag.into())),
            Mishap::Beside(count) => self.fate.beside = count.into(),
            Mishap::LeaseLost(_) | Mishap::LeaseDown(_) | Mishap::Freeze(_) => {}
        }
    }

    /// It is over.
    fn end(&mut self, mishap: Mishap) {
        let usual = Nature::default();
        self.fate.settled_at = self.fate.settled_at.max(self.house.elapsed() + mishap.lingers());
        match mishap {
            Mishap::Sync(..) => self.fate.sync = None,
            Mishap::Scale(..) => self.scale(self.fate.size()),
            Mishap::Quota(_) => self.delete("v1", "ResourceQuota", QUOTA),
            Mishap::LateSets(_) => self.nature(|nature| nature.replica_sets = usual.replica_sets),
            Mishap::SlowStops(_) => self.nature(|nature| nature.stop = usual.stop),
            Mishap::Flaps(_) => self.no_more_flapping(),
            Mishap::Gates(..) => self.house.answers.set_mood(None),
            _ => {}
        }
    }

    fn nature(&self, change: impl FnOnce(&mut Nature)) {
        self.house.cluster.change_nature(change);
    }

    fn delete(&self, version: &str, kind: &str, name: &str) {
        self.house.cluster.with(|api| {
            let Some(resource) = api.resource_of(version, kind) else { return };
            let at = At { resource, namespace: NAMESPACE.to_owned(), name: name.to_owned() };
            let how = Deletion { propagation: Some(Propagation::Background), ..Deletion::default() };
            let _ = api.delete(&at, &how);
        });
    }

    fn person(&self, verb: Verb) {
        let now = self.house.now();
        lock(&self.core).checker.meddled(now, verb);
    }

    /// Changes a part of the Rollout that is people's.
    fn edit(&self, verb: Verb, edit: impl FnOnce(&mut Value)) {
        self.person(verb);
        deeds::change(&self.house.cluster, ROLLOUTS, ROLLOUT, Part::Main, edit);
    }

    fn scale(&self, size: i64) {
        self.edit(Verb::Other, |web| deeds::set(web, "/spec", "replicas", size.into()));
        let mut core = lock(&self.core);
        if core.checker.world.look().is_aborted() {
            core.checker.reach("an autoscaler scaled an aborted Rollout");
        }
        core.checker.reach(if size == 0 {
            "a Rollout was scaled to nothing"
        } else {
            "an autoscaler was at work"
        });
    }

    /// Takes all pods of the stable version away.
    fn drain(&self) {
        let stable = lock(&self.core).checker.world.look().stable().to_owned();
        self.lose(|pod| deeds::label(pod) == stable);
        lock(&self.core).checker.reach("all pods of the stable version went at once");
    }

    fn no_more_flapping(&mut self) {
        self.nature(|nature| nature.pods.retain(|rule| *rule != flaps()));
        let Some(since) = self.fate.flapping_since.take() else { return };
        let made = |pod: &Value| {
            pod.pointer("/metadata/creationTimestamp").and_then(Value::as_str).and_then(Time::parse)
        };
        self.lose(|pod| made(pod).is_none_or(|made| made.plus_seconds(1) >= since));
    }

    fn lose(&self, which: impl Fn(&Value) -> bool) {
        let now = self.house.now();
        lock(&self.core).checker.lost_pods(now);
        for pod in self.house.cluster.objects("v1", "Pod", NAMESPACE).iter().filter(|pod| which(pod)) {
            self.delete("v1", "Pod", name(pod));
        }
    }
}

fn flaps() -> PodRule {
    PodRule { about: String::new(), change: PodChange::Flaps(FLAP) }
}
