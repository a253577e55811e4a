#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;

/// Seeds in the usual tests; `cargo xtask simulate` runs more.
const SEEDS: u64 = 600;

#[test]
fn no_seed_breaks_a_rule() {
    let mut reached: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        let summary = run(seed, &Options::default()).unwrap_or_else(|violation| panic!("{violation}"));
        summary.reached.iter().for_each(|(state, count)| *reached.entry(state).or_default() += count);
    }
    for state in [
        "the controller dies in a plan",
        "a write is refused",
        "a status is refused",
        "the answer to a write is lost",
        "a node is drained",
        "steps are edited",
        "promote --full",
        "ends Healthy",
        "ends Paused",
        "ends Degraded",
    ] {
        assert!(reached.contains_key(state), "{state} is never reached: {reached:?}");
    }
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in 0..60 {
        let options = Options::default();
        let traced = Options { trace: true, ..options.clone() };
        assert_eq!(run(seed, &options).unwrap(), run(seed, &traced).unwrap(), "seed {seed}");
    }
}

#[test]
fn a_status_survives_the_wire() {
    for seed in 0..60 {
        let wire = Options { wire: true, ..Options::default() };
        assert_eq!(run(seed, &wire).unwrap(), run(seed, &Options::default()).unwrap(), "seed {seed}");
    }
}
