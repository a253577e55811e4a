//! The cluster: API server, built-in controllers, clock, and what comes between it and its clients.

use crate::api::registry::{Registry, ResourceId, ResourceType};
use crate::api::store::Change;
use crate::api::{ApiServer, At};
use crate::builtin::{Actors, Nature};
use crate::clock::Clock;
use crate::service::Handle;
use crate::weather::{Calm, Weather};
use crds::Time;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What a cluster begins with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything random comes from it.
    pub seed: u64,
    /// What its clock shows at the beginning.
    pub begin: Time,
    /// How its controllers and pods are.
    pub nature: Nature,
    /// Namespaces that are there from the beginning.
    pub namespaces: Vec<String>,
    /// Custom resources that are served from the beginning.
    pub blueprint: Blueprint,
}

/// Resources of CustomResourceDefinitions, read once for many clusters.
#[derive(Clone, Debug)]
pub struct Blueprint {
    registry: Registry,
}

impl Default for Blueprint {
    fn default() -> Self {
        Self { registry: Registry::built_in() }
    }
}

impl Blueprint {
    /// Serves the resources of these definitions. The definitions themselves are no objects of the cluster then.
    #[must_use]
    pub fn with(mut self, definitions: &[Value]) -> Self {
        for definition in definitions {
            let (types, _) = ResourceType::of_definition(definition);
            for new in types {
                self.registry.add(new);
            }
        }
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            // A day like any other.
            begin: Time::from_unix_seconds(1_767_225_600).unwrap_or_default(),
            nature: Nature::default(),
            namespaces: vec!["default".to_owned()],
            blueprint: Blueprint::default(),
        }
    }
}

/// Sees each change of the cluster, in order, at the moment at which it happens.
pub trait Witness: Send {
    /// A change was made.
    fn saw(&mut self, api: &ApiServer, resource: ResourceId, change: &Change, now: Time);
}

pub(crate) struct State {
    pub(crate) api: ApiServer,
    pub(crate) actors: Actors,
    pub(crate) weather: Box<dyn Weather>,
    witnesses: Vec<Box<dyn Witness>>,
}

impl State {
    /// Tells actors and witnesses what has changed.
    pub(crate) fn tell(&mut self) {
        let Self { api, actors, witnesses, .. } = self;
        tell(api, actors, witnesses);
    }
}

fn tell(api: &mut ApiServer, actors: &mut Actors, witnesses: &mut [Box<dyn Witness>]) {
    let now = api.now();
    for (resource, change) in api.store.take_fresh() {
        actors.saw(resource, &change, now);
        for witness in witnesses.iter_mut() {
            witness.saw(api, resource, &change, now);
        }
    }
}

pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    pub(crate) clock: Clock,
    pub(crate) changed: Notify,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cluster in memory. Clones are the same cluster.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("revision", &self.shared.lock().api.revision())
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// A cluster whose clock goes from now on. Must be called within a tokio runtime when its time is paused.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let clock = Clock::starting_at(options.begin);
        let api = ApiServer::new(clock, options.seed, options.blueprint.registry.clone());
        let actors = Actors::new(&api, options.nature.clone(), options.seed);
        let state = State { api, actors, weather: Box::new(Calm), witnesses: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), clock, changed: Notify::new() });
        let cluster = Self { shared };
        for namespace in &options.namespaces {
            let object = json!({"metadata": {"name": namespace}});
            let _ = cluster.create("v1", "Namespace", "", object);
        }
        cluster
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// A client of the API server; its name is what the weather knows it by.
    #[must_use]
    pub fn client(&self, name: &str) -> Handle {
        Handle::new(self.shared.clone(), name)
    }

    /// From now on requests meet this weather.
    pub fn set_weather(&self, weather: impl Weather + 'static) {
        self.shared.lock().weather = Box::new(weather);
    }

    /// From now on this witness sees each change.
    pub fn add_witness(&self, witness: impl Witness + 'static) {
        self.shared.lock().witnesses.push(Box::new(witness));
    }

    /// Works on the API server by hand, past the weather.
    pub fn with<R>(&self, work: impl FnOnce(&mut ApiServer) -> R) -> R {
        let mut state = self.shared.lock();
        let result = work(&mut state.api);
        state.tell();
        drop(state);
        self.shared.changed.notify_one();
        result
    }

    /// Changes how controllers and pods behave from now on.
    pub fn change_nature(&self, change: impl FnOnce(&mut Nature)) {
        change(&mut self.shared.lock().actors.nature);
    }

    /// Creates an object by hand.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub fn create(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        object: Value,
    ) -> Result<Value, crate::api::Failure> {
        self.with(|api| {
            let resource =
                api.resource_of(api_version, kind).ok_or_else(crate::api::Failure::no_such_path)?;
            api.create(resource, namespace, object, false).map(|stored| stored.value.clone())
        })
    }

    /// An object as it is, by API version, kind, namespace and name.
    #[must_use]
    pub fn object(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let state = self.shared.lock();
        let resource = state.api.resource_of(api_version, kind)?;
        let at = At { resource, namespace: namespace.to_owned(), name: name.to_owned() };
        state.api.get(&at).map(|stored| stored.value.clone())
    }

    /// All objects of a kind in a namespace.
    #[must_use]
    pub fn objects(&self, api_version: &str, kind: &str, namespace: &str) -> Vec<Value> {
        let state = self.shared.lock();
        let Some(resource) = state.api.resource_of(api_version, kind) else { return Vec::new() };
        state.api.objects(resource, Some(namespace)).map(|stored| stored.value.clone()).collect()
    }

    /// Lets the built-in controllers work, for ever.
    pub async fn run(self) {
        loop {
            let next = {
                let mut state = self.shared.lock();
                let State { api, actors, witnesses, .. } = &mut *state;
                tell(api, actors, witnesses);
                actors.act(api, &mut |actors, api| tell(api, actors, witnesses));
                actors.next()
            };
            let changed = self.shared.changed.notified();
            match next {
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = tokio::time::sleep_until(self.shared.clock.instant(at)) => {}
                    }
                }
                None => changed.await,
            }
        }
    }
}
