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
