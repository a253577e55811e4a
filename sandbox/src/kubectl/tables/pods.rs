//! The row of a pod: its state is told by its containers before its phase.

use super::age;
use super::read::{NONE, Reader};
use crate::Dig;
use serde_json::{Value, json};

/// Name, ready, status, restarts, age; wide: address, node, nominated node, readiness gates.
pub(super) fn cells(pod: Reader<'_>) -> Vec<Value> {
    let state = State::of(pod);
    let address = pod.text("/status/podIPs/0/ip").or_else(|| pod.text("/status/podIP")).unwrap_or(NONE);
    vec![
        pod.name(),
        format!("{}/{}", state.ready, state.total).into(),
        state.reason.clone().into(),
        state.restarts.show(pod).into(),
        pod.age(),
        address.into(),
        pod.text_or("/spec/nodeName", NONE),
        pod.text_or("/status/nominatedNodeName", NONE),
        gates(pod).into(),
    ]
}

/// Why nobody waits for this pod any more: kubectl greys such rows out.
pub(super) fn ended(pod: &Value) -> Option<Value> {
    let (reason, message) = match pod.at("/status/phase")?.as_str()? {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!({"type": "Completed", "status": "True", "reason": reason, "message": message}))
}

/// How often containers were started again, and when a container ended last (RFC 3339).
#[derive(Debug, Default, Clone)]
struct Restarts {
    count: i64,
    last: Option<String>,
}

impl Restarts {
    fn add(&mut self, container: Reader<'_>) {
        self.count += container.number("/restartCount");
        let ended = container.text("/lastState/terminated/finishedAt").map(str::to_owned);
        // Whole seconds in UTC, all written alike: text compares as time does.
        self.last = self.last.take().max(ended);
    }

    fn show(&self, pod: Reader<'_>) -> String {
        match self.last.as_deref().and_then(|last| age::since(last, pod.now)) {
            Some(age) if self.count > 0 => format!("{} ({age} ago)", self.count),
            _ => self.count.to_string(),
        }
    }
}

struct State {
    ready: usize,
    total: usize,
    reason: String,
    restarts: Restarts,
}

impl State {
    fn of(pod: Reader<'_>) -> Self {
        let phase = pod.text("/status/phase").unwrap_or_default();
        let reason = pod.text("/status/reason").unwrap_or(phase);
        let sidecars = pod.items("/spec/initContainers").filter(|one| is_sidecar(*one)).count();
        let mut state = Self {
            ready: 0,
            total: pod.count("/spec/containers") + sidecars,
            reason: reason.to_owned(),
            restarts: Restarts::default(),
        };
        let gated = pod.items("/status/conditions").any(|condition| {
            condition.text("/type") == Some("PodScheduled")
                && condition.text("/reason") == Some("SchedulingGated")
        });
        if gated {
            state.reason = "SchedulingGated".to_owned();
        }
        let (initializing, of_sidecars) = state.initialization(pod);
        if !initializing || pod.condition("Initialized") == Some(true) {
            // Restarts of init containers count only while these run; those of sidecars always do.
            state.restarts = of_sidecars;
            state.running(pod);
        }
        if pod.is_deleted() {
            if pod.text("/status/reason") == Some("NodeLost") {
                state.reason = "Unknown".to_owned();
            } else if !matches!(phase, "Succeeded" | "Failed") {
                state.reason = "Terminating".to_owned();
            }
        }
        state
    }

    /// Looks at init containers; true while one of them holds the pod back. Also the sidecars' restarts.
    fn initialization(&mut self, pod: Reader<'_>) -> (bool, Restarts) {
        let mut of_sidecars = Restarts::default();
        let count = pod.count("/spec/initContainers");
        for (index, container) in pod.items("/status/initContainerStatuses").enumerate() {
            let name = container.text("/name");
            let sidecar =
                pod.items("/spec/initContainers").any(|one| one.text("/name") == name && is_sidecar(one));
            self.restarts.add(container);
            if sidecar {
                of_sidecars.add(container);
            }
            if container.at("/state/terminated").is_some()
                && container.number("/state/terminated/exitCode") == 0
            {
                continue;
            }
            if sidecar && is_true(container, "/started") {
                self.ready += usize::from(is_true(container, "/ready"));
                continue;
            }
            let waiting =
                container.text("/state/waiting/reason").filter(|reason| *reason != "PodInitializing");
            self.reason = match (ended_reason(container), waiting) {
                (Some(reason), _) => format!("Init:{reason}"),
                (None, Some(reason)) => format!("Init:{reason}"),
                (None, None) => format!("Init:{index}/{count}"),
            };
            return (true, of_sidecars);
        }
        (false, of_sidecars)
    }

    /// Looks at the containers from the last to the first: the first that has something to say is heard.
    fn running(&mut self, pod: Reader<'_>) {
        let mut any_runs = false;
        for container in pod.items("/status/containerStatuses").rev() {
            self.restarts.add(container);
            if let Some(reason) = container.text("/state/waiting/reason") {
                self.reason = reason.to_owned();
            } else if let Some(reason) = ended_reason(container) {
                self.reason = reason;
            } else if is_true(container, "/ready") && container.at("/state/running").is_some() {
                any_runs = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && any_runs {
            let ready = pod.condition("Ready") == Some(true);
            self.reason = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
}

fn is_sidecar(container: Reader<'_>) -> bool {
    container.text("/restartPolicy") == Some("Always")
}

fn is_true(container: Reader<'_>, path: &str) -> bool {
    container.at(path) == Some(&Value::Bool(true))
}

fn ended_reason(container: Reader<'_>) -> Option<String> {
    container.at("/state/terminated")?;
    let signal = container.number("/state/terminated/signal");
    Some(match container.text("/state/terminated/reason") {
        Some(reason) => reason.to_owned(),
        None if signal != 0 => format!("Signal:{signal}"),
        None => format!("ExitCode:{}", container.number("/state/terminated/exitCode")),
    })
}

/// How many of the pod's readiness gates are open.
fn gates(pod: Reader<'_>) -> String {
    let gates = pod.items("/spec/readinessGates");
    match gates.clone().count() {
        0 => NONE.to_owned(),
        all => {
            let open = gates
                .filter_map(|gate| gate.text("/conditionType"))
                .filter(|kind| pod.condition(kind) == Some(true))
                .count();
            format!("{open}/{all}")
        }
    }
}
