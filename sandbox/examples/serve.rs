//! A cluster in memory in real time, with the CRDs of Stepgate, on a port of this machine until it is interrupted:
//! `cargo run -p sandbox --example serve -- [PORT [KUBECONFIG]]`. Writes a kubeconfig to the path, or prints it.

#![allow(clippy::print_stdout, reason = "a program that tells its user where to go")]

use sandbox::api::{At, Failure, Part};
use sandbox::{Blueprint, Cluster, Nature, Options, listener::Listener};
use serde_json::json;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

/// Where it listens when nothing is said.
const PORT: u16 = 8_001;
/// Whoever can read the kubeconfig is let in; the port is open to this machine only.
const TOKEN: &str = "sandbox";

/// The node that the pods run on, for those who look for it.
fn add_node(cluster: &Cluster) -> Result<(), Failure> {
    let labels = json!({"kubernetes.io/hostname": "sandbox", "kubernetes.io/os": "linux"});
    let node = json!({"metadata": {"name": "sandbox", "labels": labels}});
    cluster.create("v1", "Node", "", node)?;
    cluster.with(|api| {
        let resource = api.resource_of("v1", "Node").ok_or_else(|| Failure::other(404, "NotFound", "no nodes"))?;
        let at = At { resource, namespace: String::new(), name: "sandbox".to_owned() };
        let status = json!({
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "nodeInfo": {"kubeletVersion": "sandbox", "osImage": "memory", "containerRuntimeVersion": "sandbox://1"},
        });
        api.change(&at, Part::Status, false, |old| {
            let mut new = old.clone();
            if let Some(map) = new.as_object_mut() {
                map.insert("status".to_owned(), status);
            }
            Ok(new)
        })
    })?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let port = words.next().map_or(Ok(PORT), |word| word.parse())?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let begin = crds::Time::from_unix_seconds(i64::try_from(now.as_secs())?).unwrap_or_default();
    let nature = Nature { endpoint_objects: true, ..Nature::default() };
    let options =
        Options { seed: now.as_secs(), begin, nature, blueprint: Blueprint::default(), ..Options::default() };
    let cluster = Cluster::new(&options);
    for (_, definition) in crds::manifest::all(crds::manifest::Detail::Full) {
        cluster.create("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", definition)?;
    }
    add_node(&cluster)?;
    let listener = Listener::start(&cluster, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TOKEN).await?;
    match words.next() {
        Some(path) => {
            std::fs::write(&path, listener.kubeconfig())?;
            println!("listening on http://{}; try: kubectl --kubeconfig {path} get all", listener.address());
        }
        None => print!("{}", listener.kubeconfig()),
    }
    cluster.run().await;
    Ok(())
}
