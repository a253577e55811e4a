//! How a run ends: what it waits for, and what holds then.

use super::super::deeds;
use super::super::look::Look;
use super::super::observed::lock;
use super::super::scenario::End;
use super::{Driver, QUIET, SETTLES_MAX};
use crds::Time;
use serde_json::Value;
use std::time::Duration;

impl Driver<'_> {
    pub(super) fn is_quiet(&self) -> bool {
        self.away.is_empty()
            && self.fate.is_over(self.house.elapsed())
            && lock(&self.core).is_quiet(self.house.now())
    }

    /// A clock that is slow makes what is timed by it so much longer; behind routers each weight and each Service that
    /// moves is, since the settle time is counted from a time of the API server's.
    pub(super) fn spread(&self) -> Duration {
        let core = lock(&self.core);
        let times = if core.checker.has_routes() { SETTLES_MAX } else { 1 };
        core.checker.clocks.spread() * times
    }

    /// Whether things went another way than the people of the scenario foresaw, and have come to rest there.
    pub(super) fn went_otherwise(&mut self) -> bool {
        let rests = |web: Look<'_>| matches!(web.phase(), "Healthy" | "Paused" | "Degraded");
        self.otherwise = self.fate.surprises && self.is_quiet() && self.look(rests);
        if self.otherwise {
            self.at_rest(self.house.now(), false);
        }
        self.otherwise
    }

    pub(super) fn has_ended(&self) -> bool {
        match self.scenario.end {
            End::Is(_, holds) => self.look(holds),
            End::Gone => lock(&self.core).checker.world.rollout.is_none(),
        }
    }

    pub(super) fn fail_waiting(&self, what: &str) {
        let now = self.house.now();
        let mut core = lock(&self.core);
        let last =
            core.checker.world.rollout.as_ref().and_then(|web| web.get("status")).map(Value::to_string);
        core.checker.fail(
            "V1",
            now,
            format!("waited in vain for: {what}; last: {}", last.unwrap_or_default()),
        );
    }

    /// What must hold when nothing happens any more.
    pub(super) fn at_rest(&self, now: Time, foreseen: bool) {
        let mut core = lock(&self.core);
        let checker = &mut core.checker;
        checker.has_rested(QUIET, now);
        if matches!(self.scenario.end, End::Gone) {
            let left = checker.world.sets.len() + checker.world.pods.len() + checker.world.runs.len();
            if left > 0 {
                checker.fail("V6", now, format!("{left} owned objects are left"));
            }
            return;
        }
        let (wanted, have) = (checker.world.look().replicas(), checker.world.all_available());
        let hash = checker.world.look().stable().to_owned();
        // At a pause that nobody lifts the newer version has a part of the pods.
        let own = if foreseen {
            checker.world.set_of(&hash).map_or(0, |set| checker.world.available_of(&set.uid))
        } else {
            have
        };
        if own < wanted {
            checker.fail(
                "V1",
                now,
                format!("{own} of {wanted} pods of the stable version {hash} are available ({have} in all)"),
            );
        }
        if let Some(what) = checker.strays_at_rest() {
            checker.fail("V1", now, what);
        }
        if let Some(what) = checker.world.active_with_deadline() {
            checker.fail("V1", now, what);
        }
        if foreseen
            && !self.scenario.serves.is_empty()
            && deeds::image_of(&self.house.cluster, &hash) != self.scenario.serves
        {
            checker.fail("V5", now, format!("the stable version {hash} is not {}", self.scenario.serves));
        }
    }
}
