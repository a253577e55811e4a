//! What kubectl's kustomize makes of kustomizations that use `manifests/kustomize`: no cluster is needed, only kubectl.
//! `[crd.kustomize]`

mod merges;
mod names;
mod peer;
mod workshop;

use anyhow::Result;
use std::path::Path;
use workshop::Workshop;

/// Builds the kustomizations of `e2e/kustomize`, and those of Argo Rollouts where its folder is known, with this kubectl in
/// a folder that is emptied before.
///
/// # Errors
/// When kustomize refuses one, or makes something else of it than the guide says.
pub fn check(kubectl: &Path, scratch: &Path, peer: Option<&Path>) -> Result<()> {
    let workshop = Workshop::new(kubectl, scratch)?;
    names::every_reference_is_followed(&workshop)?;
    names::pods_are_treated_as_those_of_a_deployment(&workshop)?;
    names::a_workload_ref_stays_valid(&workshop)?;
    names::cluster_wide_templates_have_no_namespace(&workshop)?;
    merges::lists_merge_as_those_of_a_deployment(&workshop)?;
    merges::built_in_kinds_merge_as_before(&workshop)?;
    merges::operations_need_no_schema(&workshop)?;
    merges::layers_share_the_files(&workshop)?;
    match peer {
        Some(folder) => peer::its_kustomization_gives_what_it_expects(&workshop, folder)?,
        None => println!(
            "not run: kustomizations of Argo Rollouts (they are in the folder that STEPGATE_PEER_DIR names)"
        ),
    }
    println!("ok     kustomize {} builds what the guide says", workshop.version()?);
    Ok(())
}
