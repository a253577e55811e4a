//! S4 for pods: the weight of a step is the share of the pods that the new version may have.

use super::{Checker, world};
use crds::Time;
use serde_json::Value;

/// The weight at a step: that of the last `setWeight` up to it.
pub(super) fn weight_at(steps: &[Value], step: i64) -> i64 {
    let upto = usize::try_from(step.saturating_add(1)).unwrap_or(0);
    if step >= i64::try_from(steps.len()).unwrap_or(i64::MAX) {
        return 100;
    }
    steps.iter().take(upto).rev().find_map(|step| step.get("setWeight").and_then(Value::as_i64)).unwrap_or(0)
}

impl Checker {
    /// S4: the new version is asked for no more pods than the current step gives it; a part of a pod counts as one.
    pub(super) fn canary_fits_its_step(
        &mut self,
        before: Option<&world::Set>,
        after: &world::Set,
        now: Time,
    ) {
        let web = self.world.look();
        let size = after.replicas;
        let grows = before.is_none_or(|before| size > before.replicas);
        // No status names a version that was made just now: it begins with the first step.
        let is_made = before.is_none() && after.hash != web.current();
        let is_canary = web.0.pointer("/spec/strategy/canary").is_some()
            && !web.stable().is_empty()
            && (is_made || after.hash == web.current())
            && after.hash != web.stable();
        // Somebody has deleted the stable version: the new one stands in for it.
        let stands_in = self.world.set_of(web.stable()).is_none();
        let told = is_made || (!web.flag("/status/promoteFull") && web.is_observed());
        let free = !told || self.crosses(now, |_| true) || stands_in;
        let step = if is_made { Some(0) } else { web.step() };
        let Some(step) = step.filter(|_| grows && is_canary && !free) else { return };
        let weight = if web.is_aborted() && !is_made { 0 } else { weight_at(web.steps(), step) };
        let most = (self.largest_replicas(now) * weight + 99) / 100;
        if size > most {
            let what = format!(
                "{} is asked for {size} pods at step {step}, whose weight {weight} gives it {most}",
                after.hash
            );
            self.fail("S4", now, what);
        }
    }

    /// The largest `spec.replicas` that a controller may believe in.
    fn largest_replicas(&self, now: Time) -> i64 {
        let window = super::CROSSING + self.lag;
        let recent = self.replicas.iter().rev().take_while(|(until, _)| until.plus(window) >= now);
        recent.map(|(_, size)| *size).chain([self.world.look().replicas()]).max().unwrap_or(0)
    }
}
