//! Carrying plans out.

use super::Model;
use planner::traffic::Authors;
use planner::{AnalysisRunView, Anchor, Owner, Plan, ReplicaSet, Target, Write};
use std::collections::BTreeMap;
use std::sync::Arc;

type Changes = BTreeMap<String, Option<String>>;

fn merge(into: &mut BTreeMap<String, String>, changes: &Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => into.insert(key.clone(), value.clone()),
            None => into.remove(key),
        };
    }
}

impl Model {
    /// All writes, the status, the writes that follow it, and then what they tell.
    pub fn carry_out(&mut self, plan: &Plan) {
        let mut told = Vec::new();
        let (before, following) = plan.parts();
        for planned in before {
            self.write(&planned.write);
            told.push(std::mem::take(&mut self.told_by_routers));
        }
        self.record(plan);
        following.iter().for_each(|planned| self.write(&planned.write));
        for notice in &plan.notices {
            match notice.anchor {
                Anchor::Write(index) if notice.reason == planner::OF_ROUTER => {
                    self.events.append(&mut told[index]);
                }
                _ => self.events.push((notice.reason.to_owned(), self.plain(&notice.message))),
            }
        }
    }

    pub fn record(&mut self, plan: &Plan) {
        let Some(status) = &plan.status else { return };
        if self.world.rollout.status.as_ref() != Some(status) {
            self.changed = self.now;
            // The API server keeps whole seconds only.
            let text = serde_json::to_value(status).unwrap();
            let status: crds::rollout::RolloutStatus = serde_json::from_value(text).unwrap();
            let phase = (status.phase.clone(), self.plain(&status.message), status.current_step_index);
            if self.phases.last() != Some(&phase) {
                self.phases.push(phase);
            }
            let duration = serde_json::to_value(&status.duration).unwrap();
            let duration = super::duration_text(|key| duration.get(key).cloned().unwrap_or_default());
            if self.durations.last() != Some(&duration) {
                self.durations.push(duration);
            }
            let state = super::state_of(&status);
            if self.states.last().map(|(state, _)| state) != Some(&state.0) {
                self.states.push(state);
            }
            self.world.rollout.status = Some(status);
        }
    }

