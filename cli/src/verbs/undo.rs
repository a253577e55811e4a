//! `undo`: the pod template of an earlier ReplicaSet becomes the Rollout's, or that of the workload that it refers to.

use crate::cluster::Cluster;
use crate::workload::Workload;
use anyhow::Context;
use crds::template_eq::{equal_ignoring_injected, without_anti_affinity, without_metadata};
use crds::{PodTemplate, Rollout, meta};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

pub(crate) async fn run(cluster: &Cluster<'_>, name: &str, to_revision: i64) -> anyhow::Result<()> {
    let rollout = cluster.rollout(name).await?;
    let workload = Workload::of(cluster, &rollout).await?;
    let rollout = workload.as_ref().map_or_else(|| rollout.clone(), |workload| workload.resolve(&rollout));
    let selector = rollout.spec.selector.clone().unwrap_or_default().to_string();
    let sets = cluster.replica_sets().list(&ListParams::default().labels(&selector)).await?.items;
    match plan(&rollout, &sets, to_revision)? {
        Undo::Skipped { revision } => {
            cluster.terminal.say(format_args!(
                "skipped rollback (current template already matches revision {revision})"
            ))?;
        }
        Undo::To(template) => {
            // Replaced whole: what a merge would keep of the newer version is no part of the older one.
            if let Some(workload) = workload {
                workload.replace_template(template).await?;
            } else {
                let patch = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
                let patch = Patch::<Rollout>::Json(serde_json::from_value(patch)?);
                cluster.rollouts().patch(name, &PatchParams::default(), &patch).await?;
            }
            cluster.terminal.say(format_args!("rollout '{name}' undo"))?;
        }
    }
    Ok(())
}

/// What undoing means.
#[derive(Debug, PartialEq)]
enum Undo {
    Skipped { revision: i64 },
    To(Value),
}

fn revision(set: &ReplicaSet) -> i64 {
    let text = set.annotations().get(meta::REVISION_ANNOTATION);
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The template to go back to; revision 0 is the last one but one.
fn plan(rollout: &Rollout, sets: &[ReplicaSet], to_revision: i64) -> anyhow::Result<Undo> {
    let name = rollout.name_any();
    let uid = rollout.uid();
    let mut owned: Vec<&ReplicaSet> = sets
        .iter()
        .filter(|set| set.owner_references().iter().any(|owner| Some(&owner.uid) == uid.as_ref()))
        .collect();
    owned.sort_by_key(|set| std::cmp::Reverse(revision(set)));
    let found = match to_revision {
        0 => owned
            .get(1)
            .with_context(|| format!("no rollout history found for {name:?}: there is one revision"))?,
        wanted => owned
            .iter()
            .find(|set| revision(set) == wanted)
            .with_context(|| format!("unable to find specified revision {wanted} in history of {name:?}"))?,
    };
    let template = serde_json::to_value(found.spec.as_ref().and_then(|spec| spec.template.as_ref()))?;
    let mut template = without_injected(found, &PodTemplate(template));
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(meta::POD_TEMPLATE_HASH_LABEL);
    }
    let wanted = rollout.spec.template.clone().unwrap_or_default();
    if equal_ignoring_injected(&PodTemplate(template.clone()), &wanted) {
        return Ok(Undo::Skipped { revision: revision(found) });
    }
    Ok(Undo::To(template))
}

/// The template without what the controller has put there for the role that the version had.
///
/// DIFFERS: the plugin of Argo Rollouts takes only the hash away; the anti-affinity of then would stay for good.
fn without_injected(set: &ReplicaSet, template: &PodTemplate) -> Value {
    let record = set.annotations().get(meta::EPHEMERAL_METADATA_ANNOTATION);
    let metadata = record.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    without_anti_affinity(&without_metadata(template, &metadata)).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(image: &str) -> Value {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}})
    }

    fn set(revision: &str, image: &str, owner: &str) -> ReplicaSet {
        let mut with_hash = template(image);
        with_hash["metadata"]["labels"]["rollouts-pod-template-hash"] = json!("aa");
        serde_json::from_value(json!({
            "metadata": {"name": image, "annotations": {"rollout.argoproj.io/revision": revision},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Rollout", "name": "web", "uid": owner}]},
            "spec": {"selector": {}, "template": with_hash},
        }))
        .unwrap()
    }

    #[test]
    fn the_one_before_or_the_one_that_is_named() {
        let rollout: Rollout = serde_json::from_value(json!({
            "metadata": {"name": "web", "uid": "u"}, "spec": {"template": template("c")},
        }))
        .unwrap();
        let sets = [set("9", "x", "other"), set("10", "c", "u"), set("2", "b", "u"), set("1", "a", "u")];
        let image = |to_revision: i64| match plan(&rollout, &sets, to_revision) {
            Ok(Undo::To(template)) => {
                assert!(template.pointer("/metadata/labels/rollouts-pod-template-hash").is_none());
                template.pointer("/spec/containers/0/image").and_then(Value::as_str).unwrap().to_owned()
            }
            Ok(Undo::Skipped { revision }) => format!("skipped {revision}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(image(0), "b");
        assert_eq!(image(1), "a");
        assert_eq!(image(10), "skipped 10");
        assert_eq!(image(9), "unable to find specified revision 9 in history of \"web\"");
        let alone = plan(&rollout, &sets[1..2], 0).unwrap_err().to_string();
        assert_eq!(alone, "no rollout history found for \"web\": there is one revision");
    }

    #[test]
    fn what_the_controller_has_put_there_stays_behind() {
        let rollout: Rollout = serde_json::from_value(json!({
            "metadata": {"name": "web", "uid": "u"}, "spec": {"template": template("c")},
        }))
        .unwrap();
        let mut old = serde_json::to_value(set("1", "a", "u")).unwrap();
        old["metadata"]["annotations"][meta::EPHEMERAL_METADATA_ANNOTATION] =
            json!(r#"{"labels":{"role":"x"}}"#);
        old["spec"]["template"]["metadata"]["labels"]["role"] = json!("x");
        let version = json!({"key": meta::POD_TEMPLATE_HASH_LABEL, "operator": "In", "values": ["bb"]});
        let term = json!({"topologyKey": "node", "labelSelector": {"matchExpressions": [version]}});
        old["spec"]["template"]["spec"]["affinity"] =
            json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
        let sets = [set("2", "c", "u"), serde_json::from_value(old).unwrap()];
        let Ok(Undo::To(found)) = plan(&rollout, &sets, 1) else { panic!("there is an older version") };
        assert_eq!(found["metadata"]["labels"], json!({"app": "web"}));
        assert!(found.pointer("/spec/affinity").is_none());
    }
}
