//! What is known of the scenarios: which need what is not built, and what differs on purpose.

use crate::compare::{Difference, Topic};

/// Scenarios that need what is not built yet, or what the player does not have, by the beginning of their names.
const NOT_PLAYED: [(&str, &str); 2] = [("nginx-", "traffic routing"), ("experiment-", "experiments")];

/// What differs on purpose: scenario, topics, reason.
const DIFFERS: [(&str, &[Topic], &str); 13] = [
    (
        "analysis-missing-template",
        &[Topic::Phases],
        "what is missing at the first deploy is waited for before the Rollout is invalid",
    ),
    (
        "canary-missing-service",
        &[Topic::Phases],
        "what is missing at the first deploy is waited for before the Rollout is invalid",
    ),
    ("analysis-background-fail-mid", &[Topic::Events], "the start of a run is told once, not twice"),
    (
        "canary-annotation-change",
        &[Topic::Sets],
        "an annotation that changes makes no revision, and so none that was",
    ),
    (
        "canary-bad-image-deadline-abort",
        &[Topic::Events, Topic::Messages],
        "an abort at the deadline is told once, not twice",
    ),
    ("canary-replicas-zero", &[Topic::Phases], "steps that end at once are recorded in one write"),
    (
        "canary-services",
        &[Topic::Events],
        "the stable Service leaves a version before that is emptied, not after the promotion",
    ),
    (
        "canary-spec-and-scale",
        &[Topic::Events, Topic::Sizes],
        "the new version gets the size of its first step at once, not all pods before",
    ),
    ("canary-weight-0-and-100", &[Topic::Phases], "steps that end at once are recorded in one write"),
    (
        "workloadref-missing",
        &[Topic::Phases],
        "what is missing at the first deploy is waited for before the Rollout is invalid",
    ),
    (
        "workloadref-onsuccess",
        &[Topic::Sets],
        "an annotation that changes makes no revision, and so none that was",
    ),
    (
        "workloadref-plain",
        &[Topic::Events, Topic::Messages],
        "the first version is told as created; there a conflict made it one that was found",
    ),
    (
        "workloadref-progressively",
        &[Topic::Decisions, Topic::Sets],
        "the Deployment goes in fewer moves, so it has fewer generations; their annotation makes no revision",
    ),
];

/// Whether a scenario can be played.
#[must_use]
pub fn is_played(name: &str) -> bool {
    !NOT_PLAYED.iter().any(|(start, _)| name.starts_with(start))
}

fn meant(name: &str) -> &'static [Topic] {
    DIFFERS.iter().find(|(differs, ..)| *differs == name).map_or(&[], |(_, topics, _)| topics)
}

/// Differences that are not meant.
#[must_use]
pub fn unmeant(name: &str, differences: &[Difference]) -> Vec<String> {
    let meant = meant(name);
    differences.iter().filter(|one| !meant.contains(&one.topic)).map(|one| format!("{name}: {one}")).collect()
}

/// Meant differences that are none any more. Where nothing is left to chance: on a busy cluster one pass can see what
/// otherwise takes two.
#[must_use]
pub fn settled(name: &str, differences: &[Difference]) -> Vec<String> {
    let is_gone = |topic: &&Topic| !differences.iter().any(|one| one.topic == **topic);
    meant(name)
        .iter()
        .filter(is_gone)
        .map(|topic| format!("{name}: {topic:?} does not differ any more"))
        .collect()
}
