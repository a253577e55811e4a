//! `create` on a cluster in memory: what is made, what it is called, and that a wrong file makes nothing. `[cli.create]`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use sandbox::{Blueprint, Cluster, Options};
use serde_json::{Value, json};
use std::path::PathBuf;

const GROUP: &str = "argoproj.io/v1alpha1";

fn cluster() -> Cluster {
    let definitions: Vec<Value> =
        crds::manifest::all(crds::manifest::Detail::Slim).into_iter().map(|(_, value)| value).collect();
    Cluster::new(&Options { blueprint: Blueprint::default().with(&definitions), ..Options::default() })
}

/// What was said, and what was warned of.
async fn command(cluster: &Cluster, words: &[&str]) -> Result<(String, String), String> {
    let clock = cluster.clock();
    let (terminal, transcript) = cli::Terminal::recorded(move || clock.now());
    let client = kube::Client::new(cluster.client("user"), "default");
    match cli::run(words, client, "default", &terminal).await {
        Ok(code) => {
            assert_eq!(code, 0);
            Ok((transcript.out(), transcript.err()))
        }
        Err(error) => Err(format!("{error:#}")),
    }
}

fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

fn template(name: &str, kind: &str, metric: &str, more: &Value) -> Value {
    let mut spec = json!({"metrics": [{"name": metric, "successCondition": "result == '1'",
        "provider": {"web": {"url": "http://{{args.host}}/", "jsonPath": "{$.ok}"}}}], "args": [{"name": "host"}]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"apiVersion": GROUP, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

#[tokio::test]
async fn objects_are_made_in_the_order_of_the_files() {
    let cluster = cluster();
    let rollout = "
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1}]}
  strategy: {canary: {steps: [{setWeight: 20}]}}
";
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        template("ok", "AnalysisTemplate", "m", &json!({})),
        template("all", "ClusterAnalysisTemplate", "m", &json!({}))]});
    let first = file("create-first.yaml", &format!("---\n{rollout}---\n{list}"));
    let (out, _) = command(&cluster, &["create", "-f", &first]).await.unwrap();
    assert_eq!(
        out,
        "rollout.argoproj.io/web created\nanalysistemplate.argoproj.io/ok created\n\
         clusteranalysistemplate.argoproj.io/all created\n"
    );
    assert!(cluster.object(GROUP, "ClusterAnalysisTemplate", "", "all").is_some());
    let again = command(&cluster, &["create", "-f", &first]).await.unwrap_err();
    assert!(again.contains("already exists"), "{again}");
    let wrong = rollout.replace("name: web}", "name: other}").replace("setWeight: 20", "setWait: 20");
    let both = rollout.replace("name: web}", "name: third}");
    let wrong = file("create-wrong.yaml", &format!("{both}---\n{wrong}"));
    let error = command(&cluster, &["create", "-f", &wrong]).await.unwrap_err();
    assert!(error.contains("unknown field \"spec.strategy.canary.steps[0].setWait\""), "{error}");
    assert_eq!(cluster.object(GROUP, "Rollout", "default", "third"), None, "nothing is made of a wrong file");
    let service = file("create-service.yaml", "{apiVersion: v1, kind: Service, metadata: {name: web}}");
    let error = command(&cluster, &["create", "-f", &service]).await.unwrap_err();
    assert!(error.contains("create it with kubectl"), "{error}");
}

#[tokio::test]
async fn a_run_is_made_from_a_template_and_what_it_refers_to() {
    let cluster = cluster();
    let nested = json!({"templates": [{"templateName": "all", "clusterScope": true}]});
    for object in [
        template("ok", "AnalysisTemplate", "own", &nested),
        template("all", "ClusterAnalysisTemplate", "shared", &json!({})),
    ] {
        let namespace = if object["kind"] == "AnalysisTemplate" { "default" } else { "" };
        cluster.create(GROUP, object["kind"].as_str().unwrap(), namespace, object.clone()).unwrap();
    }
    let error = command(&cluster, &["create", "ar", "--from", "ok"]).await.unwrap_err();
    assert_eq!(error, "args.host was not resolved");
    let error = command(&cluster, &["create", "ar", "--from", "none"]).await.unwrap_err();
    assert!(error.contains("none") && error.contains("not found"), "{error}");
    let words = ["create", "ar", "--from", "ok", "-a", "host=web", "-a", "port=1", "--instance-id", "blue"];
    let (out, err) = command(&cluster, &words).await.unwrap();
    let name = out.strip_prefix("analysisrun.argoproj.io/").unwrap().strip_suffix(" created\n").unwrap();
    assert!(name.starts_with("ok-") && name.len() > 3, "{name}");
    assert_eq!(err, "ok has no argument \"port\": it is left out\n");
    let run = cluster.object(GROUP, "AnalysisRun", "default", name).unwrap();
    let metrics: Vec<&Value> =
        run["spec"]["metrics"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(metrics, [&json!("own"), &json!("shared")]);
    assert_eq!(run["spec"]["args"], json!([{"name": "host", "value": "web"}]));
    assert_eq!(run["metadata"]["labels"]["argo-rollouts.argoproj.io/controller-instance-id"], "blue");
    let words = ["create", "analysisrun", "--global", "--from", "all", "-a", "host=web", "--name", "mine"];
    let (out, _) = command(&cluster, &words).await.unwrap();
    assert_eq!(out, "analysisrun.argoproj.io/mine created\n");
}

#[tokio::test]
async fn a_run_is_made_from_a_file() {
    let cluster = cluster();
    let local =
        file("create-template.yaml", &template("local", "AnalysisTemplate", "m", &json!({})).to_string());
    let words = ["create", "ar", "--from-file", &local, "-a", "host=a=b", "--generate-name", "x-"];
    let (out, _) = command(&cluster, &words).await.unwrap();
    let name = out.strip_prefix("analysisrun.argoproj.io/").unwrap().strip_suffix(" created\n").unwrap();
    let run = cluster.object(GROUP, "AnalysisRun", "default", name).unwrap();
    assert!(name.starts_with("x-"));
    assert_eq!(run["spec"]["args"], json!([{"name": "host", "value": "a=b"}]), "the first = divides");
    let error = command(&cluster, &["create", "ar", "--from-file", &local, "-a", "host"]).await.unwrap_err();
    assert!(error.contains("NAME=VALUE"), "{error}");
}
