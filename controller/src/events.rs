//! Kubernetes events: one queue, so that they keep their order; the same event again raises a count.

use crate::FIELD_MANAGER;
use crate::clock::Clock;
use crate::lease::Claim;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use planner::EventType;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Most events that wait to be sent; beyond that they are dropped, and counted. A thousand Rollouts that are updated at
/// once have about ten each, and the API server takes some hundreds a second.
const WAITING_MAX: usize = 16_384;
/// Most events that are remembered, so that their count can be raised.
const REMEMBERED_MAX: usize = 4096;
/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// An event to send.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) about: ObjectReference,
    pub(crate) event_type: EventType,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// Where events are handed in.
#[derive(Clone)]
pub(crate) struct Events {
    sender: mpsc::Sender<Message>,
    metrics: crate::metrics::Metrics,
}

impl Events {
    /// Starts the sender, as one of `tasks`.
    pub(crate) fn start(
        tasks: &mut JoinSet<()>,
        client: Client,
        clock: Clock,
        claim: Claim,
        metrics: crate::metrics::Metrics,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let task = Sender { client, clock, claim, known: BTreeMap::new(), order: VecDeque::new(), number: 0 };
        tasks.spawn(task.run(receiver));
        Self { sender, metrics }
    }

    /// Hands an event in; never waits.
    pub(crate) fn send(&self, message: Message) {
        let namespace = message.about.namespace.clone().unwrap_or_default();
        let name = message.about.name.clone().unwrap_or_default();
        tracing::info!(namespace, name, reason = message.reason, "{}", message.message);
        self.metrics.event(&namespace, &name, type_name(message.event_type), &message.reason);
        if self.sender.try_send(message).is_err() {
            self.metrics.event_dropped();
        }
    }
}

fn type_name(event_type: EventType) -> &'static str {
    match event_type {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    }
}

/// What makes two events the same one.
type Same = (String, String, String, String);

struct Sender {
    client: Client,
    clock: Clock,
    claim: Claim,
    known: BTreeMap<Same, (String, i32)>,
    order: VecDeque<Same>,
    number: u64,
}

impl Sender {
    async fn run(mut self, mut receiver: mpsc::Receiver<Message>) {
        while let Some(message) = receiver.recv().await {
            if !self.claim.is_held() {
                continue;
            }
            let namespace = message.about.namespace.clone().unwrap_or_default();
            let sent = tokio::time::timeout(REQUEST_TIMEOUT, self.send(&namespace, &message)).await;
            match sent {
                Ok(Ok(())) => {}
                // All of it is being deleted, its events too.
                Ok(Err(error)) if is_of_a_going_namespace(&error) => {
                    tracing::debug!(%error, reason = message.reason, "an event was not sent")
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, reason = message.reason, "an event could not be sent")
                }
                Err(_) => tracing::warn!(
                    reason = message.reason,
                    "the API server did not answer about an event in time"
                ),
            }
        }
    }

    async fn send(&mut self, namespace: &str, message: &Message) -> kube::Result<()> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let now = timestamp(self.clock);
        let uid = message.about.uid.clone().unwrap_or_default();
        let same: Same =
            (uid, type_name(message.event_type).to_owned(), message.reason.clone(), message.message.clone());
        if let Some((name, count)) = self.known.get_mut(&same) {
            *count = count.saturating_add(1);
            let patch = json!({"count": *count, "lastTimestamp": now});
            let params =
                PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            match api.patch(name, &params, &Patch::Merge(patch)).await {
                Ok(_) => return Ok(()),
                // It was kept for an hour only: it is made anew.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error),
            }
        }
        self.number = self.number.wrapping_add(1);
        let about = message.about.name.clone().unwrap_or_default();
        let nanos = self.clock.now().0.timestamp_nanos_opt().unwrap_or(0);
        let name = format!("{about}.{nanos:x}{:x}", self.number);
        let event = Event {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            involved_object: message.about.clone(),
            type_: Some(type_name(message.event_type).to_owned()),
            reason: Some(message.reason.clone()),
            message: Some(message.message.clone()),
            source: Some(EventSource { component: Some(FIELD_MANAGER.to_owned()), host: None }),
            reporting_component: Some(FIELD_MANAGER.to_owned()),
            first_timestamp: now.clone(),
            last_timestamp: now,
            count: Some(1),
            ..Event::default()
        };
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        api.create(&params, &event).await?;
        self.remember(same, name);
        Ok(())
    }

    fn remember(&mut self, same: Same, name: String) {
        if self.known.insert(same.clone(), (name, 1)).is_none() {
            self.order.push_back(same);
        }
        while self.order.len() > REMEMBERED_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

/// Whether nothing is created any more in the namespace.
fn is_of_a_going_namespace(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}

fn timestamp(clock: Clock) -> Option<Time> {
    Timestamp::new(clock.now().0.timestamp(), 0).ok().map(Time)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_goes_is_told_from_a_missing_right() {
        let error = |causes: serde_json::Value| {
            let status = json!({"status": "Failure", "code": 403, "reason": "Forbidden", "message": "forbidden",
                "details": {"name": "web.1", "kind": "events", "causes": causes}});
            kube::Error::Api(Box::new(serde_json::from_value(status).unwrap()))
        };
        let going = json!([{"reason": "NamespaceTerminating", "message": "namespace shop is being terminated",
            "field": "metadata.namespace"}]);
        assert!(is_of_a_going_namespace(&error(going)));
        assert!(!is_of_a_going_namespace(&error(json!([]))));
    }
}