    /// One write.
    #[allow(clippy::too_many_lines, reason = "one arm for each kind of write")]
    pub fn write(&mut self, write: &Write) {
        self.changed = self.now;
        self.writes += 1;
        self.replica_set_writes += usize::from(matches!(
            write,
            Write::CreateReplicaSet { .. }
                | Write::AdoptReplicaSet { .. }
                | Write::ReleaseReplicaSet { .. }
                | Write::ScaleReplicaSet { .. }
                | Write::AnnotateReplicaSet { .. }
                | Write::EditTemplate { .. }
                | Write::DeleteReplicaSet { .. }
        ));
        let number = self.next_number();
        match write {
            Write::CreateReplicaSet {
                name,
                labels,
                annotations,
                selector,
                template,
                replicas,
                min_ready_seconds,
            } => {
                assert!(
                    self.world.replica_sets.iter().all(|set| set.name != *name),
                    "{name} is there already"
                );
                let hash = &labels[crds::meta::POD_TEMPLATE_HASH_LABEL];
                if !self.hashes.contains(hash) {
                    self.hashes.push(hash.clone());
                }
                self.world.replica_sets.push(ReplicaSet {
                    name: name.clone(),
                    uid: format!("uid-{number}"),
                    resource_version: number,
                    created: self.now.whole_seconds(),
                    owner: Owner::Ours,
                    labels: labels.clone(),
                    annotations: annotations.clone(),
                    selector: selector.clone(),
                    template: template.clone(),
                    replicas: *replicas,
                    min_ready_seconds: *min_ready_seconds,
                    ..ReplicaSet::default()
                });
                self.world.replica_sets.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
            }
            Write::AdoptReplicaSet { target } => self.set(target).owner = Owner::Ours,
            Write::ReleaseReplicaSet { target } => self.set(target).owner = Owner::Nobody,
            Write::ScaleReplicaSet { target, from, to, annotations } => {
                let set = self.set(target);
                assert_eq!(set.replicas, *from, "the size that the decision was made on");
                set.replicas = *to;
                set.counts.generation_observed = false;
                merge(&mut set.annotations, annotations);
            }
            Write::AnnotateReplicaSet { target, annotations, min_ready_seconds } => {
                let set = self.set(target);
                merge(&mut set.annotations, annotations);
                let seconds = min_ready_seconds.unwrap_or(set.min_ready_seconds);
                set.counts.generation_observed &= seconds == set.min_ready_seconds;
                set.min_ready_seconds = seconds;
            }
            Write::DeleteReplicaSet { target } => {
                self.set(target);
                self.world.replica_sets.retain(|set| set.name != target.name);
            }
            Write::SelectService { target, hash, managed_by } => {
                let service = self.world.services.get_mut(&target.name).expect("the Service is there");
                let hash = BTreeMap::from([(crds::meta::POD_TEMPLATE_HASH_LABEL.to_owned(), hash.clone())]);
                let by = BTreeMap::from([(crds::meta::MANAGED_BY_ANNOTATION.to_owned(), managed_by.clone())]);
                let before = service.selector.clone();
                merge(&mut service.selector, &hash);
                merge(&mut service.annotations, &by);
                if service.selector != before {
                    service.changed = Some(self.now.whole_seconds());
                    // What was said was said of other pods.
                    (service.targets, service.targets_are_news) = (planner::Targets::Unknown, false);
                }
                self.tell();
            }
            Write::GiveBackRoutes { router } => {
                let views = self.world.routers.iter_mut().filter(|view| view.name == *router);
                views.for_each(|view| view.authors.own = None);
            }
            Write::RouteTraffic { .. } if self.router_is_stuck => {}
            Write::RouteTraffic { router, intent } if self.objects.is_some() => self.route(router, intent),
            Write::RouteTraffic { router, intent } => {
                let now = self.now;
                let view =
                    self.world.routers.iter_mut().find(|view| view.name == *router).expect("the router");
                if view.observed.as_ref().is_ok_and(|observed| observed.shows(intent)) {
                    return;
                }
                let first = view.observed.as_ref().unwrap().splits.is_empty();
                let splits = vec![intent.split()];
                let routes = intent.routes.clone();
                view.observed =
                    Ok(planner::traffic::ObservedTraffic { splits, routes, ..Default::default() });
                view.changed = Some(now.whole_seconds());
                let own = view.changed;
                view.authors = Authors { own, written: own, shared: true, other: None };
                let weight = intent.canary.weight;
                self.told_by_routers.push(if first {
                    let message =
                        format!("Creating canary ingress `demo-demo-ing-canary` with weight `{weight}`");
                    ("CreatingCanaryIngress".to_owned(), message)
                } else {
                    let message =
                        format!("Updating Ingress `demo-demo-ing-canary` to desiredWeight '{weight}'");
                    ("PatchingCanaryIngress".to_owned(), message)
                });
            }
            Write::AnnotateRollout { annotations } => {
                self.world.rollout.metadata.annotations.get_or_insert_default().extend(annotations.clone());
            }
            Write::SetRolloutReplicas { replicas } => {
                self.world.rollout.spec.replicas = Some(*replicas);
                *self.world.rollout.metadata.generation.as_mut().unwrap() += 1;
            }
            Write::ScaleWorkload { target, from, to } => {
                let workload = self.world.workload.as_mut().expect("the workload is there");
                assert_eq!((&workload.name, workload.replicas), (&target.name, Some(*from)));
                self.workload_sizes.push(*to);
                self.world.workload.as_mut().unwrap().replicas = Some(*to);
                self.change_workload();
            }
            Write::CreateAnalysisRun { name, labels, annotations, spec } => {
                assert!(
                    self.world.analysis_runs.iter().all(|run| run.name != *name),
                    "{name} is there already"
                );
                self.world.analysis_runs.push(AnalysisRunView {
                    name: name.clone(),
                    uid: format!("uid-{number}"),
                    resource_version: number,
                    created: self.now.whole_seconds(),
                    deleting: false,
                    labels: labels.clone(),
                    annotations: annotations.clone(),
                    spec: spec.clone(),
                    status: None,
                });
            }
            Write::TerminateAnalysisRun { target } => {
                let run = self.world.analysis_runs.iter_mut().find(|run| run.name == target.name).unwrap();
                Arc::make_mut(&mut run.spec).terminate = Some(true);
            }
            Write::DeleteAnalysisRun { target } => {
                self.world.analysis_runs.retain(|run| run.name != target.name);
            }
            Write::EditTemplate { target, from, to, annotations } => {
                let set = self.set(target);
                assert_eq!(set.template, *from, "the template that the decision was made on");
                set.template = to.clone();
                set.counts.generation_observed = false;
                merge(&mut set.annotations, annotations);
            }
            Write::LabelPod { target, labels, annotations } => {
                let pod = self.pods.iter_mut().find(|pod| pod.name == target.name).expect("the pod is there");
                merge(&mut pod.labels, labels);
                merge(&mut pod.annotations, annotations);
            }
            Write::EvictPod { target } => self.pods.retain(|pod| pod.name != target.name),
        }
    }

    fn set(&mut self, target: &Target) -> &mut ReplicaSet {
        let sets = &mut self.world.replica_sets;
        let set = sets.iter_mut().find(|set| set.name == target.name).expect("the ReplicaSet is there");
        assert!(target.uid.is_empty() || target.uid == set.uid, "the same object");
        set
    }
}
