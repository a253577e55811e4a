//! Rollouts that Argo Rollouts was given, and what it said to each: ours is compared word by word.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "a test reads the folder that it is told")]

use analysis::Templates;
use analysis::reference::check_reference;
use crds::analysis::AnalysisTemplateSpec;
use crds::validate::{
    Invalid, InvalidKind, ReferencedAnalysis, References, ServiceFacts, TemplateFault, WorkloadFacts,
    not_built, references, resolved, rollout_spec,
};
use crds::{AnalysisTemplate, LabelSelector, PodTemplate, ResourceExt, Rollout};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Cases where we say something else on purpose, and why. What the table of missing fields refuses is not here.
const DIFFERS: &[(&str, &str)] = &[
    ("malformed-limit", MALFORMED),
    ("malformed-limit-bool", MALFORMED),
    ("malformed-limits-list", MALFORMED),
    ("malformed-limits-string", MALFORMED),
    ("malformed-volume-size", "the wrong size is told, not a missing name"),
    ("malformed-volumes-string", MALFORMED),
    ("name-64", SELECTOR),
    ("selector-bad-key", SELECTOR),
    ("selector-bad-operator", SELECTOR),
    ("selector-bad-value", SELECTOR),
    ("selector-exists-with-values", SELECTOR),
    ("selector-in-no-values", SELECTOR),
    ("surge-negative", "a negative surge is refused: there, the Rollout never gets a pod"),
];
/// Cases that need what is not built: what was said there, and here only that it is not built.
const NOT_BUILT: &[(&[&str], &str)] = &[(
    &["ambassador-empty-list", "ambassador-object-missing", "appmesh-empty", "appmesh-object-missing"],
    "objects of routers",
)];
const SELECTOR: &str =
    "a selector that cannot be read is told; there, nothing is said and it is tried for ever";
const MALFORMED: &str = "what cannot be read is told; there, it is dropped from the pods";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    case: String,
    manifest: Value,
    #[serde(default)]
    extra: Vec<Value>,
    #[serde(default)]
    then: Vec<Value>,
    #[serde(default)]
    patch_refused: Vec<Value>,
    observed: Option<Observed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Observed {
    invalid_spec: Option<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    message: String,
}

struct Service {
    selector: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// The objects around a Rollout.
#[derive(Default)]
struct Around {
    services: BTreeMap<String, Service>,
    templates: BTreeMap<(bool, String), AnalysisTemplateSpec>,
    /// By kind and name.
    workloads: BTreeMap<(String, String), (PodTemplate, Option<LabelSelector>)>,
}

impl Around {
    fn of(objects: &[Value]) -> Self {
        let mut around = Self::default();
        for object in objects {
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            let map = |value: &Value| serde_json::from_value(value.clone()).unwrap_or_default();
            match object["kind"].as_str().unwrap() {
                "Service" => {
                    let selector = map(&object["spec"]["selector"]);
                    let annotations = map(&object["metadata"]["annotations"]);
                    around.services.insert(name, Service { selector, annotations });
                }
                kind @ ("AnalysisTemplate" | "ClusterAnalysisTemplate") => {
                    let template: AnalysisTemplate = serde_json::from_value(object.clone()).unwrap();
                    around.templates.insert((kind.starts_with("Cluster"), name), template.spec);
                }
                kind @ ("Deployment" | "PodTemplate" | "ReplicaSet") => {
                    let of_pods = if kind == "PodTemplate" { object } else { &object["spec"] };
                    let template = PodTemplate(of_pods["template"].clone());
                    let selector = serde_json::from_value(of_pods["selector"].clone()).unwrap();
                    around.workloads.insert((kind.to_owned(), name), (template, selector));
                }
                "Ingress" => {}
                other => panic!("an object of a kind that is not expected: {other}"),
            }
        }
        around
    }
}

impl References for Around {
    fn service(&self, name: &str) -> Option<ServiceFacts<'_>> {
        let service = self.services.get(name)?;
        Some(ServiceFacts { selector: &service.selector, annotations: &service.annotations })
    }

    fn template(&self, name: &str, cluster: bool) -> Option<&AnalysisTemplateSpec> {
        self.templates.get(&(cluster, name.to_owned()))
    }

