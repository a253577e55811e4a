//! What the shadow has found, as JSON and as metrics.

use super::wishes::Wish;
use super::{Broken, Planned, Standing};
use crate::metrics::{Page, SHADOW_DIFFERENCES, SHADOW_ROLLOUTS};
use crate::queue::Key;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the live controller makes of a Rollout, as the shadow sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is planned: what the live controller has made is what the shadow would have.
    Same,
    /// Something is planned, not for long yet.
    Pending,
    /// Something has been planned for longer than the grace, or what was done has broken a law.
    Differs,
    /// It could not be planned.
    Unknown,
}

impl State {
    const ALL: [Self; 4] = [Self::Same, Self::Pending, Self::Differs, Self::Unknown];

    fn of(planned: &Planned) -> Self {
        if planned.unknown.is_some() {
            Self::Unknown
        } else if overdue(planned).next().is_some() || !planned.broken.is_empty() {
            Self::Differs
        } else if planned.wishes.is_empty() {
            Self::Same
        } else {
            Self::Pending
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Pending => "pending",
            Self::Differs => "differs",
            Self::Unknown => "unknown",
        }
    }
}

fn overdue(planned: &Planned) -> impl Iterator<Item = (&Wish, &Standing)> {
    planned.wishes.iter().filter(|(_, standing)| standing.overdue)
}

fn counted(all: &BTreeMap<Key, Planned>) -> impl Iterator<Item = (State, usize)> {
    State::ALL
        .into_iter()
        .map(|state| (state, all.values().filter(|planned| State::of(planned) == state).count()))
}

pub(super) fn report(all: &BTreeMap<Key, Planned>, grace: Duration) -> Value {
    let counts: serde_json::Map<String, Value> =
        counted(all).map(|(state, count)| (state.as_str().to_owned(), json!(count))).collect();
    let told =
        all.iter().filter(|(_, planned)| matches!(State::of(planned), State::Differs | State::Unknown));
    let rollouts: Vec<Value> = told.map(|(key, planned)| one(key, planned)).collect();
    json!({"graceSeconds": grace.as_secs(), "rollouts": counts, "differences": rollouts})
}

fn one(key: &Key, planned: &Planned) -> Value {
    let (mut writes, mut status) = (Vec::new(), Vec::new());
    for (wish, Standing { since, reason, .. }) in overdue(planned) {
        match wish {
            Wish::Write(what) => writes.push(json!({"write": what, "reason": reason, "since": since})),
            Wish::Status { field, value } => {
                let value: Value = serde_json::from_str(value).unwrap_or_default();
                status.push(json!({"field": field, "planned": value, "reason": reason, "since": since}));
            }
        }
    }
    let law = |broken: &Broken| json!({"rule": broken.rule, "what": broken.what, "at": broken.at});
    let broken: Vec<Value> = planned.broken.iter().map(law).collect();
    json!({
        "namespace": key.namespace,
        "name": key.name,
        "state": State::of(planned).as_str(),
        "writes": writes,
        "status": status,
        "broken": broken,
        "error": planned.unknown,
    })
}

pub(super) fn show(all: &BTreeMap<Key, Planned>, page: &mut Page) {
    for (state, count) in counted(all) {
        page.add(&SHADOW_ROLLOUTS, &[state.as_str()], count);
    }
    for (key, planned) in all {
        let count = overdue(planned).count().saturating_add(planned.broken.len());
        if count > 0 {
            page.add(&SHADOW_DIFFERENCES, &[&key.namespace, &key.name], count);
        }
    }
}
