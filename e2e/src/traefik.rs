//! A real data plane: Traefik on the node, by the Gateway API and by its own kinds.
//!
//! Two of them run. The fast one applies what it sees within two seconds, as Traefik does unless told otherwise; the
//! late one only every 30 seconds, as large installations do to spare the processor, and as cloud load balancers are.
//! Each takes the routes of its own class.

use crate::cluster::Cluster;
use crate::process;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const READY_LIMIT: Duration = Duration::from_secs(90);
const CONTROLLER: &str = "traefik.io/gateway-controller";
/// Label of the classes of Gateways, by which each Traefik finds its own.
const CLASS_LABEL: &str = "stepgate.dev/plane";

/// One of the data planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// Applies changes within two seconds.
    Fast,
    /// Applies changes every 30 seconds.
    Late,
}

impl Speed {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Fast, Self::Late];

    /// The class of its Gateways and routes.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Late => "late",
        }
    }

    /// Where users connect, inside.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Fast => 8000,
            Self::Late => 8100,
        }
    }

    /// The address of [`Speed::port`].
    #[must_use]
    pub fn address(self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// Where it tells whether it is ready.
    const fn health_port(self) -> u16 {
        match self {
            Self::Fast => 8001,
            Self::Late => 8101,
        }
    }

    const fn throttle(self) -> &'static str {
        match self {
            Self::Fast => "2s",
            Self::Late => "30s",
        }
    }

    fn program(self) -> String {
        format!("traefik-{}", self.class())
    }
}

/// Where the data planes write down the requests that they could not serve well, by class.
#[must_use]
pub fn failures_logs(cluster: &Cluster) -> BTreeMap<&'static str, PathBuf> {
    Speed::ALL.map(|speed| (speed.class(), failures_log(cluster, speed))).into()
}

fn failures_log(cluster: &Cluster, speed: Speed) -> PathBuf {
    cluster.state.join(format!("{}-failures.log", speed.program()))
}

/// The addresses of the pods to which requests were sent that failed, one entry for each request, of the routes whose
/// host ends so.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn failures(log: &std::path::Path, host: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(log).with_context(|| format!("read {}", log.display()))?;
    let of_host = |line: &str| -> Option<String> {
        let entry: Value = serde_json::from_str(line).ok()?;
        let word = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        word("RequestHost").ends_with(host).then(|| word("ServiceAddr").to_owned())
    };
    Ok(text.lines().filter_map(of_host).collect())
}

/// Makes the kinds known and starts both.
///
/// # Errors
/// When the API server refuses something, or one of them does not get ready.
pub(crate) fn up(cluster: &Cluster) -> Result<()> {
    cluster.programs.ensure_traefik()?;
    for crds in cluster.programs.traefik_crds() {
        // The one is a folder with a kustomization, the other a file.
        let how = if crds.is_dir() { "-k" } else { "-f" };
        cluster.kubectl(&["apply", "--server-side", how, &crds.to_string_lossy()])?;
    }
    let classes = Speed::ALL.map(|speed| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": speed.class(), "labels": {CLASS_LABEL: speed.class()}},
            "spec": {"controllerName": CONTROLLER},
        })
    });
    cluster.apply("classes", &json!({"apiVersion": "v1", "kind": "List", "items": classes}).to_string())?;
    for speed in Speed::ALL {
        start(cluster, speed)?;
    }
    for speed in Speed::ALL {
        let url = format!("http://127.0.0.1:{}/ping", speed.health_port());
        process::wait(&cluster.state, &speed.program(), READY_LIMIT, || cluster.answers(&url))?;
    }
    Ok(())
}

fn start(cluster: &Cluster, speed: Speed) -> Result<()> {
    let state = cluster.state.display();
    let tokens = fs::read_to_string(cluster.state.join("tokens.csv"))?;
    let (token, _) = tokens.split_once(',').context("tokens.csv has no token")?;
    let secret = cluster.state.join("admin.token");
    crate::cluster::secret(&secret, token)?;
    let (class, port, health) = (speed.class(), speed.port(), speed.health_port());
    let access = format!(
        "endpoint=https://127.0.0.1:6443 token={} certauthfilepath={state}/pki/ca.crt",
        secret.display()
    );
    let mut args: Vec<String> = Vec::new();
    for (provider, own) in [
        ("kubernetesgateway", format!("labelselector={CLASS_LABEL}={class} experimentalchannel=true")),
        ("kubernetescrd", format!("ingressclass={class}")),
    ] {
        args.push(format!("--providers.{provider}=true"));
        args.extend(
            access.split(' ').chain(own.split(' ')).map(|word| format!("--providers.{provider}.{word}")),
        );
    }
    args.extend([
        format!("--providers.providersthrottleduration={}", speed.throttle()),
        format!("--entrypoints.web.address=127.0.0.1:{port}"),
        format!("--entrypoints.health.address=127.0.0.1:{health}"),
        "--ping=true".to_owned(),
        "--ping.entrypoint=health".to_owned(),
        "--accesslog=true".to_owned(),
        format!("--accesslog.filepath={}", failures_log(cluster, speed).display()),
        "--accesslog.format=json".to_owned(),
        "--accesslog.filters.statuscodes=400-599".to_owned(),
        "--global.checknewversion=false".to_owned(),
        "--global.sendanonymoususage=false".to_owned(),
    ]);
    process::start(&cluster.state, &speed.program(), cluster.inside(cluster.programs.traefik()).args(args))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn failures_are_told_by_host_and_address() {
        let path = std::env::temp_dir().join(format!("failures-{}.log", std::process::id()));
        let line =
            |host: &str, address: &str| json!({"RequestHost": host, "ServiceAddr": address}).to_string();
        let text = [line("web.one.test", "10.0.0.1:8080"), line("web.two.test", "10.0.0.2:8080")].join("\n");
        fs::write(&path, text + "\n{\"RequestHost\":").unwrap();
        let found = failures(&path, ".one.test").unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(found, ["10.0.0.1:8080"]);
    }

    #[test]
    fn the_two_share_no_port_and_no_class() {
        let [fast, late] = Speed::ALL;
        assert_ne!(fast.class(), late.class());
        let ports = std::collections::BTreeSet::from([
            fast.port(),
            late.port(),
            fast.health_port(),
            late.health_port(),
        ]);
        assert_eq!(ports.len(), 4);
    }
}
