//! The load balancer behind an Ingress, and how its target groups are found. `[traffic.verified]`

use super::Alb;
use crate::{Balancer, Objects, Reference};
use planner::traffic::Split;
use serde_json::Value;

impl Alb {
    /// The load balancers of all Ingresses that are there.
    pub(super) fn of_ingresses(&self, objects: &Objects) -> Vec<Balancer> {
        let Ok(root) = self.root() else { return Vec::new() };
        let there = |reference: &Reference| {
            let ingress = objects.get(reference)?;
            Some(self.balancer(reference, ingress, self.split(ingress, root)))
        };
        self.ingresses.iter().filter_map(there).collect()
    }

    fn balancer(&self, reference: &Reference, ingress: &Value, shown: Split) -> Balancer {
        let id =
            |service: &str| format!("{}/{}-{service}:{}", reference.namespace, reference.name, self.port);
        let hosts = ingress.pointer("/status/loadBalancer/ingress").and_then(Value::as_array);
        let host = hosts.into_iter().flatten().find_map(|entry| entry.get("hostname")?.as_str());
        Balancer {
            ingress: reference.name.clone(),
            host: host.map(str::to_owned),
            canary: id(&self.services.canary),
            stable: id(&self.services.stable),
            additional: shown.additional.keys().map(|service| (service.clone(), id(service))).collect(),
            shown,
        }
    }
}
