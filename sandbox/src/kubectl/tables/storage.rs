//! Rows of volumes and claims.

use super::read::{Reader, UNSET};
use serde_json::Value;

/// Name, capacity, access modes, reclaim policy, status, claim, class, attributes class, reason, age; wide: mode.
pub(super) fn volume(of: Reader<'_>) -> Vec<Value> {
    let claim = of.text("/spec/claimRef/name").map_or(String::new(), |name| {
        format!("{}/{name}", of.text("/spec/claimRef/namespace").unwrap_or_default())
    });
    vec![
        of.name(),
        of.text_or("/spec/capacity/storage", ""),
        modes(of, "/spec/accessModes"),
        of.text_or("/spec/persistentVolumeReclaimPolicy", ""),
        phase(of),
        claim.into(),
        of.text_or("/spec/storageClassName", ""),
        of.text_or("/spec/volumeAttributesClassName", UNSET),
        of.text_or("/status/reason", ""),
        of.age(),
        of.text_or("/spec/volumeMode", UNSET),
    ]
}

/// Name, status, volume, capacity, access modes, class, attributes class, age; wide: mode.
pub(super) fn claim(of: Reader<'_>) -> Vec<Value> {
    let bound = of.text("/spec/volumeName");
    let (capacity, modes) = match bound {
        Some(_) => (of.text_or("/status/capacity/storage", ""), modes(of, "/status/accessModes")),
        None => ("".into(), "".into()),
    };
    vec![
        of.name(),
        phase(of),
        bound.unwrap_or_default().into(),
        capacity,
        modes,
        of.text_or("/spec/storageClassName", ""),
        of.text_or("/spec/volumeAttributesClassName", UNSET),
        of.age(),
        of.text_or("/spec/volumeMode", UNSET),
    ]
}

fn phase(of: Reader<'_>) -> Value {
    if of.is_deleted() { "Terminating".into() } else { of.text_or("/status/phase", "") }
}

fn modes(of: Reader<'_>, path: &str) -> Value {
    const SHORT: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |mode: &str| of.items(path).any(|own| own.object.as_str() == Some(mode));
    let found: Vec<&str> = SHORT.iter().filter(|(mode, _)| has(mode)).map(|(_, short)| *short).collect();
    found.join(",").into()
}
