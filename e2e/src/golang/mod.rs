//! Builds from Go modules: Kubernetes with etcd and kubectl, CoreDNS, Helm, Traefik. `go.mod` and `go.sum` in this
//! crate's folders pin every module.

mod patched;

use crate::cache;
use crate::process::run;
use anyhow::{Context, Result};
use patched::{Kept, Patch};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs of Kubernetes that the cluster runs or offers.
const KUBERNETES: [&str; 6] =
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"];
/// Debug information would double the size of everything.
const STRIP: &str = "-s -w";
/// Part of the folders' names: raise it when the commands that build change.
const RECIPE: &str = "1";

/// One module of ours and what is built from it.
#[derive(Debug)]
pub(crate) struct Module {
    folder: PathBuf,
    name: &'static str,
    /// Each with its linker flags, the name of the program and its package.
    builds: Vec<(String, String, Vec<String>)>,
    /// Sources outside of Go.
    c: Option<&'static str>,
    /// Files of other modules that are ours in this build.
    patches: &'static [Patch],
    /// Files and folders of other modules that are kept beside the programs.
    keeps: &'static [Kept],
}

/// What nobody needs here and what takes longest to build: the vendors' libraries behind the ACME library's list of DNS
/// providers, and that of Amazon behind one of Traefik's own.
const TRAEFIK_WITHOUT: [Patch; 4] = [
    Patch {
        module: "github.com/go-acme/lego/v4",
        file: "providers/dns/zz_gen_dns_providers.go",
        ours: Some("left-out/dns.go.in"),
    },
    Patch {
        module: "github.com/traefik/traefik/v3",
        file: "pkg/provider/ecs/ecs.go",
        ours: Some("left-out/ecs.go.in"),
    },
    Patch { module: "github.com/traefik/traefik/v3", file: "pkg/provider/ecs/config.go", ours: None },
    Patch { module: "github.com/traefik/traefik/v3", file: "pkg/provider/ecs/label.go", ours: None },
];
const TRAEFIK_CRDS: [Kept; 2] = [
    Kept {
        module: "github.com/traefik/traefik/v3",
        path: "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",
        name: "traefik-crds",
    },
    Kept { module: "sigs.k8s.io/gateway-api", path: "config/crd/experimental", name: "gateway-api-crds" },
];

/// Kubernetes, etcd and the pause program.
pub(crate) fn cluster() -> Result<Module> {
    let version = pinned("cluster", "k8s.io/kubernetes")?;
    let packages = KUBERNETES.iter().map(|command| format!("k8s.io/kubernetes/cmd/{command}")).collect();
    Ok(Module {
        folder: source("cluster"),
        name: "cluster",
        builds: vec![
            (kubernetes_flags(&version)?, String::new(), packages),
            (STRIP.to_owned(), "etcd".to_owned(), vec!["go.etcd.io/etcd/server/v3".to_owned()]),
        ],
        c: Some("pause.c"),
        patches: &[],
        keeps: &[],
    })
}

/// CoreDNS with the few plugins that the cluster needs.
pub(crate) fn coredns() -> Module {
    let builds = vec![(STRIP.to_owned(), "coredns".to_owned(), vec![".".to_owned()])];
    Module { folder: source("coredns"), name: "coredns", builds, c: None, patches: &[], keeps: &[] }
}

/// Helm.
pub(crate) fn helm() -> Result<Module> {
    let version = pinned("helm", "helm.sh/helm/v3")?;
    let flags = format!("{STRIP} -X helm.sh/helm/v3/internal/version.version={version}");
    let builds = vec![(flags, "helm".to_owned(), vec!["helm.sh/helm/v3/cmd/helm".to_owned()])];
    Ok(Module { folder: source("helm"), name: "helm", builds, c: None, patches: &[], keeps: &[] })
}

/// Traefik, with the CRDs of the Gateway API and its own.
pub(crate) fn traefik() -> Result<Module> {
    let version = pinned("traefik", "github.com/traefik/traefik/v3")?;
    let flags = format!("{STRIP} -X github.com/traefik/traefik/v3/pkg/version.Version={version}");
    let package = "github.com/traefik/traefik/v3/cmd/traefik".to_owned();
    Ok(Module {
        folder: source("traefik"),
        name: "traefik",
        builds: vec![(flags, "traefik".to_owned(), vec![package])],
        c: None,
        patches: &TRAEFIK_WITHOUT,
        keeps: &TRAEFIK_CRDS,
    })
}

impl Module {
    /// Where the programs are kept.
    pub(crate) fn place(&self, root: &Path) -> Result<PathBuf> {
        let mut recipe = format!("{RECIPE} {:?}", self.builds);
        if !(self.patches.is_empty() && self.keeps.is_empty()) {
            recipe.push_str(&format!(" {:?} {:?}", self.patches, self.keeps));
        }
        let mut inputs = vec![recipe.into_bytes()];
        let ours = self.patches.iter().filter_map(|patch| patch.ours);
        for file in ["go.mod", "go.sum", "tools.go", "main.go"].into_iter().chain(self.c).chain(ours) {
            let path = self.folder.join(file);
            match fs::read(&path) {
                Ok(content) => inputs.push(content),
                // A module has either the one or the other.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => inputs.push(Vec::new()),
                Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
            }
        }
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        Ok(root.join(cache::name(self.name, &inputs)))
    }

