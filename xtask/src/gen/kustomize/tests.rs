use super::names::{ELSEWHERE, SELECTORS, TARGETS, VARIABLES, gateways};
use super::places::{Place, is_pod_template, kinds, places};
use super::schema::{LISTS, definitions};
use super::transform::configuration;
use crate::house::root;
use crds::rollout::spec::WorkloadRef;
use sandbox::kubectl::openapi;
use sandbox::schema::Schema;
use serde_json::Value;
use std::collections::BTreeSet;

/// Size that the schema must not reach: it is read by people's reviews, too.
const COMPACT_BYTES: usize = 65_536;

fn all() -> Vec<(String, Vec<Place>)> {
    kinds().into_iter().map(|(kind, schema)| (kind, places(&schema))).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Path and kind of each field in a part of a configuration, with the kind that it names.
fn fields(configuration: &Value, part: &str) -> BTreeSet<(String, String, String)> {
    let row = |named: &str, field: &Value| {
        (named.to_owned(), text(field, "kind").to_owned(), text(field, "path").replace("[]", ""))
    };
    let mut found = BTreeSet::new();
    for entry in configuration[part].as_array().into_iter().flatten() {
        match entry["fieldSpecs"].as_array() {
            Some(fields) => found.extend(fields.iter().map(|field| row(text(entry, "kind"), field))),
            None => _ = found.insert(row("", entry)),
        }
    }
    found
}

const PARTS: [&str; 6] =
    ["nameReference", "varReference", "replicas", "commonLabels", "templateLabels", "commonAnnotations"];

#[test]
fn each_rule_finds_a_field() {
    let all = all();
    let found = |ends: &str, in_pod: Option<bool>| {
        let mut places = all.iter().flat_map(|(_, places)| places);
        places.any(|place| place.ends(ends) && in_pod.is_none_or(|in_pod| in_pod == place.in_pod))
    };
    for end in TARGETS.iter().flat_map(|target| target.ends) {
        assert!(found(end, None), "nothing ends with {end}");
    }
    for end in VARIABLES.iter().chain(&SELECTORS) {
        assert!(found(end, Some(true)), "nothing in a pod ends with {end}");
    }
    for (kind, named, path) in ELSEWHERE {
        assert!(TARGETS.iter().any(|target| target.kind == named), "{kind} {path} names a {named}");
    }
}

#[test]
fn every_path_of_the_configuration_is_in_the_schema_of_its_kind() {
    let (all, configuration) = (all(), configuration());
    let mut looked = 0;
    for part in PARTS {
        for (_, kind, path) in fields(&configuration, part) {
            let Some((_, places)) = all.iter().find(|(one, _)| *one == kind) else {
                assert!(
                    ELSEWHERE.iter().any(|(other, _, known)| *other == kind && *known == path),
                    "{kind} {path}"
                );
                continue;
            };
            looked += 1;
            let is_there = places.iter().any(|place| place.path == path);
            // Below a field that the schema leaves open only the router knows the keys.
            let below = gateways().into_iter().find(|at| path.starts_with(&format!("{at}/")));
            let open =
                below.map(|at| at.split_once("/argoproj-labs").map_or(at.clone(), |(at, _)| at.to_owned()));
            let is_below =
                open.is_some_and(|at| places.iter().any(|place| place.path == at && place.is_open));
            assert!(is_there != is_below, "{part}: {kind} has no {path}");
        }
    }
    assert!(looked > 200, "only {looked} paths");
}

/// Fields that are called as if they named an object, and name what they are part of, or something outside of Kubernetes.
const OTHER_NAMES: [&str; 22] = [
    "analyses/name",
    "args/name",
    "templates/name",
    "metrics/name",
    "metricName",
    "managedRoutes/name",
    "setHeaderRoute/name",
    "setMirrorRoute/name",
    "match/headerName",
    "plugin/name",
    "templates/specRef",
    "canarySubsetName",
    "stableSubsetName",
    "onExitCodes/containerName",
    "dimensions/name",
    "scopes/name",
    "canaryConfigName",
    "configurationAccountName",
    "metricsAccountName",
    "storageAccountName",
    "basicAuth/username",
    "sigv4/profile",
];
/// Ends of the names of fields that may name an object.
const LIKE_NAMES: [&str; 9] =
    ["name", "Name", "Ref", "Service", "profile", "ngress", "ngresses", "mappings", "Template"];

#[test]
fn every_field_that_names_something_has_a_rule() {
    let mut unknown = BTreeSet::new();
    let mut used = BTreeSet::new();
    for (kind, places) in all() {
        for place in places.iter().filter(|place| place.is_text && !place.in_pod) {
            let is_like = LIKE_NAMES.iter().any(|end| place.path.ends_with(end));
            let named = TARGETS.iter().flat_map(|target| target.ends).any(|end| place.ends(end));
            if named || !is_like {
                continue;
            }
            match OTHER_NAMES.iter().find(|end| place.ends(end)) {
                Some(end) => _ = used.insert(*end),
                None => _ = unknown.insert(format!("{kind} {}", place.path)),
            }
        }
    }
    assert!(unknown.is_empty(), "names of what?\n{}", unknown.into_iter().collect::<Vec<_>>().join("\n"));
    assert_eq!(used, BTreeSet::from(OTHER_NAMES), "some are not there any more");
}

#[test]
fn targets_are_those_of_the_code_that_reads_them() {
    for target in TARGETS.iter().filter(|target| target.ends == ["workloadRef/name"]) {
        let version = if target.group.is_empty() {
            target.version.to_owned()
        } else {
            format!("{}/{}", target.group, target.version)
        };
        let reference = WorkloadRef {
            api_version: Some(version),
            kind: Some(target.kind.to_owned()),
            ..WorkloadRef::default()
        };
        assert!(reference.target().is_some(), "no template is taken from a {target:?}");
    }
    for kind in traffic::KINDS {
        let mut named = configuration()["nameReference"].as_array().unwrap().clone();
        named.retain(|one| text(one, "kind") == kind.kind && ["", kind.group].contains(&text(one, "group")));
        assert!(!named.is_empty(), "nothing names a {kind:?}");
    }
}

#[test]
fn labels_and_annotations_are_made_only_in_templates_that_are_there() {
    let configuration = configuration();
    for part in ["commonLabels", "templateLabels", "commonAnnotations"] {
        let made: Vec<&Value> =
            configuration[part].as_array().unwrap().iter().filter(|field| field["create"] == true).collect();
        assert!(!made.is_empty(), "{part}");
        for field in made {
            let path = text(field, "path");
            assert!(
                path.starts_with("spec/template[]/") || path.starts_with("spec/selector[]/"),
                "{part}: {path}"
            );
        }
    }
}

#[test]
fn the_schema_is_whole_and_compact() {
    let definitions = definitions();
    let file = super::schema::text();
    let reread: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(reread["definitions"].as_object().unwrap().len(), definitions.len());
    assert!(file.len() < COMPACT_BYTES, "{} bytes", file.len());
    for reference in file.split("\"#/definitions/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(definitions.contains_key(name), "{name} is not defined");
    }
    let named = |kind: &str, group: &str, version: &str| {
        definitions.values().any(|one| {
            let gvk = &one["x-kubernetes-group-version-kind"][0];
            (text(gvk, "kind"), text(gvk, "group"), text(gvk, "version")) == (kind, group, version)
        })
    };
    for (kind, _) in kinds() {
        assert!(named(&kind, crds::GROUP, crds::VERSION), "{kind}");
    }
    for kind in ["Pod", "PodTemplate", "ReplicationController", "Service", "ServiceAccount", "ConfigMap"] {
        assert!(named(kind, "", "v1"), "{kind}");
    }
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"] {
        assert!(named(kind, "apps", "v1"), "{kind}");
    }
    for (kind, group) in [
        ("Job", "batch"),
        ("CronJob", "batch"),
        ("MutatingWebhookConfiguration", "admissionregistration.k8s.io"),
        ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io"),
    ] {
        assert!(named(kind, group, "v1"), "{kind}");
    }
}

