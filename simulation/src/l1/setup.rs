//! What a seed makes of a run: the Rollout, its surroundings, and how hard the times are.

use crds::analysis::AnalysisTemplateSpec;
use crds::{PodTemplate, Rollout, meta};
use fastrand::Rng;
use planner::{Owner, ReplicaSet, Service};
use sandbox::models::kubelet::{Behaviour, Exit, Process, Pull, Readiness, RestartPolicy, Scheduling};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Name of the Rollout.
pub(super) const NAME: &str = "web";
/// Its uid.
pub(super) const UID: &str = "uid-of-web";
/// Names of the AnalysisTemplates.
pub(super) const TEMPLATES: [&str; 2] = ["errors", "latency"];
/// Versions of the pod template that people choose from.
pub(super) const VERSIONS: usize = 4;

/// Makes another source of chance of a seed.
const SKEW: u64 = 0x5ce3_0000_0000_0000;

/// How analyses tend to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Good,
    Bad,
    Undecided,
}

/// How hard the times are: fixed for a run, so that one kind of trouble does not hide the others.
#[derive(Clone, Debug)]
pub(super) struct Knobs {
    /// The controller sees its own writes at once.
    pub(super) overlay: bool,
    /// Of 256 chances to be told something new, how many are missed.
    pub(super) lag: u8,
    /// Of 256 writes, how many the process does not survive.
    pub(super) crash: u8,
    /// Of 256 writes, how many answers are lost.
    pub(super) lost_answers: u8,
    /// Of 256 turns, how many bring the loss of a pod.
    pub(super) pod_loss: u8,
    /// Of 256 turns, how many belong to people.
    pub(super) people: u8,
    /// Of 256 turns, how many let time pass although there is work to do.
    pub(super) haste: u8,
    /// Of 256 changes of a Service or a status, after how many people act at once.
    pub(super) keen: u8,
    /// How analyses tend to end.
    pub(super) verdicts: Mood,
    /// What people do in this run, as bits.
    pub(super) verbs: u32,
    /// How each version behaves.
    pub(super) behaviours: [Behaviour; VERSIONS],
}

/// All that a run begins with.
pub(super) struct Setup {
    pub(super) knobs: Knobs,
    pub(super) rollout: Rollout,
    pub(super) templates: Vec<PodTemplate>,
    pub(super) services: BTreeMap<String, Service>,
    pub(super) analysis_templates: BTreeMap<String, AnalysisTemplateSpec>,
    /// ReplicaSets that are there before, each with its version: somebody else's, or nobody's.
    pub(super) sets: Vec<(ReplicaSet, usize)>,
    /// Names of ReplicaSets that nobody here sees: they do not match the selector.
    pub(super) strangers: BTreeSet<String>,
}

pub(super) fn pick<T: Clone>(rng: &mut Rng, from: &[T]) -> Option<T> {
    rng.choice(from).cloned()
}

fn rate(rng: &mut Rng, faults: bool, of: &[u8]) -> u8 {
    if faults { pick(rng, of).unwrap_or(0) } else { 0 }
}

/// How far the API server's clock is ahead of the controller's: not at all in most runs.
pub(super) fn skew_seconds(seed: u64, faults: bool) -> i64 {
    // From a source of its own, so that a run is as it would be without.
    let mut rng = Rng::with_seed(seed ^ SKEW);
    if faults { pick(&mut rng, &[0, 0, -20, 20]).unwrap_or(0) } else { 0 }
}

pub(super) fn setup(rng: &mut Rng, faults: bool) -> Setup {
    let templates: Vec<Value> = (1..=VERSIONS).map(template).collect();
    let knobs = Knobs {
        overlay: rng.bool(),
        lag: rate(rng, faults, &[0, 64, 160, 230]),
        crash: rate(rng, faults, &[0, 0, 6, 30]),
        lost_answers: rate(rng, faults, &[0, 0, 6, 30]),
        pod_loss: rate(rng, faults, &[0, 0, 2, 8]),
        people: pick(rng, &[3, 8, 20]).unwrap_or(8),
        haste: pick(rng, &[0, 8, 60]).unwrap_or(0),
        keen: pick(rng, &[0, 0, 20, 60]).unwrap_or(0),
        verdicts: pick(rng, &[Mood::Good, Mood::Good, Mood::Bad, Mood::Undecided]).unwrap_or(Mood::Good),
        verbs: rng.u32(..) | 1,
        behaviours: std::array::from_fn(|index| behaviour(rng, index)),
    };
    let rollout = json!({
        "apiVersion": crds::API_VERSION, "kind": "Rollout",
        "metadata": {
            "name": NAME, "namespace": "shop", "uid": UID, "generation": 1, "resourceVersion": "1",
            "annotations": annotations(rng),
        },
        "spec": super::wishes::spec(rng, templates.first()),
    });
    let templates: Vec<PodTemplate> = templates.into_iter().map(PodTemplate).collect();
    let sets = sets(rng, &templates);
    let strangers = strangers(rng, &templates);
    let service = |name: &str| Service {
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        resource_version: "1".to_owned(),
        selector: BTreeMap::from([("app".to_owned(), NAME.to_owned())]),
        ..Service::default()
    };
    let services = ["main", "next"].map(|name| (name.to_owned(), service(name)));
    Setup {
        knobs,
        rollout: serde_json::from_value(rollout).unwrap_or_default(),
        templates,
        services: services.into(),
        analysis_templates: TEMPLATES.map(|name| (name.to_owned(), measured(name))).into(),
        sets,
        strangers,
    }
}

