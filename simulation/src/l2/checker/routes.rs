//! S2, S3, S4, V3 for weights: a router may still do what its objects and Services said for as long as it is late, so
//! that all that was true within that time counts, not only what was written last.

use super::weights::weight_at;
use super::{Actor, CROSSING, Checker, Kind, world};
use crate::l2::look::Look;
use crds::Time;
use crds::meta::POD_TEMPLATE_HASH_LABEL;
use sandbox::Call;
use sandbox::traffic::{RouteKey, RouterKind, Routers, Share, Split};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A pass that has begun may write so long after it has looked, beside the lag of its view.
const PASS: Duration = Duration::from_secs(2);
/// What weights add up to.
const WHOLE: i64 = 100;
/// States that are kept: more than the changes of any window.
const KEPT_MAX: usize = 256;

/// How all routes split.
type Splits = BTreeMap<RouteKey, Arc<Split>>;
/// The version that each Service selects.
type Selected = BTreeMap<String, String>;

/// What a Rollout allows its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Allowed {
    stable: String,
    current: String,
    /// The largest weight of the newest version.
    most: i64,
    aborted: bool,
}

impl Allowed {
    fn of(web: Look<'_>) -> Self {
        let (stable, current) = (web.stable(), web.current());
        let steps = i64::try_from(web.steps().len()).unwrap_or(i64::MAX);
        let full = web.flag("/status/promoteFull") || stable.is_empty() || stable == current;
        let most = match web.step() {
            _ if full => WHOLE,
            _ if web.is_aborted() => 0,
            step => weight_at(web.steps(), step.unwrap_or(steps)),
        };
        Self { stable: stable.to_owned(), current: current.to_owned(), most, aborted: web.is_aborted() }
    }

    /// The largest weight of a version; one that is neither new nor stable is to have none.
    fn most_of(&self, hash: &str) -> i64 {
        match hash {
            _ if hash == self.stable => WHOLE,
            _ if hash == self.current => self.most,
            _ => 0,
        }
    }
}

/// What was true since when, the newest last.
#[derive(Debug)]
struct Past<T>(VecDeque<(Time, T)>);

impl<T: PartialEq> Past<T> {
    fn push(&mut self, now: Time, value: T) {
        if self.0.back().is_some_and(|(_, last)| *last == value) {
            return;
        }
        self.0.push_back((now, value));
        if self.0.len() > KEPT_MAX {
            self.0.pop_front();
        }
    }

    /// All that was true at some time of the last `span`.
    fn within(&self, now: Time, span: Duration) -> impl Iterator<Item = &T> {
        let over = self.0.iter().skip(1).take_while(|(since, _)| since.plus(span) < now).count();
        self.0.iter().skip(over).map(|(_, value)| value)
    }
}

impl<T> Default for Past<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

/// What the rules about weights need to know.
#[derive(Debug, Default)]
pub(super) struct Routes {
    routers: Routers,
    /// How late the routers are.
    pub(super) lag: Duration,
    now: Splits,
    splits: Past<Splits>,
    selected: Past<Selected>,
    allowed: Past<Allowed>,
    /// When somebody who is no controller last wrote a route or a Service.
    foreign: Option<Time>,
    /// Objects of routers that the Rollout names or has named: what it has left is given back.
    pub(super) named: BTreeSet<String>,
    /// A controller has changed a Service or an object of a router since its last request about one was answered.
    edited: bool,
}

/// Whether objects of this resource are those of routers.
pub(super) fn is_of_router(resource: &str) -> bool {
    matches!(
        resource,
        "httproutes" | "traefikservices" | "virtualservices" | "destinationrules" | "ingresses"
    )
}

/// Whether a share leads to a version.
fn leads_to(share: &Share, hash: &str, selected: &Selected) -> bool {
    match share.labels.get(POD_TEMPLATE_HASH_LABEL) {
        Some(own) => own == hash,
        None => selected.get(&share.service).is_some_and(|own| own == hash),
    }
}

/// The largest weight in any route of the shares that `counts`, in percent, rounded up.
fn weight(splits: &Splits, counts: impl Fn(&Share) -> bool) -> i64 {
    let of_route = |split: &Arc<Split>| {
        let sum: i64 = split.shares.iter().map(|share| i64::from(share.weight)).sum();
        let own: i64 =
            split.shares.iter().filter(|share| counts(share)).map(|share| i64::from(share.weight)).sum();
        (own * WHOLE + sum.max(1) - 1) / sum.max(1)
    };
    splits.values().map(of_route).max().unwrap_or(0)
}

impl Routes {
    /// The weight of a version as it stands written now.
    pub(super) fn written(&self, hash: &str, selected: &Selected) -> i64 {
        weight(&self.now, |share| leads_to(share, hash, selected))
    }

    /// The largest weight that a version may still be served with.
    fn possible(&self, hash: &str, now: Time) -> i64 {
        let selected: Vec<&Selected> = self.selected.within(now, self.lag).collect();
        let counts = |share: &Share| selected.iter().any(|selected| leads_to(share, hash, selected));
        self.splits.within(now, self.lag).map(|splits| weight(splits, counts)).max().unwrap_or(0)
    }