/// Lists with merge keys below a definition: path, key.
fn merge_keys(definition: &Value, path: &str, found: &mut BTreeSet<(String, String)>) {
    for (name, property) in definition["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        if let Some(key) = property["x-kubernetes-patch-merge-key"].as_str() {
            found.insert((path.clone(), key.to_owned()));
        }
        merge_keys(property, &path, found);
        merge_keys(&property["items"], &path, found);
    }
}

#[test]
fn every_merge_key_is_a_field_of_the_elements() {
    let definitions = definitions();
    let mut rules = BTreeSet::new();
    for (kind, schema) in kinds() {
        let mut found = BTreeSet::new();
        merge_keys(&definitions[&kind], "", &mut found);
        assert!(!found.is_empty(), "{kind}");
        for (path, key) in found {
            let mut at = &schema;
            for name in path.split('/').skip(1) {
                at = &at["properties"][name];
                if at["items"].is_object() {
                    at = &at["items"];
                }
            }
            assert_eq!(at["properties"][&key]["type"], "string", "{kind}{path} has no {key}");
            assert!(!path.contains("/steps"), "{kind}{path}: a patch brings all steps");
            rules.insert((path.rsplit('/').next().unwrap().to_owned(), key));
        }
        assert!(reaches_pods(&definitions[&kind]), "{kind}: its pod template is not referred to");
        assert!(!is_pod_template(&schema));
    }
    let wanted: BTreeSet<(String, String)> =
        LISTS.iter().map(|(list, key)| ((*list).to_owned(), (*key).to_owned())).collect();
    assert_eq!(rules, wanted, "rules that no list is for");
    // Those of pods, against Kubernetes' own schemas.
    for (name, definition) in definitions.iter().filter(|(name, _)| name.starts_with("core.v1.")) {
        let full = format!("io.k8s.api.{name}");
        let Some(schema) = openapi::built_in_schemas().get(&full) else { continue };
        let mut found = BTreeSet::new();
        merge_keys(definition, "", &mut found);
        for (path, key) in found {
            let list = &schema["properties"][path.trim_start_matches('/')];
            assert_eq!(list["x-kubernetes-patch-merge-key"], key, "{name}{path}");
            assert_eq!(list["type"], "array", "{name}{path}");
        }
    }
}

