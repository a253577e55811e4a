//! All stories, told on the cluster in memory in paused time: the same stories that the real cluster tells.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use scenarios::{Play, STORIES, tell};
use simulation::stage::{SandboxStage, Settings};
use std::time::Duration;

/// Seeds, each with its own lag of the nodes: at once, as on a quiet cluster, as on a busy one. Pods of stories serve
/// for five seconds after they are told to go, which is longer than each.
const SEEDS: [(u64, Duration); 3] =
    [(1, Duration::ZERO), (2, Duration::from_millis(150)), (3, Duration::from_millis(2_500))];

fn play(name: &str) {
    let story = STORIES.iter().find(|story| story.name == name).unwrap();
    for (seed, lag) in SEEDS {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let own = story.controllers > 0;
            let stage = SandboxStage::open(&Settings {
                seed,
                lag,
                instance_id: if own { name.to_owned() } else { String::new() },
                controllers: story.controllers.max(1),
                ..Settings::default()
            });
            let play = Play::on(&stage);
            if let Err(error) = tell(name, &play).await {
                panic!("{name} with seed {seed}: {error}\n{}", play.log().join("\n"));
            }
        });
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
    never_ready: "never-ready",
    refused: "refused",
    killed: "killed",
    two_controllers: "two-controllers",
}

#[test]
fn every_story_is_told() {
    assert_eq!(STORIES.map(|story| story.name).as_slice(), TOLD);
}
