//! PodDisruptionBudgets: their status, and evictions under them.

use super::{all, views, write_status};
use crate::Dig;
use crate::api::failure::Failure;
use crate::api::registry::ResourceId;
use crate::api::{ApiServer, At, number, stamp, text};
use crate::models::eviction::{
    Answer, BudgetView, Evicted, Guarded, RETRY_AFTER_SECONDS, Wanted, budget, evict,
};
use crds::{IntOrString, Time};
use serde_json::{Map, Value, json};

fn wanted(value: &Value) -> Wanted {
    let read = |key: &str| {
        let value = value.at(&format!("/spec/{key}"))?;
        serde_json::from_value::<IntOrString>(value.clone()).ok()
    };
    match (read("minAvailable"), read("maxUnavailable")) {
        (_, Some(most)) => Wanted::MaxUnavailable(most),
        (Some(least), None) => Wanted::MinAvailable(least),
        (None, None) => Wanted::MinAvailable(IntOrString::Int(0)),
    }
}

/// Keeps the status of each budget of a namespace.
pub(super) fn look(api: &mut ApiServer, budgets: ResourceId, namespace: &str, now: Time) -> Option<Time> {
    let pods_id = api.resource_of("v1", "Pod")?;
    let mut wake: Option<Time> = None;
    for found in all(api, budgets, namespace) {
        let selector = views::selector(&found.value);
        let guarded: Vec<_> = all(api, pods_id, namespace)
            .into_iter()
            .filter(|pod| selector.matches(&views::labels(&pod.value)) && !views::phase(&pod.value).is_over())
            .collect();
        let disrupted = found.value.at("/status/disruptedPods").and_then(Value::as_object);
        let seen: Vec<Guarded> = guarded
            .iter()
            .map(|pod| Guarded {
                ready: views::ready_since(&pod.value).is_some(),
                deleting: views::is_deleting(&pod.value),
                disrupted: disrupted
                    .and_then(|map| map.get(text(&pod.value, "/metadata/name"))?.as_str())
                    .and_then(Time::parse),
            })
            .collect();
        let status = budget(&wanted(&found.value), &seen, scale(api, &guarded), now);
        let kept: Map<String, Value> = status
            .disrupted
            .iter()
            .filter_map(|index| {
                let name = text(&guarded.get(*index)?.value, "/metadata/name");
                Some((name.to_owned(), disrupted?.get(name)?.clone()))
            })
            .collect();
        let mut written = json!({
            "currentHealthy": status.current_healthy, "desiredHealthy": status.desired_healthy,
            "disruptionsAllowed": status.disruptions_allowed, "expectedPods": status.expected_pods,
            "observedGeneration": number(&found.value, "/metadata/generation"),
            "conditions": [allowed(&found.value, status.disruptions_allowed > 0, now)],
        });
        if let (false, Some(map)) = (kept.is_empty(), written.as_object_mut()) {
            map.insert("disruptedPods".to_owned(), Value::Object(kept));
        }
        wake = wake.into_iter().chain(status.wake).min();
        let name = text(&found.value, "/metadata/name").to_owned();
        write_status(api, &At { resource: budgets, namespace: namespace.to_owned(), name }, written);
    }
    wake
}

fn allowed(budget: &Value, allowed: bool, now: Time) -> Value {
    let status = if allowed { "True" } else { "False" };
    let before = views::condition(budget, "DisruptionAllowed")
        .filter(|condition| text(condition, "/status") == status)
        .and_then(|condition| views::time(condition, "/lastTransitionTime"));
    json!({
        "type": "DisruptionAllowed", "status": status, "message": "",
        "reason": if allowed { "SufficientPods" } else { "InsufficientPods" },
        "lastTransitionTime": stamp(before.unwrap_or(now)),
        "observedGeneration": number(budget, "/metadata/generation"),
    })
}

/// Sum of the wanted sizes of the pods' controllers: what stands above a ReplicaSet is what counts, and has its size
/// in `spec.replicas`, too.
fn scale(api: &ApiServer, pods: &[std::sync::Arc<crate::api::store::Stored>]) -> i32 {
    let mut counted = std::collections::BTreeSet::new();
    let mut sum = 0_i64;
    for pod in pods {
        let Some(mut top) = controller_of(api, &pod.value) else { continue };
        if let Some(above) = controller_of(api, &top.value) {
            top = above;
        }
        if counted.insert(text(&top.value, "/metadata/uid").to_owned()) {
            sum = sum.saturating_add(number(&top.value, "/spec/replicas").unwrap_or(1));
        }
    }
    i32::try_from(sum).unwrap_or(i32::MAX)
}

