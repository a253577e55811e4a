//! What people do to the cluster, past the weather.

use super::house::{House, NAMESPACE};
use super::look::Look;
use super::scenario::Deed;
use super::scenarios::{ROLLOUT, template};
use crds::meta::POD_TEMPLATE_HASH_LABEL;
use sandbox::Cluster;
use sandbox::api::{At, Deletion, Part, Propagation};
use sandbox::traffic::{RouterKind, Routers};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) const ROLLOUTS: (&str, &str) = ("argoproj.io/v1alpha1", "Rollout");

/// In the owner references of what another controller has left: the uid of the Rollout.
pub(super) const ITS_UID: &str = "uid-of-the-rollout";

/// Creates an object, or gives one that is there this content. One that is created with a status has that, too.
pub(super) fn apply(cluster: &Cluster, object: &Value) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
    if cluster.object(version, kind, NAMESPACE, name).is_none() {
        let mut object = object.clone();
        if let Some(owner) = object.pointer_mut("/metadata/ownerReferences/0")
            && owner.get("uid").and_then(Value::as_str) == Some(ITS_UID)
        {
            let web = cluster.object(ROLLOUTS.0, ROLLOUTS.1, NAMESPACE, ROLLOUT).unwrap_or_default();
            put(owner, "uid", web.pointer("/metadata/uid").cloned().unwrap_or_default());
        }
        let status = object.get("status").cloned();
        let made = cluster.create(version, kind, NAMESPACE, object);
        debug_assert!(made.is_ok(), "{made:?}");
        if let Some(status) = status {
            change(cluster, (version, kind), name, Part::Status, |new| put(new, "status", status));
        }
        return;
    }
    let spec = object.get("spec").cloned().unwrap_or_default();
    change(cluster, (version, kind), name, Part::Main, |new| put(new, "spec", spec));
}

pub(super) fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

pub(super) fn set(object: &mut Value, pointer: &str, key: &str, value: Value) {
    if let Some(inner) = object.pointer_mut(pointer) {
        put(inner, key, value);
    }
}

/// Gives an object another spec, if the API server takes it.
fn try_spec(cluster: &Cluster, object: &Value) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    cluster.with(|api| {
        let Some(resource) = api.resource_of(text("/apiVersion"), text("/kind")) else { return };
        let at = At { resource, namespace: NAMESPACE.to_owned(), name: text("/metadata/name").to_owned() };
        let _ = api.change(&at, Part::Main, false, |old| {
            let mut new = old.clone();
            put(&mut new, "spec", object.get("spec").cloned().unwrap_or_default());
            Ok(new)
        });
    });
}

pub(super) fn change(
    cluster: &Cluster,
    (version, kind): (&str, &str),
    name: &str,
    part: Part,
    edit: impl FnOnce(&mut Value),
) {
    cluster.with(|api| {
        let Some(resource) = api.resource_of(version, kind) else { return };
        let at = At { resource, namespace: NAMESPACE.to_owned(), name: name.to_owned() };
        let changed = api.change(&at, part, false, |old| {
            let mut new = old.clone();
            edit(&mut new);
            Ok(new)
        });
        debug_assert!(
            changed.is_ok() || changed.as_ref().is_err_and(|failure| failure.code == 404),
            "{changed:?}"
        );
    });
}

fn spec(house: &House, edit: impl FnOnce(&mut Value)) {
    change(&house.cluster, ROLLOUTS, ROLLOUT, Part::Main, edit);
}

fn status(house: &House, edit: impl FnOnce(&mut Value)) {
    change(&house.cluster, ROLLOUTS, ROLLOUT, Part::Status, edit);
}

