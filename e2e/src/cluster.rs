//! A real Kubernetes of one node, in a network namespace of its own.

use crate::build::Programs;
use crate::guard::Guard;
use crate::process::{run, start, start_with_input, wait};
use crate::{dns, node, pki, prometheus, registry, requirements, teardown};
use anyhow::{Context, Result, bail};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const READY_LIMIT: Duration = Duration::from_secs(90);
const RUN_ID_MAX: usize = 12;
const TOKEN_BYTES: usize = 24;
/// First two numbers of the pods' addresses. Every cluster has the same: none can reach another, or the machine's own
/// network.
pub(crate) const SUBNET: &str = "10.117";
/// Where the node and all that runs on it outside of pods is reached, by pods too.
pub(crate) const NODE_ADDRESS: &str = "10.117.0.1";
const AUDIT: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived, ResponseStarted]\n\
    rules: [{level: Metadata, userGroups: [\"system:serviceaccounts\"]}, {level: None}]\n";

/// One cluster; dropping it removes it, unless it is kept.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) state: PathBuf,
    pub(crate) namespace: String,
    pub(crate) helper: PathBuf,
    pub(crate) programs: Programs,
    keep: bool,
    /// Dropped last: after the cluster was removed.
    guard: Option<Guard>,
}

impl Cluster {
    /// Starts a cluster and waits until its node is ready. `helper` is the `xtask` program. What an earlier run of
    /// the same id left is removed first.
    ///
    /// # Errors
    ///
    /// When the machine lacks something, or a program does not get ready in time (with the end of its log).
    pub fn up(run_id: &str, keep: bool, helper: &Path) -> Result<Self> {
        let missing = requirements::missing();
        if !missing.is_empty() {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            bail!("this machine cannot run a cluster:\n- {}", missing.join("\n- "));
        }
        let mut cluster = Self::of(run_id, helper)?;
        cluster.keep = false;
        // Also for a cluster that is kept: until it is up, the end of this process is its end.
        cluster.guard = Some(Guard::take(run_id, helper)?);
        teardown::all(&cluster.state, &cluster.namespace);
        cluster.programs = Programs::ensure()?;
        // Tokens and keys lie below. That the folder is new matters: /tmp is everybody's.
        DirBuilder::new()
            .mode(0o700)
            .create(&cluster.state)
            .with_context(|| format!("create {}", cluster.state.display()))?;
        cluster.network().context("network namespace")?;
        cluster.files()?;
        cluster.control_plane()?;
        // DNS and Prometheus start while the node gets ready.
        dns::start(&cluster)?;
        prometheus::start(&cluster)?;
        node::up(&cluster)?;
        dns::wait_ready(&cluster)?;
        prometheus::wait_ready(&cluster)?;
        cluster.forward()?;
        cluster.keep = keep;
        if keep {
            cluster.guard = None;
        }
        Ok(cluster)
    }

    /// Names the cluster of a run id, whether it runs or not; dropping the name leaves the cluster alone.
    ///
    /// # Errors
    ///
    /// When the id is not 1 to 12 lower-case letters and digits.
    pub fn of(run_id: &str, helper: &Path) -> Result<Self> {
        let good = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        if run_id.is_empty() || run_id.len() > RUN_ID_MAX || !run_id.bytes().all(good) {
            bail!("run id {run_id:?}: use 1 to {RUN_ID_MAX} lower-case letters and digits");
        }
        Ok(Self {
            state: PathBuf::from(format!("/tmp/stepgate-e2e-{run_id}")),
            namespace: format!("sge2e{run_id}"),
            helper: helper.to_owned(),
            programs: Programs::locate()?,
            keep: true,
            guard: None,
        })
    }

    /// Runs `kubectl` inside and gives what it printed.
    ///
    /// # Errors
    ///
    /// When kubectl fails, with what it said.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        run(self.inside(self.programs.kubectl()).env("KUBECONFIG", self.kubeconfig()).args(args))
    }

    /// Applies manifests; `what` names the file that they are kept in.
    ///
    /// # Errors
    ///
    /// When the API server refuses them.
    pub(crate) fn apply(&self, what: &str, manifests: &str) -> Result<()> {
        let path = self.state.join(format!("apply-{what}.yaml"));
        fs::write(&path, manifests)?;
        self.kubectl(&["apply", "--server-side", "-f", &path.to_string_lossy()]).map(drop)
    }

    /// The words to put before a command that must run inside.
    #[must_use]
    pub fn nsenter(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net=/run/netns/{}", self.namespace)]
    }

    /// kubectl of the cluster's own version.
    #[must_use]
    pub fn kubectl_path(&self) -> PathBuf {
        self.programs.kubectl()
    }

    /// Helm.
    #[must_use]
    pub fn helm(&self) -> PathBuf {
        self.programs.helm()
    }

    /// A path for a file or folder of this run, which goes when the cluster goes.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// Lets pods use the image of an OCI layout by this name, such as `stepgate/controller:dev`.
    ///
    /// # Errors
    ///
    /// When the list of images cannot be written.
    pub fn add_image(&self, layout: &Path, reference: &str) -> Result<()> {
        let folder = layout.canonicalize().with_context(|| format!("image layout {}", layout.display()))?;
        let mut list = OpenOptions::new().create(true).append(true).open(self.state.join(registry::LIST))?;
        // In one write: the registry may be reading.
        list.write_all(format!("{reference}\t{}\n", folder.display()).as_bytes())?;
        Ok(())
    }

    /// The kubeconfig that works inside.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.state.join("admin.kubeconfig")
    }

    /// The kubeconfig that works outside, through the forward.
    #[must_use]
    pub fn outer_kubeconfig(&self) -> PathBuf {
        self.state.join("outer.kubeconfig")
    }

    /// What is left of a cluster on this machine, one line each; empty once it is down.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        teardown::leftovers(&self.state, &self.namespace, &[])
    }

    /// Removes everything that belongs to the cluster.
    pub fn down(self) {
        teardown::all(&self.state, &self.namespace);
        let mut gone = self;
        gone.keep = true;
    }

    pub(crate) fn inside(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.namespace)).arg(program);
        command
    }

    /// Whether an address of the node answers well.
    pub(crate) fn answers(&self, url: &str) -> bool {
        run(self.inside(self.programs.busybox()).args(["wget", "-q", "-O", "-", url])).is_ok()
    }

    fn network(&self) -> Result<()> {
        run(Command::new("ip").args(["netns", "add", &self.namespace]))?;
        let gateway = format!("{NODE_ADDRESS}/16");
        let default = format!("default via {SUBNET}.0.254 dev cni0");
        // A bridge without members is down, and a host without a default route has no address to advertise.
        let steps = [
            "link set lo up",
            "link add cni0 type bridge",
            &format!("addr add {gateway} dev cni0"),
            "link set cni0 up",
            "link add stub0 type veth peer name stub1",
            "link set stub0 master cni0",
            "link set stub0 up",
            "link set stub1 up",
            &format!("route add {default}"),
        ];
        for step in steps {
            run(self.inside("ip").args(step.split(' ')))?;
        }
        Ok(())
    }

    fn files(&self) -> Result<()> {
        pki::write(&self.state.join("pki"), NODE_ADDRESS)?;
        let mut random = [0_u8; TOKEN_BYTES];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        secret(&self.state.join("tokens.csv"), &format!("{token},admin,admin,system:masters\n"))?;
        fs::write(self.state.join("audit.yaml"), AUDIT)?;
        self.write_kubeconfig(&self.kubeconfig(), 6443)
    }

    fn write_kubeconfig(&self, path: &Path, port: u16) -> Result<()> {
        let authority = self.state.join("pki/ca.crt");
        let tokens = fs::read_to_string(self.state.join("tokens.csv"))?;
        let (token, _) = tokens.split_once(',').context("tokens.csv has no token")?;
        secret(
            path,
            &format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: e2e\n\
            clusters: [{{name: e2e, cluster: {{server: \"https://127.0.0.1:{port}\", certificate-authority: {}}}}}]\n\
            users: [{{name: admin, user: {{token: {token}}}}}]\n\
            contexts: [{{name: e2e, context: {{cluster: e2e, user: admin, namespace: default}}}}]\n",
                authority.display()
            ),
        )
    }

    fn control_plane(&self) -> Result<()> {
        let (state, bin) = (self.state.display(), &self.programs.bin);
        let go = |name: &str, args: &str| {
            start(&self.state, name, self.inside(bin.join(name)).args(args.split_whitespace()))
        };
        go(
            "etcd",
            &format!(
                "--name e --data-dir {state}/etcd --listen-client-urls http://127.0.0.1:2379 \
            --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
            --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster e=http://127.0.0.1:2380 \
            --unsafe-no-fsync --log-level warn"
            ),
        )?;
        go(
            "kube-apiserver",
            &format!(
                "--etcd-servers=http://127.0.0.1:2379 --secure-port=6443 \
            --advertise-address={NODE_ADDRESS} --tls-cert-file={state}/pki/apiserver.crt \
            --tls-private-key-file={state}/pki/apiserver.key --client-ca-file={state}/pki/ca.crt \
            --token-auth-file={state}/tokens.csv --authorization-mode=RBAC \
            --service-account-issuer=https://kubernetes.default.svc --service-account-key-file={state}/pki/sa.pub \
            --service-account-signing-key-file={state}/pki/sa.key --service-cluster-ip-range=10.96.0.0/16 \
            --allow-privileged=true --kubelet-preferred-address-types=InternalIP \
            --audit-policy-file={state}/audit.yaml --audit-log-path={state}/audit.log"
            ),
        )?;
        wait(&self.state, "kube-apiserver", READY_LIMIT, || {
            self.kubectl(&["get", "--raw", "/readyz"]).is_ok()
        })?;
        // Kubernetes' own controllers are not to be what a fleet waits for: 20 requests a second are their default.
        let client =
            format!("--kubeconfig={} --kube-api-qps=500 --kube-api-burst=1000", self.kubeconfig().display());
        go(
            "kube-controller-manager",
            &format!(
                "{client} --service-account-private-key-file={state}/pki/sa.key \
            --root-ca-file={state}/pki/ca.crt --leader-elect=false --bind-address=127.0.0.1"
            ),
        )?;
        go("kube-scheduler", &format!("{client} --leader-elect=false --bind-address=127.0.0.1"))?;
        go(
            "kube-proxy",
            &format!(
                "{client} --proxy-mode=nftables --cluster-cidr={SUBNET}.0.0/16 --hostname-override=node-1 \
            --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0"
            ),
        )?;
        let account = ["get", "serviceaccount", "default"];
        wait(&self.state, "kube-controller-manager", READY_LIMIT, || self.kubectl(&account).is_ok())
    }

    fn forward(&self) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let kubeconfig = self.outer_kubeconfig();
        self.write_kubeconfig(&kubeconfig, listener.local_addr()?.port())?;
        let mut command = Command::new(&self.helper);
        command.args(["e2e", "forward", &self.namespace, "127.0.0.1:6443"]).arg(&kubeconfig);
        let input = Stdio::from(OwnedFd::from(listener));
        start_with_input(&self.state, "forward", &mut command, input)?;
        wait(&self.state, "forward", READY_LIMIT, || {
            let mut probe = Command::new(self.programs.kubectl());
            run(probe.arg("--kubeconfig").arg(&kubeconfig).args(["get", "--raw", "/readyz"])).is_ok()
        })
    }
}

/// Writes a file that only we may read.
pub(crate) fn secret(path: &Path, content: &str) -> Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(content.as_bytes()).with_context(|| format!("write {}", path.display()))
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.keep {
            teardown::all(&self.state, &self.namespace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn two_runs_share_no_folder_and_no_namespace() {
        let [one, two] = ["a", "b"].map(|id| Cluster::of(id, Path::new("xtask")).unwrap());
        assert_ne!(one.state, two.state);
        assert_ne!(one.namespace, two.namespace);
        assert!(one.nsenter().last().unwrap().ends_with("sge2ea"));
        assert!(one.keep, "a name is not an owner: dropping it must not end a cluster that runs");
    }

    #[test]
    fn an_id_that_could_leave_its_folder_is_refused() {
        for id in ["", "../x", "A", "a-b", "a/b", "a234567890123"] {
            let error = Cluster::of(id, Path::new("xtask")).unwrap_err().to_string();
            assert_eq!(error, format!("run id {id:?}: use 1 to 12 lower-case letters and digits"));
        }
    }

    #[test]
    fn a_secret_is_for_its_owner_only() {
        let path = std::env::temp_dir().join(format!("stepgate-secret-{}", std::process::id()));
        secret(&path, "token").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(&path).unwrap();
    }
}
