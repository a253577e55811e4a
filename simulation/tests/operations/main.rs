//! What operators see: metrics, the shadow, whose objects are taken, and how long a Rollout waits for what it refers to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod balancers;
mod disagreeing;
mod leaders;
mod metrics;
mod refused;
mod releases;
mod requests;
mod routes;
mod selected;
mod shadow;
mod targets;
mod waiting;

use clap::Parser;
use controller::args::Args;
use controller::{Controller, Pages, RequestCounter, Surroundings};
use crds::Time;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use sandbox::{Call, Fate, Weather};
use serde_json::{Value, json};
use simulation::l2::{House, NAMESPACE, Settings};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tower::Layer;

/// A controller that runs.
struct Running {
    pages: Pages,
    task: JoinHandle<()>,
}

/// Starts a controller with these flags.
fn start(house: &House, name: &str, flags: &[&str]) -> Running {
    start_until(house, name, flags, std::future::pending())
}

/// Starts a controller that ends in order.
fn start_until(
    house: &House,
    name: &str,
    flags: &[&str],
    end: impl Future<Output = ()> + Send + 'static,
) -> Running {
    start_around(house, name, flags, end, None)
}

/// The same, where `aws` can be asked.
fn start_around(
    house: &House,
    name: &str,
    flags: &[&str],
    end: impl Future<Output = ()> + Send + 'static,
    aws: Option<Arc<aws::Client>>,
) -> Running {
    let requests = RequestCounter::default();
    let client = Client::new(requests.layer(house.cluster.client(name)), NAMESPACE);
    let clock = house.cluster.clock();
    let around = Surroundings {
        evictions: client.clone(),
        jobs: client.clone(),
        mesh: client.clone(),
        aws,
        client,
        analyses: providers::Settings::default(),
        executor: house.answers.executor(move || clock.now()),
        begin: clock.now(),
        identity: format!("{name}_{}", clock.elapsed().as_millis()),
        namespace: NAMESPACE.to_owned(),
        requests,
        overlay: true,
    };
    let few = ["stepgate-controller", "--rollout-threads=2", "--analysis-threads=2"];
    let args = Args::parse_from(few.iter().chain(flags));
    let controller = Controller::start(args, around);
    let pages = controller.pages();
    Running { pages, task: tokio::spawn(controller.work(end)) }
}

/// Who wrote what: client, verb and resource.
type Ledger = Arc<Mutex<Vec<(String, String)>>>;

/// Writes writes down, and refuses what it is told to.
struct Watchful {
    writes: Ledger,
    refuses: fn(&Call, &[(String, String)]) -> bool,
}

impl Weather for Watchful {
    fn call(&mut self, call: &Call, _: Time) -> Fate {
        if !call.is_write() {
            return Fate::Answered;
        }
        let mut writes = self.writes.lock().unwrap();
        let refused = (self.refuses)(call, &writes);
        writes.push((call.client.clone(), format!("{} {}", call.verb, call.resource)));
        if refused {
            let message = "out of order".to_owned();
            return Fate::Refused { applied: false, code: 500, reason: "InternalError", message };
        }
        Fate::Answered
    }
}

/// A cluster in which each write is written down.
fn open(refuses: fn(&Call, &[(String, String)]) -> bool) -> (House, Ledger) {
    let writes = Ledger::default();
    (house_under(Watchful { writes: writes.clone(), refuses }), writes)
}

fn house_under(weather: impl Weather + 'static) -> House {
    let house = House::open(Settings::default());
    house.cluster.set_weather(weather);
    house
}

fn by(writes: &Ledger, client: &str) -> Vec<String> {
    let writes = writes.lock().unwrap();
    writes.iter().filter(|(who, _)| who == client).map(|(_, what)| what.clone()).collect()
}

fn rollouts(house: &House) -> Api<DynamicObject> {
    let client = Client::new(house.cluster.client("user"), NAMESPACE);
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Rollout"));
    Api::namespaced_with(client, NAMESPACE, &kind)
}

async fn merge(house: &House, patch: Value) {
    rollouts(house).patch("demo", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

async fn set_image(house: &House, image: &str) {
    let spec = json!({"containers": [{"name": "app", "image": image}]});
    merge(house, json!({"spec": {"template": {"spec": spec}}})).await;
}

/// Phase and message of the Rollout.
fn phase(house: &House) -> (String, String) {
    let found =
        house.cluster.object("argoproj.io/v1alpha1", "Rollout", NAMESPACE, "demo").unwrap_or_default();
    let text = |key: &str| found["status"][key].as_str().unwrap_or_default().to_owned();
    (text("phase"), text("message"))
}

async fn until(house: &House, wanted: &str) {
    for _ in 0..600 {
        if phase(house).0 == wanted {
            return;
        }
        seconds(1).await;
    }
    panic!("never {wanted}: {:?}", phase(house));
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn create(house: &House, object: Value) {
    let text = |key: &str| object[key].as_str().unwrap().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let is_namespaced = !kind.starts_with("Cluster") && kind != "CustomResourceDefinition";
    let namespace = if is_namespaced { NAMESPACE } else { "" };
    house.cluster.create(&version, &kind, namespace, object).unwrap();
}

fn service(name: &str) -> Value {
    let spec = json!({"selector": {"app": "demo"}, "ports": [{"port": 80}]});
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
}

fn rollout(canary: &Value) -> Value {
    let template = json!({"metadata": {"labels": {"app": "demo"}},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]}});
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "demo"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "demo"}}, "template": template,
            "strategy": {"canary": canary}}})
}

fn paused<T>(work: impl Future<Output = T>) -> T {
    let builder = &mut tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap().block_on(work)
}
