//! S2, S3 against what each simulated request met: one that nobody answers must not be the controllers' doing.

use super::{CROSSING, Checker, Kind, world};
use crds::Time;
use sandbox::traffic::{Outcome, Record};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A request that began when the cluster had just changed may still have met what was before.
const MOMENT: Duration = Duration::from_secs(1);

/// For so long that nothing in a run lasts longer, in seconds.
const A_LONG_TIME: i64 = 1_000_000;

/// What judging requests takes.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// How late the data plane is.
    lag: Duration,
    /// When all wanted pods were there for the first time, and all that routes lead to.
    open_since: Option<Time>,
    /// Until when pods were missing that no controller took away; `None` for never.
    hurt_until: Option<Time>,
    /// When, and at which revision, each Service left each version.
    left: BTreeMap<(String, String), (Time, u64)>,
    /// At which revision each version was last asked to have fewer pods.
    shrunk: BTreeMap<String, u64>,
    /// Until when no pods at all were wanted, or those that are wanted since were not there yet; `None` for never.
    closed_until: Option<Time>,
}

impl Checker {
    /// From now on data planes are so late.
    pub(in crate::l2) fn planes_lag(&mut self, lag: Duration) {
        self.requests.lag = self.requests.lag.max(lag);
    }

    /// Looks at how pods and Services are, for the requests that follow.
    pub(super) fn doors_changed(
        &mut self,
        kind: Kind,
        before: Option<&Value>,
        after: Option<&Value>,
        now: Time,
    ) {
        if kind == Kind::Service
            && let Some(before) = before
        {
            let (old, new) = (world::selected(before), after.map(world::selected).unwrap_or_default());
            let name = world::text(before, "/metadata/name");
            if old != new {
                self.requests.left.insert((name.to_owned(), old.to_owned()), (now, self.world.revision));
                self.requests.left.remove(&(name.to_owned(), new.to_owned()));
            }
        }
        if kind == Kind::Set
            && let Some(before) = before.map(world::set)
            && after.is_none_or(|after| world::set(after).replicas < before.replicas)
        {
            self.requests.shrunk.insert(before.hash, self.world.revision);
        }
        let web = self.world.look();
        let (wanted, have) = (web.replicas(), self.world.all_available());
        if web.0.is_null() || wanted == 0 || web.0.pointer("/metadata/deletionTimestamp").is_some() {
            self.requests.closed_until = Some(now.plus_seconds(A_LONG_TIME));
        } else if have >= wanted && self.every_share_has_pods() {
            self.requests.open_since.get_or_insert(now);
            self.requests.closed_until = self.requests.closed_until.map(|until| until.min(now));
        }
        // Pods that the world took are missed until as many as are wanted are there again.
        if self.last_loss.is_some_and(|at| self.requests.hurt_until.is_none_or(|until| until < at))
            || self.is_hurt(now)
        {
            // Where somebody has deleted the stable version, until another one serves in its place, too.
            let replaced = self.world.set_of(web.stable()).is_some()
                || !self.world.services.values().any(|hash| hash == web.stable());
            let until = if have >= wanted && replaced { now } else { now.plus_seconds(A_LONG_TIME) };
            self.requests.hurt_until = Some(until);
        }
    }

    fn is_hurt(&self, now: Time) -> bool {
        self.requests.hurt_until.is_some_and(|until| until > now)
    }

    /// Judges one request of a client of a Service.
    pub(in crate::l2) fn judge(&mut self, service: &str, record: &Record, now: Time) {
        if let Some(backend) = &record.backend
            && self.world.services.get(service).is_some_and(|hash| !hash.is_empty() && *hash != backend.hash)
        {
            self.reach("a request met a version that its Service had left");
        }
        if !matches!(record.outcome, Outcome::NoEndpoint | Outcome::Refused) {
            self.reach("a request was answered");
            return;
        }
        if self.is_excused(record.at, self.requests.lag) {
            return;
        }
        let production = self.production_services().any(|name| name == service);
        match (record.outcome, &record.backend) {
            (Outcome::NoEndpoint, _) if production => {
                self.fail("S2", now, format!("a request to Service {service} at {} finds no pod", record.at));
            }
            (Outcome::Refused, Some(backend)) => self.refused(service, &backend.hash.clone(), record.at, now),
            _ => {}
        }
    }

