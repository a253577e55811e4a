//! What a real API server says to the objects of Argo Rollouts' users under our CRDs.

use crate::stage::connect;
use anyhow::{Context, Result, ensure};
use futures::{StreamExt, stream};
use kube::Client;
use kube::api::{Api, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;
use std::path::{Path, PathBuf};

const AT_ONCE: usize = 8;
const NAMESPACE: &str = "default";
const GROUP_VERSION: &str = "argoproj.io/v1alpha1";

/// An object, where it comes from, and whether Argo Rollouts' API server took it.
struct Case {
    from: String,
    object: Value,
    is_accepted: bool,
}

/// Sends every object of our group in the examples, scenarios and verdicts of the folder to the API server, which
/// creates none of them, and compares its answers.
///
/// # Errors
/// When one is answered otherwise than by the server that Argo Rollouts ran on.
pub fn as_recorded(kubeconfig: &Path, folder: &Path) -> Result<()> {
    let mut cases = Vec::new();
    for part in ["examples", "traces/scenarios"] {
        manifests(&folder.join(part), &mut cases)?;
    }
    let examples = cases.len();
    verdicts(&folder.join("verdicts"), &mut cases)?;
    ensure!(
        examples > 150 && cases.len() > examples + 900,
        "only {} objects in {}",
        cases.len(),
        folder.display()
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let total = cases.len();
    let refused = cases.iter().filter(|case| !case.is_accepted).count();
    let wrong: Vec<String> = runtime.block_on(async {
        let client = connect(kubeconfig).await?;
        let answers: Vec<Result<Option<String>>> = stream::iter(cases)
            .map(|case| answer(client.clone(), case))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        answers.into_iter().filter_map(Result::transpose).collect::<Result<_>>()
    })?;
    ensure!(wrong.is_empty(), "answered otherwise than recorded:\n{}", wrong.join("\n"));
    println!(
        "ok     {total} recorded objects ({examples} of manifests) are taken or refused ({refused}) as recorded"
    );
    Ok(())
}

/// What is wrong with the answer, if anything is.
async fn answer(client: Client, case: Case) -> Result<Option<String>> {
    let kind = case.object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let plural = format!("{}s", kind.to_lowercase());
    let resource =
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", &kind), &plural);
    let api: Api<DynamicObject> = if kind == "ClusterAnalysisTemplate" {
        Api::all_with(client, &resource)
    } else {
        Api::namespaced_with(client, NAMESPACE, &resource)
    };
    let mut object = case.object;
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("namespace");
    }
    let object: DynamicObject = serde_json::from_value(object).with_context(|| case.from.clone())?;
    let how = PostParams { dry_run: true, ..PostParams::default() };
    Ok(match (api.create(&how, &object).await, case.is_accepted) {
        (Ok(_), true) => None,
        (Ok(_), false) => Some(format!("{}: accepted", case.from)),
        (Err(kube::Error::Api(status)), false) if status.code == 422 || status.code == 400 => None,
        (Err(error), _) => Some(format!("{}: {error}", case.from)),
    })
}

fn manifests(folder: &Path, cases: &mut Vec<Case>) -> Result<()> {
    let mut files = Vec::new();
    yaml_files(folder, &mut files)?;
    for path in files {
        let text = std::fs::read_to_string(&path)?;
        // Files that are no YAML are listed by the test of the types.
        let Ok(documents) = serde_saphyr::from_multiple::<Value>(&text) else { continue };
        let mut found = Vec::new();
        documents.iter().for_each(|document| objects(document, &mut found));
        cases.extend(found.into_iter().map(|object| Case {
            from: format!("{} {}", path.display(), object.pointer("/metadata/name").unwrap_or(&Value::Null)),
            object: object.clone(),
            is_accepted: true,
        }));
    }
    Ok(())
}

fn verdicts(folder: &Path, cases: &mut Vec<Case>) -> Result<()> {
    for name in ["validation.jsonl", "analysis.jsonl"] {
        for line in std::fs::read_to_string(folder.join(name))?.lines() {
            let verdict: Value = serde_json::from_str(line)?;
            let object = verdict.get("manifest").cloned().unwrap_or_else(|| {
                serde_json::json!({"apiVersion": GROUP_VERSION, "kind": "AnalysisRun", "metadata": {"name": "x"},
                    "spec": verdict.get("spec")})
            });
            let case = verdict.get("case").and_then(Value::as_str).unwrap_or_default();
            let is_accepted = verdict.get("apiServer").and_then(Value::as_str) == Some("accepted");
            cases.push(Case { from: format!("{name} {case}"), object, is_accepted });
        }
    }
    Ok(())
}

fn yaml_files(folder: &Path, out: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            yaml_files(&path, out)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            out.push(path);
        }
    }
    Ok(())
}

/// Every object of our group in a document: the document itself, or anywhere inside it.
fn objects<'a>(value: &'a Value, out: &mut Vec<&'a Value>) {
    let is = |key: &str, wanted: Option<&str>| {
        let text = value.get(key).and_then(Value::as_str);
        text.is_some() && (wanted.is_none() || text == wanted)
    };
    if is("apiVersion", Some(GROUP_VERSION)) && is("kind", None) {
        out.push(value);
        return;
    }
    match value {
        Value::Object(object) => object.values().for_each(|value| objects(value, out)),
        Value::Array(items) => items.iter().for_each(|value| objects(value, out)),
        _ => {}
    }
}