    /// Whether routers know of nothing at once.
    pub(super) fn is_late(&self) -> bool {
        !self.lag.is_zero()
    }

    fn take(&mut self, object: &Value, deleted: bool) {
        let (group, _) = world::text(object, "/apiVersion").split_once('/').unwrap_or_default();
        let Some(kind) = RouterKind::of(group, world::text(object, "/kind")) else { return };
        for (route, split) in self.routers.saw(kind, object, deleted) {
            match split {
                Some(split) => drop(self.now.insert(route, split)),
                None => drop(self.now.remove(&route)),
            }
        }
    }
}

/// The object without what a controller may write: weights, the hash of a subset, and its own marks.
fn without_ours(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ours = |key: &str| matches!(key, "weight" | POD_TEMPLATE_HASH_LABEL);
            let kept = map.iter().filter(|(key, _)| !ours(key));
            kept.map(|(key, value)| (key.clone(), without_ours(value))).collect()
        }
        Value::Array(list) => list.iter().map(without_ours).collect(),
        other => other.clone(),
    }
}

impl Checker {
    /// From now on routers are so late.
    pub(in crate::l2) fn routers_lag(&mut self, lag: Duration) {
        self.routes.lag = self.routes.lag.max(lag);
    }

    /// The weight of each version as it stands written; nothing where no route is concerned.
    pub(super) fn weights_now(&self, kind: Kind) -> BTreeMap<String, i64> {
        if self.routes.now.is_empty() || !matches!(kind, Kind::Route | Kind::Service) {
            return BTreeMap::new();
        }
        let hashes = self.world.sets.values().map(|set| set.hash.clone());
        hashes
            .map(|hash| {
                let weight = self.routes.written(&hash, &self.world.services);
                (hash, weight)
            })
            .collect()
    }

    /// Something has changed, and the world knows it; `weights` are those from before.
    pub(super) fn routes_changed(
        &mut self,
        (actor, kind): (&Actor, Kind),
        (before, after): (Option<&Value>, Option<&Value>),
        weights: &BTreeMap<String, i64>,
        now: Time,
    ) {
        match kind {
            Kind::Route => {
                let Some(object) = after.or(before) else { return };
                self.routes.take(object, after.is_none());
                self.routes.splits.push(now, self.routes.now.clone());
            }
            Kind::Service => self.routes.selected.push(now, self.world.services.clone()),
            Kind::Rollout => {
                self.routes.allowed.push(now, Allowed::of(self.world.look()));
                let named = self.named_routes();
                self.routes.named.extend(named);
                return;
            }
            _ => return,
        }
        if *actor == Actor::World {
            if before.is_some() {
                self.routes.foreign = Some(now);
            }
            return;
        }
        self.routes.edited = true;
        if kind == Kind::Route {
            self.route_written(before, after, now);
        }
        for (hash, weight) in self.weights_now(kind) {
            let had = weights.get(&hash).copied().unwrap_or(0);
            if weight > had {
                self.weight_rises(&hash, (had, weight), now);
            }
        }
    }

    /// S4, S9, S13: weights add up, and nothing else of an object that is people's is written.
    fn route_written(&mut self, before: Option<&Value>, after: Option<&Value>, now: Time) {
        let Some(after) = after else { return };
        let name = world::text(after, "/metadata/name");
        let own = world::controller_uid(after) == self.world.uid();
        if let Some(before) = before.filter(|_| !own) {
            let spec = |object: &Value| without_ours(object.get("spec").unwrap_or(&Value::Null));
            if spec(before) != spec(after) {
                self.fail("S13", now, format!("more than weights of {name} is written"));
            }
        }
        let wrong = self.routes.now.iter().find_map(|((_, _, route), split)| {
            let sum: i64 = split.shares.iter().map(|share| i64::from(share.weight)).sum();
            (route == name && split.shares.len() > 1 && sum != WHOLE).then_some(sum)
        });
        if let Some(sum) = wrong {
            self.fail("S4", now, format!("weights of {name} add up to {sum}"));
        }
    }

    /// A controller gives a version more weight: by a route, or by a Service that a route asks.
    fn weight_rises(&mut self, hash: &str, (had, weight): (i64, i64), now: Time) {
        let replicas = self.believed_replicas(now);
        if replicas == 0 {
            // Nobody is served, whoever has the weight.
            self.reach("weight moved while no pods were wanted");
            return;
        }
        self.within_its_step(hash, (had, weight), now);
        let web = self.world.look();
        let gone = web.0.is_null() || web.0.pointer("/metadata/deletionTimestamp").is_some();
        let has = self.world.available(hash);
        // The first deploy has no other choice.
        if gone || web.stable().is_empty() || self.world_took_pods(now) {
            return;
        }
        if has == 0 && self.world.all_available() > 0 {
            self.fail("S2", now, format!("{hash} gets weight {weight}, and has no available pod"));
            return;
        }
        let needed = (replicas * weight + WHOLE - 1) / WHOLE - super::availability::max_unavailable(web);
        if has < needed && !self.others_are_worse(hash) {
            let what =
                format!("{hash} gets weight {weight} of {replicas} pods, and has {has} available ones");
            self.fail("S2", now, what);
        }
    }

