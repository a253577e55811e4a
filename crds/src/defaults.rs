//! What holds where a Rollout says nothing. Defaults are not written to the object, except `replicas`.

use crate::rollout::canary::RolloutPause;
use crate::{DurationError, GoDuration, IntOrString, Rollout};

/// Old ReplicaSets kept. `[spec.revisionHistoryLimit]`
const REVISION_HISTORY_LIMIT: i32 = 10;
/// Seconds without progress.
const PROGRESS_DEADLINE_SECONDS: i32 = 600;
/// Pods above and below the number that is wanted.
const SURGE_PERCENT: i64 = 25;
/// Seconds before a previous or an aborted version is scaled down.
const SCALE_DOWN_DELAY_SECONDS: i32 = 30;
/// Finished AnalysisRuns kept, of each kind.
const RUN_HISTORY_LIMIT: i32 = 5;

/// `spec.replicas`.
#[must_use]
pub fn replicas(rollout: &Rollout) -> i32 {
    rollout.spec.replicas.unwrap_or(1)
}

/// `spec.revisionHistoryLimit`.
#[must_use]
pub fn revision_history_limit(rollout: &Rollout) -> i32 {
    rollout.spec.revision_history_limit.unwrap_or(REVISION_HISTORY_LIMIT)
}

/// `spec.progressDeadlineSeconds`, in seconds.
#[must_use]
pub fn progress_deadline_seconds(rollout: &Rollout) -> i32 {
    rollout.spec.progress_deadline_seconds.unwrap_or(PROGRESS_DEADLINE_SECONDS)
}

/// Successful AnalysisRuns kept.
#[must_use]
pub fn successful_run_history_limit(rollout: &Rollout) -> i32 {
    let limits = rollout.spec.analysis.as_ref();
    limits.and_then(|limits| limits.successful_run_history_limit).unwrap_or(RUN_HISTORY_LIMIT)
}

/// Failed, errored and inconclusive AnalysisRuns kept.
#[must_use]
pub fn unsuccessful_run_history_limit(rollout: &Rollout) -> i32 {
    let limits = rollout.spec.analysis.as_ref();
    limits.and_then(|limits| limits.unsuccessful_run_history_limit).unwrap_or(RUN_HISTORY_LIMIT)
}

/// Pods above `spec.replicas` that a canary may have: rounded up.
///
/// Example: 25% of 5 is 1.25, so 2.
#[must_use]
pub fn max_surge(rollout: &Rollout) -> i32 {
    let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    canary.map_or(0, |canary| resolve(canary.max_surge.as_ref(), replicas(rollout), true))
}

/// Pods below `spec.replicas` that may be missing: rounded down, and 1 where surge and this would both be 0.
///
/// Example: 25% of 5 is 1.25, so 1.
#[must_use]
pub fn max_unavailable(rollout: &Rollout) -> i32 {
    let Some(strategy) = rollout.spec.strategy.as_ref() else { return 0 };
    let replicas = replicas(rollout);
    if let Some(blue_green) = &strategy.blue_green {
        return resolve(blue_green.max_unavailable.as_ref(), replicas, false);
    }
    let given = strategy.canary.as_ref().and_then(|canary| canary.max_unavailable.as_ref());
    let unavailable = resolve(given, replicas, false);
    if unavailable == 0 && max_surge(rollout) == 0 { 1 } else { unavailable }
}

/// A number, or a percentage of `of`.
///
/// PARITY: a text is a percentage whether or not it ends in `%`, so `"1"` is 1%.
fn resolve(value: Option<&IntOrString>, of: i32, round_up: bool) -> i32 {
    let percent = match value {
        Some(IntOrString::Int(number)) => return i32::try_from(*number).unwrap_or(i32::MAX).max(0),
        Some(IntOrString::String(text)) => text.trim_end_matches('%').parse().unwrap_or(0),
        None => SURGE_PERCENT,
    };
    let product = i64::from(of).saturating_mul(percent);
    let rounded = if round_up { product.saturating_add(99) / 100 } else { product / 100 };
    i32::try_from(rounded.max(0)).unwrap_or(i32::MAX)
}

/// Seconds before the previous version of a blue-green update is scaled down.
#[must_use]
pub fn blue_green_scale_down_delay_seconds(rollout: &Rollout) -> i32 {
    let strategy = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.blue_green.as_ref());
    strategy.and_then(|strategy| strategy.scale_down_delay_seconds).unwrap_or(SCALE_DOWN_DELAY_SECONDS)
}

/// Seconds before the previous version of a canary behind routers is scaled down.
#[must_use]
pub fn canary_scale_down_delay_seconds(rollout: &Rollout) -> i32 {
    let strategy = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
    strategy.and_then(|strategy| strategy.scale_down_delay_seconds).unwrap_or(SCALE_DOWN_DELAY_SECONDS)
}

