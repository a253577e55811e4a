//! What is known of the scenarios: which need what is not built, and what differs on purpose.

use crate::compare::{Difference, Topic};

/// Scenarios that need what is not built yet, or what the player does not have, by the beginning of their names.
pub(crate) const NOT_PLAYED: [(&str, &str); 1] = [("experiment-", "experiments")];

const GOES_BACK_ONCE: &str = "a Service that is left after an abort goes back once, not many times a second";
const GOES_BACK_AS_CARRIED: &str = "weight goes back as far as the stable version has available pods, not by the steps; and a Service only once";
const SHRINKS_LATER: &str = "the stable version gives pods up once routers show its new weight, and steps that end at once are recorded first";

/// What differs on purpose: scenario, topics, reason.
pub(crate) const DIFFERS: [(&str, &[Topic], &str); 22] = [
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
    ("nginx-abort", &[Topic::Events, Topic::Services], GOES_BACK_ONCE),
    ("nginx-abort-delay-zero", &[Topic::Events, Topic::Services], GOES_BACK_ONCE),
    ("nginx-abort-retry-within-delay", &[Topic::Events, Topic::Services], GOES_BACK_ONCE),
    ("nginx-basic", &[Topic::Phases], "steps that end at once are recorded in one write"),
    ("nginx-dynamic-stable-scale", &[Topic::Events], SHRINKS_LATER),
    (
        "nginx-dynamic-stable-scale-abort",
        &[Topic::Events, Topic::Services, Topic::Routes],
        GOES_BACK_AS_CARRIED,
    ),
    (
        "nginx-dynamic-stable-scale-abort-delay",
        &[Topic::Events, Topic::Services, Topic::Routes],
        GOES_BACK_AS_CARRIED,
    ),
    ("nginx-dynamic-stable-scale-rollback", &[Topic::Events], SHRINKS_LATER),
    ("nginx-v3-mid", &[Topic::Events], "a router is edited once for a new version, not twice"),
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

/// What may differ on a real cluster only, where one look can see what takes two elsewhere: scenario, topic, reason.
pub(crate) const BY_CHANCE: [(&str, Topic, &str); 5] = [
    (
        "analysis-background-endless",
        Topic::Runs,
        "one measurement more fits in where pods start a moment later",
    ),
    ("canary-spec-paused", Topic::Phases, "both requests of a promotion can come before one look"),
    ("nginx-delay-revision-limit", Topic::Phases, "the last pod and the last step can come in one look"),
    ("nginx-scale-at-pause", Topic::Phases, "the last pod and the last step can come in one look"),
    ("nginx-dynamic-stable-scale-rollback", Topic::Routes, GOES_BACK_AS_CARRIED),
];

fn meant(name: &str) -> &'static [Topic] {
    DIFFERS.iter().find(|(differs, ..)| *differs == name).map_or(&[], |(_, topics, _)| topics)
}

/// Differences that are not meant; on a cluster in memory nothing happens `by_chance`.
#[must_use]
pub fn unmeant(name: &str, differences: &[Difference], by_chance: bool) -> Vec<String> {
    let meant = meant(name);
    let by_chance =
        |topic| by_chance && BY_CHANCE.iter().any(|(chance, of, _)| *chance == name && *of == topic);
    differences
        .iter()
        .filter(|one| !meant.contains(&one.topic) && !by_chance(one.topic))
        .map(|one| format!("{name}: {one}"))
        .collect()
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

/// What we leave otherwise than Argo Rollouts, at moments at which it could take over again: scenario, field, and why it
/// does without.
pub(crate) const LEFT_OTHERWISE: [(&str, &str, &str); 10] = [
    ("nginx-", "demo-h2 scale-down-deadline", "a version without pods has no deadline"),
    ("nginx-abort", "Service canary selector", "a Service that is left after an abort goes back once"),
    ("nginx-basic", "before act 5", "the next step has begun already"),
    ("", "duration.totalManualPauseDurationSeconds", "whole seconds of a pause depend on its milliseconds"),
    ("canary-", "cond.Available", "pods of another moment"),
    ("canary-annotation-change", "revision-history", "an annotation that changes makes no revision"),
    ("canary-paused-at-create", "cond.P", "a pause holds from the first look"),
    ("bluegreen-", "demo-h2 scale-down-deadline", "a version without pods has no deadline"),
    ("workloadref-", "orkload", "a Deployment goes in fewer moves: it has other generations"),
    ("workloadref-", "revision-history", "a conflict makes no revision"),
];

/// Whether something is left otherwise on purpose.
#[must_use]
pub fn is_left_otherwise(name: &str, what: &str) -> bool {
    LEFT_OTHERWISE.iter().any(|(of, part, _)| name.contains(of) && what.contains(part))
}
