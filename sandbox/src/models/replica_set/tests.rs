#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::super::pod::{PodPhase, PodView};
use super::*;
use proptest::prelude::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(1_900_000_000 + seconds).unwrap()
}

fn pod(uid: &str) -> PodView<'_> {
    PodView {
        uid,
        owner: Owner::Us,
        selected: true,
        fully_labeled: true,
        phase: PodPhase::Running,
        created: at(0),
        assigned: true,
        ready_since: Some(at(10)),
        neighbours: 1,
        ..PodView::default()
    }
}

fn set(replicas: i32) -> SetView {
    SetView { replicas, generation: 3, ..SetView::default() }
}

/// Uids in the order in which the pods go.
fn order<'a>(pods: &[PodView<'a>], now: Time) -> Vec<&'a str> {
    let mut left: Vec<_> = pods.to_vec();
    let mut gone = Vec::new();
    while left.len() > 1 {
        let step = step(&set(i32::try_from(left.len()).unwrap() - 1), &left, now);
        gone.push(left.remove(step.delete[0]).uid);
    }
    gone.extend(left.iter().map(|pod| pod.uid));
    gone
}

#[test]
fn pods_go_in_the_order_of_their_use() {
    // Listed as they go. From the fifth on, one thing differs from the last, which is the best of all.
    let best = PodView { deletion_cost: 5, ready_since: Some(at(10)), ..pod("z-best") };
    let pods = [
        PodView { assigned: false, phase: PodPhase::Pending, ready_since: None, ..best },
        PodView { phase: PodPhase::Pending, ready_since: None, ..best },
        PodView { phase: PodPhase::Unknown, ready_since: None, ..best },
        PodView { ready_since: None, ..best },
        PodView { deletion_cost: -1, ..best },
        PodView { neighbours: 3, ..best },
        PodView { ready_since: Some(at(990)), ..best },
        PodView { restarts: 4, ..best },
        PodView { created: at(995), ..best },
        best,
    ];
    let names =
        ["unassigned", "pending", "unknown", "unready", "cheap", "crowded", "fresh", "shaky", "young"];
    let mut pods = pods.to_vec();
    for (pod, name) in pods.iter_mut().zip(names) {
        pod.uid = name;
    }
    pods.rotate_left(4);
    pods.reverse();
    let expected = [names.as_slice(), &["z-best"]].concat();
    assert_eq!(order(&pods, at(1000)), expected);
}

#[test]
fn ages_of_one_magnitude_are_equal() {
    // 600 and 900 seconds are both between 2^39 and 2^40 ns: the uid decides, not the age.
    let older = PodView { ready_since: Some(at(100)), ..pod("a") };
    let younger = PodView { ready_since: Some(at(400)), ..pod("b") };
    assert_eq!(order(&[younger, older], at(1000)), ["a", "b"]);
}

#[test]
fn only_what_counts_is_counted() {
    let pods = [
        pod("a"),
        PodView { ready_since: Some(at(95)), ..pod("b") },
        PodView { ready_since: None, fully_labeled: false, ..pod("c") },
        PodView { deleting: true, ..pod("d") },
        PodView { phase: PodPhase::Failed, ..pod("e") },
        PodView { owner: Owner::Other, ..pod("f") },
    ];
    let view = SetView { min_ready_seconds: 10, ..set(5) };
    let step = step(&view, &pods, at(100));
    let expected = SetStatus {
        replicas: 3,
        fully_labeled: 2,
        ready: 2,
        available: 1,
        observed_generation: 3,
        failure: None,
    };
    assert_eq!(step.status, expected);
    assert_eq!((step.create, step.delete.len(), step.wake), (2, 0, Some(at(105))));
}

#[test]
fn pods_are_adopted_and_released_by_their_labels() {
    let pods = [
        PodView { owner: Owner::Nobody, ..pod("orphan") },
        PodView { selected: false, ..pod("relabelled") },
        PodView { owner: Owner::Nobody, selected: false, ..pod("stranger") },
    ];
    let now = step(&set(1), &pods, at(100));
    assert_eq!((now.adopt, now.release, now.create), (vec![0], vec![1], 0));
    let going = step(&SetView { deleting: true, ..set(4) }, &pods, at(100));
    assert_eq!((going.adopt, going.release, going.create), (vec![], vec![], 0));
}

#[test]
fn a_refusal_shows_until_a_step_succeeds() {
    let now = step(&set(1), &[], at(5));
    let failed = now.refused(&set(1), "exceeded quota", at(5));
    let failure = failed.failure.clone().unwrap();
    assert_eq!((failure.reason.as_str(), failure.message.as_str()), ("FailedCreate", "exceeded quota"));
    let again = SetView { failure: failed.failure, ..set(1) };
    let later = step(&again, &[], at(50));
    assert_eq!(later.refused(&again, "another text", at(50)).failure, Some(failure));
    assert_eq!(later.status.failure, None);
    let too_many = step(&set(0), &[pod("a")], at(5));
    let refused = too_many.refused(&set(0), "no", at(5)).failure.unwrap();
    assert_eq!(refused.reason, FailureReason::FailedDelete);
}

proptest! {
    /// Whatever there is, one step and its writes give the number that is wanted, and the next step is quiet.
    #[test]
    fn it_converges(wanted in 0..700_i32, ready in proptest::collection::vec(any::<Option<bool>>(), 0..700)) {
        let names: Vec<String> = (0..2000).map(|number| format!("{number:04}")).collect();
        let mut pods: Vec<PodView<'_>> = ready.iter().zip(&names).map(|(ready, name)| PodView {
            ready_since: ready.map(|late| at(if late { 90 } else { 10 })), ..pod(name)
        }).collect();
        let mut next = pods.len();
        for _ in 0..2 {
            let step = step(&set(wanted), &pods, at(100));
            prop_assert!(step.create == 0 || step.delete.is_empty());
            prop_assert!(step.create <= BURST_MAX && step.delete.len() <= BURST_MAX);
            // No pod that is ready goes while one that is not stays.
            let spared = pods.iter().enumerate().any(|(i, pod)| pod.ready_since.is_none() && !step.delete.contains(&i));
            prop_assert!(!spared || step.delete.iter().all(|index| pods[*index].ready_since.is_none()));
            let gone: Vec<&str> = step.delete.iter().map(|index| pods[*index].uid).collect();
            pods.retain(|pod| !gone.contains(&pod.uid));
            for _ in 0..step.create {
                pods.push(PodView { ready_since: None, ..pod(&names[next]) });
                next += 1;
            }
        }
        prop_assert_eq!(pods.len(), usize::try_from(wanted).unwrap());
        let rest = step(&set(wanted), &pods, at(100));
        prop_assert!(rest.create == 0 && rest.delete.is_empty());
    }
}
