//! A real Kubernetes of one node, in a network namespace of its own.

use crate::process::{run, start, wait};
use crate::{build, build::Programs, node, pki, registry, requirements, teardown};
use anyhow::{Context, Result, bail};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const READY_LIMIT: Duration = Duration::from_secs(90);
const RUN_ID_MAX: usize = 12;
const AUDIT: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived, ResponseStarted]\n\
    rules: [{level: Metadata, userGroups: [\"system:serviceaccounts\"]}, {level: None}]\n";

/// One cluster; dropping it removes it, unless it is kept.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) state: PathBuf,
    pub(crate) namespace: String,
    /// First two numbers of the pods' addresses, such as `10.117`.
    pub(crate) subnet: String,
    pub(crate) helper: PathBuf,
    keep: bool,
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
            bail!("this machine cannot run a cluster:\n- {}", missing.join("\n- "));
        }
        let mut cluster = Self::of(run_id, helper)?;
        teardown::all(&cluster.state, &cluster.namespace);
        let programs = build::programs()?;
        fs::create_dir_all(&cluster.state)?;
        cluster.network().context("network namespace")?;
        cluster.files()?;
        cluster.control_plane(&programs)?;
        node::up(&cluster, &programs)?;
        cluster.forward()?;
        cluster.keep = keep;
        Ok(cluster)
    }

    /// Names the cluster of a run id, whether it runs or not.
    ///
    /// # Errors
    ///
    /// When the id is not 1 to 12 lower-case letters and digits.
    pub fn of(run_id: &str, helper: &Path) -> Result<Self> {
        let good = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        if run_id.is_empty() || run_id.len() > RUN_ID_MAX || !run_id.bytes().all(good) {
            bail!("run id {run_id:?}: use 1 to {RUN_ID_MAX} lower-case letters and digits");
        }
        let sum: u32 = run_id.bytes().fold(7, |sum, byte| (sum * 31 + u32::from(byte)) % 100);
        Ok(Self {
            state: PathBuf::from(format!("/tmp/stepgate-e2e-{run_id}")),
            namespace: format!("sge2e{run_id}"),
            subnet: format!("10.{}", 100 + sum),
            helper: helper.to_owned(),
            keep: false,
        })
    }

    /// Runs `kubectl` inside and gives what it printed.
    ///
    /// # Errors
    ///
    /// When kubectl fails, with what it said.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        run(self.inside("kubectl").env("KUBECONFIG", self.kubeconfig()).args(args))
    }

    /// Applies manifests.
    ///
    /// # Errors
    ///
    /// When the API server refuses them.
    pub fn apply(&self, yaml: &str) -> Result<()> {
        let path = self.state.join("apply.yaml");
        fs::write(&path, yaml)?;
        self.kubectl(&["apply", "--server-side", "-f", &path.to_string_lossy()]).map(drop)
    }

    /// The words to put before a command that must run inside.
    #[must_use]
    pub fn nsenter(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net=/run/netns/{}", self.namespace)]
    }

    /// Lets pods use the image of an OCI layout by this name, such as `stepgate/controller:dev`.
    ///
    /// # Errors
    ///
    /// When the list of images cannot be written.
    pub fn add_image(&self, layout: &Path, reference: &str) -> Result<()> {
        let folder = layout.canonicalize().with_context(|| format!("image layout {}", layout.display()))?;
        let mut list = OpenOptions::new().create(true).append(true).open(self.state.join(registry::LIST))?;
        writeln!(list, "{reference}\t{}", folder.display())?;
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

    fn network(&self) -> Result<()> {
        run(Command::new("ip").args(["netns", "add", &self.namespace]))?;
        let gateway = format!("{}.0.1/16", self.subnet);
        let default = format!("default via {}.0.254 dev cni0", self.subnet);
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
        pki::write(&self.state.join("pki"), &format!("{}.0.1", self.subnet))?;
        fs::write(self.state.join("tokens.csv"), "admin-token,admin,admin,system:masters\n")?;
        fs::write(self.state.join("audit.yaml"), AUDIT)?;
        self.write_kubeconfig(&self.kubeconfig(), 6443)
    }

    fn write_kubeconfig(&self, path: &Path, port: u16) -> Result<()> {
        let authority = self.state.join("pki/ca.crt");
        fs::write(
            path,
            format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: e2e\n\
            clusters: [{{name: e2e, cluster: {{server: \"https://127.0.0.1:{port}\", certificate-authority: {}}}}}]\n\
            users: [{{name: admin, user: {{token: admin-token}}}}]\n\
            contexts: [{{name: e2e, context: {{cluster: e2e, user: admin, namespace: default}}}}]\n",
                authority.display()
            ),
        )?;
        Ok(())
    }

    fn control_plane(&self, programs: &Programs) -> Result<()> {
        let (state, bin) = (self.state.display(), &programs.bin);
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
            --advertise-address={}.0.1 --tls-cert-file={state}/pki/apiserver.crt \
            --tls-private-key-file={state}/pki/apiserver.key --client-ca-file={state}/pki/ca.crt \
            --token-auth-file={state}/tokens.csv --authorization-mode=RBAC \
            --service-account-issuer=https://kubernetes.default.svc --service-account-key-file={state}/pki/sa.pub \
            --service-account-signing-key-file={state}/pki/sa.key --service-cluster-ip-range=10.96.0.0/16 \
            --allow-privileged=true --kubelet-preferred-address-types=InternalIP \
            --audit-policy-file={state}/audit.yaml --audit-log-path={state}/audit.log",
                self.subnet
            ),
        )?;
        wait(&self.state, "kube-apiserver", READY_LIMIT, || {
            self.kubectl(&["get", "--raw", "/readyz"]).is_ok()
        })?;
        let client = format!("--kubeconfig={}", self.kubeconfig().display());
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
                "{client} --proxy-mode=nftables --cluster-cidr={}.0.0/16 --hostname-override=node-1 \
            --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0",
                self.subnet
            ),
        )?;
        let account = ["get", "serviceaccount", "default"];
        wait(&self.state, "kube-controller-manager", READY_LIMIT, || self.kubectl(&account).is_ok())
    }

    fn forward(&self) -> Result<()> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let kubeconfig = self.outer_kubeconfig();
        self.write_kubeconfig(&kubeconfig, port)?;
        let mut command = Command::new(&self.helper);
        command
            .args(["e2e", "forward", &format!("127.0.0.1:{port}"), &self.namespace, "127.0.0.1:6443"])
            .arg(&kubeconfig);
        start(&self.state, "forward", &mut command)?;
        wait(&self.state, "forward", READY_LIMIT, || {
            let mut probe = Command::new("kubectl");
            probe.arg("--kubeconfig").arg(&kubeconfig).args(["get", "--raw", "/readyz"]);
            probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.keep {
            teardown::all(&self.state, &self.namespace);
        }
    }
}
