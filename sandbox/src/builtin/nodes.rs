//! Scheduler and kubelet of the one node: pods live as their behaviour says.

use super::{Nature, behaviour, pod_status, views};
use crate::Dig;
use crate::api::{ApiServer, At, Deletion, number, text};
use crate::models::kubelet::{self, Behaviour, Gates, PodLife};
use crds::Time;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Name of the node.
pub(crate) const NODE: &str = "sandbox";

#[derive(Debug)]
struct Life {
    uid: String,
    life: PodLife,
    behaviour: Behaviour,
    address: String,
}

/// The pods that the node knows.
#[derive(Debug)]
pub(super) struct Nodes {
    lives: BTreeMap<At, Life>,
    random: fastrand::Rng,
}

impl Nodes {
    pub(super) fn new(seed: u64) -> Self {
        Self { lives: BTreeMap::new(), random: fastrand::Rng::with_seed(seed ^ 0x6e6f_6465) }
    }

    /// One look at a pod.
    pub(super) fn look(&mut self, api: &mut ApiServer, nature: &Nature, at: &At, now: Time) -> Option<Time> {
        let Some(pod) = api.get(at).cloned() else {
            self.lives.remove(at);
            return None;
        };
        let uid = text(&pod.value, "/metadata/uid");
        if self.lives.get(at).is_none_or(|life| life.uid != uid) {
            let created = views::time(&pod.value, "/metadata/creationTimestamp").unwrap_or(now);
            let life = Life {
                uid: uid.to_owned(),
                // Creation times have whole seconds; what happens next happens from now on.
                life: PodLife::new(created.max(now)),
                behaviour: behaviour::of(&pod.value, nature),
                address: format!("10.244.{}.{}", self.random.u8(..), self.random.u8(1..=254)),
            };
            self.lives.insert(at.clone(), life);
        }
        let known = self.lives.get_mut(at)?;
        if views::is_deleting(&pod.value) {
            let grace = number(&pod.value, "/metadata/deletionGracePeriodSeconds");
            let grace = Duration::from_secs(grace.and_then(|n| u64::try_from(n).ok()).unwrap_or(0));
            let asked = known.life.deletion.map_or(now, |deletion| deletion.at);
            known.life.deletion = Some(kubelet::Deletion { at: asked, grace });
        }
        known.life.gates = gates(&pod.value);
        let (life, wake) = kubelet::step(&known.life, &known.behaviour, now);
        known.life = life;
        if life.is_gone() {
            let at_once =
                Deletion { grace_seconds: Some(0), uid: Some(known.uid.clone()), ..Deletion::default() };
            // One that waits for a finalizer stays; the change that takes it away brings us back.
            let _ = api.delete(at, &at_once);
            return None;
        }
        let status = pod_status::of(&pod.value, &life, &known.address);
        let node = life.scheduled.map(|_| NODE);
        bind(api, at, &pod.value, node, status);
        wake
    }
}

/// What the readiness gates of a pod say.
fn gates(pod: &Value) -> Gates {
    let wanted = pod.at("/spec/readinessGates").and_then(Value::as_array);
    let mut open: Option<Time> = None;
    for gate in wanted.into_iter().flatten() {
        let condition = views::condition(pod, text(gate, "/conditionType"));
        match condition.filter(|condition| text(condition, "/status") == "True") {
            None => return Gates::Closed,
            Some(condition) => {
                let since = views::time(condition, "/lastTransitionTime").unwrap_or_default();
                open = Some(open.map_or(since, |known| known.max(since)));
            }
        }
    }
    open.map_or(Gates::Absent, Gates::Open)
}

/// Writes node and status, when they differ, at once: what scheduler and kubelet write in a moment is one revision.
fn bind(api: &mut ApiServer, at: &At, old: &Value, node: Option<&str>, status: Value) {
    let mut new = old.clone();
    if let Some(map) = new.as_object_mut() {
        map.insert("status".to_owned(), status);
    }
    if let (Some(node), Some(spec)) = (node, new.get_mut("spec").and_then(Value::as_object_mut)) {
        spec.insert("nodeName".to_owned(), node.into());
    }
    if new != *old {
        api.store.put(at.resource, (at.namespace.clone(), at.name.clone()), new);
    }
}
