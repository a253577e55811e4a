//! The programs of the cluster: Kubernetes, etcd, CoreDNS, Helm and Traefik from pinned Go modules, the container
//! runtime and Prometheus from Debian. All are built or unpacked once, under `~/.cache/stepgate`; nothing is installed.

use crate::{cache, debian, golang};
use anyhow::Result;
use std::path::PathBuf;
use std::time::Instant;

/// Where the programs lie.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Kubernetes, etcd, kubectl, pause.
    pub bin: PathBuf,
    /// Debian packages, unpacked but not installed.
    pub debian: PathBuf,
    coredns: PathBuf,
    helm: PathBuf,
    traefik: PathBuf,
}

impl Programs {
    /// Names the places, whether they are filled or not.
    ///
    /// # Errors
    ///
    /// When the sources that name them cannot be read, or there is no home for a cache.
    pub fn locate() -> Result<Self> {
        let root = cache::root()?;
        Ok(Self {
            bin: golang::cluster()?.place(&root)?,
            debian: debian::place(&root),
            coredns: golang::coredns().place(&root)?,
            helm: golang::helm()?.place(&root)?,
            traefik: golang::traefik()?.place(&root)?,
        })
    }

    /// Builds and downloads what is not yet there, saying so. Several processes may do so at once.
    ///
    /// # Errors
    ///
    /// When a build or a download fails; the message has what the tool said.
    pub fn ensure() -> Result<Self> {
        let places = Self::locate()?;
        timed("containerd, runc, CNI plugins and Prometheus: Debian's packages", &places.debian, |out| {
            debian::unpack(out)
        })?;
        timed("Kubernetes, etcd and kubectl: about 8 minutes on two cores", &places.bin, |out| {
            golang::cluster()?.build(out)
        })?;
        timed("CoreDNS: about a minute", &places.coredns, |out| golang::coredns().build(out))?;
        timed("Helm: about a minute", &places.helm, |out| golang::helm()?.build(out))?;
        Ok(places)
    }

    /// The same for the data plane, which only stories of routes need.
    ///
    /// # Errors
    ///
    /// As [`Programs::ensure`].
    pub fn ensure_traefik(&self) -> Result<()> {
        timed("Traefik: about 4 minutes on two cores", &self.traefik, |out| golang::traefik()?.build(out))
    }

    /// What [`Programs::ensure`] would have to build or to download now.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let places = [
            ("containerd, runc, CNI plugins and Prometheus", &self.debian),
            ("Kubernetes and etcd", &self.bin),
            ("CoreDNS", &self.coredns),
            ("Helm", &self.helm),
        ];
        places.into_iter().filter(|(_, place)| !place.is_dir()).map(|(what, _)| what).collect()
    }

    /// kubectl of the cluster's own version.
    #[must_use]
    pub fn kubectl(&self) -> PathBuf {
        self.bin.join("kubectl")
    }

    /// Helm.
    #[must_use]
    pub fn helm(&self) -> PathBuf {
        self.helm.join("helm")
    }

    /// Traefik.
    #[must_use]
    pub fn traefik(&self) -> PathBuf {
        self.traefik.join("traefik")
    }

    /// The CRDs that Traefik reads: those of the Gateway API, then its own.
    #[must_use]
    pub fn traefik_crds(&self) -> [PathBuf; 2] {
        ["gateway-api-crds", "traefik-crds"].map(|name| self.traefik.join(name))
    }

    /// CoreDNS.
    #[must_use]
    pub fn coredns(&self) -> PathBuf {
        self.coredns.join("coredns")
    }

    /// Prometheus.
    #[must_use]
    pub fn prometheus(&self) -> PathBuf {
        self.debian.join("usr/bin/prometheus")
    }

    /// The static busybox, wherever this Debian puts it.
    #[must_use]
    pub fn busybox(&self) -> PathBuf {
        let old = self.debian.join("bin/busybox");
        if old.is_file() { old } else { self.debian.join("usr/bin/busybox") }
    }
}

fn timed(
    what: &str,
    place: &std::path::Path,
    fill: impl FnOnce(&std::path::Path) -> Result<()>,
) -> Result<()> {
    cache::ensure(place, |out| {
        println!("getting {what}; only this once");
        let start = Instant::now();
        fill(out)?;
        println!("got it in {} s", start.elapsed().as_secs());
        Ok(())
    })
}
