//! What is to be seen of a Rollout at one moment.

use super::manifests::text;
use super::stage::Stage;
use crate::phase::phase;
use crate::view::summary;
use crds::Rollout;
use crds::rollout::canary::CanaryStep;
use serde_json::Value;

/// Of the Rollout, in words that can be compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Look {
    pub(super) phase: String,
    pub(super) message: String,
    pub(super) aborted: bool,
    /// Index of the step, and how many there are.
    pub(super) step: Option<(usize, usize)>,
    pub(super) weight: Option<i32>,
    /// What routers are asked for.
    pub(super) routed: Option<String>,
    /// Ready pods of the old and of the new version.
    pub(super) old: usize,
    pub(super) new: usize,
    /// Services and the version that they select.
    pub(super) services: Vec<(String, &'static str)>,
    pub(super) pause: Option<String>,
    /// Whether the new version is the stable one.
    pub(super) is_promoted: bool,
}

impl Look {
    /// Looks. `old` is the hash of the version before the release.
    pub(super) fn at(stage: &Stage, rollout: &Rollout, old: &str) -> Self {
        let status = rollout.status.clone().unwrap_or_default();
        let (phase, message) = phase(rollout);
        let steps = steps(rollout).map_or(0, <[CanaryStep]>::len);
        let step = status.current_step_index.and_then(|index| usize::try_from(index).ok());
        let (mut of_old, mut of_new) = (0, 0);
        for pod in stage.cluster.objects("v1", "Pod", &stage.namespace) {
            match label(&pod) {
                hash if hash.is_empty() || !is_ready(&pod) => {}
                hash if hash == old => of_old += 1,
                _ => of_new += 1,
            }
        }
        let version = |hash: &str| match hash {
            "" => "both versions",
            hash if hash == old => "the old version",
            _ => "the new version",
        };
        let services = stage.cluster.objects("v1", "Service", &stage.namespace);
        let selected = services.iter().map(|service| {
            let hash =
                service.pointer("/spec/selector").and_then(|s| s.get(crds::meta::POD_TEMPLATE_HASH_LABEL));
            let hash = hash.and_then(Value::as_str).unwrap_or_default();
            (text(service, "/metadata/name").to_owned(), version(hash))
        });
        Self {
            phase,
            message,
            aborted: status.abort,
            step: step.filter(|_| steps > 0).map(|index| (index, steps)),
            weight: summary::set_weight(rollout),
            routed: routed(rollout),
            old: of_old,
            new: of_new,
            services: selected.collect(),
            pause: status.pause_conditions.iter().flatten().next().map(|pause| pause.reason.clone()),
            is_promoted: !status.stable_rs.is_empty()
                && status.stable_rs == status.current_pod_hash
                && status.stable_rs != old,
        }
    }

    /// Pods by version.
    pub(super) fn pods(&self) -> String {
        // Blue-green has no weights: users go to one version or to the other.
        let share = match (self.weight.filter(|_| self.routed.is_none()), self.old + self.new) {
            (None, _) | (_, 0) => String::new(),
            (Some(_), all) => format!(" ({}% new)", self.new * 100 / all),
        };
        format!("{} old, {} new ready{share}", self.old, self.new)
    }
}

fn label(pod: &Value) -> &str {
    let labels = pod.pointer("/metadata/labels");
    labels
        .and_then(|labels| labels.get(crds::meta::POD_TEMPLATE_HASH_LABEL))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    pod.pointer("/metadata/deletionTimestamp").is_none()
        && conditions
            .into_iter()
            .flatten()
            .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True")
}

/// How the requests of routers are split, where there are any.
fn routed(rollout: &Rollout) -> Option<String> {
    let weights = rollout.status.as_ref()?.canary.as_ref()?.weights.as_ref()?;
    let (new, old) = (weights.canary.weight, weights.stable.weight);
    Some(format!("routers are asked for {new} of {} to the canary", new + old))
}

/// The steps of a canary.
pub(super) fn steps(rollout: &Rollout) -> Option<&[CanaryStep]> {
    rollout.spec.strategy.as_ref()?.canary.as_ref()?.steps.as_deref()
}

/// What a step does, and whether it waits for a person.
pub(super) fn told(step: &CanaryStep) -> (String, bool) {
    if let Some(weight) = step.set_weight {
        return (format!("setWeight {weight}"), false);
    }
    if let Some(pause) = &step.pause {
        return match &pause.duration {
            Some(duration) => (format!("pause {duration}"), false),
            None => ("pause without end: a person promotes it".to_owned(), true),
        };
    }
    if let Some(analysis) = &step.analysis {
        let templates =
            analysis.templates.iter().flatten().filter_map(|template| template.template_name.clone());
        return (format!("analysis {}", templates.collect::<Vec<_>>().join(", ")), false);
    }
    if let Some(scale) = &step.set_canary_scale {
        let size = match (scale.weight, scale.replicas) {
            (Some(weight), _) => format!("weight {weight}"),
            (None, Some(replicas)) => format!("{replicas} pods"),
            (None, None) => "as the traffic's weight".to_owned(),
        };
        return (format!("setCanaryScale {size}"), false);
    }
    if let Some(route) = &step.set_header_route {
        return (format!("setHeaderRoute {}", route.name.as_deref().unwrap_or_default()), false);
    }
    if let Some(route) = &step.set_mirror_route {
        return (format!("setMirrorRoute {}", route.name), false);
    }
    ("a step".to_owned(), false)
}
