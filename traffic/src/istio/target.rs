//! Which VirtualServices a Rollout names.

use super::VIRTUAL_SERVICE;
use crate::Reference;
use crds::rollout::traffic::{IstioTrafficRouting, IstioVirtualService};

/// What a name may end with, as in the name of a host; the longer one first.
const CLUSTER_DOMAINS: [&str; 2] = [".svc.cluster.local", ".cluster.local"];

/// One VirtualService, and all that a Rollout says about it.
#[derive(Debug)]
pub(super) struct Target {
    /// Which.
    pub(super) reference: Reference,
    /// Its entries: one, unless it is listed several times.
    pub(super) entries: Vec<IstioVirtualService>,
}

/// The VirtualServices, each once, in order; none when the Rollout says neither or both of the two ways to name them.
pub(super) fn targets(istio: &IstioTrafficRouting, namespace: &str) -> Vec<Target> {
    let list = istio.virtual_services.as_deref().unwrap_or_default();
    let entries = match &istio.virtual_service {
        Some(one) if list.is_empty() => std::slice::from_ref(one),
        Some(_) => &[],
        None => list,
    };
    let mut targets: Vec<Target> = Vec::new();
    for entry in entries {
        let reference = reference(&entry.name, namespace);
        match targets.iter_mut().find(|target| target.reference == reference) {
            Some(target) => target.entries.push(entry.clone()),
            None => targets.push(Target { reference, entries: vec![entry.clone()] }),
        }
    }
    targets
}

/// The object that `name` or `name.namespace` stands for. A name may have dots itself, a namespace has none.
pub(super) fn reference(name: &str, namespace: &str) -> Reference {
    let bare = CLUSTER_DOMAINS.iter().find_map(|domain| name.strip_suffix(domain)).unwrap_or(name);
    let (name, namespace) = bare.rsplit_once('.').unwrap_or((bare, namespace));
    Reference { kind: VIRTUAL_SERVICE, namespace: namespace.to_owned(), name: name.to_owned() }
}
