//! What Argo Rollouts has left at a moment at which it had nothing to do, as objects: made from a recording, so that
//! another controller can take them over.

mod objects;
mod spec;

use crate::read::Recording;
use objects::Objects;
use serde_json::{Map, Value};
use spec::Specs;
use std::collections::BTreeMap;

/// Nothing has changed for so many seconds at a moment at rest.
const REST: f64 = 0.7;
/// So many seconds after the last change it is looked at.
const AFTER: f64 = 0.3;
/// What waits for a time may come so many seconds earlier than it was seen: times have whole seconds.
const EARLY: f64 = 1.0;
/// Seconds for which a state at rest that waits for nothing but people stays as it is.
const UNTIMED: f64 = 30.0;
/// Parts of images that never get ready there.
pub const NEVER_READY: [&str; 5] = ["argo-error", "does-not-exist", "nonexistent", ":error", "bad"];

/// Makes the hashes that the objects carry.
#[derive(Clone, Copy)]
pub struct Hashes<'f> {
    /// Of a version that is called h1, h2 and so on, with its template.
    pub version: &'f dyn Fn(&str, &Value) -> String,
    /// Of the steps of a canary.
    pub steps: &'f dyn Fn(&Value) -> String,
}

impl std::fmt::Debug for Hashes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hashes").finish_non_exhaustive()
    }
}

/// The objects of one moment.
#[derive(Clone, Debug)]
pub struct Left {
    /// Which moment: seconds after the beginning.
    pub at: f64,
    /// What the Rollout says of itself: phase, message, step.
    pub about: String,
    /// Seconds for which a controller that takes over has nothing to do either.
    pub rest: f64,
    /// In the order in which they are to be created. A text such as `@-12` stands for a time, in seconds from now;
    /// `@uid` for the uid of the object that is named beside it.
    pub objects: Vec<Value>,
}

/// Fields of an object as the recording tells them, each with the second of its last change.
pub(crate) type Fields = BTreeMap<String, (Value, f64)>;

/// All moments at rest of a recording that can be made into objects.
#[must_use]
pub fn left(recording: &Recording, hashes: Hashes<'_>) -> Vec<Left> {
    let mut specs = Specs::new(&recording.scenario);
    let mut state = BTreeMap::new();
    let mut all = Vec::new();
    let mut last = 0.0;
    for line in &recording.lines {
        let kind = line["kind"].as_str().unwrap_or_default();
        if ["Event", "Note", "Job"].contains(&kind) {
            continue;
        }
        // The recording ends with a summary, after a rest of unknown length.
        let at = line["t"].as_f64().unwrap_or(last + 2.0 * REST);
        if at - last >= REST {
            let objects = Objects { specs: &specs, state: &state, at: last + AFTER, hashes };
            let rest = if objects.is_timed() { (at - last - AFTER - EARLY).max(AFTER) } else { UNTIMED };
            all.extend(objects.make().map(|made| Left {
                at: last + AFTER,
                about: objects.about(),
                rest,
                objects: made,
            }));
        }
        last = at;
        if kind == "Action" {
            if !specs.act(at) {
                return all;
            }
            continue;
        }
        specs.saw(line);
        note(&mut state, line, at);
    }
    all
}

/// Takes a line into the state.
fn note(state: &mut BTreeMap<(String, String), Fields>, line: &Value, at: f64) {
    let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let key = (text("kind"), text("name"));
    if line["deleted"] == true {
        state.remove(&key);
        return;
    }
    let empty = Map::new();
    let fields = state.entry(key).or_default();
    for (field, value) in line.as_object().unwrap_or(&empty) {
        match field.as_str() {
            "t" | "kind" | "name" | "new" => {}
            _ if value.is_null() => {
                fields.remove(field);
            }
            _ => {
                fields.insert(field.clone(), (value.clone(), at));
            }
        }
    }
}
