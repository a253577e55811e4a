//! S1, S2, S3, V3: pods that can carry traffic stay, and traffic stays with them.

use super::{Checker, Verb, world};
use crate::l2::look::Look;
use crds::Time;
use serde_json::Value;

/// `maxUnavailable` of a canary as a number; percentages are rounded down, and without a surge at least one pod may
/// go.
pub(super) fn max_unavailable(web: Look<'_>) -> i64 {
    let replicas = web.replicas();
    let share =
        |key: &str, up: bool, default: i64| match web.0.pointer(&format!("/spec/strategy/canary/{key}")) {
            Some(Value::Number(number)) => number.as_i64().unwrap_or(default),
            Some(Value::String(text)) => {
                let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
                let product = percent * replicas;
                if up { (product + 99) / 100 } else { product / 100 }
            }
            _ => (default * replicas + if up { 99 } else { 0 }) / 100,
        };
    let (surge, gone) = (share("maxSurge", true, 25), share("maxUnavailable", false, 25));
    if surge == 0 && gone == 0 { 1 } else { gone }
}

impl Checker {
    /// Services that users' requests come through: not the preview, and not the one of the canary.
    pub(super) fn production_services(&self) -> impl Iterator<Item = &str> {
        let web = self.world.look();
        let names = ["/spec/strategy/canary/stableService", "/spec/strategy/blueGreen/activeService"];
        names.into_iter().map(move |pointer| web.text(pointer)).filter(|name| !name.is_empty())
    }

    /// Whether routers split the traffic.
    pub(super) fn is_routed(&self) -> bool {
        self.world.look().0.pointer("/spec/strategy/canary/trafficRouting").is_some()
    }

    pub(super) fn is_blue_green(&self) -> bool {
        self.world.look().0.pointer("/spec/strategy/blueGreen").is_some()
    }

    /// A controller wrote a ReplicaSet.
    pub(super) fn set_written(&mut self, before: Option<&Value>, after: Option<&Value>, now: Time) {
        let before = before.map(world::set);
        if let Some(after) = after.map(world::set) {
            self.canary_fits_its_step(before.as_ref(), &after, now);
        }
        let Some(before) = before else { return };
        let size = after.map(world::set).map_or(0, |set| set.replicas);
        if before.owner != self.world.uid() || self.world.look().0.is_null() {
            return;
        }
        if size > before.replicas {
            self.canary_rises_after_abort(&before.hash, now);
            return;
        }
        if size == before.replicas && after.is_some() {
            return;
        }
        let (total, own) = (self.world.all_available(), self.world.available_of(&before.uid));
        let left = total - own + own.min(size);
        self.shrinks_while_served(&before, size, now);
        self.capacity(&before.hash, (total, own), (left, own.min(size)), now);
        // Behind routers a Service is asked as much as its weight says: S3 has judged that.
        if size == 0 && own > 0 && !self.is_routed() {
            let name = self
                .production_services()
                .find(|service| self.world.services.get(*service) == Some(&before.hash))
                .map(str::to_owned);
            if let (Some(name), true) = (name, self.world.look().replicas() > 0) {
                self.fail("S2", now, format!("Service {name} selects {}, which is scaled to 0", before.hash));
            }
        }
        if after.is_none() && before.hash == self.world.look().stable() {
            self.fail("S7", now, format!("the stable ReplicaSet {} is deleted", before.hash));
        }
        self.scaled_down_too_soon(&before, size, now);
    }

    /// S1: what is left after a write of ours can carry what it must.
    fn capacity(&mut self, hash: &str, (total, own): (i64, i64), (left, own_left): (i64, i64), now: Time) {
        if self.world_took_pods(now) || self.world.look().0.pointer("/metadata/deletionTimestamp").is_some() {
            return;
        }
        let replicas = self.believed_replicas(now);
        if self.is_blue_green() {
            let active = self
                .production_services()
                .any(|name| self.world.services.get(name).is_some_and(|h| h == hash));
            if active && own_left < own.min(replicas) {
                let what = format!(
                    "the active version {hash} is left with {own_left} of {own} available pods, {replicas} are wanted"
                );
                self.fail("S1", now, what);
            }
            return;
        }
        let needed = (replicas - max_unavailable(self.world.look())).max(0);
        if left < total.min(needed) {
            let what = format!(
                "{left} of {total} available pods are left after {hash} is scaled down, {needed} are needed"
            );
            self.fail("S1", now, what);
        }
    }