    /// Builds everything into the folder.
    pub(crate) fn build(&self, out: &Path) -> Result<()> {
        let patched = patched::of(&self.folder, self.patches)?;
        let folder = patched.as_ref().map_or(self.folder.as_path(), patched::Folder::path);
        for (flags, name, packages) in &self.builds {
            // A trailing slash makes go put each program under its own name.
            let target = out.join(name);
            let mut go = Command::new("go");
            go.current_dir(folder)
                .args(["build", "-trimpath", "-mod=readonly", "-ldflags", flags, "-o"])
                .arg(&target)
                .args(packages)
                // Without C the programs are static and run everywhere.
                .env("CGO_ENABLED", "0")
                // A workspace of the user's must not change what is built.
                .env("GOWORK", "off");
            run(&mut go).with_context(|| format!("build the Go module {}", self.folder.display()))?;
        }
        if let Some(c) = self.c {
            let name = c.trim_end_matches(".c");
            let mut compiler = Command::new("cc");
            compiler.args(["-O2", "-static", "-o"]).arg(out.join(name)).arg(self.folder.join(c));
            run(&mut compiler).with_context(|| format!("build {c}"))?;
        }
        patched::keep(&self.folder, self.keeps, out)
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The version that `go.mod` requires.
fn pinned(module: &str, package: &str) -> Result<String> {
    let path = source(module).join("go.mod");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    version(&text, package).with_context(|| format!("{} does not require {package}", path.display()))
}

/// Finds `PACKAGE VERSION` in the text of a `go.mod`, in a block or on a line of its own.
fn version(text: &str, package: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.trim();
        let mut words = line.strip_prefix("require ").unwrap_or(line).split_whitespace();
        (words.next()? == package).then(|| words.next().map(str::to_owned))?
    })
}

/// kubectl, kubelet and the servers tell these variables as their version, and compare them with each other's.
fn kubernetes_flags(version: &str) -> Result<String> {
    let minor = version.split('.').nth(1).context("the version of k8s.io/kubernetes has no minor number")?;
    let variable = "-X k8s.io/component-base/version";
    let client = "-X k8s.io/client-go/pkg/version";
    Ok(format!(
        "{STRIP} {variable}.gitVersion={version} {variable}.gitMajor=1 {variable}.gitMinor={minor} \
         {variable}.gitTreeState=clean {client}.gitVersion={version}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_a_block_and_on_a_line() {
        let text = "module x\n\nrequire helm.sh/helm/v3 v3.22.0\n\nrequire (\n\tk8s.io/kubernetes v1.35.4\n\
            \tk8s.io/kubernetes-more v0.1.0 // indirect\n)\n\nreplace k8s.io/api => k8s.io/api v0.35.4\n";
        assert_eq!(version(text, "k8s.io/kubernetes").as_deref(), Some("v1.35.4"));
        assert_eq!(version(text, "helm.sh/helm/v3").as_deref(), Some("v3.22.0"));
        assert_eq!(version(text, "k8s.io/api"), None);
        assert_eq!(version(text, "k8s.io/none"), None);
    }

    #[test]
    fn the_servers_tell_the_pinned_version() {
        let flags = kubernetes_flags("v1.35.4").unwrap();
        assert!(flags.contains("version.gitVersion=v1.35.4 "), "{flags}");
        assert!(flags.contains("gitMinor=35 "), "{flags}");
        assert!(kubernetes_flags("v1").is_err());
    }

    #[test]
    fn our_modules_pin_what_we_build() {
        assert!(pinned("cluster", "k8s.io/kubernetes").unwrap().starts_with("v1.35."));
        assert!(pinned("helm", "helm.sh/helm/v3").unwrap().starts_with("v3."));
        let error = pinned("helm", "example.org/none").unwrap_err().to_string();
        assert!(error.ends_with("helm/go.mod does not require example.org/none"), "{error}");
    }

    #[test]
    fn the_place_changes_with_every_source_and_with_the_flags() {
        let folder = std::env::temp_dir().join(format!("stepgate-golang-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let builds = |flags: &str| vec![(flags.to_owned(), "x".to_owned(), vec![".".to_owned()])];
        let place = |flags: &str| {
            let module = Module {
                folder: folder.clone(),
                name: "m",
                builds: builds(flags),
                c: Some("pause.c"),
                patches: &[Patch { module: "m", file: "a.go", ours: Some("b.go") }],
                keeps: &[],
            };
            module.place(Path::new("/cache")).unwrap()
        };
        let mut seen = std::collections::BTreeSet::from([place("-s")]);
        for file in ["go.mod", "go.sum", "tools.go", "main.go", "pause.c", "b.go"] {
            fs::write(folder.join(file), "x").unwrap();
            assert!(seen.insert(place("-s")), "{file}");
        }
        assert!(seen.insert(place("-w")));
        assert!(!seen.insert(place("-s")));
        fs::remove_dir_all(&folder).unwrap();
    }
}
