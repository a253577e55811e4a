//! How a pod behaves, from what it says of itself: image, command, environment, probes and annotations.

use super::Nature;
use crate::Dig;
use crate::api::{number, text};
use crate::models::kubelet::{Behaviour, Exit, Process, Pull, Readiness, RestartPolicy, Scheduling};
use crds::GoDuration;
use serde_json::Value;
use std::time::Duration;

/// Prefix of the annotations that a pod may carry to say how it behaves here:
/// `ready` (`never`, or a duration until it is ready), `crash-after`, `exit-code`, `pull` (`fails`, or a duration),
/// `schedule` (`never`, or a duration), `stop` (a duration), `flap` (a duration).
const ANNOTATIONS: &str = "sandbox.stepgate.dev/";
/// Images that are not to be had.
const NO_SUCH_IMAGE: [&str; 5] = ["does-not-exist", "nonexistent", "no-such", "invalid", "/none:"];
/// Labels of the node.
const NODE_LABELS: [(&str, &str); 3] = [
    ("kubernetes.io/hostname", super::nodes::NODE),
    ("kubernetes.io/os", "linux"),
    ("kubernetes.io/arch", "amd64"),
];
/// Commands that are read at most.
const WORDS_MAX: usize = 64;

/// A rule of the cluster about some pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRule {
    /// Pods whose first image or `VERSION` contains this text; all when it is empty.
    pub about: String,
    /// What changes.
    pub change: Change,
}

/// What a rule changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It never gets ready.
    NeverReady,
    /// It gets ready after so long.
    ReadyAfter(Duration),
    /// Its process ends badly so long after its start, again and again.
    CrashesAfter(Duration),
    /// It is ready for so long, and then not for as long.
    Flaps(Duration),
    /// No node has room.
    Unschedulable,
    /// It takes so long to end.
    StopsAfter(Duration),
}

impl PodRule {
    fn fits(&self, pod: &Value) -> bool {
        self.about.is_empty()
            || text(pod, "/spec/containers/0/image").contains(&self.about)
            || environment(pod, "VERSION").is_some_and(|version| version.contains(&self.about))
    }
}

fn duration(text: &str) -> Option<Duration> {
    GoDuration::parse(text).ok().and_then(|duration| duration.to_std())
}

/// A variable of the first container.
pub(crate) fn environment<'v>(pod: &'v Value, name: &str) -> Option<&'v str> {
    let variables = pod.at("/spec/containers/0/env").and_then(Value::as_array);
    let found = variables.into_iter().flatten().find(|variable| text(variable, "/name") == name)?;
    found.get("value").and_then(Value::as_str)
}

/// What a pod says of itself under one of our annotations.
pub(crate) fn annotation<'v>(pod: &'v Value, name: &str) -> Option<&'v str> {
    let annotations = pod.at("/metadata/annotations")?.as_object()?;
    annotations.get(&format!("{ANNOTATIONS}{name}"))?.as_str()
}

/// How a pod behaves.
pub(super) fn of(pod: &Value, nature: &Nature) -> Behaviour {
    let image = text(pod, "/spec/containers/0/image");
    let restart = match text(pod, "/spec/restartPolicy") {
        "Never" => RestartPolicy::Never,
        "OnFailure" => RestartPolicy::OnFailure,
        _ => RestartPolicy::Always,
    };
    let missing = NO_SUCH_IMAGE.iter().any(|word| image.contains(word));
    let mut behaviour = Behaviour {
        scheduling: if fits_the_node(pod) { Scheduling::After(Duration::ZERO) } else { Scheduling::Never },
        pull: if missing { Pull::Fails(nature.pull) } else { Pull::Takes(nature.pull) },
        process: process(pod, restart),
        readiness: readiness(pod, nature),
        restart,
        stop: nature.stop,
    };
    if let Some(seconds) = environment(pod, "SHUTDOWN_GRACE_SECONDS").and_then(|text| text.parse().ok()) {
        behaviour.stop = Duration::from_secs(seconds);
    }
    annotated(pod, &mut behaviour);
    for rule in nature.pods.iter().filter(|rule| rule.fits(pod)) {
        changed(&rule.change, &mut behaviour);
    }
    behaviour
}

/// Whether the node has the labels that the pod asks for.
fn fits_the_node(pod: &Value) -> bool {
    let wanted = pod.at("/spec/nodeSelector").and_then(Value::as_object);
    wanted
        .into_iter()
        .flatten()
        .all(|(key, value)| NODE_LABELS.iter().any(|(name, own)| name == key && value.as_str() == Some(own)))
}

