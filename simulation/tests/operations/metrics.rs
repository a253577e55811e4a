//! The page of metrics is what its documentation says, and nothing of a deleted object stays on it.

use super::{by, create, merge, open, paused, rollout, rollouts, seconds, service, set_image, start, until};
use serde_json::{Value, json};
use simulation::l2::House;
use simulation::l2::metrics::Answer;
use std::collections::{BTreeMap, BTreeSet};

/// Name to kind and labels.
type Families = BTreeMap<String, (String, BTreeSet<String>)>;

/// In a good run nothing is counted here.
const ABSENT: [&str; 1] = ["stepgate_plan_faults_total"];

fn documented() -> Families {
    let page = include_str!("../../../docs/reference/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let labels = cells[3].split(", ").filter(|label| !label.is_empty()).map(str::to_owned);
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels.collect()))
    };
    rows.map(row).collect()
}

/// Families as a scraper reads them: each line must be about the family whose type was told last.
fn scraped(page: &str) -> Families {
    let mut found = Families::new();
    let mut last = (String::new(), String::new());
    for line in page.lines() {
        if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, kind) = told.split_once(' ').unwrap();
            last = (name.to_owned(), kind.to_owned());
            assert!(!found.contains_key(name), "{name} is told in two places");
        } else if !line.starts_with('#') {
            let (series, number) = line.rsplit_once(' ').unwrap();
            assert!(number.parse::<f64>().is_ok(), "{line}");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let suffixes: &[&str] =
                if last.1 == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            let fits = |suffix: &&str| format!("{}{suffix}", last.0) == name;
            assert!(suffixes.iter().any(fits), "{line} stands under {last:?}");
            let labels = labels.trim_end_matches('}').split("\",").filter(|pair| !pair.is_empty());
            let names = labels.map(|pair| pair.split_once('=').unwrap().0.to_owned());
            let family = found.entry(last.0.clone()).or_insert_with(|| (last.1.clone(), BTreeSet::new()));
            family.1.extend(names.filter(|name| name != "le"));
        }
    }
    found
}

/// Objects of all kinds, of which metrics tell.
fn objects(house: &House) {
    let metric = json!({"name": "ok", "successCondition": "true",
        "provider": {"web": {"url": "http://metrics.example/version", "jsonPath": "{$.major}"}}});
    house.answers.set("/version", Answer::Body(json!({"major": "1"})));
    for kind in ["AnalysisTemplate", "ClusterAnalysisTemplate"] {
        create(
            house,
            json!({"apiVersion": "argoproj.io/v1alpha1", "kind": kind,
            "metadata": {"name": "check"}, "spec": {"metrics": [metric]}}),
        );
    }
    create(house, service("canary"));
    create(house, service("stable"));
    let analysis = json!({"templates": [{"templateName": "check"}]});
    create(
        house,
        rollout(&json!({"canaryService": "canary", "stableService": "stable",
        "steps": [{"setWeight": 50}, {"analysis": analysis}, {"pause": {}}]})),
    );
}

async fn release(house: &House) {
    objects(house);
    until(house, "Healthy").await;
    set_image(house, "app:2").await;
    until(house, "Paused").await;
    merge(house, json!({"spec": {"paused": true}})).await;
    seconds(5).await;
    merge(house, json!({"spec": {"paused": false}})).await;
    let resume: Value = json!({"status": {"pauseConditions": null}});
    rollouts(house)
        .patch_status("demo", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(resume))
        .await
        .unwrap();
    until(house, "Healthy").await;
}

#[test]
fn the_page_is_what_the_documentation_says() {
    let (page, shadow, refused) = paused(async {
        // One look at each kind fails.
        let (house, writes) = open(|call, before| {
            let of = |resource: &str| call.verb == "patch" && call.resource == resource;
            let first = |what: &str| !before.iter().any(|(_, known)| known == what);
            of("rollouts") && first("patch rollouts") || of("analysisruns") && first("patch analysisruns")
        });
        let live = start(&house, "live", &[]);
        let shadow = start(&house, "shadow", &["--shadow", "--shadow-grace=1s"]);
        release(&house).await;
        live.task.abort();
        set_image(&house, "app:3").await;
        seconds(5).await;
        (live.pages.metrics(), shadow.pages.metrics(), by(&writes, "shadow"))
    });
    assert_eq!(refused, Vec::<String>::new());
    let mut found = scraped(&page);
    found.extend(scraped(&shadow));
    let mut wanted = documented();
    for name in ABSENT {
        assert!(wanted.remove(name).is_some() && !found.contains_key(name), "{name}");
    }
    assert_eq!(found, wanted, "docs/reference/metrics.md and the page differ");
    for line in [
        "rollout_info{namespace=\"default\",name=\"demo\",strategy=\"canary\",traffic_router=\"\",phase=\"Completed\"} 1",
        "rollout_phase{namespace=\"default\",name=\"demo\",strategy=\"canary\",phase=\"Paused\"} 0",
        "analysis_template_metric_info{namespace=\"\",name=\"check\",type=\"WebMetric\",metric=\"ok\"} 1",
        "rollout_reconcile_error{namespace=\"default\",name=\"demo\"} 1",
        "stepgate_writes_total{verb=\"create\",kind=\"replicasets\",reason=\"create\"} 2",
        "rollout_duration_seconds_count{status=\"Promoted\"} 2",
    ] {
        assert!(page.lines().any(|known| known == line), "{line} is missing in\n{page}");
    }
}

#[test]
fn what_is_deleted_leaves_no_series() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let live = start(&house, "live", &[]);
        release(&house).await;
        assert!(live.pages.metrics().contains("name=\"demo"));
        let background = kube::api::DeleteParams::background();
        rollouts(&house).delete("demo", &background).await.unwrap();
        seconds(60).await;
        let page = live.pages.metrics();
        let left: Vec<&str> = page.lines().filter(|line| line.contains("name=\"demo")).collect();
        assert_eq!(left, Vec::<&str>::new());
    });
}
