//! S8, S9, S10, S12, S13, S14: what is written, to whom it belongs, and with which precondition.

use super::{Checker, Kind, world};
use crate::l2::look::Look;
use crds::Time;
use sandbox::Call;
use serde_json::{Map, Value};
use std::time::Duration;

/// A write that changes nothing may follow the last change or fault within this time: a controller that died comes back
/// when its lease has run out.
const MOMENT: Duration = Duration::from_secs(30);

/// Annotations of Rollouts that are the controller's own.
const OWN_ANNOTATIONS: [&str; 3] =
    ["rollout.argoproj.io/", "notified.notifications.argoproj.io", "stepgate.dev/"];

/// Of a route: the Rollouts that are at work on it.
const AT_WORK: &str = "rollouts.argoproj.io/gatewayapi-active-rollouts";

impl Checker {
    /// S12: a write tells what it was decided on, so that one that comes too late is refused.
    pub(super) fn preconditions(&mut self, call: &Call, now: Time) {
        let body = String::from_utf8_lossy(&call.body);
        let needed = match (call.verb, call.resource.as_str(), call.subresource.as_str()) {
            ("patch" | "update", "rollouts" | "replicasets" | "services", _) => "resourceVersion",
            ("patch" | "update", resource, _) if super::routes::is_of_router(resource) => "resourceVersion",
            ("patch" | "update", "analysisruns", _)
            | ("delete", "replicasets" | "analysisruns", _)
            | ("create", "pods", "eviction") => "uid",
            _ => return,
        };
        if !body.contains(needed) {
            let what =
                format!("{} {}/{} has no {needed} as precondition", call.verb, call.resource, call.name);
            self.fail("S12", now, what);
        }
    }

    /// Who leads from now on.
    pub(super) fn lease_written(&mut self, call: &Call) {
        if call.resource == "leases" {
            let lease: Value = serde_json::from_slice(&call.body).unwrap_or_default();
            let holder = world::text(&lease, "/spec/holderIdentity");
            let name = |identity: &str| identity.rsplit_once('_').map(|(name, _)| name.to_owned());
            if !self.leader.is_empty() && !holder.is_empty() && name(&self.leader) != name(holder) {
                self.reach("another controller took the lease");
            }
            holder.clone_into(&mut self.leader);
        }
    }

    /// Whether the lease names this controller, or nobody.
    pub(in crate::l2) fn leads(&self, client: &str) -> bool {
        self.leader.is_empty() || self.leader.strip_prefix(client).is_some_and(|rest| rest.starts_with('_'))
    }

    /// S12: whoever does not lead sends no write. Looked at as it is sent: it may be carried out much later.
    pub(in crate::l2) fn sent(&mut self, call: &Call, now: Time) {
        if call.is_write()
            && !matches!(call.resource.as_str(), "leases" | "events")
            && !self.leads(&call.client)
        {
            let what =
                format!("{} writes {}/{} while {} leads", call.client, call.resource, call.name, self.leader);
            self.fail("S12", now, what);
        }
    }

    /// S9: only what is ours is written.
    pub(super) fn owned(&mut self, kind: Kind, before: Option<&Value>, after: Option<&Value>, now: Time) {
        let Some(object) = before.or(after) else { return };
        let name = world::text(object, "/metadata/name");
        let uid = self.world.uid().to_owned();
        let ours = match kind {
            Kind::Rollout => after.is_some() && before.is_some(),
            Kind::Set | Kind::Run => {
                let owner = world::controller_uid(object);
                let adopted = owner.is_empty() && after.map(world::controller_uid) == Some(uid.as_str());
                owner == uid || adopted
            }
            Kind::Pod => self
                .world
                .sets
                .values()
                .any(|set| set.uid == world::controller_uid(object) && set.owner == uid),
            Kind::Service => {
                let web = self.world.look();
                let names = [
                    "/spec/strategy/canary/pingPong/pingService",
                    "/spec/strategy/canary/pingPong/pongService",
                    "/spec/strategy/canary/stableService",
                    "/spec/strategy/canary/canaryService",
                    "/spec/strategy/blueGreen/activeService",
                    "/spec/strategy/blueGreen/previewService",
                ];
                // One that is named no more is let go.
                let managed = object
                    .pointer("/metadata/annotations/argo-rollouts.argoproj.io~1managed-by-rollouts")
                    .is_some();
                managed || names.into_iter().any(|pointer| web.text(pointer) == name)
            }
            Kind::Job => true,
            Kind::Template => false,
            // The stable Ingress is never edited: the canary's own stands beside it.
            Kind::Route if world::text(object, "/kind") == "Ingress" => {
                after.is_some_and(|ingress| world::controller_uid(ingress) == uid)
            }
            Kind::Route => {
                self.routes.named.contains(name) || before.is_some_and(|route| self.finds_route(route))
            }
        };
        if !ours {
            self.fail("S9", now, format!("{kind:?} {name} is written and is not ours"));
        }
    }