/// Seconds before an aborted version is scaled down; `None` when it never is.
#[must_use]
pub fn abort_scale_down_delay_seconds(rollout: &Rollout) -> Option<i32> {
    let strategy = rollout.spec.strategy.as_ref()?;
    let blue_green = strategy.blue_green.as_ref().and_then(|s| s.abort_scale_down_delay_seconds);
    let canary = strategy.canary.as_ref().and_then(|s| s.abort_scale_down_delay_seconds);
    let seconds = blue_green.or(canary).unwrap_or(SCALE_DOWN_DELAY_SECONDS);
    (seconds != 0).then_some(seconds)
}

/// Length of a pause in seconds; `None` when it waits for a person.
///
/// # Errors
/// When the duration is neither a number nor a duration.
pub fn pause_duration_seconds(pause: &RolloutPause) -> Result<Option<i64>, DurationError> {
    match &pause.duration {
        None => Ok(None),
        Some(IntOrString::Int(seconds)) => Ok(Some(*seconds)),
        Some(IntOrString::String(text)) => match text.parse() {
            Ok(seconds) => Ok(Some(seconds)),
            Err(_) => Ok(Some(GoDuration::parse(text)?.whole_seconds())),
        },
    }
}

/// Whether a blue-green update is promoted without a person.
#[must_use]
pub fn auto_promotion_enabled(rollout: &Rollout) -> bool {
    let strategy = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.blue_green.as_ref());
    strategy.and_then(|strategy| strategy.auto_promotion_enabled).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::{Value, json};

    fn rollout(spec: &Value) -> Rollout {
        serde_json::from_value(json!({"spec": spec})).unwrap()
    }

    fn canary(replicas: i32, surge: &Value, unavailable: &Value) -> (i32, i32) {
        let canary = json!({"maxSurge": surge, "maxUnavailable": unavailable});
        let rollout = rollout(&json!({"replicas": replicas, "strategy": {"canary": canary}}));
        (max_surge(&rollout), max_unavailable(&rollout))
    }

    #[test]
    fn an_empty_rollout_has_the_defaults() {
        let empty = rollout(&json!({}));
        assert_eq!((replicas(&empty), revision_history_limit(&empty)), (1, 10));
        assert_eq!(progress_deadline_seconds(&empty), 600);
        assert_eq!((successful_run_history_limit(&empty), unsuccessful_run_history_limit(&empty)), (5, 5));
        assert_eq!((max_surge(&empty), max_unavailable(&empty)), (0, 0));
        assert_eq!(blue_green_scale_down_delay_seconds(&empty), 30);
        assert_eq!(abort_scale_down_delay_seconds(&empty), None);
        assert!(auto_promotion_enabled(&empty));
    }

    #[test]
    fn surge_is_rounded_up_and_unavailable_down() {
        assert_eq!(canary(5, &json!(null), &json!(null)), (2, 1));
        assert_eq!(canary(5, &json!("50%"), &json!("50%")), (3, 2));
        assert_eq!(canary(5, &json!(3), &json!(4)), (3, 4));
        assert_eq!(canary(200, &json!("1"), &json!("1")), (2, 2));
        assert_eq!(canary(1, &json!("0%"), &json!(null)), (0, 1));
        assert_eq!(canary(5, &json!("abc"), &json!("-5%")), (0, 1));
        assert_eq!(canary(i32::MAX, &json!("200%"), &json!(0)), (i32::MAX, 0));
    }

    #[test]
    fn an_abort_delay_of_zero_means_never() {
        let delay = |seconds: Value| {
            let blue_green = json!({"activeService": "a", "abortScaleDownDelaySeconds": seconds});
            abort_scale_down_delay_seconds(&rollout(&json!({"strategy": {"blueGreen": blue_green}})))
        };
        assert_eq!((delay(json!(null)), delay(json!(0)), delay(json!(7))), (Some(30), None, Some(7)));
    }

    #[test]
    fn pauses_are_numbers_or_durations() {
        let pause = |duration: Value| {
            pause_duration_seconds(&serde_json::from_value(json!({"duration": duration})).unwrap())
        };
        assert_eq!(pause(json!(null)), Ok(None));
        assert_eq!(pause(json!(30)), Ok(Some(30)));
        assert_eq!(pause(json!("30")), Ok(Some(30)));
        assert_eq!(pause(json!("1h30m")), Ok(Some(5400)));
        assert_eq!(pause(json!("10ms")), Ok(Some(0)));
        assert!(pause(json!("1d")).is_err());
    }
}
