//! Whose clock shows what (F6). Rules that compare times go by the clock of the controller that writes: what is over for
//! it is over.

use crds::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// A write may still be under way for so long after its controller died.
const UNDER_WAY: Duration = Duration::from_secs(120);

/// By how many seconds the clocks of controllers are fast.
#[derive(Debug, Default)]
pub(in crate::l2) struct Clocks {
    by_name: BTreeMap<String, Vec<(Time, i64)>>,
}

impl Clocks {
    /// From now on the controller of this name has a clock that is so many seconds fast.
    pub(in crate::l2) fn set(&mut self, name: &str, now: Time, seconds: i64) {
        self.by_name.entry(name.to_owned()).or_default().push((now, seconds));
    }

    /// The most that the clock of a controller may have been fast when it decided on what it writes now.
    pub(super) fn of(&self, name: &str, now: Time) -> i64 {
        let Some(all) = self.by_name.get(name) else { return 0 };
        let mut fast = i64::MIN;
        let mut until = now;
        for (since, seconds) in all.iter().rev() {
            if until.plus(UNDER_WAY) < now {
                break;
            }
            fast = fast.max(*seconds);
            until = *since;
        }
        if fast == i64::MIN { 0 } else { fast }
    }

    /// By how much the fastest clock of the run was fast; 0 when none was.
    pub(super) fn fastest(&self) -> i64 {
        self.all().max().unwrap_or(0).max(0)
    }

    /// How far apart the clocks of the run were, the true one among them.
    pub(in crate::l2) fn spread(&self) -> Duration {
        let slowest = self.all().min().unwrap_or(0).min(0);
        Duration::from_secs(self.fastest().abs_diff(slowest))
    }

    fn all(&self) -> impl Iterator<Item = i64> {
        self.by_name.values().flatten().map(|(_, seconds)| *seconds)
    }
}
