//! What a seed makes of a run: the Rollout, its surroundings, and how hard the times are.

use crds::analysis::AnalysisTemplateSpec;
use crds::{PodTemplate, Rollout};
use fastrand::Rng;
use planner::Service;
use sandbox::models::kubelet::{Behaviour, Exit, Process, Pull, Readiness, RestartPolicy, Scheduling};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Name of the Rollout.
pub(super) const NAME: &str = "web";
/// Its uid.
pub(super) const UID: &str = "uid-of-web";
/// Name of the one AnalysisTemplate.
const TEMPLATE: &str = "errors";
/// Versions of the pod template that people choose from.
pub(super) const VERSIONS: usize = 4;

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
    /// What people do in this run, as bits.
    pub(super) verbs: u16,
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
}

fn pick<T: Clone>(rng: &mut Rng, from: &[T]) -> Option<T> {
    rng.choice(from).cloned()
}

fn rate(rng: &mut Rng, faults: bool, of: &[u8]) -> u8 {
    if faults { pick(rng, of).unwrap_or(0) } else { 0 }
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
        verbs: rng.u16(..) | 1,
        behaviours: std::array::from_fn(|index| behaviour(rng, index)),
    };
    let rollout = json!({
        "apiVersion": crds::API_VERSION, "kind": "Rollout",
        "metadata": {"name": NAME, "namespace": "shop", "uid": UID, "generation": 1, "resourceVersion": "1"},
        "spec": spec(rng, templates.first()),
    });
    let service = |name: &str| Service {
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        resource_version: "1".to_owned(),
        selector: BTreeMap::from([("app".to_owned(), NAME.to_owned())]),
        annotations: BTreeMap::new(),
    };
    let services = ["main", "next"].map(|name| (name.to_owned(), service(name)));
    Setup {
        knobs,
        rollout: serde_json::from_value(rollout).unwrap_or_default(),
        templates: templates.into_iter().map(PodTemplate).collect(),
        services: services.into(),
        analysis_templates: BTreeMap::from([(TEMPLATE.to_owned(), measured())]),
    }
}

fn measured() -> AnalysisTemplateSpec {
    let spec = json!({"metrics": [{"name": "errors", "count": 1,
        "provider": {"prometheus": {"address": "http://metrics", "query": "errors"}}}]});
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

fn spec(rng: &mut Rng, template: Option<&Value>) -> Value {
    let share =
        |rng: &mut Rng| pick(rng, &[json!(0), json!(1), json!(2), json!("25%"), json!("50%"), json!("100%")]);
    let (surge, mut missing) = (share(rng), share(rng));
    if surge == Some(json!(0)) && missing == Some(json!(0)) {
        missing = Some(json!(1));
    }
    let history = pick(rng, &[10, 10, 2, 0]).unwrap_or(10);
    let strategy = if rng.bool() {
        json!({"canary": canary(rng, &surge, &missing)})
    } else {
        json!({"blueGreen": blue_green(rng, history)})
    };
    json!({
        "replicas": rng.u8(0..=5),
        "selector": {"matchLabels": {"app": NAME}},
        "template": template,
        "strategy": strategy,
        "minReadySeconds": pick(rng, &[0, 0, 0, 4]),
        "revisionHistoryLimit": history,
        "progressDeadlineSeconds": pick(rng, &[600, 60, 30]),
        "progressDeadlineAbort": pick(rng, &[false, false, true]),
    })
}

fn canary(rng: &mut Rng, surge: &Option<Value>, missing: &Option<Value>) -> Value {
    let mut canary = json!({"maxSurge": surge, "maxUnavailable": missing, "steps": steps(rng)});
    let Some(map) = canary.as_object_mut() else { return canary };
    if rng.bool() {
        map.insert("stableService".to_owned(), json!("main"));
        map.insert("canaryService".to_owned(), json!("next"));
    }
    if rng.u8(..8) == 0 {
        map.insert("analysis".to_owned(), json!({"templates": [{"templateName": TEMPLATE}]}));
    }
    if rng.u8(..6) == 0 {
        map.remove("steps");
    }
    canary
}

/// A short list of steps.
pub(super) fn steps(rng: &mut Rng) -> Value {
    let count = rng.usize(0..5);
    let step = |rng: &mut Rng| match rng.u8(..8) {
        0..=3 => json!({"setWeight": pick(rng, &[0, 10, 20, 34, 50, 75, 100])}),
        4 => json!({"pause": {}}),
        5 | 6 => json!({"pause": {"duration": pick(rng, &[5, 30, 90])}}),
        _ => json!({"analysis": {"templates": [{"templateName": TEMPLATE}]}}),
    };
    Value::Array((0..count).map(|_| step(rng)).collect())
}

fn blue_green(rng: &mut Rng, history: i32) -> Value {
    let mut strategy = json!({"activeService": "main"});
    let Some(map) = strategy.as_object_mut() else { return strategy };
    let mut maybe = |rng: &mut Rng, of: u8, key: &str, value: Value| {
        if rng.u8(..of) == 0 {
            map.insert(key.to_owned(), value);
        }
    };
    maybe(rng, 2, "previewService", json!("next"));
    maybe(rng, 3, "autoPromotionEnabled", json!(false));
    let seconds = pick(rng, &[1, 20]);
    maybe(rng, 3, "autoPromotionSeconds", json!(seconds));
    maybe(rng, 4, "previewReplicaCount", json!(1));
    let delay = pick(rng, &[0, 5, 60]);
    maybe(rng, 2, "scaleDownDelaySeconds", json!(delay));
    if history > 0 {
        // More than are kept could not wait: such a limit is refused.
        maybe(rng, 4, "scaleDownDelayRevisionLimit", json!(1));
    }
    let abort = pick(rng, &[0, 5, 60]);
    maybe(rng, 2, "abortScaleDownDelaySeconds", json!(abort));
    let analysis = json!({"templates": [{"templateName": TEMPLATE}]});
    maybe(rng, 4, "prePromotionAnalysis", analysis.clone());
    maybe(rng, 4, "postPromotionAnalysis", analysis);
    strategy
}
