//! Metadata on pods that follows the role of their version: first in the ReplicaSet, so that new pods have it, then on
//! the pods that run, where it differs. `[metadata]`

use super::injected::{self, Injected};
use super::pass::{Pass, target};
use crate::{PodMetadata, ReplicaSet, Target, Write};
use crds::{PodTemplate, PodTemplateMetadata, meta};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Entries = BTreeMap<String, String>;
type Changes = BTreeMap<String, Option<String>>;

/// Brings the templates of all versions and the pods of those that have some up to date. The anti-affinity of the new
/// version follows the stable one in the same write.
pub(super) fn run(pass: &mut Pass<'_>) {
    let mut sets = pass.all.clone();
    // New and stable first: they are what users are told apart by.
    sets.sort_by_key(|set| (!pass.is_new(set), !pass.is_stable(set)));
    for set in sets {
        let (is_new, is_stable) = (pass.is_new(set), pass.is_stable(set));
        let wanted = injected::metadata_for(pass, is_new, is_stable);
        let before = injected::recorded(set);
        let bare = injected::bare(set);
        let affine = if is_new { injected::with_anti_affinity(pass, &bare) } else { bare.clone() };
        let Injected { template, metadata } = injected::with_metadata(affine, &wanted);
        edit(pass, set, &template, &metadata);
        if set.replicas > 0 {
            pods(pass, set, &template, &bare, &before);
        }
    }
}

fn edit(pass: &mut Pass<'_>, set: &ReplicaSet, template: &PodTemplate, metadata: &PodTemplateMetadata) {
    let mut annotations = BTreeMap::new();
    if injected::recorded(set) != *metadata {
        let record = injected::record_of(metadata);
        annotations.insert(meta::EPHEMERAL_METADATA_ANNOTATION.to_owned(), record);
    }
    if *template == *set.template && annotations.is_empty() {
        return;
    }
    let write = Write::EditTemplate {
        target: target(set),
        from: set.template.clone(),
        to: Arc::new(template.clone()),
        annotations,
    };
    pass.write(write, format!("pods of {} get the metadata of its role", set.name));
}

/// Pods that have not what their template has, among the keys that the strategy puts there or has put there.
fn pods(
    pass: &mut Pass<'_>,
    set: &ReplicaSet,
    template: &PodTemplate,
    bare: &PodTemplate,
    before: &PodTemplateMetadata,
) {
    let (fresh, settled) = injected::configured(pass);
    let known: Vec<&PodTemplateMetadata> = [Some(before), fresh, settled].into_iter().flatten().collect();
    let labels = Followed {
        wanted: template.labels(),
        own: bare.labels(),
        known: known.iter().filter_map(|metadata| metadata.labels.as_ref()).collect(),
    };
    let annotations = Followed {
        wanted: template.annotations(),
        own: bare.annotations(),
        known: known.iter().filter_map(|metadata| metadata.annotations.as_ref()).collect(),
    };
    let is_mine = |pod: &&PodMetadata| pod.replica_set_uid == set.uid && !pod.deleting;
    for pod in pass.world.pod_metadata.iter().filter(is_mine) {
        let (labels, annotations) = (labels.changes(&pod.labels), annotations.changes(&pod.annotations));
        if labels.is_empty() && annotations.is_empty() {
            continue;
        }
        let (name, uid, resource_version) = (pod.name.clone(), pod.uid.clone(), pod.resource_version.clone());
        let write = Write::LabelPod { target: Target { name, uid, resource_version }, labels, annotations };
        pass.write(write, format!("pod {} gets the metadata of its version", pod.name));
    }
}

/// Labels or annotations that pods follow.
struct Followed<'a> {
    /// What the template has.
    wanted: Entries,
    /// What it has of its own: nothing of that is touched.
    own: Entries,
    /// What a strategy puts or has put there.
    known: Vec<&'a Entries>,
}

impl Followed<'_> {
    /// What a pod lacks, and what it has too much. A value that no strategy has put there is somebody else's and stays.
    fn changes(&self, have: &Entries) -> Changes {
        let keys: BTreeSet<&String> = self.known.iter().flat_map(|entries| entries.keys()).collect();
        let mut changes = Changes::new();
        for key in keys.into_iter().filter(|key| !self.own.contains_key(*key)) {
            match (self.wanted.get(key), have.get(key)) {
                (Some(wanted), seen) if seen != Some(wanted) => {
                    changes.insert(key.clone(), Some(wanted.clone()));
                }
                (None, Some(seen)) if self.known.iter().any(|entries| entries.get(key) == Some(seen)) => {
                    changes.insert(key.clone(), None);
                }
                _ => {}
            }
        }
        changes
    }
}
