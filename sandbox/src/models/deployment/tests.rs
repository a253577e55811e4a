#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::models::condition::find;
use proptest::{prop_assert, prop_assert_eq, proptest};

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(1_900_000_000 + seconds).unwrap()
}

fn rolling(surge: &str, unavailable: &str) -> Strategy {
    let share =
        |text: &str| text.parse().map_or_else(|_| IntOrString::String(text.to_owned()), IntOrString::Int);
    Strategy::RollingUpdate { max_surge: share(surge), max_unavailable: share(unavailable) }
}

fn deployment(replicas: i32, strategy: Strategy) -> DeploymentView {
    DeploymentView {
        name: "web".to_owned(),
        generation: 1,
        revision: 0,
        deleting: false,
        replicas,
        strategy,
        paused: false,
        revision_history_limit: Some(2),
        progress_deadline_seconds: Some(600),
        next_set: String::new(),
        status: DeploymentStatus::default(),
    }
}

/// A Deployment with its ReplicaSets; pods are as many as wanted, and available as far as `up` says.
struct Cluster {
    deployment: DeploymentView,
    sets: Vec<OwnedSet>,
    template: String,
}

impl Cluster {
    fn new(deployment: DeploymentView) -> Self {
        Self { deployment, sets: Vec::new(), template: "v1".to_owned() }
    }

    fn update(&mut self, template: &str) {
        self.template = template.to_owned();
        self.deployment.generation += 1;
    }

    /// One step, carried out.
    fn step(&mut self, seconds: i64) -> DeploymentStep {
        self.deployment.next_set = format!("web-{}", self.template);
        for set in &mut self.sets {
            set.is_current = set.name == self.deployment.next_set;
        }
        let step = step(&self.deployment, &self.sets, at(seconds));
        self.deployment.status = step.status.clone();
        self.deployment.revision = step.revision;
        if let Some((index, revision)) = step.renumber {
            self.sets[index].revision = revision;
        }
        for scale in &step.scale {
            let set = &mut self.sets[scale.set];
            (set.replicas, set.desired, set.most) = (scale.to, Some(step.desired), Some(step.most));
        }
        let mut left: Vec<_> = (0..self.sets.len()).filter(|index| !step.delete.contains(index)).collect();
        self.sets = left.drain(..).map(|index| self.sets[index].clone()).collect();
        if let Some(new) = &step.create {
            self.sets.push(OwnedSet {
                name: self.deployment.next_set.clone(),
                created: at(seconds),
                revision: new.revision,
                replicas: new.replicas,
                desired: Some(step.desired),
                most: Some(step.most),
                observed: true,
                ..OwnedSet::default()
            });
        }
        step
    }

    /// Pods follow the sizes; those of the named templates come up, one more of each at a time.
    fn pods(&mut self, up: &[&str]) {
        for set in &mut self.sets {
            let comes_up = up.iter().any(|name| set.name == format!("web-{name}"));
            set.pods = set.replicas;
            set.available = (set.available + i32::from(comes_up)).min(set.replicas);
            set.ready = set.available;
            set.pods_left = set.pods > 0;
        }
    }

    fn settle(&mut self, up: &[&str], from: i64) -> i64 {
        for second in from..from + 60 {
            self.step(second);
            self.pods(up);
        }
        from + 60
    }

    fn sizes(&self) -> Vec<(&str, i32)> {
        self.sets.iter().map(|set| (set.name.as_str(), set.replicas)).collect()
    }

    fn reason(&self, kind: DeploymentConditionKind) -> &str {
        find(&self.deployment.status.conditions, kind).map_or("", |condition| &condition.reason)
    }
}

#[test]
fn a_rolling_update_goes_as_far_as_its_bounds() {
    let mut cluster = Cluster::new(deployment(4, rolling("25%", "25%")));
    let first = cluster.step(0);
    assert_eq!(first.create, Some(NewSet { replicas: 4, revision: 1 }));
    assert_eq!(cluster.reason(DeploymentConditionKind::Available), "MinimumReplicasUnavailable");
    let later = cluster.settle(&["v1"], 1);
    assert_eq!(cluster.reason(DeploymentConditionKind::Progressing), "NewReplicaSetAvailable");
    cluster.update("v2");
    let begins = cluster.step(later);
    assert_eq!(begins.create, Some(NewSet { replicas: 1, revision: 2 }));
    assert_eq!(begins.scale, [Scale { set: 0, to: 3 }], "one may be missing while the new one comes");
    cluster.pods(&[]);
    assert_eq!(cluster.step(later + 1).scale, [Scale { set: 1, to: 2 }]);
    let later = cluster.settle(&["v1", "v2"], later + 2);
    assert_eq!(cluster.sizes(), [("web-v1", 0), ("web-v2", 4)]);
    cluster.update("v1");
    let back = cluster.step(later);
    assert_eq!((back.renumber, back.revision), (Some((0, 3)), 3), "a rollback is a revision of its own");
}

