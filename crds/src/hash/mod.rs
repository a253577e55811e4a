//! Hashes of pod templates and canary steps, equal to those of Argo Rollouts byte for byte.
//!
//! ReplicaSets and analysis runs are named after them, Services select by them, and a change of the step hash
//! restarts an update: so a controller that takes over must find the same values. Behaviour: `[identity.hash]`.

mod encode;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use crate::PodTemplate;
use crate::rollout::canary::CanaryStep;
pub(crate) use encode::{encode, is_empty};
use table::Kind;

/// Start value of 32-bit FNV-1a.
const FNV_OFFSET: u32 = 0x811c_9dc5;
/// Multiplier of 32-bit FNV-1a.
const FNV_PRIME: u32 = 0x0100_0193;
/// Letters and digits that form no words: the 27 that Kubernetes uses in generated names.
const SAFE_CHARACTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Hash of a pod template, the value of the label `rollouts-pod-template-hash`.
///
/// `collision_count` is `status.collisionCount`: it changes the hash when another owner's ReplicaSet has the name.
/// The template is hashed as if read into the typed struct: unknown fields do not count, `1000m` equals `1`.
#[must_use]
pub fn pod_template_hash(template: &PodTemplate, collision_count: Option<i32>) -> String {
    let json = pod_template_json(template);
    let mut hash = fnv1a(FNV_OFFSET, json.as_bytes());
    if let Some(count) = collision_count {
        // Argo Rollouts writes the 32-bit count into the first half of an 8-byte buffer.
        hash = fnv1a(hash, &count.to_le_bytes());
        hash = fnv1a(hash, &[0; 4]);
    }
    safe_encode(hash)
}

/// Hash of the canary's steps, `status.currentStepHash`; `None` is a canary without `steps`.
#[must_use]
pub fn step_hash(steps: Option<&[CanaryStep]>) -> String {
    // Serialising these types cannot fail: every map has text keys. A null would only make the hash differ.
    let value = steps.map(|steps| serde_json::to_value(steps).unwrap_or_default());
    let mut json = String::new();
    encode(value.as_ref(), &Kind::Slice(Box::new(Kind::Struct("CanaryStep"))), &mut json);
    safe_encode(fnv1a(FNV_OFFSET, json.as_bytes()))
}

/// The text that is hashed: JSON of the typed template, compact, in Go's order and with Go's escapes.
#[must_use]
pub fn pod_template_json(template: &PodTemplate) -> String {
    let mut json = String::new();
    encode(Some(&template.0), &Kind::Struct("PodTemplateSpec"), &mut json);
    json
}

fn fnv1a(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME))
}

/// The decimal text of a hash with each character replaced by a safe one: 0 is `4`, 10 is `54`.
fn safe_encode(hash: u32) -> String {
    let safe = |byte: u8| SAFE_CHARACTERS.get(usize::from(byte) % SAFE_CHARACTERS.len());
    hash.to_string().bytes().filter_map(|byte| safe(byte).map(|c| char::from(*c))).collect()
}
