//! Conditions of a status, as the built-in controllers keep them.

use crds::Time;

/// Value of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody knows.
    Unknown,
}

impl Truth {
    /// As it is written in a status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// A condition; `K` is the closed set of types that its kind of object has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition<K> {
    /// `type`.
    pub kind: K,
    /// `status`.
    pub truth: Truth,
    /// `reason`: one word.
    pub reason: String,
    /// `message`: a sentence.
    pub message: String,
    /// `lastUpdateTime` of a Deployment, `lastProbeTime` of a Job.
    pub updated: Time,
    /// `lastTransitionTime`: when `truth` last changed.
    pub changed: Time,
}

impl<K> Condition<K> {
    /// A condition that begins at `now`.
    #[must_use]
    pub fn new(kind: K, truth: Truth, reason: &str, message: impl Into<String>, now: Time) -> Self {
        let (reason, message) = (reason.to_owned(), message.into());
        Self { kind, truth, reason, message, updated: now, changed: now }
    }
}

/// The condition of a kind.
#[must_use]
pub fn find<K: PartialEq + Copy>(conditions: &[Condition<K>], kind: K) -> Option<&Condition<K>> {
    conditions.iter().find(|condition| condition.kind == kind)
}

/// Puts a condition in: the same status and reason change nothing, and the time of the last transition moves only
/// with the status. A condition that changes goes to the end of the list.
pub fn set<K: PartialEq + Copy>(conditions: &mut Vec<Condition<K>>, mut condition: Condition<K>) {
    let index = conditions.iter().position(|old| old.kind == condition.kind);
    if let Some(old) = index.and_then(|index| conditions.get(index)) {
        if old.truth == condition.truth && old.reason == condition.reason {
            return;
        }
        if old.truth == condition.truth {
            condition.changed = old.changed;
        }
    }
    remove(conditions, condition.kind);
    conditions.push(condition);
}

/// Takes the condition of a kind out.
pub fn remove<K: PartialEq + Copy>(conditions: &mut Vec<Condition<K>>, kind: K) {
    conditions.retain(|condition| condition.kind != kind);
}
