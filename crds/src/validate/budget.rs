//! How many pods more or fewer a canary may have.

use super::Invalid;
use crate::IntOrString;
use crate::rollout::canary::CanaryStrategy;

/// `maxSurge` and `maxUnavailable`: without either, no pod could ever be replaced.
pub(super) fn check(canary: &CanaryStrategy) -> Result<(), Invalid> {
    let path = "spec.strategy.maxSurge";
    let (surge, unavailable) = (canary.max_surge.as_ref(), canary.max_unavailable.as_ref());
    if surge.is_some_and(|surge| number(surge) < 0) {
        // DIFFERS: accepted by Argo Rollouts, where the Rollout then never gets a pod.
        return Err(Invalid::value(path, &surge, "must be greater than or equal to 0"));
    }
    let is_zero = |value: Option<&IntOrString>| value.is_some_and(|value| number(value) == 0);
    if is_zero(surge) && is_zero(unavailable) {
        return Err(Invalid::value(path, &surge, "MaxSurge and MaxUnavailable both can not be zero"));
    }
    Ok(())
}

/// The number, with or without a percent sign; 0 for text that holds none.
fn number(value: &IntOrString) -> i64 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => text.trim_end_matches('%').parse().unwrap_or(0),
    }
}