/// Does it.
pub(super) fn carry_out(house: &House, deed: &Deed) {
    match deed {
        Deed::Apply(object) => apply(&house.cluster, object),
        Deed::Try(object) => try_spec(&house.cluster, object),
        Deed::Image(tag) => spec(house, |web| set(web, "/spec", "template", template(tag))),
        Deed::Steps(steps) => spec(house, |web| set(web, "/spec/strategy/canary", "steps", steps.clone())),
        Deed::Routing(routing) => {
            spec(house, |web| set(web, "/spec/strategy/canary", "trafficRouting", routing.clone()));
        }
        Deed::Scale(size) => spec(house, |web| set(web, "/spec", "replicas", (*size).into())),
        Deed::Pause(paused) => spec(house, |web| set(web, "/spec", "paused", (*paused).into())),
        Deed::Restart => {
            let now = house.now().whole_seconds().to_string();
            spec(house, |web| set(web, "/spec", "restartAt", now.into()));
        }
        Deed::Promote => promote(house),
        Deed::PromoteFull => {
            status(house, |web| {
                if Look(web).current() != Look(web).stable() {
                    set(web, "/status", "promoteFull", true.into());
                }
            });
        }
        Deed::Abort => status(house, |web| set(web, "/status", "abort", true.into())),
        Deed::Retry => status(house, |web| set(web, "/status", "abort", false.into())),
        Deed::Label(version, kind, name, (key, value)) => {
            change(&house.cluster, (version, kind), name, Part::Main, |object| label_it(object, key, *value));
        }
        Deed::Delete(version, kind, name) => house.cluster.with(|api| {
            let Some(resource) = api.resource_of(version, kind) else { return };
            let at = At { resource, namespace: NAMESPACE.to_owned(), name: (*name).to_owned() };
            let how = Deletion { propagation: Some(Propagation::Background), ..Deletion::default() };
            let _ = api.delete(&at, &how);
        }),
        Deed::Answer(query, answer) => house.answers.set(query, answer.clone()),
        Deed::Pods(rule) => house.cluster.change_nature(|nature| nature.pods.push(rule.clone())),
        Deed::Nature(change) => house.cluster.change_nature(change),
        Deed::Stubborn(length) => {
            let (cluster, end) = (house.cluster.clone(), tokio::time::Instant::now() + *length);
            // It ends with the runtime of the run.
            tokio::spawn(annotate_until(cluster, end));
        }
        Deed::Befalls(_) => {}
        Deed::PodsAsUsual => house.cluster.change_nature(|nature| nature.pods.clear()),
    }
}

fn label_it(object: &mut Value, key: &str, value: Option<&str>) {
    let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut) else { return };
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    match (value, labels.as_object_mut()) {
        (Some(value), _) => put(labels, key, value.into()),
        (None, Some(labels)) => drop(labels.remove(key)),
        (None, None) => {}
    }
}

