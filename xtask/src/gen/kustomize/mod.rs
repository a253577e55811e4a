//! What kustomize must be told of our kinds: which fields name other objects, where labels and replicas stand, and by
//! which keys lists merge. `[crd.kustomize]`
//!
//! Nothing is listed by path. The paths are found in the schemas of the CRDs and, inside of pod templates, in those of
//! Kubernetes; tables say only what a field of that name means.

mod names;
mod places;
mod schema;
#[cfg(test)]
mod tests;
mod transform;

use crds::manifest;

/// The files of `manifests/kustomize`: name and text.
pub(super) fn files() -> [(&'static str, String); 2] {
    let head = "# Fields of Rollouts and their like for kustomize 5 and later: put it into `configurations:`.\n\
        # Made by `cargo xtask gen`, do not edit; docs/guide/kustomize.md tells how to use it.\n";
    let transform = manifest::to_yaml(&transform::configuration());
    [("transform.yaml", format!("{head}{transform}")), ("schema.json", schema::text())]
}
