//! Recorded scenarios of Argo Rollouts, played by the whole controller over the cluster in memory.
#![allow(clippy::disallowed_methods, reason = "recordings are read from where the environment says")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use recordings::{
    Difference, NEVER_READY, PlayError, Recording, Topic, compare, handed_back, is_left_otherwise, is_played,
    play, read, settled, unmeant, worked,
};
use sandbox::{Nature, PodChange, PodRule};
use serde_json::{Value, json};
use simulation::l2::metrics::Answer;
use simulation::l2::{House, NAMESPACE, Settings};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A cluster as the one that was recorded.
fn nature() -> Nature {
    let never = |about: &&str| PodRule { about: (*about).to_owned(), change: PodChange::NeverReady };
    Nature {
        pull: Duration::from_millis(1_500),
        stop: Duration::ZERO,
        pods: NEVER_READY.iter().map(never).collect(),
        ..Nature::default()
    }
}

/// What was seen while it was played, with routers that get so many seconds.
fn seen(recording: &Recording, settle_seconds: u64) -> (Vec<Value>, Result<(), PlayError>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut house = House::open(Settings { nature: nature(), settle_seconds, ..Settings::default() });
        house.answers.set("/version", Answer::Body(json!({"major": "1", "minor": "35"})));
        house.start_controller("controller", 0);
        let client = kube::Client::new(house.cluster.client("user"), NAMESPACE);
        let now = || house.now().whole_seconds().to_string();
        play(client, NAMESPACE, &recording.scenario, Duration::ZERO, now).await
    })
}

fn played(recording: &Recording) -> Vec<Difference> {
    let (lines, end) = seen(recording, 0);
    let mut differences = compare(&lines, &recording.lines);
    let name = &recording.scenario.name;
    let lacking =
        handed_back(&lines, &recording.lines).into_iter().filter(|what| !is_left_otherwise(name, what));
    differences
        .extend(lacking.map(|what| Difference { topic: Topic::End, what: format!("is left: {what}") }));
    if let Err(error) = end {
        differences.insert(0, Difference { topic: Topic::End, what: error.to_string() });
    }
    differences
}

/// The recordings; `None` where nobody says where they are.
fn recorded() -> Option<Vec<Recording>> {
    let Ok(folder) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("STEPGATE_PEER_DIR is not set: recorded scenarios were not played");
        return None;
    };
    Some(read(&Path::new(&folder).join("traces")).unwrap())
}

#[test]
fn recorded_scenarios_are_played_alike() {
    let Some(all) = recorded() else { return };
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let chosen: Vec<&Recording> =
        all.iter().filter(|one| is_played(&one.scenario.name) && one.scenario.name.contains(&only)).collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(one) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let differences = played(one);
                    found.lock().unwrap().insert(one.scenario.name.clone(), differences);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    let wrong: Vec<String> = found
        .iter()
        .flat_map(|(name, all)| [unmeant(name, all, false), settled(name, all)].concat())
        .collect();
    println!("{} scenarios were played", chosen.len());
    assert!(!only.is_empty() || chosen.len() == 108, "{} scenarios were found", chosen.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How much longer a release may take than on Argo Rollouts.
const LONGER: f64 = 1.1;

/// Behind routers, with the time that they get as a rule (5 s): nobody waits for it but pods that go. `[traffic.settle]`
#[test]
fn releases_behind_routers_take_no_longer() {
    let Some(all) = recorded() else { return };
    let routed: Vec<&Recording> = all.iter().filter(|one| one.scenario.name.starts_with("nginx-")).collect();
    assert_eq!(routed.len(), 19);
    let mut wrong = Vec::new();
    for one in routed {
        let (lines, end) = seen(one, 5);
        let (ours, theirs) = (worked(&lines), worked(&one.lines));
        println!("{:<40} {ours:>5.1} s here, {theirs:>5.1} s there", one.scenario.name);
        if end.is_err() || ours > theirs * LONGER {
            wrong.push(format!("{}: {ours:.1} s, not {theirs:.1} s: {end:?}", one.scenario.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
