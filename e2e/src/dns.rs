//! Names of Services, by CoreDNS on the node.

use crate::cluster::{Cluster, NODE_ADDRESS};
use crate::process;
use anyhow::Result;
use std::fs;
use std::time::Duration;

/// The Service that pods ask.
pub(crate) const ADDRESS: &str = "10.96.0.10";
/// All names of the cluster end so.
pub(crate) const DOMAIN: &str = "cluster.local";

const READY_PORT: u16 = 8181;
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Starts it, and gives it its Service.
pub(crate) fn start(cluster: &Cluster) -> Result<()> {
    let corefile = cluster.state.join("Corefile");
    // No cache and no zone outside: a Service is known the moment it is there, and the cluster has no way out.
    fs::write(
        &corefile,
        format!(
            ".:53 {{\n  errors\n  ready {NODE_ADDRESS}:{READY_PORT}\n  kubernetes {DOMAIN} {{\n    kubeconfig {}\n    ttl 1\n  }}\n}}\n",
            cluster.kubeconfig().display()
        ),
    )?;
    let mut program = cluster.inside(cluster.programs.coredns());
    process::start(&cluster.state, "coredns", program.arg("-conf").arg(&corefile))?;
    cluster.apply("dns", &service("kube-dns", "kube-system", Some(ADDRESS), "53, protocol: UDP"))
}

/// Waits until it knows the cluster's Services.
pub(crate) fn wait_ready(cluster: &Cluster) -> Result<()> {
    let url = format!("http://{NODE_ADDRESS}:{READY_PORT}/ready");
    process::wait(&cluster.state, "coredns", READY_LIMIT, || cluster.answers(&url))
}

/// A Service without pods in front of a port of the node.
pub(crate) fn service(name: &str, namespace: &str, address: Option<&str>, port: &str) -> String {
    let address = address.map_or_else(String::new, |address| format!("clusterIP: {address}, "));
    let metadata = format!("name: {name}, namespace: {namespace}");
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{{metadata}}}\nspec: {{{address}ports: [{{name: main, port: {port}}}]}}\n\
         ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{{metadata}, labels: {{kubernetes.io/service-name: {name}}}}}\n\
         addressType: IPv4\nendpoints: [{{addresses: [{NODE_ADDRESS}]}}]\nports: [{{name: main, port: {port}}}]\n"
    )
}