fn reaches_pods(value: &Value) -> bool {
    value.to_string().contains("\"#/definitions/core.v1.PodTemplateSpec\"")
}

#[test]
fn the_kustomization_of_names_is_made_of_fields_that_exist() {
    let mut checked = 0;
    for file in ["rollouts.yaml", "analysis.yaml"] {
        let path = root().join("e2e/kustomize/names").join(file);
        let list: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for object in list["items"].as_array().unwrap() {
            let (_, schema) = kinds().into_iter().find(|(kind, _)| *kind == text(object, "kind")).unwrap();
            let schema = Schema::parse(&schema).unwrap();
            let unknown = schema.prune(&mut object.clone());
            assert!(unknown.is_empty(), "{file} has fields that nobody knows: {unknown:?}");
            let causes: Vec<String> = schema.validate(object, None).iter().map(ToString::to_string).collect();
            assert!(causes.is_empty(), "{file}: {}", causes.join("\n"));
            checked += 1;
        }
    }
    assert_eq!(checked, 7);
}

/// What the files of Argo Rollouts say is said here, too.
#[test]
fn nothing_of_argo_rollouts_is_missing() {
    let Ok(folder) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("did not run: STEPGATE_PEER_DIR is not set");
        return;
    };
    let read = |file: &str| std::fs::read_to_string(format!("{folder}/kustomize/{file}")).unwrap();
    let ours = configuration();
    let mut missing = Vec::new();
    for file in ["rollout-transform.yaml", "rollout-transform-kustomize-v5.yaml"] {
        let theirs: Value = serde_saphyr::from_str(&read(file)).unwrap();
        for part in theirs.as_object().unwrap().keys() {
            let (wanted, found) = (fields(&theirs, part), fields(&ours, part));
            assert!(!wanted.is_empty(), "{file}: {part}");
            missing.extend(wanted.difference(&found).map(|field| format!("{file}: {part} {field:?}")));
        }
    }
    let theirs: Value = serde_json::from_str(&read("rollout_cr_schema.json")).unwrap();
    let definitions = definitions();
    for (name, definition) in theirs["definitions"].as_object().unwrap() {
        let kind = name.rsplit('.').next().unwrap();
        let (mut wanted, mut found) = (BTreeSet::new(), BTreeSet::new());
        merge_keys(definition, "", &mut wanted);
        merge_keys(&definitions[kind], "", &mut found);
        merge_keys(&definitions["core.v1.PodSpec"], "/spec/template/spec", &mut found);
        missing.extend(wanted.difference(&found).map(|list| format!("{kind}: {list:?}")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