fn controller_of(api: &ApiServer, object: &Value) -> Option<std::sync::Arc<crate::api::store::Stored>> {
    let reference = views::controller(object)?;
    let resource = api.resource_of(text(reference, "/apiVersion"), text(reference, "/kind"))?;
    let at = At {
        resource,
        namespace: text(object, "/metadata/namespace").to_owned(),
        name: text(reference, "/name").to_owned(),
    };
    api.get(&at).cloned()
}

/// Whether a pod may be evicted now; charges the budget that allows it.
pub(crate) fn allow(api: &mut ApiServer, at: &At, dry_run: bool) -> Result<(), Failure> {
    let kind = api.resource(at.resource)?;
    let pod = api.get(at).cloned().ok_or_else(|| Failure::not_found(kind.of(), &at.name))?;
    let Some(budgets) = api.resource_of("policy/v1", "PodDisruptionBudget") else { return Ok(()) };
    let labels = views::labels(&pod.value);
    let matching: Vec<_> = all(api, budgets, &at.namespace)
        .into_iter()
        .filter(|budget| {
            let selector = views::selector(&budget.value);
            !selector.is_empty() && selector.matches(&labels)
        })
        .collect();
    let count = |value: &Value, key: &str| {
        number(value, &format!("/status/{key}")).and_then(|n| i32::try_from(n).ok()).unwrap_or(0)
    };
    let seen: Vec<BudgetView> = matching
        .iter()
        .map(|found| BudgetView {
            observed: number(&found.value, "/status/observedGeneration")
                >= number(&found.value, "/metadata/generation"),
            disruptions_allowed: count(&found.value, "disruptionsAllowed"),
            current_healthy: count(&found.value, "currentHealthy"),
            desired_healthy: count(&found.value, "desiredHealthy"),
            always_allows_unhealthy: text(&found.value, "/spec/unhealthyPodEvictionPolicy") == "AlwaysAllow",
        })
        .collect();
    let evicted = Evicted {
        phase: views::phase(&pod.value),
        ready: views::ready_since(&pod.value).is_some(),
        deleting: views::is_deleting(&pod.value),
    };
    let name = matching.first().map(|found| text(&found.value, "/metadata/name").to_owned());
    let name = name.unwrap_or_default();
    let refused = "Cannot evict pod as it would violate the pod's disruption budget.".to_owned();
    match evict(&evicted, &seen) {
        Answer::Delete => Ok(()),
        Answer::DeleteAndCharge => {
            if !dry_run {
                charge(api, &At { resource: budgets, namespace: at.namespace.clone(), name }, &at.name);
            }
            Ok(())
        }
        Answer::NotYetKnown => Err(Failure::disruption(
            refused,
            &name,
            &format!("is still being processed by the server; retry after {RETRY_AFTER_SECONDS} s"),
        )),
        Answer::Refused => {
            let first = seen.first().copied().unwrap_or_default();
            let needs = format!(
                "needs {} healthy pods and has {} currently",
                first.desired_healthy, first.current_healthy
            );
            Err(Failure::disruption(refused, &name, &needs))
        }
        Answer::TooManyBudgets => Err(Failure::internal(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        )),
    }
}

fn charge(api: &mut ApiServer, budget: &At, pod: &str) {
    let now = stamp(api.now());
    let Some(found) = api.get(budget) else { return };
    let mut status = found.value.get("status").cloned().unwrap_or_default();
    if let Some(map) = status.as_object_mut() {
        let allowed = map.get("disruptionsAllowed").and_then(Value::as_i64).unwrap_or(0);
        map.insert("disruptionsAllowed".to_owned(), allowed.saturating_sub(1).into());
        if let Some(pods) = map.entry("disruptedPods").or_insert_with(|| json!({})).as_object_mut() {
            pods.insert(pod.to_owned(), now);
        }
    }
    write_status(api, budget, status);
}
