//! The cases and their recordings belong together.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use conformance::{Action, FOLDER, Recording, read};
use std::collections::BTreeSet;
use std::path::Path;

/// With the prefix of a run before it, a namespace must stay below 63 characters, and names that are made of it too.
const NAME_MAX: usize = 48;
/// So many there were when the cluster in memory was first held against them.
const CASES_MIN: usize = 170;

#[test]
fn every_case_is_recorded_as_it_is_now() {
    let (mut cases, mut names) = (0, BTreeSet::new());
    for (name, topic) in read(Path::new(FOLDER)).unwrap() {
        assert!(!topic.about.is_empty());
        let recording = Recording::read(Path::new(FOLDER), &name).unwrap();
        for case in &topic.cases {
            cases += 1;
            assert!(names.insert(case.name.clone()), "two cases are named {}", case.name);
            assert!(case.name.len() <= NAME_MAX, "{} is too long for a namespace", case.name);
            let recorded = recording.of(&case.name);
            let hint = "record it with `cargo xtask e2e conformance --record`";
            let recorded = recorded.unwrap_or_else(|| panic!("{name}/{}: {hint}", case.name));
            assert!(recorded.is_of(case), "{name}/{} has changed since: {hint}", case.name);
            let answered = case.steps.iter().filter(|step| !matches!(step.action, Action::Rest(_))).count();
            assert_eq!(recorded.answers.len(), answered, "{name}/{}", case.name);
        }
        assert_eq!(recording.cases.len(), topic.cases.len(), "{name} has recordings of cases that are gone");
    }
    assert!(cases >= CASES_MIN, "only {cases} cases");
}

#[test]
fn nothing_of_the_run_is_left_in_a_recording() {
    for (name, _) in read(Path::new(FOLDER)).unwrap() {
        let text = std::fs::read_to_string(Recording::path(Path::new(FOLDER), &name)).unwrap();
        for word in [
            "managedFields",
            "stepgate/demo-server",
            "node-1",
            "10.117.",
            "10.96.0.",
            "\"resourceVersion\":\"1",
            "Z\\\"",
        ] {
            assert!(!text.contains(word), "{name} has {word}");
        }
    }
}