fn readiness(pod: &Value, nature: &Nature) -> Readiness {
    if environment(pod, "READY") == Some("never") {
        return Readiness::Never;
    }
    let probe = pod.at("/spec/containers/0/readinessProbe");
    let said = environment(pod, "READY_AFTER_SECONDS").and_then(|text| text.parse().ok()).unwrap_or(0);
    match probe {
        None => Readiness::AtOnce,
        Some(probe) => {
            let delay =
                number(probe, "/initialDelaySeconds").and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            Readiness::After(Duration::from_secs(delay.max(said)) + nature.ready)
        }
    }
}

fn annotated(pod: &Value, behaviour: &mut Behaviour) {
    let said = |name: &str| annotation(pod, name);
    match said("ready") {
        Some("never") => behaviour.readiness = Readiness::Never,
        Some(text) => {
            if let Some(after) = duration(text) {
                behaviour.readiness = Readiness::After(after);
            }
        }
        None => {}
    }
    match said("schedule") {
        Some("never") => behaviour.scheduling = Scheduling::Never,
        Some(text) => {
            if let Some(after) = duration(text) {
                behaviour.scheduling = Scheduling::After(after);
            }
        }
        None => {}
    }
    match said("pull") {
        Some("fails") => behaviour.pull = Pull::Fails(Duration::from_secs(1)),
        Some(text) => {
            if let Some(takes) = duration(text) {
                behaviour.pull = Pull::Takes(takes);
            }
        }
        None => {}
    }
    if let Some(after) = said("crash-after").and_then(duration) {
        let code = said("exit-code").and_then(|text| text.parse().ok()).unwrap_or(1);
        let exit = if code == 0 { Exit::Completed } else { Exit::Failed(code) };
        behaviour.process = Process::Exits { after, exit };
    }
    if let Some(stop) = said("stop").and_then(duration) {
        behaviour.stop = stop;
    }
    if let Some(every) = said("flap").and_then(duration) {
        changed(&Change::Flaps(every), behaviour);
    }
}

fn changed(change: &Change, behaviour: &mut Behaviour) {
    match change {
        Change::NeverReady => behaviour.readiness = Readiness::Never,
        Change::ReadyAfter(after) => behaviour.readiness = Readiness::After(*after),
        Change::CrashesAfter(after) => {
            behaviour.process = Process::Exits { after: *after, exit: Exit::Failed(1) };
        }
        Change::Flaps(every) => {
            behaviour.readiness = Readiness::Flaps { first: *every, ready: *every, unready: *every };
        }
        Change::Unschedulable => behaviour.scheduling = Scheduling::Never,
        Change::StopsAfter(after) => behaviour.stop = *after,
    }
}

/// What the first container's process does: servers run for ever, and of commands the plainest are understood
/// (`exit N`, `sleep N`, `true`, `false`); one that is not understood ends well after a second when its pod is meant
/// to end.
fn process(pod: &Value, restart: RestartPolicy) -> Process {
    if environment(pod, "START_FAIL") == Some("true") {
        return Process::Exits { after: Duration::ZERO, exit: Exit::Failed(1) };
    }
    let list = |key: &str| {
        let words = pod.at(&format!("/spec/containers/0/{key}")).and_then(Value::as_array);
        words.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    };
    let script = format!("{} {}", list("command"), list("args"));
    let words: Vec<&str> =
        script.split(|c: char| c.is_whitespace() || c == ';' || c == '&').take(WORDS_MAX).collect();
    let mut after = Duration::ZERO;
    let mut exit = None;
    for (index, word) in words.iter().enumerate() {
        let next = words.get(index + 1).copied().unwrap_or_default();
        match word.rsplit('/').next().unwrap_or_default() {
            "sleep" => {
                let plain = next.parse().ok().map(Duration::from_secs_f64);
                after += plain.or_else(|| duration(next)).unwrap_or_default();
                exit = exit.or(Some(Exit::Completed));
            }
            "exit" => {
                let code = next.parse().unwrap_or(0);
                exit = Some(if code == 0 { Exit::Completed } else { Exit::Failed(code) });
            }
            "false" => exit = Some(Exit::Failed(1)),
            "true" => exit = Some(Exit::Completed),
            _ => {}
        }
    }
    match exit {
        Some(exit) => Process::Exits { after, exit },
        // The demo server, which says how it ends, goes on until then; `--help` makes an end of it.
        None if environment(pod, "SHUTDOWN_GRACE_SECONDS").is_some() && !words.contains(&"--help") => {
            Process::Runs
        }
        None if restart == RestartPolicy::Always => Process::Runs,
        None => Process::Exits { after: Duration::from_secs(1), exit: Exit::Completed },
    }
}
