//! How many pods a target group has, each at one of its addresses.

use super::weights::full_name;
use aws::Registration;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use planner::Registered;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Where a pod is reached at a port: an address of each family that it has; nowhere, where it does not have the port.
pub(super) fn addresses(pod: &Pod, port: &IntOrString) -> BTreeSet<SocketAddr> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => named_port(pod, name),
    };
    let number = number.and_then(|number| u16::try_from(number).ok());
    let status = pod.status.clone().unwrap_or_default();
    let several = status.pod_ips.into_iter().flatten().map(|ip| ip.ip);
    let ips: BTreeSet<IpAddr> = several.chain(status.pod_ip).filter_map(|ip| ip.parse().ok()).collect();
    number.into_iter().flat_map(|port| ips.iter().map(move |ip| SocketAddr::new(*ip, port))).collect()
}

fn named_port(pod: &Pod, name: &str) -> Option<i32> {
    let spec = pod.spec.as_ref()?;
    // A sidecar may be among those that begin first.
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let mut ports = containers.filter_map(|container| container.ports.as_ref()).flatten();
    ports.find(|port| port.name.as_deref() == Some(name)).map(|port| port.container_port)
}

/// How many pods a target group has: each at one of its addresses, by the family of the target group.
pub(super) fn count(arn: &str, pods: &[BTreeSet<SocketAddr>], said: &Registration) -> Registered {
    let pods = pods.iter().filter(|addresses| !addresses.is_empty());
    let has = |address: &SocketAddr| !said.missing.contains(address);
    let is_checked = |address: &SocketAddr| has(address) && !said.unchecked.contains(address);
    Registered {
        groups: vec![full_name(arn).to_owned()],
        pods: pods.clone().count(),
        registered: pods.clone().filter(|addresses| addresses.iter().any(has)).count(),
        checked: pods.filter(|addresses| addresses.iter().any(is_checked)).count(),
    }
}

/// What both target groups have: the least of it.
pub(super) fn both(mut all: Registered, one: &Registered) -> Registered {
    all.groups.extend(one.groups.iter().cloned());
    Registered {
        groups: all.groups,
        pods: all.pods.max(one.pods),
        registered: all.registered.min(one.registered),
        checked: all.checked.min(one.checked),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(ips: &[&str], container: &serde_json::Value) -> Pod {
        let ips: Vec<_> = ips.iter().map(|ip| json!({"ip": ip})).collect();
        let status = json!({"podIP": ips.first().map(|ip| ip["ip"].clone()), "podIPs": ips});
        serde_json::from_value(json!({"spec": {"containers": [container]}, "status": status})).unwrap()
    }

    fn set(addresses: &[&str]) -> BTreeSet<SocketAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn pods_are_reached_at_their_own_port_of_that_name() {
        let named = json!({"name": "app", "ports": [{"name": "http", "containerPort": 8080}]});
        let both = pod(&["10.0.0.1", "fd00::1"], &named);
        let http = IntOrString::String("http".to_owned());
        assert_eq!(addresses(&both, &http), set(&["10.0.0.1:8080", "[fd00::1]:8080"]));
        assert_eq!(addresses(&both, &IntOrString::Int(80)), set(&["10.0.0.1:80", "[fd00::1]:80"]));
        assert_eq!(addresses(&pod(&["10.0.0.1"], &json!({"name": "app"})), &http), set(&[]), "it has none");
        assert_eq!(addresses(&pod(&[], &named), &http), set(&[]), "it has no address yet");
    }

    #[test]
    fn a_pod_counts_where_one_of_its_addresses_is_a_target() {
        let pods =
            [set(&["10.0.0.1:80", "[fd00::1]:80"]), set(&["10.0.0.2:80"]), set(&[]), set(&["10.0.0.3:80"])];
        let said =
            Registration { missing: set(&["[fd00::1]:80", "10.0.0.3:80"]), unchecked: set(&["10.0.0.2:80"]) };
        let arn = "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/web/1";
        let one = count(arn, &pods, &said);
        let groups = vec!["targetgroup/web/1".to_owned()];
        assert_eq!(one, Registered { groups, pods: 3, registered: 2, checked: 1 });
        let all = count(arn, &pods, &Registration::default());
        let least = both(all, &one);
        assert_eq!((least.groups.len(), least.pods, least.registered, least.checked), (2, 3, 2, 1));
    }
}