/// Sometimes a Rollout comes with a history: from a backup, or from another cluster.
fn annotations(rng: &mut Rng) -> Value {
    if rng.u8(..8) == 0 { json!({meta::REVISION_ANNOTATION: "7", "team": "shop"}) } else { json!({}) }
}

/// ReplicaSets that match the selector already. Somebody else's are not to be touched; nobody's are to be adopted.
fn sets(rng: &mut Rng, templates: &[PodTemplate]) -> Vec<(ReplicaSet, usize)> {
    let mut sets = Vec::new();
    for owner in [Owner::Other, Owner::Nobody] {
        if rng.u8(..8) != 0 {
            continue;
        }
        let version = rng.usize(0..templates.len().max(1));
        let Some(template) = templates.get(version) else { continue };
        let hash = crds::hash::pod_template_hash(template, None);
        let labels = [("app", NAME), (meta::POD_TEMPLATE_HASH_LABEL, hash.as_str())];
        let labels: BTreeMap<String, String> =
            labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let mut template = template.clone();
        if let Some(slot) = template.0.pointer_mut("/metadata/labels") {
            *slot = json!(labels);
        }
        let prefix = if owner == Owner::Other { "another" } else { NAME };
        sets.push((
            ReplicaSet {
                name: format!("{prefix}-{hash}"),
                uid: format!("uid-of-{prefix}-{hash}"),
                resource_version: "1".to_owned(),
                owner,
                labels,
                template: Arc::new(template),
                replicas: rng.i32(0..=3),
                ..ReplicaSet::default()
            },
            version,
        ));
    }
    sets
}

/// Sometimes the name that a version's ReplicaSet would get is taken.
fn strangers(rng: &mut Rng, templates: &[PodTemplate]) -> BTreeSet<String> {
    if rng.u8(..8) != 0 {
        return BTreeSet::new();
    }
    let template = templates.get(rng.usize(0..templates.len().max(1)));
    template
        .map(|template| format!("{NAME}-{}", crds::hash::pod_template_hash(template, None)))
        .into_iter()
        .collect()
}

fn measured(name: &str) -> AnalysisTemplateSpec {
    let spec = json!({"metrics": [{"name": name, "count": 1,
        "provider": {"prometheus": {"address": "http://metrics", "query": name}}}]});
    serde_json::from_value(spec).unwrap_or_default()
}

fn template(version: usize) -> Value {
    json!({"metadata": {"labels": {"app": NAME}},
        "spec": {"containers": [{"name": "app", "image": format!("app:{version}")}]}})
}

/// The first version is good; of the others some never get ready, crash, or come up slowly.
fn behaviour(rng: &mut Rng, index: usize) -> Behaviour {
    let seconds = |rng: &mut Rng, most: u64| Duration::from_millis(rng.u64(0..=most * 1000));
    let good = Behaviour {
        scheduling: Scheduling::After(seconds(rng, 1)),
        pull: Pull::Takes(seconds(rng, 3)),
        process: Process::Runs,
        readiness: Readiness::After(seconds(rng, 5)),
        restart: RestartPolicy::Always,
        stop: seconds(rng, 10),
    };
    match rng.u8(..16) {
        _ if index == 0 => good,
        0 => Behaviour { readiness: Readiness::Never, ..good },
        1 => Behaviour { pull: Pull::Fails(Duration::from_secs(2)), ..good },
        2 => {
            let after = Duration::from_secs(rng.u64(2..40));
            Behaviour { process: Process::Exits { after, exit: Exit::Failed(1) }, ..good }
        }
        3 => Behaviour { scheduling: Scheduling::Never, ..good },
        _ => good,
    }
}
