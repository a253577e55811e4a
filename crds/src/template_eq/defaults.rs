//! Defaults that the API server fills into pod templates.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Constant defaults: struct, field, value. Found in `pkg/apis/core/v1/defaults.go` of Kubernetes 1.35 and tested
/// against what it does.
static DEFAULTS: LazyLock<BTreeMap<(&'static str, &'static str), Value>> = LazyLock::new(|| {
    let container = |name| {
        [
            (name, "terminationMessagePath", json!("/dev/termination-log")),
            (name, "terminationMessagePolicy", json!("File")),
        ]
    };
    let mut rows = vec![
        ("PodSpec", "dnsPolicy", json!("ClusterFirst")),
        ("PodSpec", "restartPolicy", json!("Always")),
        ("PodSpec", "securityContext", json!({})),
        ("PodSpec", "terminationGracePeriodSeconds", json!(30)),
        ("PodSpec", "schedulerName", json!("default-scheduler")),
        ("ContainerPort", "protocol", json!("TCP")),
        ("ObjectFieldSelector", "apiVersion", json!("v1")),
        ("FileKeySelector", "optional", json!(false)),
        ("Probe", "timeoutSeconds", json!(1)),
        ("Probe", "periodSeconds", json!(10)),
        ("Probe", "successThreshold", json!(1)),
        ("Probe", "failureThreshold", json!(3)),
        ("HTTPGetAction", "path", json!("/")),
        ("HTTPGetAction", "scheme", json!("HTTP")),
        ("GRPCAction", "service", json!("")),
        ("HostPathVolumeSource", "type", json!("")),
        ("SecretVolumeSource", "defaultMode", json!(0o644)),
        ("ConfigMapVolumeSource", "defaultMode", json!(0o644)),
        ("DownwardAPIVolumeSource", "defaultMode", json!(0o644)),
        ("ProjectedVolumeSource", "defaultMode", json!(0o644)),
        ("ServiceAccountTokenProjection", "expirationSeconds", json!(3600)),
        ("ISCSIVolumeSource", "iscsiInterface", json!("default")),
        ("RBDVolumeSource", "pool", json!("rbd")),
        ("RBDVolumeSource", "user", json!("admin")),
        ("RBDVolumeSource", "keyring", json!("/etc/ceph/keyring")),
        ("AzureDiskVolumeSource", "cachingMode", json!("ReadWrite")),
        ("AzureDiskVolumeSource", "fsType", json!("ext4")),
        ("AzureDiskVolumeSource", "readOnly", json!(false)),
        ("AzureDiskVolumeSource", "kind", json!("Shared")),
        ("ScaleIOVolumeSource", "storageMode", json!("ThinProvisioned")),
        ("ScaleIOVolumeSource", "fsType", json!("xfs")),
        ("PersistentVolumeClaimSpec", "volumeMode", json!("Filesystem")),
    ];
    rows.extend(container("Container"));
    rows.extend(container("EphemeralContainer"));
    rows.into_iter().map(|(owner, field, value)| ((owner, field), value)).collect()
});

/// The constant default of a field.
pub(super) fn default_of(owner: &'static str, field: &'static str) -> Option<&'static Value> {
    DEFAULTS.get(&(owner, field))
}

/// A default that depends on the struct's other fields.
pub(super) fn computed(owner: &str, field: &str, object: &Map<String, Value>) -> Option<Value> {
    match (owner, field) {
        ("Container" | "EphemeralContainer", "imagePullPolicy") => Some(pull_policy(object.get("image"))),
        ("ImageVolumeSource", "pullPolicy") => Some(pull_policy(object.get("reference"))),
        // A volume without a source is an empty directory.
        ("Volume", "emptyDir") => {
            let has_source = object.iter().any(|(key, value)| key != "name" && !value.is_null());
            (!has_source).then(|| json!({}))
        }
        _ => None,
    }
}

/// `Always` for the tag `latest`, written or implied: `nginx`, `nginx:latest`; `nginx@sha256:...` has no tag.
fn pull_policy(image: Option<&Value>) -> Value {
    let image = image.and_then(Value::as_str).unwrap_or_default();
    let (name, digest) = match image.split_once('@') {
        Some((name, _)) => (name, true),
        None => (image, false),
    };
    // A colon before the last slash belongs to a registry's port.
    let last = name.rsplit('/').next().unwrap_or_default();
    let always = match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => !digest && !name.is_empty(),
    };
    if always { json!("Always") } else { json!("IfNotPresent") }
}
