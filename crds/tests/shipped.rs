//! What is shipped beside the crate: the chart's CRDs, and the roles of the manifests and the chart.
#![allow(clippy::disallowed_methods, reason = "tests read files")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), text(&path)))
        .collect()
}

/// Every (group, resource, verb) that a role allows.
fn grants(role: &Value) -> BTreeSet<(String, String, String)> {
    let strings = |rule: &Value, field: &str| -> Vec<String> {
        let list = rule[field].as_array().unwrap_or_else(|| panic!("a rule without {field}: {rule}"));
        list.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in strings(rule, "apiGroups") {
            for resource in strings(rule, "resources") {
                for verb in strings(rule, "verbs") {
                    all.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    all
}

fn role(path: &str) -> BTreeSet<(String, String, String)> {
    grants(&serde_saphyr::from_str(&text(&root(path))).unwrap())
}

#[test]
fn the_chart_has_the_slim_crds() {
    let (made, chart) = (files(&root("crds/manifests/slim")), files(&root("charts/stepgate/crds-slim")));
    assert_eq!(made.keys().collect::<Vec<_>>(), chart.keys().collect::<Vec<_>>());
    for (file, text) in &made {
        let copy = "cp crds/manifests/slim/*.yaml charts/stepgate/crds-slim/";
        assert!(chart[file] == *text, "charts/stepgate/crds-slim/{file} is not up to date: run `{copy}`");
    }
}

#[test]
fn the_crds_kustomization_names_every_slim_manifest() {
    let kustomization: Value =
        serde_saphyr::from_str(&text(&root("crds/manifests/kustomization.yaml"))).unwrap();
    let named: BTreeSet<String> = kustomization["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource.as_str().unwrap().to_owned())
        .collect();
    let there: BTreeSet<String> =
        files(&root("crds/manifests/slim")).keys().map(|file| format!("slim/{file}")).collect();
    assert_eq!(named, there);
}

#[test]
fn a_namespace_is_granted_what_the_cluster_is_but_for_its_templates() {
    let mut cluster = role("manifests/install/cluster-role.yaml");
    cluster.retain(|(_, resource, _)| resource != "clusteranalysistemplates");
    assert_eq!(role("manifests/namespace-install/role.yaml"), cluster);
}

#[test]
fn the_chart_grants_what_the_manifests_grant() {
    let template = text(&root("charts/stepgate/templates/rbac.yaml"));
    let only_in_cluster = "{{ if .Values.clusterInstall }}, clusteranalysistemplates{{ end }}";
    let rules = template.split("\n---\n").next().unwrap().split_once("\nrules:\n").unwrap().1;
    let rules = rules.replace(only_in_cluster, ", clusteranalysistemplates");
    // What has a manifest of its own is granted where the values ask for it.
    let (before, rest) = rules.split_once("  {{- if .Values.providerRBAC.providers.gatewayAPI }}\n").unwrap();
    let (gateway, after) = rest.split_once("  {{- end }}\n").unwrap();
    let asked: Value = serde_saphyr::from_str(&format!("rules:\n{gateway}")).unwrap();
    assert_eq!(grants(&asked), role("manifests/gateway-api/cluster-role.yaml"));
    let rules = format!("{before}{after}");
    let chart: Value = serde_saphyr::from_str(&format!("rules:\n{rules}")).unwrap();
    assert_eq!(grants(&chart), role("manifests/install/cluster-role.yaml"));
}

#[test]
fn the_role_is_a_subset_of_that_of_argo_rollouts() {
    let Some(folder) = std::env::var_os("STEPGATE_PEER_DIR") else {
        println!("did not run: STEPGATE_PEER_DIR is not set");
        return;
    };
    let path = Path::new(&folder).join("install/argo-rollouts-clusterrole.yaml");
    let theirs = grants(&serde_saphyr::from_str(&text(&path)).unwrap());
    let more: Vec<_> = role("manifests/install/cluster-role.yaml").difference(&theirs).cloned().collect();
    assert!(more.is_empty(), "granted by us and not by Argo Rollouts: {more:?}");
}

#[test]
fn the_compatibility_page_names_every_field_that_is_not_built() {
    let table = text(&root("crds/src/validate/not_built.rs"));
    let page = text(&root("docs/compatibility.md"));
    let fields: BTreeSet<&str> =
        table.split('"').filter(|quoted| quoted.starts_with("spec.") && !quoted.contains(' ')).collect();
    assert!(!fields.is_empty());
    let rows: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `spec.")?.split('`').next()).collect();
    let named: BTreeSet<String> = rows.iter().map(|row| format!("spec.{row}")).collect();
    assert_eq!(named, fields.iter().map(|field| (*field).to_owned()).collect(), "docs/compatibility.md");
}