/// A writer that knows nothing of ours, and is faster than our view.
async fn annotate_until(cluster: Cluster, end: tokio::time::Instant) {
    let mut count = 0_u32;
    while tokio::time::Instant::now() < end {
        count = count.wrapping_add(1);
        for set in cluster.objects("apps/v1", "ReplicaSet", NAMESPACE) {
            let name = set.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            change(&cluster, ("apps/v1", "ReplicaSet"), name, Part::Main, |set| {
                let metadata = set.pointer_mut("/metadata").and_then(Value::as_object_mut);
                let notes =
                    metadata.map(|metadata| metadata.entry("annotations").or_insert_with(|| json!({})));
                if let Some(notes) = notes {
                    put(notes, "somebody.example/count", count.to_string().into());
                }
            });
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
}

/// As the command does it: lifts a pause, or goes on by one step where there is none.
fn promote(house: &House) {
    status(house, |web| {
        let look = Look(web);
        let (paused, lifted) = (look.has_pause(), look.flag("/status/controllerPause"));
        let next = look.step().filter(|_| !paused && !lifted && look.current() != look.stable());
        if let Some(status) = web.get_mut("status").and_then(Value::as_object_mut) {
            status.remove("pauseConditions");
            if let Some(step) = next {
                status.insert("currentStepIndex".to_owned(), (step + 1).into());
            }
        }
    });
}

/// Tag of the image of a version.
pub(super) fn image_of(cluster: &Cluster, hash: &str) -> String {
    let sets = cluster.objects("apps/v1", "ReplicaSet", NAMESPACE);
    let own = sets.iter().find(|set| label(set) == hash);
    let image =
        own.and_then(|set| set.pointer("/spec/template/spec/containers/0/image")).and_then(Value::as_str);
    image.and_then(|image| image.rsplit(':').next()).unwrap_or_default().to_owned()
}

pub(super) fn label(object: &Value) -> &str {
    let labels = object.pointer("/metadata/labels");
    labels.and_then(|labels| labels.get(POD_TEMPLATE_HASH_LABEL)).and_then(Value::as_str).unwrap_or_default()
}

/// Kinds of routes, with their API versions and their routers' keys.
const ROUTES: [(RouterKind, &str, &str, &str); 4] = [
    (RouterKind::HttpRoute, "gateway.networking.k8s.io/v1", "HTTPRoute", "gatewayAPI"),
    (RouterKind::TraefikService, "traefik.io/v1alpha1", "TraefikService", "traefik"),
    (RouterKind::VirtualService, "networking.istio.io/v1alpha3", "VirtualService", "istio"),
    (RouterKind::Ingress, "networking.k8s.io/v1", "Ingress", "nginx"),
];

/// How each route splits at the end that the Rollout uses: what it has left while no controller watched stays as it was.
/// `[traffic.left]`
fn routes(cluster: &Cluster) -> BTreeMap<String, String> {
    let mut end = BTreeMap::new();
    let web = cluster.object(crds::API_VERSION, "Rollout", NAMESPACE, "web");
    let routing = web.as_ref().and_then(|web| web.pointer("/spec/strategy/canary/trafficRouting"));
    let is_left = |key: &str| routing.is_some_and(|routing| routing.get(key).is_none());
    for (kind, version, name, _) in ROUTES.into_iter().filter(|(_, _, _, key)| !is_left(key)) {
        let mut routers = Routers::default();
        for object in cluster.objects(version, name, NAMESPACE) {
            for ((_, _, route), split) in routers.saw(kind, &object, false) {
                let shares: Vec<String> = split
                    .iter()
                    .flat_map(|split| split.shares.iter())
                    .map(|share| format!("{} {}", share.service, share.weight))
                    .collect();
                end.insert(format!("route {route}"), shares.join(", "));
            }
        }
    }
    end
}

/// The end of a run, without times, names by chance and counts of tries: that of a run without faults is the same.
pub(super) fn ending(cluster: &Cluster) -> BTreeMap<String, String> {
    let mut end = BTreeMap::new();
    for set in cluster.objects("apps/v1", "ReplicaSet", NAMESPACE) {
        let size = set.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
        // A version that was overtaken before anybody saw it has none at all.
        if size > 0 {
            end.insert(format!("ReplicaSet {}", label(&set)), size.to_string());
        }
    }
    for service in cluster.objects("v1", "Service", NAMESPACE) {
        let name = service.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let selector = service.pointer("/spec/selector").cloned().unwrap_or_default();
        end.insert(format!("Service {name}"), selector.to_string());
    }
    end.extend(routes(cluster));
    let mut pods: BTreeMap<String, u32> = BTreeMap::new();
    for pod in cluster.objects("v1", "Pod", NAMESPACE) {
        *pods.entry(label(&pod).to_owned()).or_default() += 1;
    }
    end.extend(pods.into_iter().map(|(hash, count)| (format!("pods {hash}"), count.to_string())));
    for run in cluster.objects("argoproj.io/v1alpha1", "AnalysisRun", NAMESPACE) {
        let text = |pointer: &str| run.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let role = format!(
            "run {} {} {}",
            label(&run),
            text("/metadata/labels/rollout-type"),
            text("/metadata/labels/step-index")
        );
        end.insert(role, text("/status/phase").to_owned());
    }
    for other in cluster.objects(ROLLOUTS.0, ROLLOUTS.1, NAMESPACE) {
        let text = |pointer: &str| other.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if text("/metadata/name") != ROLLOUT {
            let told = format!("{} {}", text("/status/phase"), text("/status/message"));
            end.insert(format!("Rollout {}", text("/metadata/name")), told);
        }
    }
    if let Some(web) = cluster.object(ROLLOUTS.0, ROLLOUTS.1, NAMESPACE, ROLLOUT) {
        let status = json!({
            "phase": web.pointer("/status/phase"), "step": web.pointer("/status/currentStepIndex"),
            "current": web.pointer("/status/currentPodHash"), "stable": web.pointer("/status/stableRS"),
            "abort": web.pointer("/status/abort"), "pauses": web.pointer("/status/pauseConditions/0/reason"),
            "replicas": web.pointer("/status/replicas"), "available": web.pointer("/status/availableReplicas"),
            "updated": web.pointer("/status/updatedReplicas"), "selector": web.pointer("/status/selector"),
            "blueGreen": web.pointer("/status/blueGreen/activeSelector"), "generation": web.pointer("/status/observedGeneration"),
        });
        for (key, value) in status.as_object().into_iter().flatten() {
            end.insert(format!("status {key}"), value.to_string());
        }
        let mut spec = web.get("spec").cloned().unwrap_or_default();
        if let Some(spec) = spec.as_object_mut() {
            spec.remove("restartAt");
        }
        end.insert("spec".to_owned(), spec.to_string());
    }
    end
}
