//! What the routers of a Rollout read, as the Rollout itself says it, and so which Rollouts an object concerns: those that
//! name it, and those that find it by its labels. `[traffic.watch]`

use super::Store;
use super::routes::Change;
use super::store::Id;
use crds::Rollout;
use std::collections::BTreeSet;
use std::sync::Arc;
use traffic::{Kind, Reference, Selection};

/// By what an index finds the Rollouts whose routers name an object.
pub(crate) fn key(object: &Reference) -> Id {
    // No name of a Service has a slash.
    (object.namespace.clone(), format!("{}/{}", object.kind.plural, object.name))
}

/// The object with that [`key`].
pub(crate) fn of_key(namespace: &str, key: &str) -> Option<Reference> {
    let (plural, name) = key.split_once('/')?;
    let kind = traffic::KINDS.iter().find(|kind| kind.plural == plural)?;
    Some(Reference { kind: *kind, namespace: namespace.to_owned(), name: name.to_owned() })
}

/// What a Rollout's routers read, as the Rollout itself says it.
pub(crate) struct Reads {
    /// The objects that it names.
    pub(crate) references: Vec<Reference>,
    /// What it finds by labels.
    pub(crate) selections: Vec<Selection>,
}

impl Reads {
    pub(crate) fn of(rollout: &Rollout) -> Self {
        let routers = traffic::routers(rollout, &|_| Vec::new());
        Self {
            references: routers.iter().flat_map(|router| router.references()).collect(),
            selections: routers.iter().flat_map(|router| router.selections()).collect(),
        }
    }

    /// The kinds of all of it.
    pub(crate) fn kinds(&self) -> BTreeSet<Kind> {
        let named = self.references.iter().map(|reference| reference.kind);
        named.chain(self.selections.iter().map(|selection| selection.kind)).collect()
    }

    /// By what an index finds the Rollout.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Id> {
        self.references
            .iter()
            .map(key)
            .chain(self.selections.iter().map(|one| key_of_all(one.kind, &one.namespace)))
    }
}

/// By what an index finds the Rollouts that select objects of a kind in a namespace: no object is without a name.
fn key_of_all(kind: Kind, namespace: &str) -> Id {
    key(&Reference { kind, namespace: namespace.to_owned(), name: String::new() })
}

/// The Rollouts that an object concerns: those that name it, and those that find it as it is or was before.
pub(crate) fn concerned(rollouts: &Store<Rollout>, change: &Change) -> Vec<Arc<Rollout>> {
    let object = &change.object;
    let (namespace, key) = key(object);
    let mut found = rollouts.find(&namespace, &key);
    let (namespace, key) = key_of_all(object.kind, &object.namespace);
    let takes = |selection: &Selection| {
        selection.kind == object.kind
            && selection.namespace == object.namespace
            && change.states.iter().any(|state| selection.takes(state))
    };
    let selecting = rollouts.find(&namespace, &key).into_iter();
    found.extend(selecting.filter(|rollout| Reads::of(rollout).selections.iter().any(takes)));
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::cache::Caches;
    use kube::ResourceExt;
    use serde_json::{Value, json};

    fn caches() -> Caches {
        let caches = Caches::new(false);
        let selecting = |labels: Value| json!({"httpRouteSelector": {"matchLabels": labels}});
        let web = selecting(json!({"app": "web"}));
        let mut far = web.clone();
        far["namespace"] = json!("edge");
        for (name, config) in [
            ("named", json!({"httpRoute": "web"})),
            ("web", web),
            ("shop", selecting(json!({"app": "shop"}))),
            ("far", far),
        ] {
            let canary = json!({"canary": {"trafficRouting": {"gatewayAPI": config}}});
            let rollout =
                json!({"metadata": {"name": name, "namespace": "team"}, "spec": {"strategy": canary}});
            caches.rollouts.put(Arc::new(serde_json::from_value(rollout).unwrap()));
        }
        caches
    }

    fn concerned_by(plural: &str, namespace: &str, name: &str, states: &[&str]) -> Vec<String> {
        let kind = *traffic::KINDS.iter().find(|kind| kind.plural == plural).unwrap();
        let object = Reference { kind, namespace: namespace.to_owned(), name: name.to_owned() };
        let state = |app: &&str| Arc::new(json!({"metadata": {"labels": {"app": app}}}));
        let change = Change { object, states: states.iter().map(state).collect() };
        let mut names: Vec<String> =
            concerned(&caches().rollouts, &change).iter().map(|rollout| rollout.name_any()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_object_concerns_who_names_it_and_who_finds_it_as_it_is_or_was() {
        assert_eq!(concerned_by("httproutes", "team", "web", &["other"]), ["named"]);
        assert_eq!(concerned_by("httproutes", "team", "web", &["web"]), ["named", "web"]);
        assert_eq!(concerned_by("httproutes", "team", "any", &["shop", "web"]), ["shop", "web"]);
        assert_eq!(concerned_by("httproutes", "edge", "any", &["web"]), ["far"]);
        assert!(concerned_by("grpcroutes", "team", "web", &["web"]).is_empty());
        assert!(concerned_by("httproutes", "team", "gone", &[]).is_empty());
    }

    #[test]
    fn what_is_selected_is_read_like_what_is_named() {
        let caches = caches();
        let kinds = |name: &str| {
            let kinds = Reads::of(&caches.rollouts.get("team", name).unwrap()).kinds();
            kinds.into_iter().map(|kind| kind.plural).collect::<Vec<_>>()
        };
        assert_eq!((kinds("named"), kinds("far")), (vec!["httproutes"], vec!["httproutes"]));
    }
}
