//! `create`: objects from files, and AnalysisRuns from templates. `[cli.create]`

use super::{lint, show};
use crate::args::{Create, CreateRun, Showing};
use crate::cluster::Cluster;
use analysis::{Templates, collect, compose, new_run_spec};
use anyhow::{Context, bail, ensure};
use crds::analysis::{AnalysisTemplateSpec, Argument};
use crds::rollout::analysis::AnalysisTemplateRef;
use crds::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Experiment, Rollout, meta};
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Makes the objects of the files. All are read, and checked for fields that their kind does not have, before the first
/// one is made.
pub(crate) async fn files(cluster: &Cluster<'_>, args: &Create) -> anyhow::Result<()> {
    ensure!(!args.filename.is_empty(), "name a file with -f, or an AnalysisRun to make: create analysisrun");
    let mut objects = Vec::new();
    for name in &args.filename {
        objects.extend(lint::objects_of_file(name)?.into_iter().map(|object| (name, object)));
    }
    for (file, object) in &objects {
        let faults = faults_of(object).with_context(|| file.to_string())?;
        ensure!(faults.is_empty(), "{file}: {}; nothing was created", faults.join("; "));
    }
    let mut rollouts = Vec::new();
    for (file, object) in objects {
        let (kind, made) = make(cluster, object).await.with_context(|| file.clone())?;
        cluster.terminal.say(format_args!("{}.argoproj.io/{made} created", kind.to_lowercase()))?;
        rollouts.extend((kind == "Rollout").then_some(made));
    }
    match rollouts.as_slice() {
        [rollout] if args.watch => {
            let (rollout, no_color) = (rollout.clone(), args.no_color);
            show::run(cluster, &Showing { rollout, watch: true, no_color, timeout_seconds: 0 }).await
        }
        _ if args.watch => bail!("-w shows one Rollout; the files have {}", rollouts.len()),
        _ => Ok(()),
    }
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn faults_of(object: &Value) -> anyhow::Result<Vec<String>> {
    let (version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    if version == crds::API_VERSION {
        match kind {
            "Rollout" => return Ok(lint::unknown_fields::<Rollout>(object)),
            "AnalysisTemplate" => return Ok(lint::unknown_fields::<AnalysisTemplate>(object)),
            "ClusterAnalysisTemplate" => return Ok(lint::unknown_fields::<ClusterAnalysisTemplate>(object)),
            "AnalysisRun" => return Ok(lint::unknown_fields::<AnalysisRun>(object)),
            "Experiment" => return Ok(lint::unknown_fields::<Experiment>(object)),
            _ => {}
        }
    }
    bail!(
        "{version} {kind} {:?} is no Rollout, Experiment, AnalysisRun or template of {}; create it with kubectl",
        text(object, "/metadata/name"),
        crds::API_VERSION
    )
}

async fn make(cluster: &Cluster<'_>, object: Value) -> anyhow::Result<(String, String)> {
    let kind = text(&object, "/kind").to_owned();
    let object: DynamicObject = serde_json::from_value(object)?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", &kind));
    let api: Api<DynamicObject> = if kind.starts_with("Cluster") {
        Api::all_with(cluster.client().clone(), &resource)
    } else {
        let namespace = object.namespace().unwrap_or_else(|| cluster.namespace().to_owned());
        Api::namespaced_with(cluster.client().clone(), &namespace, &resource)
    };
    let made = api.create(&PostParams::default(), &object).await?;
    Ok((kind, made.name_any()))
}

/// Makes an AnalysisRun from a template of the cluster or of a file.
pub(crate) async fn analysis_run(cluster: &Cluster<'_>, args: &CreateRun) -> anyhow::Result<()> {
    let mut known = Known::read(cluster).await?;
    let (name, is_cluster) = match (&args.from, &args.from_file) {
        (Some(name), _) => (name.clone(), args.global),
        (None, Some(file)) => known.take(lint::objects_of_file(file)?).with_context(|| file.clone())?,
        (None, None) => bail!("name a template with --from or --from-file"),
    };
    let reference =
        [AnalysisTemplateRef { template_name: Some(name.clone()), cluster_scope: Some(is_cluster) }];
    let given = args.argument.iter().map(|pair| argument(pair)).collect::<anyhow::Result<Vec<_>>>()?;
    let found = collect(&reference, &known.templates())?;
    let composed = compose(&found)?;
    for unknown in given.iter().filter(|given| !composed.args.iter().any(|arg| arg.name == given.name)) {
        cluster.terminal.warn(format_args!("{name} has no argument {:?}: it is left out", unknown.name));
    }
    let spec = new_run_spec(composed, &given, &[], &[])?;
    let metadata = match (&args.name, &args.generate_name) {
        (Some(own), _) => json!({"name": own}),
        (None, Some(prefix)) => json!({"generateName": prefix}),
        (None, None) => json!({"generateName": format!("{name}-")}),
    };
    let mut run: AnalysisRun = serde_json::from_value(json!({
        "apiVersion": crds::API_VERSION, "kind": "AnalysisRun", "metadata": metadata, "spec": spec}))?;
    if let Some(id) = &args.instance_id {
        run.labels_mut().insert(meta::INSTANCE_ID_LABEL.to_owned(), id.clone());
    }
    let made = cluster.analysis_runs().create(&PostParams::default(), &run).await?;
    cluster.terminal.say(format_args!("analysisrun.argoproj.io/{} created", made.name_any()))?;
    Ok(())
}

fn argument(pair: &str) -> anyhow::Result<Argument> {
    let split = pair.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = split.with_context(|| format!("argument {pair:?} is not of the form NAME=VALUE"))?;
    Ok(Argument { name: name.to_owned(), value: Some(value.to_owned()), ..Argument::default() })
}

/// The templates that there are: one may refer to others.
struct Known {
    namespaced: BTreeMap<String, AnalysisTemplateSpec>,
    cluster: BTreeMap<String, AnalysisTemplateSpec>,
}

impl Known {
    async fn read(cluster: &Cluster<'_>) -> anyhow::Result<Self> {
        let namespaced = Api::<AnalysisTemplate>::namespaced(cluster.client().clone(), cluster.namespace());
        let global = Api::<ClusterAnalysisTemplate>::all(cluster.client().clone());
        let listed = namespaced.list(&ListParams::default()).await?;
        let global = match global.list(&ListParams::default()).await {
            // Whoever may only see a namespace can use what is in it.
            Err(kube::Error::Api(status)) if status.code == 403 => Vec::new(),
            other => other?.items,
        };
        Ok(Self {
            namespaced: listed.items.into_iter().map(|one| (one.name_any(), one.spec)).collect(),
            cluster: global.into_iter().map(|one| (one.name_any(), one.spec)).collect(),
        })
    }

    /// Takes the only template of a file in; its name, and whether it is a ClusterAnalysisTemplate.
    fn take(&mut self, objects: Vec<Value>) -> anyhow::Result<(String, bool)> {
        let [object] = <[Value; 1]>::try_from(objects)
            .map_err(|all| anyhow::anyhow!("one template is expected; there are {} objects", all.len()))?;
        let faults = faults_of(&object)?;
        ensure!(faults.is_empty(), "{}", faults.join("; "));
        let (name, kind) = (text(&object, "/metadata/name").to_owned(), text(&object, "/kind").to_owned());
        let is_cluster = kind == ClusterAnalysisTemplate::kind(&());
        ensure!(is_cluster || kind == AnalysisTemplate::kind(&()), "a {kind} is no template");
        let spec = object.get("spec").cloned().unwrap_or_default();
        let place = if is_cluster { &mut self.cluster } else { &mut self.namespaced };
        place.insert(name.clone(), serde_json::from_value(spec)?);
        Ok((name, is_cluster))
    }

    fn templates(&self) -> Templates<'_> {
        Templates {
            namespaced: self.namespaced.iter().map(|(name, spec)| (name.as_str(), spec)).collect(),
            cluster: self.cluster.iter().map(|(name, spec)| (name.as_str(), spec)).collect(),
        }
    }
}
