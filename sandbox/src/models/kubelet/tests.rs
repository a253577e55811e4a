#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(1_900_000_000 + seconds).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lives from event to event: what changed when, as text.
fn story(behaviour: &Behaviour, until: i64, look: impl Fn(&PodLife) -> String) -> Vec<(i64, String)> {
    let (mut life, mut now, mut told) = (PodLife::new(at(0)), at(0), Vec::new());
    loop {
        let (next, wake) = step(&life, behaviour, now);
        life = next;
        let text = look(&life);
        if told.last().is_none_or(|(_, last)| *last != text) {
            told.push((i64::try_from(at(0).until(now).as_secs()).unwrap(), text));
        }
        match wake {
            Some(wake) if wake <= at(until) => now = wake,
            _ => return told,
        }
    }
}

fn usual() -> Behaviour {
    Behaviour {
        scheduling: Scheduling::After(seconds(1)),
        pull: Pull::Takes(seconds(3)),
        readiness: Readiness::After(seconds(5)),
        stop: seconds(2),
        ..Behaviour::default()
    }
}

fn shown(life: &PodLife) -> String {
    let ready = if life.ready_since().is_some() { " ready" } else { "" };
    format!("{}{ready} {}", life.phase().as_str(), life.waiting_reason().unwrap_or("-"))
}

fn told(story: &[(i64, String)]) -> Vec<(i64, &str)> {
    story.iter().map(|(when, what)| (*when, what.as_str())).collect()
}

#[test]
fn a_pod_comes_up() {
    let story = story(&usual(), 1000, shown);
    let expected =
        [(0, "Pending -"), (1, "Pending ContainerCreating"), (4, "Running -"), (9, "Running ready -")];
    assert_eq!(told(&story), expected);
}

#[test]
fn one_long_step_is_as_good_as_many() {
    let flapping = Readiness::Flaps { first: seconds(3), ready: seconds(7), unready: seconds(2) };
    let crashing = Process::Exits { after: seconds(20), exit: Exit::OutOfMemory };
    for behaviour in [usual(), Behaviour { readiness: flapping, process: crashing, ..usual() }] {
        let mut life = PodLife::new(at(0));
        for second in 0..400 {
            life = step(&life, &behaviour, at(second)).0;
        }
        assert_eq!(step(&PodLife::new(at(0)), &behaviour, at(399)).0, life);
    }
}

#[test]
fn a_crash_loop_backs_off_and_forgets() {
    let crash = Process::Exits { after: seconds(1), exit: Exit::Failed(2) };
    let behaviour = Behaviour { process: crash, ..Behaviour::default() };
    let restarts = story(&behaviour, 1000, |life| life.restarts.to_string());
    let waits: Vec<i64> = restarts.windows(2).map(|pair| pair[1].0 - pair[0].0 - 1).collect();
    assert_eq!(waits[..8], [0, 10, 20, 40, 80, 160, 300, 300]);
    let slow = Process::Exits { after: seconds(700), exit: Exit::Failed(2) };
    let behaviour = Behaviour { process: slow, ..Behaviour::default() };
    let restarts = story(&behaviour, 3000, |life| life.restarts.to_string());
    let expected = [(0, "0"), (700, "1"), (1400, "2"), (2100, "3"), (2800, "4")];
    assert_eq!(told(&restarts), expected, "after ten good minutes the next restart comes at once");
}

#[test]
fn an_image_that_is_not_there_is_tried_again() {
    let behaviour = Behaviour { pull: Pull::Fails(seconds(2)), ..Behaviour::default() };
    let story = story(&behaviour, 40, |life| life.waiting_reason().unwrap_or("-").to_owned());
    let expected = [
        (0, "ContainerCreating"),
        (2, "ErrImagePull"),
        (3, "ImagePullBackOff"),
        (14, "ErrImagePull"),
        (15, "ImagePullBackOff"),
        (36, "ErrImagePull"),
        (37, "ImagePullBackOff"),
    ];
    assert_eq!(told(&story), expected);
}

#[test]
fn a_job_pod_ends_as_its_process_does() {
    for (exit, restart, phase) in [
        (Exit::Completed, RestartPolicy::Never, PodPhase::Succeeded),
        (Exit::Completed, RestartPolicy::OnFailure, PodPhase::Succeeded),
        (Exit::Failed(3), RestartPolicy::Never, PodPhase::Failed),
        (Exit::Failed(3), RestartPolicy::OnFailure, PodPhase::Running),
    ] {
        let process = Process::Exits { after: seconds(4), exit };
        let life =
            step(&PodLife::new(at(0)), &Behaviour { process, restart, ..Behaviour::default() }, at(60));
        assert_eq!(life.0.phase(), phase, "{exit:?} {restart:?}");
    }
    assert_eq!((Exit::OutOfMemory.code(), Exit::OutOfMemory.reason()), (137, "OOMKilled"));
}

#[test]
fn gates_hold_readiness_back() {
    let (mut life, _) = step(&PodLife::new(at(0)), &Behaviour::default(), at(1));
    assert_eq!(life.ready_since(), Some(at(0)));
    life.gates = Gates::Closed;
    assert_eq!(life.ready_since(), None);
    life.gates = Gates::Open(at(7));
    assert_eq!(life.ready_since(), Some(at(7)));
}

#[test]
fn a_pod_that_is_to_go_gets_its_grace() {
    let asked = |grace: u64, when: i64| {
        let mut life = PodLife::new(at(0));
        life.deletion = Some(Deletion { at: at(when), grace: seconds(grace) });
        step(&life, &Behaviour { stop: seconds(5), ..usual() }, at(100)).0.stage
    };
    let ended = |when: i64, code: i32| Stage::Gone { at: at(when), exit: Some(Exit::Failed(code)) };
    assert_eq!(asked(30, 20), ended(25, 143));
    assert_eq!(asked(3, 20), ended(23, 137));
    assert_eq!(asked(30, 2), Stage::Gone { at: at(2), exit: None }, "its process has not started");
    let mut life = step(&PodLife::new(at(0)), &usual(), at(20)).0;
    life.deletion = Some(Deletion { at: at(20), grace: seconds(30) });
    let (stopping, wake) = step(&life, &usual(), at(21));
    assert_eq!((stopping.ready_since(), wake), (Some(at(9)), Some(at(22))), "ready until it has ended");
}
