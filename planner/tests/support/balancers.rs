//! A load balancer that keeps lists of pods, and looks at them from time to time only.

use super::{Model, ModelPod};
use crds::Time;
use planner::{Plan, Registered, Targets};
use std::collections::{BTreeMap, BTreeSet};

/// The load balancer, and who asks it.
#[derive(Clone, Debug)]
pub struct Balancer {
    /// Seconds between two looks.
    period: i64,
    next: Time,
    /// Pods that each Service had at the last look, by name.
    lists: BTreeMap<String, BTreeSet<String>>,
    /// Services whose targets the last plan rested on.
    asked: BTreeSet<String>,
    /// Whether it answers.
    pub answers: bool,
}

impl Model {
    /// Puts a load balancer before all Services; its word counts from now on.
    pub fn add_balancer(&mut self, period: i64) {
        let (next, lists, asked) = (self.now, BTreeMap::new(), BTreeSet::new());
        self.balancer = Some(Balancer { period, next, lists, asked, answers: true });
        self.world.settings.verifies_targets = true;
        self.look_at_lists();
    }

    /// When it looks next.
    pub(super) fn next_look(&self) -> Option<Time> {
        self.balancer.as_ref().map(|balancer| balancer.next)
    }

    /// What the next plan is to be told of.
    pub(super) fn ask_balancer(&mut self, plan: &Plan) {
        if let Some(balancer) = &mut self.balancer {
            balancer.asked.clone_from(&plan.asks);
        }
    }

    /// Names of the ready pods that a Service selects.
    fn behind(&self, service: &str) -> BTreeSet<String> {
        let hash = self.world.services.get(service).map_or("", |service| service.hash());
        let sets = self.world.replica_sets.iter().filter(|set| hash.is_empty() || set.hash() == hash);
        let names: BTreeSet<&str> = sets.map(|set| set.name.as_str()).collect();
        let serves = |pod: &&ModelPod| {
            names.contains(pod.set.as_str()) && pod.ready.is_some_and(|ready| ready <= self.now)
        };
        self.pods.iter().filter(serves).map(|pod| pod.name.clone()).collect()
    }

    /// It takes the pods of now where its time has come, and says what it has to whoever asks.
    pub(super) fn look_at_lists(&mut self) {
        let Some(mut balancer) = self.balancer.take() else { return };
        let names: Vec<String> = self.world.services.keys().cloned().collect();
        if balancer.next <= self.now {
            balancer.next = self.now.plus_seconds(balancer.period);
            balancer.lists = names.iter().map(|name| (name.clone(), self.behind(name))).collect();
        }
        for name in names {
            let pods = self.behind(&name);
            let known = balancer.lists.get(&name).map_or(0, |list| pods.intersection(list).count());
            let said = match (balancer.asked.contains(&name), balancer.answers) {
                (false, _) => Targets::Unknown,
                (true, false) => Targets::Silent("Throttling".to_owned()),
                (true, true) => Targets::Bound(Registered {
                    groups: vec!["targetgroup/web/1".to_owned()],
                    pods: pods.len(),
                    registered: known,
                    checked: known,
                }),
            };
            let Some(service) = self.world.services.get_mut(&name) else { continue };
            service.targets_are_news |= service.targets != said && said != Targets::Unknown;
            service.targets = said;
        }
        self.balancer = Some(balancer);
    }

    /// How many of the pods in its list of a Service are still there.
    pub fn listed(&self, service: &str) -> usize {
        let balancer = self.balancer.as_ref().expect("a load balancer");
        let serves = |pod: &&ModelPod| pod.ready.is_some_and(|ready| ready <= self.now);
        let there: BTreeSet<&str> = self.pods.iter().filter(serves).map(|pod| pod.name.as_str()).collect();
        balancer.lists.get(service).into_iter().flatten().filter(|name| there.contains(name.as_str())).count()
    }
}
