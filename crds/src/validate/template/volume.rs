//! Volumes of a pod.

use super::{Invalid, labels, node::Node, resources};
use std::collections::BTreeSet;

/// Every kind of volume, in the order in which the API server looks for a second one.
const SOURCES: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "azureDisk",
    "storageos",
    "portworxVolume",
    "projected",
    "scaleIO",
    "photonPersistentDisk",
    "csi",
    "ephemeral",
    "image",
    "flexVolume",
];
/// The one field that a source cannot do without.
const NEEDED: [(&str, &str); 4] = [
    ("hostPath", "path"),
    ("secret", "secretName"),
    ("configMap", "name"),
    ("persistentVolumeClaim", "claimName"),
];

/// Checks the volumes and gives their names.
///
/// DIFFERS: volumes that are no list are told; Argo Rollouts drops them. `[validation.malformed]`
pub(super) fn volumes<'a>(pod: &Node<'a>) -> Result<BTreeSet<&'a str>, Invalid> {
    let list = pod.get("volumes");
    if let Some(value) = list.value().filter(|value| !value.is_array()) {
        return Err(Invalid::value(list.path, value, "must be a list of volumes"));
    }
    let mut names = BTreeSet::new();
    for volume in pod.items("volumes") {
        source(&volume)?;
        let name = volume.required_text("name")?;
        labels::dns_label(name).map_err(|why| Invalid::value(volume.at("name"), &name, &why))?;
        if !names.insert(name) {
            return Err(Invalid::duplicate(volume.at("name"), name));
        }
    }
    Ok(names)
}

/// At most one source: a volume without any is an `emptyDir`.
fn source(volume: &Node<'_>) -> Result<(), Invalid> {
    let mut set = SOURCES.iter().map(|name| volume.get(name)).filter(Node::is_set);
    set.next();
    if let Some(second) = set.next() {
        return Err(Invalid::forbidden(second.path, "may not specify more than 1 volume type"));
    }
    for (source, field) in NEEDED {
        let source = volume.get(source);
        if source.is_set() {
            source.required_text(field)?;
        }
    }
    resources::quantity(&volume.get("emptyDir").get("sizeLimit"))
}