    /// S1 again: a pod that a controller deletes or evicts.
    pub(super) fn pod_written(&mut self, before: Option<&Value>, after: Option<&Value>, now: Time) {
        let was = before.is_some_and(world::ready);
        let is = after.is_some_and(world::ready);
        if !was || is {
            return;
        }
        let hash =
            before.map(|pod| world::text(pod, "/metadata/labels/rollouts-pod-template-hash").to_owned());
        let hash = hash.unwrap_or_default();
        let (total, own) = (self.world.all_available(), self.world.available(&hash));
        // A restart may always take one: with neither surge nor room nothing else could begin it.
        let needed = self.believed_replicas(now) - max_unavailable(self.world.look()).max(1);
        if !self.world_took_pods(now) && total - 1 < total.min(needed) {
            self.fail("S1", now, format!("a pod of {hash} is evicted: {} of {own} are left", own - 1));
        }
    }

    /// V3: after an abort the canary does not grow.
    fn canary_rises_after_abort(&mut self, hash: &str, now: Time) {
        let web = self.world.look();
        let aborted = web.is_aborted() && web.is_observed();
        if aborted && hash == web.current() && hash != web.stable() && !self.crosses(now, |_| true) {
            self.fail("V3", now, format!("the canary {hash} is scaled up after an abort"));
        }
    }

    /// S3: a version that was live a moment ago keeps its pods for its delay.
    fn scaled_down_too_soon(&mut self, before: &world::Set, size: i64, now: Time) {
        let Some(deadline) = Time::parse(&before.deadline) else { return };
        let web = self.world.look();
        let stays = self.is_blue_green() && size < before.replicas && self.its_time(now) < deadline;
        // Room for a newer version, an abort or a limit of revisions ends the delay.
        let limited = web.0.pointer("/spec/strategy/blueGreen/scaleDownDelayRevisionLimit").is_some();
        // What a person did before the delay began, and a controller that hears at once knew of, does not end it.
        let delay = web.number("/spec/strategy/blueGreen/scaleDownDelaySeconds").unwrap_or(30);
        let begun = deadline.plus_seconds(-delay.saturating_add(1)).plus_seconds(-self.clocks.fastest());
        let knew = |at: Time| self.lag.is_zero() && at < begun;
        let ends = |verb: Verb| matches!(verb, Verb::Template | Verb::Abort | Verb::Other);
        let newer = self.crosses(now, ends) && self.verbs.iter().any(|(at, verb)| ends(*verb) && !knew(*at));
        let scaled = self.believed_replicas(now) < before.replicas;
        if stays && !limited && !newer && !scaled && before.hash != web.current() {
            let what = format!("{} is scaled down at {now}, before its deadline {deadline}", before.hash);
            self.fail("S3", now, what);
        }
    }

    /// S2: a Service is pointed only at a version that can answer, if there is one.
    pub(super) fn service_written(&mut self, before: Option<&Value>, after: Option<&Value>, now: Time) {
        let (Some(before), Some(after)) = (before, after) else { return };
        let (old, new) = (world::selected(before).to_owned(), world::selected(after).to_owned());
        let name = world::text(after, "/metadata/name").to_owned();
        if old == new || !self.production_services().any(|service| service == name) {
            return;
        }
        let (had, has) = (self.world.available(&old), self.world.available(&new));
        if !new.is_empty()
            && has == 0
            && (had > 0 || (old.is_empty() && self.world.all_available() > 0))
            && self.believed_replicas(now) > 0
            && !self.world_took_pods(now)
        {
            let what =
                format!("Service {name} leaves {old} ({had} available pods) for {new}, which has none");
            self.fail("S2", now, what);
        }
        self.gate_before_traffic(&name, &new, now);
    }
}