    /// `[traffic.away-at-once]`: an aborted version loses its weight although the stable one has too few pods, and so
    /// does a version whose pods cannot carry what is sent there.
    fn others_are_worse(&self, hash: &str) -> bool {
        let web = self.world.look();
        if hash != web.stable() {
            return false;
        }
        let replicas = web.replicas();
        let others = self.world.sets.values().filter(|set| set.hash != hash);
        let served = others.filter_map(|set| {
            let shown =
                self.routes.splits.0.iter().rev().nth(1).map(|(_, splits)| {
                    weight(splits, |share| leads_to(share, &set.hash, &self.world.services))
                });
            shown.filter(|weight| *weight > 0).map(|weight| (set, weight))
        });
        let mut served = served.peekable();
        let carries =
            |(set, weight): (&world::Set, i64)| self.world.available(&set.hash) * WHOLE >= replicas * weight;
        web.is_aborted() || (served.peek().is_some() && !served.all(carries))
    }

    /// S4, V3: no version gets more than its step gives it, and none more after an abort.
    fn within_its_step(&mut self, hash: &str, (had, weight): (i64, i64), now: Time) {
        let seen: Vec<&Allowed> = self.routes.allowed.within(now, self.lag + PASS).collect();
        let most = seen.iter().map(|allowed| allowed.most_of(hash)).max().unwrap_or(WHOLE);
        let web = self.world.look();
        // `[promotion.deleted]`: the other version is gone.
        let stands_in = most > 0 && hash == web.current() && self.world.set_of(web.stable()).is_none();
        if weight <= most || stands_in {
            return;
        }
        let rule = if seen.iter().all(|allowed| allowed.aborted) { "V3" } else { "S4" };
        self.fail(
            rule,
            now,
            format!("{hash} gets weight {weight} after {had}, and is to have {most} at most"),
        );
    }

    /// S3: a version keeps the pods that it may still need: routers do as they were told for as long as they are late.
    pub(super) fn shrinks_while_served(&mut self, before: &world::Set, size: i64, now: Time) {
        let possible = self.routes.possible(&before.hash, now);
        let window = CROSSING + self.lag;
        let meddled = self.routes.foreign.is_some_and(|at| at.plus(window + self.routes.lag) >= now);
        // `[traffic.settle]` is counted by the controller's clock from a time of the API server's: a clock that is fast
        // shortens it.
        if possible == 0 || meddled || self.clocks.fastest() > 0 || self.world_took_pods(now) {
            return;
        }
        let needed = (self.believed_replicas(now) * possible + WHOLE - 1) / WHOLE;
        let own = self.world.available_of(&before.uid);
        if own.min(size) < own.min(needed) {
            let what = format!(
                "{} is scaled to {size} of {own} available pods, and routers may still send it {possible} percent",
                before.hash
            );
            self.fail("S3", now, what);
        }
    }

    /// Whether a request about a Service or an object of a router has changed nothing: it only fails when that is not as
    /// it was seen.
    pub(super) fn changed_nothing(&mut self, call: &Call) -> bool {
        let is_asked = call.resource == "services" || is_of_router(&call.resource);
        matches!(call.verb, "patch" | "update") && is_asked && !std::mem::take(&mut self.routes.edited)
    }

    /// At rest everything goes to the stable version, after an abort, too. A clock that is slow makes the settle time
    /// longer than a rest: then this cannot be told.
    pub(in crate::l2) fn strays_at_rest(&self) -> Option<String> {
        let web = self.world.look();
        if !self.clocks.spread().is_zero() {
            return None;
        }
        if self.routes.now.is_empty() || !(web.is_done() || web.is_aborted()) {
            return None;
        }
        let all = weight(&self.routes.now, |share| leads_to(share, web.stable(), &self.world.services));
        (all < WHOLE).then(|| format!("the stable version {} gets {all} percent at rest", web.stable()))
    }

    /// Whether every version that a route sends requests to has a pod: after nothing was wanted, one that was scaled to
    /// nothing may come back later than another.
    pub(super) fn every_share_has_pods(&self) -> bool {
        let hashes = self.world.sets.values().map(|set| set.hash.as_str());
        let mut served = hashes.filter(|hash| self.routes.written(hash, &self.world.services) > 0);
        served.all(|hash| self.world.available(hash) > 0)
    }

    /// Whether there are routes.
    pub(in crate::l2) fn has_routes(&self) -> bool {
        !self.routes.now.is_empty()
    }

    /// Whether somebody wrote a route or a Service so short a time before that its requests say nothing about us.
    pub(super) fn is_meddled_with(&self, at: Time) -> bool {
        let window = CROSSING + self.lag + self.routes.lag;
        self.routes.foreign.is_some_and(|foreign| foreign.plus(window) >= at)
    }
}

#[cfg(test)]
mod tests;