    /// Whether a request that began at this time may have failed for what no controller did; its data plane is so late.
    fn is_excused(&mut self, at: Time, lag: Duration) -> bool {
        let window = lag + CROSSING + self.lag;
        let recent = |past: Option<Time>| past.is_some_and(|past| past.plus(window) >= at);
        let opened = self.requests.open_since.is_some_and(|since| since.plus(lag + MOMENT) < at);
        if !opened || recent(self.requests.closed_until) {
            return true;
        }
        let hurt = recent(self.requests.hurt_until) || recent(self.last_loss);
        if hurt {
            self.reach("a request was not answered as pods had been lost");
        }
        hurt
    }

    /// Judges one request of a client of a route.
    pub(in crate::l2) fn judge_route(&mut self, route: &str, record: &Record, now: Time) {
        let lag = self.routes.lag;
        let hash = record.backend.as_ref().map(|backend| backend.hash.clone()).unwrap_or_default();
        let written = self.routes.written(&hash, &self.world.services);
        if !matches!(record.outcome, Outcome::NoEndpoint | Outcome::Refused) {
            if written == 0 && self.routes.is_late() {
                self.reach("a router sent a request by weights that were no more");
            }
            self.reach("a request was answered");
            return;
        }
        if self.is_excused(record.at, lag) || self.is_meddled_with(record.at) {
            return;
        }
        let at = record.at;
        let service = &record.service;
        // `[traffic.settle]`: a clock that is fast shortens it.
        let hastened = !lag.is_zero() && self.clocks.fastest() > 0;
        match record.outcome {
            _ if hastened => {}
            Outcome::NoEndpoint => {
                self.fail(
                    "S2",
                    now,
                    format!("a request to route {route} at {at} finds no pod of Service {service}"),
                );
            }
            // Routers that know at once send nothing to a pod that is gone.
            _ if lag.is_zero() => {
                self.fail(
                    "S2",
                    now,
                    format!("a request to route {route} at {at} is refused by a pod of {hash}"),
                );
            }
            // A Service that nobody has narrowed serves every version: its pods go as those of any smaller Rollout do.
            _ if self.world.services.get(service.as_ref()).is_some_and(String::is_empty) => {
                self.reach("a pod that a scale-down took was still sent requests");
            }
            // Fewer pods of a version that is served still: as with any smaller Rollout, some requests find one gone.
            _ if written > 0 || self.world.set_of(&hash).is_some_and(|set| set.replicas > 0) => {
                self.reach("a pod that a scale-down took was still sent requests");
            }
            _ => {
                let what = format!(
                    "a request to route {route} at {at} is refused: {hash} went before the router could know that it was left"
                );
                self.fail("S3", now, what);
            }
        }
    }

    /// A request was sent to a pod that had gone: the data plane did not know that yet.
    fn refused(&mut self, service: &str, hash: &str, at: Time, now: Time) {
        let lag = self.requests.lag;
        if lag.is_zero() {
            self.fail(
                "S2",
                now,
                format!("a request to Service {service} at {at} is refused by a pod of {hash}"),
            );
            return;
        }
        let Some((left, revision)) = self.requests.left.get(&(service.to_owned(), hash.to_owned())).copied()
        else {
            return;
        };
        if self.requests.shrunk.get(hash).is_none_or(|shrunk| *shrunk < revision) {
            // Its pods went while it was served, as those of any smaller Rollout do.
            self.reach("a pod that a scale-down took was still sent requests");
            return;
        }
        let web = self.world.look();
        let delay = web.number("/spec/strategy/blueGreen/scaleDownDelaySeconds").unwrap_or(30);
        let covered = self.is_blue_green() && lag < Duration::from_secs(delay.unsigned_abs());
        // A newer version, an abort or a smaller size ends the delay; a clock that jumps changes its length.
        let disturbed = self.verbs.iter().any(|(act, _)| act.plus(CROSSING + self.lag) >= left);
        if covered && !disturbed && self.clocks.spread().is_zero() {
            let what = format!(
                "a request to Service {service} at {at} is refused: {hash} went before routers could know that it was left at {left}"
            );
            self.fail("S3", now, what);
        }
    }
}
