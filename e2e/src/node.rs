//! The node: registry, containerd and kubelet.

use crate::cluster::{Cluster, NODE_ADDRESS, SUBNET};
use crate::dns;
use crate::process::{start, wait};
use crate::registry;
use anyhow::Result;
use std::fs;
use std::time::Duration;

const READY_LIMIT: Duration = Duration::from_secs(90);
const REGISTRY: &str = "127.0.0.1:5000";

pub(crate) fn up(cluster: &Cluster) -> Result<()> {
    let programs = &cluster.programs;
    images(cluster)?;
    configure(cluster)?;
    let state = &cluster.state;
    start(
        state,
        "registry",
        cluster.inside(&cluster.helper).args(["e2e", "registry", REGISTRY]).arg(state.join("")),
    )?;
    let usr = programs.debian.join("usr");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{0}/bin:{0}/sbin:{path}", usr.display());
    let mut containerd = cluster.inside(usr.join("bin/containerd"));
    start(
        state,
        "containerd",
        containerd.arg("--config").arg(state.join("containerd.toml")).env("PATH", path),
    )?;
    wait(state, "containerd", READY_LIMIT, || state.join("ctrd.sock").exists())?;
    let at = state.display();
    let args = format!(
        "--config={at}/kubelet.yaml --kubeconfig={at}/admin.kubeconfig --root-dir={at}/kubelet \
        --cert-dir={at}/kubelet/pki --hostname-override=node-1 --node-ip={NODE_ADDRESS}"
    );
    start(state, "kubelet", cluster.inside(programs.bin.join("kubelet")).args(args.split_whitespace()))?;
    let ready = ["wait", "--for=condition=Ready", "node/node-1", "--timeout=5s"];
    wait(state, "kubelet", READY_LIMIT, || cluster.kubectl(&ready).is_ok())
}

fn images(cluster: &Cluster) -> Result<()> {
    let programs = &cluster.programs;
    let folder = cluster.state.join("images");
    let pause = vec![("pause", fs::read(programs.bin.join("pause"))?)];
    registry::write_image(&folder.join("pause"), &pause, None, &["/pause"])?;
    cluster.add_image(&folder.join("pause"), "local/pause:3.10")?;
    let busybox = programs.busybox();
    let files = [("bin/busybox", fs::read(&busybox)?), ("www/index.html", b"ok\n".to_vec())];
    registry::write_image(&folder.join("shell"), &files, Some(&busybox), &["/bin/sh"])?;
    let web = ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"];
    registry::write_image(&folder.join("web"), &files, Some(&busybox), &web)?;
    for name in ["library/alpine:latest", "library/busybox:latest"] {
        cluster.add_image(&folder.join("shell"), name)?;
    }
    for name in ["library/nginx:latest", "library/nginx:1.19-alpine"] {
        cluster.add_image(&folder.join("web"), name)?;
    }
    Ok(())
}

fn configure(cluster: &Cluster) -> Result<()> {
    let (state, at, usr) = (&cluster.state, cluster.state.display(), cluster.programs.debian.join("usr"));
    let (usr, network) = (usr.display(), &cluster.namespace);
    for folder in ["certs.d/docker.io", "cni", "kubelet", "podlogs"] {
        fs::create_dir_all(state.join(folder))?;
    }
    fs::write(
        state.join("certs.d/docker.io/hosts.toml"),
        format!(
            "server = \"http://{REGISTRY}\"\n[host.\"http://{REGISTRY}\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
        ),
    )?;
    fs::write(
        state.join("cni/10-e2e.conflist"),
        format!(
            r#"{{"cniVersion":"0.4.0","name":"{network}","plugins":[{{"type":"bridge","bridge":"cni0","isGateway":true,"isDefaultGateway":true,"ipMasq":false,"ipam":{{"type":"host-local","dataDir":"{at}/ipam","ranges":[[{{"subnet":"{SUBNET}.0.0/16","rangeStart":"{SUBNET}.0.10"}}]]}}}}]}}"#
        ),
    )?;
    fs::write(
        state.join("containerd.toml"),
        format!(
            r#"version = 2
root = "{at}/ctrd"
state = "{at}/ctrd-state"
[grpc]
  address = "{at}/ctrd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{at}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  netns_mounts_under_state_dir = true
  sandbox_image = "docker.io/local/pause:3.10"
  disable_apparmor = true
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{usr}/lib/cni"
  conf_dir = "{at}/cni"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{at}/certs.d"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
  BinaryName = "{usr}/sbin/runc"
"#
        ),
    )?;
    fs::write(
        state.join("kubelet.yaml"),
        format!(
            "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nfailCgroupV1: false\nfailSwapOn: false\n\
         cgroupDriver: cgroupfs\ncgroupsPerQOS: false\nenforceNodeAllocatable: []\n\
         containerRuntimeEndpoint: unix://{at}/ctrd.sock\n\
         authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}\n\
         authorization: {{mode: AlwaysAllow}}\naddress: {NODE_ADDRESS}\nclusterDNS: [{}]\nclusterDomain: {}\nhealthzBindAddress: 127.0.0.1\nmaxPods: 250\n\
         serializeImagePulls: false\nimageGCHighThresholdPercent: 100\nimageGCLowThresholdPercent: 99\n\
         evictionHard: {{memory.available: 100Mi}}\nresolvConf: \"\"\npodLogsDir: {at}/podlogs\nvolumePluginDir: {at}/kubelet/plugins\n",
            dns::ADDRESS,
            dns::DOMAIN
        ),
    )?;
    Ok(())
}
