//! A cluster that is kept: a port of this machine, a kubeconfig for it, and commands to try.

use anyhow::Context;
use sandbox::Cluster;
use sandbox::listener::Listener;
use scenarios::show::Screen;
use std::collections::hash_map::RandomState;
use std::fs::{DirBuilder, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// An open port and its kubeconfig; dropping it closes the one and removes the other.
#[derive(Debug)]
pub(super) struct Kept {
    folder: PathBuf,
    _listener: Listener,
}

impl Drop for Kept {
    fn drop(&mut self) {
        // The system clears its folder of temporary files in the end.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

impl Kept {
    /// Opens any free port, and writes the kubeconfig where nobody else can read it.
    pub(super) async fn open(cluster: &Cluster) -> anyhow::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::start(cluster, any, &token()).await?;
        let folder = std::env::temp_dir().join(format!("stepgate-demo-{}", std::process::id()));
        make_private(&folder).with_context(|| format!("make the folder {}", folder.display()))?;
        let kept = Self { folder, _listener: listener };
        let path = kept.kubeconfig();
        write_private(&path, &kept._listener.kubeconfig())
            .with_context(|| format!("write {}", path.display()))?;
        Ok(kept)
    }

    /// Path of the kubeconfig.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Says what can be tried.
    pub(super) fn tell(&self, screen: &Screen) {
        screen.title("The cluster is yours, until you press Ctrl-C. In another terminal, in this folder:");
        screen.say(&format!("    export KUBECONFIG={}", self.kubeconfig().display()));
        let commands = suggestions(is_on_path("kubectl"), is_on_path("kubectl-stepgate"));
        for command in &commands {
            screen.say(&format!("    {command}"));
        }
        if commands.iter().any(|command| command.starts_with("cargo ")) {
            screen.say("The first `cargo run` builds the program, which can take a minute.");
        }
    }
}

/// Commands that work here. Without kubectl, or without our plugin beside it, cargo runs the plugin.
fn suggestions(has_kubectl: bool, has_plugin: bool) -> Vec<String> {
    let verbs = if has_kubectl && has_plugin { "kubectl stepgate" } else { "cargo run -q -p cli --" };
    let mut commands = Vec::new();
    if has_kubectl {
        commands.push("kubectl get rollouts,replicasets,pods".to_owned());
    }
    let what = [
        "get rollout web",
        "list rollouts",
        "undo shop",
        "get rollout shop -w",
        "promote shop",
        "restart web",
    ];
    commands.extend(what.map(|what| format!("{verbs} {what}")));
    commands
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// One that nobody can guess: the standard library seeds its hashes from the system's randomness.
fn token() -> String {
    let part = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", part(), part())
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_suggested_is_there() {
        let without = suggestions(false, true);
        assert!(without.iter().all(|command| command.starts_with("cargo run -q -p cli -- ")), "{without:?}");
        let beside = suggestions(true, false);
        assert_eq!(beside[0], "kubectl get rollouts,replicasets,pods");
        assert_eq!(beside[1], "cargo run -q -p cli -- get rollout web");
        assert_eq!(suggestions(true, true)[1], "kubectl stepgate get rollout web");
    }

    #[test]
    fn tokens_differ_and_fit_into_an_address() {
        let (one, other) = (token(), token());
        assert_ne!(one, other);
        assert!(one.len() == 32 && one.chars().all(|c| c.is_ascii_hexdigit()), "{one}");
    }
}
