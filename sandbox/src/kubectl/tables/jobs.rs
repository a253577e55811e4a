//! Rows of Jobs and CronJobs.

use super::age;
use super::read::{NONE, Reader, UNSET};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Conditions that name a Job's state, the one that counts most first; a deletion stands before the third.
const CONDITIONS: [&str; 5] = ["Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"];
/// Those that stay what they are while the Job is deleted.
const FINAL: usize = 2;

/// Name, status, completions, duration, age; wide: containers, images, selector.
pub(super) fn job(of: Reader<'_>) -> Vec<Value> {
    let [containers, images] = of.containers("/spec/template/spec/containers");
    vec![
        of.name(),
        status(of).into(),
        completions(of).into(),
        duration(of).into(),
        of.age(),
        containers,
        images,
        of.selector("/spec/selector").into(),
    ]
}

fn status(of: Reader<'_>) -> &'static str {
    let found = CONDITIONS.iter().position(|condition| of.condition(condition) == Some(true));
    match found.and_then(|at| CONDITIONS.get(at).map(|name| (at, *name))) {
        Some((at, name)) if at < FINAL => name,
        _ if of.is_deleted() => "Terminating",
        Some((_, name)) => name,
        None => "Running",
    }
}

/// A Job without a number of completions is done when one of its pods is.
fn completions(of: Reader<'_>) -> String {
    let succeeded = of.number("/status/succeeded");
    if let Some(wanted) = of.at("/spec/completions") {
        return format!("{succeeded}/{wanted}");
    }
    match of.number("/spec/parallelism") {
        parallel if parallel > 1 => format!("{succeeded}/1 of {parallel}"),
        _ => format!("{succeeded}/1"),
    }
}

fn duration(of: Reader<'_>) -> String {
    let time = |path| DateTime::parse_from_rfc3339(of.text(path)?).ok().map(|time| time.with_timezone(&Utc));
    match (time("/status/startTime"), time("/status/completionTime")) {
        (None, _) => String::new(),
        (Some(start), end) => age::human(end.unwrap_or(of.now) - start),
    }
}

/// Name, schedule, time zone, suspended, active, last schedule, age; wide: containers, images, selector.
pub(super) fn cron_job(of: Reader<'_>) -> Vec<Value> {
    let [containers, images] = of.containers("/spec/jobTemplate/spec/template/spec/containers");
    let suspended = match of.at("/spec/suspend").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => UNSET,
    };
    vec![
        of.name(),
        of.text_or("/spec/schedule", ""),
        of.text_or("/spec/timeZone", NONE),
        suspended.into(),
        of.count("/status/active").into(),
        of.since("/status/lastScheduleTime").unwrap_or_else(|| NONE.to_owned()).into(),
        of.age(),
        containers,
        images,
        of.selector("/spec/jobTemplate/spec/selector").into(),
    ]
}
