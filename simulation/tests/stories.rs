//! All stories, told on the cluster in memory in paused time: the same stories that the real cluster tells.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use sandbox::Nature;
use scenarios::{Play, ROUTED, STORIES, Story, StoryError, tell, tell_routed};
use simulation::stage::{SandboxStage, Settings};
use std::time::Duration;

/// Seeds, each with its own cluster: one where all is known at once, a quiet one, and a busy one.
const SEEDS: [(u64, fn() -> Settings); 3] = [(1, Settings::default), (2, quiet), (3, busy)];

fn quiet() -> Settings {
    Settings { lag: Duration::from_millis(150), ..Settings::default() }
}

/// Slow in everything. Pods of stories serve for five seconds after they are told to go, which is longer than the
/// nodes take to hear of it.
fn busy() -> Settings {
    let nature = Nature {
        replica_sets: Duration::from_millis(400),
        nodes: Duration::from_millis(250),
        jobs: Duration::from_millis(400),
        garbage: Duration::from_secs(2),
        pull: Duration::from_secs(3),
        ready: Duration::from_secs(4),
        ..Nature::default()
    };
    Settings { nature, lag: Duration::from_millis(2_500), ..Settings::default() }
}

/// Tells a story, and gives how it ended and its log, with what users saw as the last lines.
fn told(name: &str, seed: u64, settings: &Settings) -> (Result<(), StoryError>, Vec<String>) {
    let story = STORIES.iter().find(|story| story.name == name).unwrap();
    on_a_stage(story, seed, settings, &async |play| tell(name, play).await)
}

fn on_a_stage(
    story: &Story,
    seed: u64,
    settings: &Settings,
    tell: &impl AsyncFn(&Play<'_, SandboxStage>) -> Result<(), StoryError>,
) -> (Result<(), StoryError>, Vec<String>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let own = story.controllers > 0;
        let stage = SandboxStage::open(&Settings {
            seed,
            instance_id: if own { story.name.to_owned() } else { String::new() },
            controllers: story.controllers.max(1),
            ..settings.clone()
        });
        let play = Play::on(&stage);
        let ended = tell(&play).await;
        let mut log = play.log();
        for users in stage.traffic().clients() {
            log.push(format!("users of {users}: {}", play.seen(&users).await.unwrap()));
        }
        (ended, log)
    })
}

fn play(name: &str) {
    for (seed, settings) in SEEDS {
        let (ended, log) = told(name, seed, &settings());
        if let Err(error) = ended {
            panic!("{name} with seed {seed}: {error}\n{}", log.join("\n"));
        }
    }
}

macro_rules! stories {
    ($($test:ident: $name:literal,)*) => {
        const TOLD: &[&str] = &[$($name),*];
        $(#[test] fn $test() { play($name); })*
    };
}

stories! {
    good_canary: "good-canary",
    bad_canary: "bad-canary",
    canary_verbs: "canary-verbs",
    superseded: "superseded",
    job_gate: "job-gate",
    web_gate: "web-gate",
    background: "background",
    blue_green: "blue-green",
    blue_green_gates: "blue-green-gates",
    metadata: "metadata",
    never_ready: "never-ready",
    refused: "refused",
    restart: "restart",
    killed: "killed",
    two_controllers: "two-controllers",
}

#[test]
fn every_story_is_told() {
    assert_eq!(STORIES.map(|story| story.name).as_slice(), TOLD);
}

#[test]
fn a_seed_tells_the_same_story_again() {
    for name in ["good-canary", "two-controllers"] {
        let (first, again) = (told(name, 11, &quiet()).1, told(name, 11, &quiet()).1);
        assert_eq!(first, again, "{name}");
        assert_ne!(first, told(name, 12, &quiet()).1, "{name}: another seed has other luck");
    }
}

/// Pods of stories serve for five seconds after they are told to go. Nodes that hear of it after eight lose requests,
/// and the story says so: what users see is no decoration.
#[test]
fn users_suffer_when_the_nodes_hear_too_late() {
    let late = Settings { lag: Duration::from_secs(8), ..Settings::default() };
    let (ended, log) = told("canary-verbs", 1, &late);
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("no user of verbs saw an error"), "{error}");
    let last = log.last().unwrap();
    assert!(last.starts_with("users of verbs:") && !last.ends_with("no answer 0"), "{last}");
}

/// Routers that hear of changes soon, and half a minute late; quiet and busy clusters behind them.
const ROUTERS: [(u64, fn() -> Settings); 3] = [
    (21, || Settings { router_lag: Duration::from_secs(1), ..quiet() }),
    (22, || Settings { router_lag: Duration::from_secs(3), ..busy() }),
    (23, || Settings { router_lag: Duration::from_secs(30), ..busy() }),
];

/// Tells one of the stories of routes on each of them.
fn play_routed(name: &str) {
    let story = ROUTED.iter().find(|story| story.name == name).unwrap();
    for (seed, settings) in ROUTERS {
        let (ended, log) = on_a_stage(story, seed, &settings(), &async |play| tell_routed(name, play).await);
        if let Err(error) = ended {
            panic!("{name} with seed {seed}: {error}\n{}", log.join("\n"));
        }
    }
}

macro_rules! routed {
    ($($test:ident: $name:literal,)*) => {
        const ROUTED_TOLD: &[&str] = &[$($name),*];
        mod routed {
            $(#[test] fn $test() { super::play_routed($name); })*
        }
    };
}

routed! {
    steps: "steps",
    traefik_steps: "traefik-steps",
    aborts: "aborts",
    rollback: "rollback",
    superseded: "superseded",
    promoted: "promoted",
    scaled: "scaled",
    killed: "killed",
    blue_green: "blue-green",
    exchanged: "exchanged",
}

/// A crash needs a process that one can kill.
#[test]
fn every_story_of_routes_is_told() {
    let all: Vec<&str> = ROUTED.iter().map(|story| story.name).filter(|name| *name != "crash").collect();
    assert_eq!(all, ROUTED_TOLD);
}

/// A router that is later than its Rollout waits loses requests, and the story says so.
#[test]
fn users_suffer_when_a_router_hears_too_late() {
    let story = ROUTED.iter().find(|story| story.name == "superseded").unwrap();
    let settings = Settings { router_lag: Duration::from_secs(4), ..quiet() };
    let (ended, log) = on_a_stage(story, 24, &settings, &async |play| {
        play.stage().traffic().set_lag(sandbox::traffic::ROUTER, Duration::from_secs(40));
        tell_routed("superseded", play).await
    });
    assert!(ended.is_err(), "{}", log.join("\n"));
}