    /// Names of the objects of routers that the Rollout names now.
    pub(super) fn named_routes(&self) -> Vec<String> {
        let web = self.world.look();
        let names = [
            "/gatewayAPI/httpRoute",
            "/traefik/weightedTraefikServiceName",
            "/istio/virtualService/name",
            "/istio/destinationRule/name",
        ];
        let at = |key| web.text(&format!("/spec/strategy/canary/trafficRouting{key}")).to_owned();
        names.into_iter().map(at).filter(|name| !name.is_empty()).collect()
    }

    /// Whether the Rollout finds a route by its labels, or is at work on it since it did.
    fn finds_route(&self, route: &Value) -> bool {
        let web = self.world.look();
        let selector = "/spec/strategy/canary/trafficRouting/gatewayAPI/httpRouteSelector/matchLabels";
        let Some(wanted) = web.0.pointer(selector).and_then(Value::as_object) else { return false };
        let labels = route.pointer("/metadata/labels");
        let has = wanted.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value));
        let annotations = route.pointer("/metadata/annotations");
        has || annotations.and_then(|notes| notes.get(AT_WORK)).is_some()
    }

    /// S8: a version has one ReplicaSet.
    pub(super) fn one_set_per_hash(&mut self, now: Time) {
        let uid = self.world.uid().to_owned();
        let mut hashes: Vec<&str> =
            self.world.sets.values().filter(|set| set.owner == uid).map(|set| set.hash.as_str()).collect();
        hashes.sort_unstable();
        let twice = hashes.windows(2).find_map(|pair| match pair {
            [a, b] if a == b => Some((*a).to_owned()),
            _ => None,
        });
        if let Some(hash) = twice {
            self.fail("S8", now, format!("{hash} has two ReplicaSets"));
        }
    }

    /// S13: the spec is people's, and so are labels and annotations.
    pub(super) fn spec_is_untouched(&mut self, before: &Value, after: &Value, now: Time) {
        let spec = |object: &Value| {
            let mut spec = object.get("spec").cloned().unwrap_or_default();
            if let Some(map) = spec.as_object_mut() {
                map.entry("replicas").or_insert_with(|| 1.into());
            }
            spec
        };
        if spec(before) != spec(after) {
            self.fail("S13", now, "a controller changed the spec".to_owned());
        }
        let kept = |object: &Value| -> Map<String, Value> {
            let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
            let foreign = |key: &str| !OWN_ANNOTATIONS.iter().any(|own| key.starts_with(own));
            let kept = annotations.into_iter().flatten().filter(|(key, _)| foreign(key));
            kept.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let labels = |object: &Value| object.pointer("/metadata/labels").cloned();
        if kept(before) != kept(after) || labels(before) != labels(after) {
            self.fail("S13", now, "a controller changed people's labels or annotations".to_owned());
        }
    }

    /// S10: what was seen is not unseen, and no time lies in the future.
    pub(super) fn records_go_on(&mut self, old: Look<'_>, new: Look<'_>, now: Time) {
        let seen = |web: Look<'_>| web.text("/status/observedGeneration").parse::<i64>().unwrap_or(0);
        let generation = new.number("/metadata/generation").unwrap_or(0);
        if seen(new) > generation || seen(new) < seen(old) {
            let what = format!("generation {} was observed, now {} of {generation}", seen(old), seen(new));
            self.fail("S10", now, what);
        }
        let revision = |web: Look<'_>| {
            web.text("/metadata/annotations/rollout.argoproj.io~1revision").parse::<i64>().unwrap_or(0)
        };
        if revision(new) < revision(old) {
            let what = format!("the revision goes back from {} to {}", revision(old), revision(new));
            self.fail("S10", now, what);
        }
        let conditions = new.0.pointer("/status/conditions").and_then(Value::as_array);
        for condition in conditions.into_iter().flatten() {
            let changed = Time::parse(world::text(condition, "/lastTransitionTime"));
            let latest = now.plus(self.lag.max(super::CROSSING)).plus_seconds(self.clocks.fastest());
            if changed.is_some_and(|changed| changed > latest) {
                self.fail("S10", now, format!("a condition changed in the future: {condition}"));
            }
        }
    }

    /// S14: no secret is told.
    pub(super) fn secrets_stay_hidden(&mut self, after: Option<&Value>, now: Time) {
        let Some(after) = after.filter(|_| !self.secrets.is_empty()) else { return };
        let status =
            after.get("status").or_else(|| after.get("message")).map(Value::to_string).unwrap_or_default();
        if self.secrets.iter().any(|secret| status.contains(secret.as_str())) {
            self.fail("S14", now, "a status or an event tells a secret".to_owned());
        }
    }

    /// S11: when nothing has changed for so long, nothing was written either.
    pub(in crate::l2) fn has_rested(&mut self, quiet: Duration, now: Time) {
        if let Some(last) = self.last_write.filter(|last| last.plus(quiet) > now.plus(MOMENT)) {
            self.fail("S11", now, format!("a controller wrote at {last}, and nothing had changed"));
        }
    }
}
