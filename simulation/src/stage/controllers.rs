//! Controllers that run, die and are started again, as the containers of a Deployment do.

use crate::l2::NAMESPACE;
use clap::Parser;
use controller::args::Args;
use controller::{Controller, Surroundings};
use providers::http::Executor;
use sandbox::Cluster;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Until a controller that died is started again: a kubelet restarts a container at once, and it takes a moment.
const RESTART: Duration = Duration::from_secs(1);

/// The controllers of a stage.
pub(super) struct Controllers {
    cluster: Cluster,
    executor: Executor,
    instance_id: String,
    started: u32,
    running: BTreeMap<String, JoinHandle<()>>,
}

impl Drop for Controllers {
    fn drop(&mut self) {
        for task in self.running.values() {
            task.abort();
        }
    }
}

impl Controllers {
    /// None yet. With an instance id they look after objects that carry it, and no others.
    pub(super) fn new(cluster: &Cluster, executor: Executor, instance_id: &str) -> Self {
        Self {
            cluster: cluster.clone(),
            executor,
            instance_id: instance_id.to_owned(),
            started: 0,
            running: BTreeMap::new(),
        }
    }

    /// Starts a controller after a while; one that ran under this name before has another identity.
    pub(super) fn start(&mut self, name: &str, after: Duration) {
        self.started += 1;
        let client = kube::Client::new(self.cluster.client(name), NAMESPACE);
        let clock = self.cluster.clock();
        let (executor, identity) = (self.executor.clone(), format!("{name}_{}", self.started));
        let args = args(&self.instance_id);
        let task = tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let around = Surroundings {
                evictions: client.clone(),
                jobs: client.clone(),
                mesh: client.clone(),
                aws: None,
                client,
                analyses: providers::Settings::default(),
                executor,
                begin: clock.now(),
                identity,
                namespace: NAMESPACE.to_owned(),
                requests: controller::RequestCounter::default(),
                overlay: true,
            };
            Controller::start(args, around).work(std::future::pending()).await;
        });
        self.running.insert(name.to_owned(), task);
    }

    /// Ends a controller at once and starts it again. Says whether there was one of this name.
    pub(super) fn kill(&mut self, name: &str) -> bool {
        let Some(task) = self.running.remove(name) else { return false };
        task.abort();
        self.start(name, RESTART);
        true
    }

    /// Names of those that run.
    pub(super) fn names(&self) -> Vec<String> {
        self.running.keys().cloned().collect()
    }
}

fn args(instance_id: &str) -> Args {
    // A few workers are as many as one namespace keeps busy.
    let words =
        ["stepgate-controller", "--rollout-threads=2", "--analysis-threads=2", "--instance-id", instance_id];
    Args::parse_from(words)
}