#[test]
fn recreating_waits_for_the_last_old_pod() {
    let mut cluster = Cluster::new(deployment(3, Strategy::Recreate));
    let later = cluster.settle(&["v1"], 0);
    cluster.update("v2");
    assert_eq!(cluster.step(later).scale, [Scale { set: 0, to: 0 }]);
    cluster.sets[0].pods = 0;
    assert_eq!(cluster.step(later + 1).create, None, "a pod is still on its way out");
    cluster.pods(&[]);
    assert_eq!(cluster.step(later + 2).create, Some(NewSet { replicas: 3, revision: 2 }));
    cluster.settle(&["v2"], later + 3);
    assert_eq!(cluster.deployment.status.available, 3);
}

#[test]
fn scaling_in_the_middle_keeps_the_shares() {
    let mut cluster = Cluster::new(deployment(10, rolling("3", "2")));
    let later = cluster.settle(&["v1"], 0);
    cluster.update("v2");
    cluster.step(later);
    cluster.pods(&[]);
    cluster.step(later + 1);
    assert_eq!(cluster.sizes(), [("web-v1", 8), ("web-v2", 5)]);
    cluster.deployment.replicas = 15;
    cluster.step(later + 2);
    assert_eq!(cluster.sizes(), [("web-v1", 11), ("web-v2", 7)], "5 more and still 3 above");
    cluster.deployment.replicas = 0;
    cluster.step(later + 3);
    assert_eq!(cluster.sizes(), [("web-v1", 0), ("web-v2", 0)]);
}

#[test]
fn a_paused_one_is_scaled_but_not_updated() {
    let mut cluster = Cluster::new(deployment(0, rolling("1", "0")));
    cluster.settle(&["v1"], 0);
    assert_eq!(cluster.sizes(), [("web-v1", 0)]);
    cluster.deployment.paused = true;
    cluster.update("v2");
    cluster.deployment.replicas = 3;
    cluster.settle(&["v1"], 100);
    assert_eq!(cluster.sizes(), [("web-v1", 3)]);
    assert_eq!(cluster.reason(DeploymentConditionKind::Progressing), "DeploymentPaused");
    cluster.deployment.paused = false;
    cluster.settle(&["v1", "v2"], 200);
    assert_eq!(cluster.sizes(), [("web-v1", 0), ("web-v2", 3)]);
}

#[test]
fn a_standstill_is_told_and_history_is_short() {
    let mut cluster = Cluster::new(deployment(2, rolling("1", "0")));
    let mut later = cluster.settle(&["v1"], 0);
    for version in ["v2", "v3", "v4"] {
        cluster.update(version);
        later = cluster.settle(&["v1", "v2", "v3", "v4"], later);
    }
    assert_eq!(cluster.sizes(), [("web-v2", 0), ("web-v3", 0), ("web-v4", 2)], "two old ones are kept");
    cluster.update("broken");
    later = cluster.settle(&[], later);
    let wake = cluster.step(later).wake.unwrap();
    let due = i64::try_from(at(0).until(wake).as_secs()).unwrap();
    cluster.step(due);
    assert_eq!(cluster.reason(DeploymentConditionKind::Progressing), "ProgressDeadlineExceeded");
    assert_eq!(cluster.reason(DeploymentConditionKind::Available), "MinimumReplicasAvailable");
    cluster.sets[3].failure = Some(("FailedCreate".to_owned(), "quota".to_owned()));
    cluster.step(due + 1);
    assert_eq!(cluster.reason(DeploymentConditionKind::ReplicaFailure), "FailedCreate");
}

proptest! {
    /// However pods come up and templates change, the total stays under the surge, and what was available does not
    /// fall below what must be. (That counts on the ReplicaSets' own statuses: the controller believes one that lags
    /// behind a scale-down, and then may go too far. So they follow each step here.)
    #[test]
    fn bounds_are_kept(
        replicas in 0..7_i32, surge in 0..3_i32, unavailable in 0..3_i32,
        moves in proptest::collection::vec(0..6_u8, 1..60),
    ) {
        let strategy = rolling(&surge.to_string(), &unavailable.to_string());
        let mut cluster = Cluster::new(deployment(replicas, strategy));
        let mut now = cluster.settle(&["v1"], 0);
        let missing = if surge + unavailable == 0 { 1 } else { unavailable };
        for kind in moves {
            now += 1;
            match kind {
                0 => cluster.update("v1"),
                1 => cluster.update("v2"),
                2 => cluster.update("v3"),
                3 => cluster.pods(&["v1", "v3"]),
                _ => cluster.pods(&["v1", "v2", "v3"]),
            }
            cluster.step(now);
            cluster.pods(&[]);
            let total: i32 = cluster.sets.iter().map(|set| set.replicas).sum();
            prop_assert!(total <= replicas + surge, "{:?}", cluster.sizes());
            let kept: i32 = cluster.sets.iter().map(|set| set.available.min(set.replicas)).sum();
            prop_assert!(kept >= replicas - missing, "{kept} of {:?}", cluster.sizes());
        }
        cluster.settle(&["v1", "v2", "v3"], now + 1);
        prop_assert_eq!(cluster.deployment.status.updated, replicas);
        prop_assert_eq!(cluster.reason(DeploymentConditionKind::Progressing), "NewReplicaSetAvailable");
    }
}
