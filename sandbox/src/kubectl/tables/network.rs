//! Rows of Services and what stands behind them.

pub(super) mod ingress;

use super::read::{NONE, Reader, UNSET, first_few, or_none};
use serde_json::Value;
use std::collections::BTreeSet;

/// How many addresses, ports or hosts are shown.
const SHOWN: usize = 3;

/// Name, type, cluster address, external address, ports, age; wide: selector.
pub(super) fn service(of: Reader<'_>) -> Vec<Value> {
    let ports: Vec<String> = of
        .items("/spec/ports")
        .map(|port| {
            let protocol = port.text("/protocol").unwrap_or("TCP");
            match port.number("/nodePort") {
                0 => format!("{}/{protocol}", port.number("/port")),
                node => format!("{}:{node}/{protocol}", port.number("/port")),
            }
        })
        .collect();
    let internal = of.text("/spec/clusterIPs/0").or_else(|| of.text("/spec/clusterIP")).unwrap_or(NONE);
    vec![
        of.name(),
        of.text_or("/spec/type", ""),
        internal.into(),
        external(of).into(),
        or_none(ports.join(",")).into(),
        of.age(),
        of.labels("/spec/selector").into(),
    ]
}

fn external(of: Reader<'_>) -> String {
    let addresses: Vec<&str> =
        of.items("/spec/externalIPs").filter_map(|address| address.object.as_str()).collect();
    match of.text("/spec/type") {
        Some("ClusterIP" | "NodePort") => or_none(addresses.join(",")),
        Some("LoadBalancer") => {
            let mut all = vec![balancer(of)];
            all.extend(addresses.into_iter().map(str::to_owned));
            all.retain(|address| !address.is_empty());
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        Some("ExternalName") => of.text("/spec/externalName").unwrap_or_default().to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

/// Addresses or names of load balancers, each once and sorted.
fn balancer(of: Reader<'_>) -> String {
    let all: BTreeSet<&str> = of
        .items("/status/loadBalancer/ingress")
        .filter_map(|one| one.text("/ip").or_else(|| one.text("/hostname")))
        .collect();
    all.into_iter().collect::<Vec<_>>().join(",")
}

/// Name, endpoints, age.
pub(super) fn endpoints(of: Reader<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in of.items("/subsets") {
        let addresses = subset.items("/addresses").filter_map(|address| address.text("/ip"));
        if subset.count("/ports") == 0 {
            all.extend(addresses.map(str::to_owned));
            continue;
        }
        for port in subset.items("/ports") {
            let port = port.number("/port");
            all.extend(addresses.clone().map(|address| match address.contains(':') {
                true => format!("[{address}]:{port}"),
                false => format!("{address}:{port}"),
            }));
        }
    }
    vec![of.name(), or_none(first_few(all, SHOWN, ",")).into(), of.age()]
}

/// Name, address type, ports, endpoints, age.
pub(super) fn endpoint_slice(of: Reader<'_>) -> Vec<Value> {
    let ports: Vec<String> = of
        .items("/ports")
        .map(|port| match (port.at("/port"), port.text("/name")) {
            (Some(number), _) => number.to_string(),
            (None, Some(name)) => name.to_owned(),
            (None, None) => "*".to_owned(),
        })
        .collect();
    let addresses: Vec<String> = of
        .items("/endpoints")
        .flat_map(|endpoint| endpoint.items("/addresses"))
        .filter_map(|address| address.object.as_str().map(str::to_owned))
        .collect();
    let show = |all: Vec<String>| if all.is_empty() { UNSET.to_owned() } else { first_few(all, SHOWN, ",") };
    vec![of.name(), of.text_or("/addressType", ""), show(ports).into(), show(addresses).into(), of.age()]
}

/// Name, pod selector, age.
pub(super) fn network_policy(of: Reader<'_>) -> Vec<Value> {
    vec![of.name(), of.selector("/spec/podSelector").into(), of.age()]
}

/// Name, parent, age.
pub(super) fn ip_address(of: Reader<'_>) -> Vec<Value> {
    let group = of.text("/spec/parentRef/group").map(|group| format!(".{group}")).unwrap_or_default();
    let part = |path| of.text(path).unwrap_or_default();
    let resource = part("/spec/parentRef/resource");
    let place =
        of.text("/spec/parentRef/namespace").map(|namespace| format!("{namespace}/")).unwrap_or_default();
    let parent = format!("{resource}{group}/{place}{}", part("/spec/parentRef/name"));
    vec![of.name(), parent.into(), of.age()]
}

/// Name, ranges, age.
pub(super) fn service_cidr(of: Reader<'_>) -> Vec<Value> {
    let ranges: Vec<&str> = of.items("/spec/cidrs").filter_map(|range| range.object.as_str()).collect();
    vec![of.name(), ranges.join(",").into(), of.age()]
}
