//! S10: what people are told, by events and by the status, has happened.

use super::{Checker, Kind, world};
use crate::l2::look::Look;
use crds::Time;
use crds::meta::POD_TEMPLATE_HASH_LABEL;
use sandbox::Call;
use serde_json::Value;
use std::collections::BTreeSet;

/// What was true at some time.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Names and sizes of ReplicaSets.
    sizes: BTreeSet<(String, i64)>,
    /// Hashes of ReplicaSets.
    hashes: BTreeSet<String>,
    /// Services and the hashes that they selected.
    selected: BTreeSet<(String, String)>,
}

impl Past {
    pub(super) fn take(&mut self, kind: Kind, after: Option<&Value>) {
        let Some(object) = after else { return };
        let name = || world::text(object, "/metadata/name").to_owned();
        match kind {
            Kind::Set => {
                let size = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
                self.sizes.insert((name(), size));
                let labels = object.pointer("/metadata/labels");
                let hash =
                    labels.and_then(|labels| labels.get(POD_TEMPLATE_HASH_LABEL)).and_then(Value::as_str);
                self.hashes.extend(hash.map(str::to_owned));
            }
            Kind::Service => {
                let selector = object.pointer("/spec/selector");
                let hash = selector.and_then(|map| map.get(POD_TEMPLATE_HASH_LABEL)).and_then(Value::as_str);
                self.selected.extend(hash.map(|hash| (name(), hash.to_owned())));
            }
            _ => {}
        }
    }
}

/// The word that follows `before` in a sentence, without quotes.
fn word<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let rest = text.split_once(before)?.1;
    rest.split_whitespace().next().map(|word| word.trim_matches('\''))
}

impl Checker {
    /// An event tells of a write that was carried out.
    pub(super) fn told(&mut self, call: &Call, now: Time) {
        if call.resource != "events" || call.verb != "create" {
            return;
        }
        let event: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let message = [world::text(&event, "/message"), world::text(&event, "/note")].concat();
        let happened = match world::text(&event, "/reason") {
            "ScalingReplicaSet" => {
                let size = word(&message, " to ").and_then(|size| size.parse().ok());
                let name = word(&message, "ReplicaSet ");
                name.zip(size).is_none_or(|(name, size)| self.past.sizes.contains(&(name.to_owned(), size)))
            }
            "SwitchService" => {
                let (service, to) = (word(&message, "for service "), word(&message, " to "));
                let pair = service.zip(to).map(|(service, to)| (service.to_owned(), to.to_owned()));
                pair.is_none_or(|pair| self.past.selected.contains(&pair))
            }
            "NewReplicaSetCreated" => {
                let name = word(&message, "ReplicaSet ");
                name.is_none_or(|name| self.past.sizes.iter().any(|(known, _)| known == name))
            }
            _ => true,
        };
        if !happened {
            self.fail("S10", now, format!("it is told, but has not happened: {message}"));
        }
    }

    /// The version that the status calls current was made.
    pub(super) fn current_exists(&mut self, after: Option<&Value>, now: Time) {
        let current = after.map_or("", |rollout| Look(rollout).current());
        if !current.is_empty() && !self.past.hashes.contains(current) {
            self.fail("S10", now, format!("{current} is called current before it has a ReplicaSet"));
        }
    }
}
