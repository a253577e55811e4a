//! What a plan would change, in words that stay the same as long as the same is meant.

use crate::apply::describe;
use crds::{Rollout, Time};
use planner::{Plan, Write};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// In place of a time: each plan would have another one.
const SOME_TIME: &str = "<time>";

/// One thing that a plan would change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    /// A write to an object.
    Write(String),
    /// A field of the status, with the value that it should have.
    Status {
        /// Name of the field.
        field: String,
        /// The value as JSON, without times.
        value: String,
    },
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(what) => f.write_str(what),
            Self::Status { field, value } => write!(f, "status.{field} = {value}"),
        }
    }
}

/// All that a plan would change, each with its reason.
pub(super) fn of(rollout: &Rollout, plan: &Plan) -> BTreeMap<Wish, String> {
    let writes =
        plan.writes.iter().map(|planned| (Wish::Write(words(&planned.write)), planned.reason.clone()));
    let reason = plan.trail.join("; ");
    writes.chain(status(rollout, plan).into_iter().map(|wish| (wish, reason.clone()))).collect()
}

/// With the value that is written, without the one that is there: that may change under the same wish.
fn words(write: &Write) -> String {
    match write {
        Write::ScaleReplicaSet { target, to, .. } => format!("scale ReplicaSet {} to {to}", target.name),
        Write::ScaleWorkload { target, to, .. } => format!("scale Deployment {} to {to}", target.name),
        Write::SelectService { target, hash: Some(hash), .. } => {
            format!("point Service {} at {hash}", target.name)
        }
        Write::SelectService { target, hash: None, .. } => {
            format!("point Service {} at every version", target.name)
        }
        write => describe(write),
    }
}

fn status(rollout: &Rollout, plan: &Plan) -> Vec<Wish> {
    let Some(after) = &plan.status else { return Vec::new() };
    let fields = |status: serde_json::Result<Value>| match status {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let before = fields(serde_json::to_value(rollout.status.clone().unwrap_or_default()));
    let after = fields(serde_json::to_value(after));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let wish = |name: &String| {
        let mut value = after.get(name).cloned().unwrap_or_default();
        without_times(&mut value);
        Wish::Status { field: name.clone(), value: value.to_string() }
    };
    changed.map(wish).collect()
}

fn without_times(value: &mut Value) {
    match value {
        Value::String(text) if Time::parse(text).is_some() => SOME_TIME.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(without_times),
        Value::Object(fields) => fields.values_mut().for_each(without_times),
        _ => {}
    }
}