    fn compose(&self, analysis: &ReferencedAnalysis<'_>) -> Result<(), TemplateFault> {
        let mut templates = Templates::default();
        for ((cluster, name), spec) in &self.templates {
            let place = if *cluster { &mut templates.cluster } else { &mut templates.namespaced };
            place.insert(name, spec);
        }
        check_reference(analysis, &templates)
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let object = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            object.remove(key);
        } else {
            merge(object.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// The Rollout and what is around it after the last act of the case.
fn settled(case: &Case) -> (Rollout, Around) {
    let (mut manifest, mut objects) = (case.manifest.clone(), case.extra.clone());
    for act in &case.then {
        match act[0].as_str().unwrap() {
            "patch" if case.patch_refused.is_empty() => merge(&mut manifest, &act[1]),
            "create" => objects.push(act[1].clone()),
            _ => {}
        }
    }
    (serde_json::from_value(manifest).unwrap(), Around::of(&objects))
}

fn cases() -> Option<Vec<Case>> {
    let Some(folder) = std::env::var_os("STEPGATE_PEER_DIR") else {
        println!("did not run: STEPGATE_PEER_DIR is not set");
        return None;
    };
    let text = std::fs::read_to_string(Path::new(&folder).join("verdicts/validation.jsonl")).unwrap();
    let cases: Vec<Case> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(cases.len(), 457, "cases are missing");
    Some(cases)
}

fn message(invalid: &Invalid, rollout: &Rollout) -> String {
    invalid.condition_message(&rollout.name_any())
}

/// The Rollout as it is planned: with the template of the workload that it refers to.
fn planned(rollout: &Rollout, around: &Around) -> Result<Rollout, Invalid> {
    let found = resolved(rollout, |kind, name| {
        let (template, selector) = around.workloads.get(&(format!("{kind:?}"), name.to_owned()))?;
        Some(WorkloadFacts { template, selector: selector.as_ref() })
    });
    Ok(found?.unwrap_or_else(|| rollout.clone()))
}

#[test]
fn what_is_valid_and_what_is_said_is_the_same() {
    let Some(cases) = cases() else { return };
    let (mut equal, mut refused, mut routers) = (0, 0, 0);
    let (mut differing, mut unbuilt) = (BTreeSet::new(), BTreeSet::new());
    for case in &cases {
        // What the API server refused never reached the controller.
        let Some(observed) = &case.observed else {
            refused += 1;
            continue;
        };
        let (rollout, around) = settled(case);
        let theirs = observed.invalid_spec.as_ref().map(|condition| condition.message.clone());
        let theirs = theirs.map(|text| text.replace("val-spec2/", "/").replace("val-spec/", "/"));
        let ours = planned(&rollout, &around)
            .and_then(|rollout| rollout_spec(&rollout).and_then(|()| references(&rollout, &around)))
            .err();
        let ours = ours.map(|invalid| message(&invalid, &rollout));
        if ours == theirs {
            equal += 1;
        } else if not_built(&rollout).is_some() {
            unbuilt.insert(case.case.as_str());
        } else if theirs.as_ref().is_some_and(|text| text.contains("trafficRouting.")) {
            // What is wrong with the objects of routers is compared where they are read: in `traffic`.
            routers += 1;
        } else {
            println!("{}:\n  theirs {theirs:?}\n  ours   {ours:?}", case.case);
            differing.insert(case.case.as_str());
        }
    }
    let (differ, open) = (differing.len(), unbuilt.len());
    assert_eq!(routers, 23);
    println!("{equal} equal, {differ} differ on purpose, {open} not built, {refused} not accepted");
    assert_eq!(differing, DIFFERS.iter().map(|(case, _)| *case).collect());
    assert_eq!(unbuilt, NOT_BUILT.iter().flat_map(|(cases, _)| cases.iter().copied()).collect());
    assert_eq!((equal, refused), (403, 14));
}

/// What people see: the own fields first, then what is missing here, then the references.
#[test]
fn what_is_not_built_is_named_and_nothing_else_is_refused() {
    let Some(cases) = cases() else { return };
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases.iter().filter(|case| case.observed.is_some()) {
        let (rollout, around) = settled(case);
        let Ok(rollout) = planned(&rollout, &around) else { continue };
        let missing = not_built(&rollout);
        if rollout_spec(&rollout).is_ok()
            && let Some(missing) = missing
        {
            assert_eq!(missing.kind, InvalidKind::NotBuilt);
            *named.entry(missing.path).or_default() += 1;
        } else if let Err(invalid) = references(&rollout, &around)
            && rollout_spec(&rollout).is_ok()
        {
            assert_eq!(invalid.kind, InvalidKind::Reference, "{}", case.case);
        }
    }
    println!("{named:#?}");
    assert!(named.contains_key("spec.strategy.canary.trafficRouting"));
    assert!(!named.contains_key("spec.workloadRef"));
}
