//! Stories of releases, told once for every stage that can play them: apply, wait for a named state, act, and look at
//! what users saw.
//!
//! A story knows nothing of where it is played: a [`Stage`] is a real cluster or a simulated one, with real or virtual
//! time. Times in stories are limits, never expectations of speed.

mod manifests;
mod play;
mod routes;
mod seen;
pub mod show;
mod stories;
mod view;

pub use manifests::{Release, analysis_by_errors, rollout, service};
pub use play::{Play, StoryError};
pub use routes::{Plane, Users};
pub use seen::{Seen, Version};
pub use stories::{ROUTED, STORIES, Story, tell, tell_routed};
pub use view::RolloutView;

use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a story can ask for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the kinds of Kubernetes")]
pub enum Kind {
    Rollout,
    AnalysisRun,
    AnalysisTemplate,
    ReplicaSet,
    Pod,
    Service,
    PodDisruptionBudget,
    Job,
    Event,
    Lease,
    Gateway,
    HttpRoute,
    GrpcRoute,
    TraefikService,
    IngressRoute,
}

impl Kind {
    /// API version, kind, and the name in addresses.
    #[must_use]
    pub fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Rollout => ("argoproj.io/v1alpha1", "Rollout", "rollouts"),
            Self::AnalysisRun => ("argoproj.io/v1alpha1", "AnalysisRun", "analysisruns"),
            Self::AnalysisTemplate => ("argoproj.io/v1alpha1", "AnalysisTemplate", "analysistemplates"),
            Self::ReplicaSet => ("apps/v1", "ReplicaSet", "replicasets"),
            Self::Pod => ("v1", "Pod", "pods"),
            Self::Service => ("v1", "Service", "services"),
            Self::PodDisruptionBudget => ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
            Self::Job => ("batch/v1", "Job", "jobs"),
            Self::Event => ("v1", "Event", "events"),
            Self::Lease => ("coordination.k8s.io/v1", "Lease", "leases"),
            Self::Gateway => ("gateway.networking.k8s.io/v1", "Gateway", "gateways"),
            Self::HttpRoute => ("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
            Self::GrpcRoute => ("gateway.networking.k8s.io/v1", "GRPCRoute", "grpcroutes"),
            Self::TraefikService => ("traefik.io/v1alpha1", "TraefikService", "traefikservices"),
            Self::IngressRoute => ("traefik.io/v1alpha1", "IngressRoute", "ingressroutes"),
        }
    }

    /// The kind of this API version and name, if stories use it.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        const ALL: [Kind; 15] = [
            Kind::Rollout,
            Kind::AnalysisRun,
            Kind::AnalysisTemplate,
            Kind::ReplicaSet,
            Kind::Pod,
            Kind::Service,
            Kind::PodDisruptionBudget,
            Kind::Job,
            Kind::Event,
            Kind::Lease,
            Kind::Gateway,
            Kind::HttpRoute,
            Kind::GrpcRoute,
            Kind::TraefikService,
            Kind::IngressRoute,
        ];
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        ALL.into_iter().find(|kind| {
            let (version, name, _) = kind.names();
            text("apiVersion") == Some(version) && text("kind") == Some(name)
        })
    }
}

/// Where a story is played: one namespace of a cluster in which Stepgate runs.
#[allow(async_fn_in_trait, reason = "stories are played on one thread, in real or in simulated time")]
pub trait Stage {
    /// What the stage itself fails with; a story ends with it.
    type Error: std::fmt::Display;

    /// Time since the stage was opened.
    fn now(&self) -> Duration;

    /// Lets a little time pass before the next look.
    async fn rest(&self);

    /// The image that serves a release, as settings of its environment say.
    fn image(&self) -> &str;

    /// Address of a Prometheus that scrapes annotated pods, as the controller reaches it.
    fn prometheus(&self) -> &str;

    /// Instance id of the controllers that play in this story, when it has its own.
    fn instance_id(&self) -> Option<&str>;

    /// Creates an object, or changes what it says of one that exists.
    async fn apply(&self, object: &Value) -> Result<(), Self::Error>;

    /// An object by name.
    async fn get(&self, kind: Kind, name: &str) -> Result<Option<Value>, Self::Error>;

    /// All objects of a kind.
    async fn list(&self, kind: Kind) -> Result<Vec<Value>, Self::Error>;

    /// Deletes an object; its dependents follow in the background.
    async fn delete(&self, kind: Kind, name: &str) -> Result<(), Self::Error>;

    /// Runs `kubectl-stepgate` as a user would and gives what it printed; it fails as the command fails.
    async fn command(&self, args: &[&str]) -> Result<String, Self::Error>;

    /// Sends users to a Service, this many requests per second, until the story ends.
    async fn send_users(&self, service: &str, per_second: u32) -> Result<(), Self::Error>;

    /// The data plane of the routes of this story.
    fn plane(&self) -> Plane;

    /// Sends users to a host that a route of the plane serves, until the story ends.
    async fn send_through(&self, host: &str, users: Users) -> Result<(), Self::Error>;

    /// What the users of a Service or of a host have seen so far.
    async fn seen(&self, name: &str) -> Result<Seen, Self::Error>;

    /// How many requests to a host the plane sent to which pod's address without a good answer.
    async fn failed_at(&self, host: &str) -> Result<BTreeMap<String, u64>, Self::Error>;

    /// Ends what runs in a pod, as if it had crashed; it is started again like any container.
    async fn crash(&self, pod: &str) -> Result<(), Self::Error>;

    /// Names of the controllers that run for this story.
    async fn controllers(&self) -> Result<Vec<String>, Self::Error>;

    /// Ends a controller at once, without a chance to say goodbye; it is started again like any container.
    async fn kill_controller(&self, name: &str) -> Result<(), Self::Error>;
}
