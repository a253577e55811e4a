//! A cluster in memory in real time, with the CRDs of Stepgate, on a port of this machine until it is interrupted:
//! `cargo run -p sandbox --example serve -- [PORT [KUBECONFIG]]`. Writes a kubeconfig to the path, or prints it.

#![allow(clippy::print_stdout, reason = "a program that tells its user where to go")]

use sandbox::{Blueprint, Cluster, Nature, Options, listener::Listener};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

/// Where it listens when nothing is said.
const PORT: u16 = 8_001;
/// Whoever can read the kubeconfig is let in; the port is open to this machine only.
const TOKEN: &str = "sandbox";

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
