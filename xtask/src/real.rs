//! The real cluster with Stepgate in it, from the images that this workspace builds.

use crate::image::{self, Made, Name};
use anyhow::{Context, Result};
use e2e::{
    Cluster, accepted, build::Programs, conformance, install, kustomize, prometheus, recorded, rights,
    shadow, stage::Theatre, suite, traefik, traffic,
};
use std::path::Path;

/// Tag of the images that are built here.
pub(crate) const TAG: &str = "dev";

/// What a cluster runs.
#[derive(Debug)]
pub(crate) struct Images {
    made: Vec<Made>,
}

impl Images {
    /// Builds them, in release mode: what is tested is what ships.
    pub(crate) fn build() -> Result<Self> {
        Ok(Self { made: image::all(&Name::ALL, None, TAG)? })
    }

    /// Lets the cluster's pods use them.
    pub(crate) fn add_to(&self, cluster: &Cluster) -> Result<()> {
        for made in &self.made {
            cluster.add_image(&made.written.folder, &made.written.reference)?;
        }
        Ok(())
    }

    fn of(&self, name: Name) -> Result<&Made> {
        let position = Name::ALL.iter().position(|one| *one == name);
        position.and_then(|position| self.made.get(position)).context("an image was not built")
    }

    /// Where stories are played, with these images and programs.
    pub(crate) fn theatre(&self, cluster: &Cluster, logs: &Path) -> Result<Theatre> {
        std::fs::create_dir_all(logs)?;
        let server = self.of(Name::DemoServer)?;
        Ok(Theatre {
            kubeconfig: cluster.outer_kubeconfig(),
            inside: cluster.nsenter(),
            demo_server: server.binary.clone(),
            cli: self.of(Name::KubectlStepgate)?.binary.clone(),
            logs: logs.to_owned(),
            image: server.written.reference.clone(),
            prometheus: prometheus::ADDRESS.to_owned(),
            failures: traefik::failures_logs(cluster),
        })
    }
}

/// Brings a cluster up, installs Stepgate from its image, tells the stories, and looks at what the controllers asked of
/// the API server.
pub(crate) fn test(run_id: &str, helper: &Path, only: &[String], keep: bool) -> Result<()> {
    if only.is_empty() {
        // Needs no cluster: told before there is one.
        kustomizations(None)?;
    }
    let images = Images::build()?;
    let cluster = Cluster::up(run_id, keep, helper)?;
    images.add_to(&cluster)?;
    if only.is_empty() {
        // Before there is a controller: some cases make Rollouts, and nobody may touch them.
        let reference = &images.of(Name::DemoServer)?.written.reference;
        conformance::check(&cluster, &room(reference), &[])?;
        install::remove_crds(&cluster)?;
        install::chart_comes_and_goes(&cluster, TAG)?;
    }
    install::cluster_wide(&cluster)?;
    shadow::start(&cluster)?;
    let logs = crate::house::target().join("e2e").join(run_id);
    let theatre = images.theatre(&cluster, &logs)?;
    suite::play(&cluster, &theatre, only)?;
    if only.is_empty() {
        traffic::prepare(&cluster)?;
        traffic::play(&cluster, &theatre, &traffic::OF_THE_TESTS)?;
        rights::are_asked_for(&cluster, &theatre)?;
        match std::env::var_os("STEPGATE_PEER_DIR") {
            Some(folder) => accepted::as_recorded(&theatre.kubeconfig, Path::new(&folder))?,
            None => {
                println!("not run: recorded objects (they are in the folder that STEPGATE_PEER_DIR names)")
            }
        }
    }
    suite::nothing_written_at_rest(&cluster)?;
    shadow::agrees(&cluster)?;
    suite::no_refusals(&cluster)?;
    suite::clean_logs(&cluster)?;
    Ok(())
}

/// Builds kustomizations with this kubectl, or with that of the cluster.
pub(crate) fn kustomizations(kubectl: Option<&Path>) -> Result<()> {
    let kubectl = match kubectl {
        Some(path) => path.to_owned(),
        None => Programs::ensure()?.kubectl(),
    };
    let peer = std::env::var_os("STEPGATE_PEER_DIR");
    kustomize::check(&kubectl, &crate::house::target().join("e2e/kustomize"), peer.as_deref().map(Path::new))
}

/// Plays stories of users who come through a real data plane, on a cluster of its own.
pub(crate) fn traffic(run_id: &str, helper: &Path, only: &[String], keep: bool) -> Result<()> {
    let images = Images { made: image::quick(&Name::ALL, TAG)? };
    let cluster = Cluster::up(run_id, keep, helper)?;
    images.add_to(&cluster)?;
    install::cluster_wide(&cluster)?;
    traffic::prepare(&cluster)?;
    let logs = crate::house::target().join("e2e").join(run_id);
    let only: Vec<&str> = only.iter().map(String::as_str).collect();
    traffic::play(&cluster, &images.theatre(&cluster, &logs)?, &only)?;
    suite::no_refusals(&cluster)?;
    suite::clean_logs(&cluster)
}

/// Plays the conformance cases on a cluster that is up.
pub(crate) fn conformance(run_id: &str, helper: &Path, only: &[String], record: bool) -> Result<()> {
    let cluster = Cluster::of(run_id, helper)?;
    for server in image::quick(&[Name::DemoServer], TAG)? {
        cluster.add_image(&server.written.folder, &server.written.reference)?;
        let room = room(&server.written.reference);
        if record {
            conformance::record(&cluster, &room, only)?;
        } else {
            conformance::check(&cluster, &room, only)?;
        }
    }
    Ok(())
}

/// Plays recorded scenarios of Argo Rollouts on a cluster of its own.
pub(crate) fn recorded(run_id: &str, helper: &Path, only: &[String], keep: bool) -> Result<()> {
    let folder = std::env::var_os("STEPGATE_PEER_DIR")
        .context("STEPGATE_PEER_DIR must name the folder of the recordings of Argo Rollouts")?;
    let images = image::quick(&[Name::Controller, Name::DemoServer], TAG)?;
    let cluster = Cluster::up(run_id, keep, helper)?;
    for made in &images {
        cluster.add_image(&made.written.folder, &made.written.reference)?;
    }
    install::cluster_wide(&cluster)?;
    let server = images.last().context("the demo server was not built")?;
    recorded::as_recorded(&cluster, Path::new(&folder), &server.written.folder, only)
}

/// What the conformance cases need, with this image of the demo server.
fn room(image: &str) -> conformance::Room {
    let root = crate::house::root();
    conformance::Room {
        image: image.to_owned(),
        crds: root.join("crds/manifests/full"),
        cases: root.join("conformance/cases"),
    }
}
