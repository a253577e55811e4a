//! `status`: prints each change until the Rollout is where the person or the pipeline waits for. `[cli.status]`

use crate::args::{Output, Status};
use crate::cluster::Cluster;
use crate::terminal::Terminal;
use crate::view::summary;
use crate::workload::Seen;
use crate::{images, phase};
use anyhow::bail;
use controller::connection::duration;
use crds::Rollout;
use futures::StreamExt;
use kube::ResourceExt;
use kube::runtime::{WatchStreamExt, watcher};
use std::time::Duration;

const DEGRADED: u8 = 1;
const TIMEOUT: u8 = 2;
const WAITS: u8 = 3;

pub(crate) async fn run(cluster: &Cluster<'_>, args: &Status) -> anyhow::Result<u8> {
    let limit = duration("--timeout", &args.timeout)?;
    let rollout = cluster.rollout(&args.rollout).await?;
    if !args.watch {
        let look = Look::of(&rollout, Seen::of(cluster, &rollout).await.as_ref(), args);
        cluster.terminal.say(&look.line)?;
        if look.phase == "Degraded" {
            tell_degraded(cluster, &look);
        }
        return Ok(look.code_at_once(args));
    }
    let mut last = None;
    let ended = tokio::select! {
        biased;
        ended = wait(cluster, args, &mut last) => Some(ended?),
        () = end_of(limit, cluster.terminal) => None,
    };
    match ended {
        Some(look) if look.phase == "Degraded" => {
            tell_degraded(cluster, &look);
            Ok(DEGRADED)
        }
        Some(look) => Ok(if args.exit_code { look.code() } else { 0 }),
        None => {
            cluster.terminal.warn(format_args!("Error: Rollout status watch exceeded timeout"));
            let waits = last.is_some_and(|look: Look| look.is_target && look.waits);
            Ok(match (args.exit_code, waits) {
                (false, _) => 1,
                (true, true) => WAITS,
                (true, false) => TIMEOUT,
            })
        }
    }
}

fn tell_degraded(cluster: &Cluster<'_>, look: &Look) {
    let message = &look.message;
    cluster.terminal.warn(format_args!("Error: The rollout is in a degraded state with message: {message}"));
}

/// The time is over, or the person has had enough.
async fn end_of(limit: Option<Duration>, terminal: &Terminal) {
    let interrupted = terminal.interrupted();
    match limit {
        Some(limit) => drop(tokio::time::timeout(limit, interrupted).await),
        None => interrupted.await,
    }
}

/// What one look at the Rollout says.
#[derive(Clone, Debug)]
struct Look {
    phase: String,
    message: String,
    line: String,
    /// Whether it is the target that was asked for: another revision or image does not count.
    is_target: bool,
    /// Whether it goes on only when a person promotes it.
    waits: bool,
}

impl Look {
    fn of(rollout: &Rollout, workload: Option<&Seen>, args: &Status) -> Self {
        let (mut phase, mut message) = phase::phase(rollout);
        let observed = rollout.status.as_ref().map_or("", |status| &status.workload_observed_generation);
        // The annotation comes a moment after the workload's change; until then all looks as it was. What is Degraded
        // may wait for the workload for ever.
        let is_behind =
            |seen: &Seen| observed.parse::<i64>().is_ok_and(|observed| observed < seen.generation);
        if phase != "Degraded" && workload.is_some_and(is_behind) {
            (phase, message) = ("Progressing".to_owned(), phase::WORKLOAD_UNOBSERVED.to_owned());
        }
        let line = match args.output {
            Some(Output::Json) => summary::as_json(rollout, &phase, &message).to_string(),
            None => line(&phase, &message, args.watch),
        };
        let revision = rollout.annotations().get(crds::meta::REVISION_ANNOTATION);
        let revision = revision.and_then(|text| text.parse::<i64>().ok());
        let images = workload
            .map_or_else(|| images::of_template(&images::template(rollout)), |seen| seen.images.clone());
        let has_image = |wanted: &String| images.contains(wanted);
        let is_target = args.revision.is_none_or(|wanted| revision.is_some_and(|at| at >= wanted))
            && args.image.as_ref().is_none_or(has_image);
        let waits = phase == "Paused" && waits_for_a_person(rollout);
        Self { phase, message, line, is_target, waits }
    }

    fn is_end(&self, args: &Status) -> bool {
        self.is_target
            && (self.phase == "Degraded"
                || args.until.iter().any(|until| until.phase() == self.phase)
                // Who asked for codes is told at once that it is a person's turn.
                || args.exit_code && self.waits)
    }

    /// Without a wait. An older target than the one asked for never passes.
    fn code_at_once(&self, args: &Status) -> u8 {
        match (self.is_target, args.exit_code) {
            // On its way is not there: only a wait can tell that it will be.
            (true, true) if self.code() == 0 && !self.is_end(args) => TIMEOUT,
            (true, true) => self.code(),
            (true, false) => u8::from(self.phase == "Degraded"),
            (false, true) => TIMEOUT,
            (false, false) => 1,
        }
    }

    fn code(&self) -> u8 {
        match self.phase.as_str() {
            "Degraded" => DEGRADED,
            _ if self.waits => WAITS,
            _ => 0,
        }
    }
}

/// No time ends the pause: the step has no duration, or promotion is by hand, or a person has paused it.
fn waits_for_a_person(rollout: &Rollout) -> bool {
    let strategy = rollout.spec.strategy.clone().unwrap_or_default();
    if rollout.spec.paused == Some(true) {
        return true;
    }
    if let Some(blue_green) = strategy.blue_green {
        return blue_green.auto_promotion_enabled == Some(false)
            && blue_green.auto_promotion_seconds.unwrap_or(0) == 0;
    }
    let status = rollout.status.clone().unwrap_or_default();
    let index = status.current_step_index.and_then(|index| usize::try_from(index).ok());
    let steps = strategy.canary.and_then(|canary| canary.steps).unwrap_or_default();
    match index.and_then(|index| steps.get(index)).and_then(|step| step.pause.as_ref()) {
        Some(pause) => pause.duration.is_none(),
        // Paused at another step: its analysis was inconclusive.
        None => true,
    }
}

/// Prints each change of the target; `last` is what was seen last.
async fn wait(cluster: &Cluster<'_>, args: &Status, last: &mut Option<Look>) -> anyhow::Result<Look> {
    let config = watcher::Config::default().fields(&format!("metadata.name={}", args.rollout));
    let mut changes = watcher(cluster.rollouts(), config).default_backoff().boxed();
    let mut shown = String::new();
    while let Some(change) = changes.next().await {
        let rollout = match change {
            Ok(watcher::Event::Apply(rollout) | watcher::Event::InitApply(rollout)) => rollout,
            Ok(watcher::Event::Delete(_)) => bail!("rollouts.argoproj.io {:?} was deleted", args.rollout),
            Ok(watcher::Event::Init | watcher::Event::InitDone) => continue,
            Err(error) if super::is_refused(&error) => return Err(error.into()),
            Err(error) => {
                cluster.terminal.warn(format_args!("Warning: {error}; trying again"));
                continue;
            }
        };
        let look = Look::of(&rollout, Seen::of(cluster, &rollout).await.as_ref(), args);
        if look.is_target && look.line != shown {
            cluster.terminal.say(&look.line)?;
            shown.clone_from(&look.line);
        }
        if look.is_end(args) {
            return Ok(look);
        }
        *last = Some(look);
    }
    bail!("the watch of rollout '{}' ended", args.rollout)
}

/// The message says why. Where nobody waits, `Healthy` and `Degraded` stand alone.
fn line(phase: &str, message: &str, waits: bool) -> String {
    let is_end = phase == "Healthy" || phase == "Degraded";
    if (is_end && !waits) || message.is_empty() { phase.to_owned() } else { format!("{phase} - {message}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Until;
    use serde_json::{Value, json};

    fn args() -> Status {
        Status {
            rollout: "web".to_owned(),
            watch: true,
            timeout: "0".to_owned(),
            revision: None,
            image: None,
            until: vec![Until::Healthy],
            exit_code: false,
            output: None,
        }
    }

    fn rollout(phase: &str, pause: &Value) -> Rollout {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "generation": 3, "annotations": {"rollout.argoproj.io/revision": "2"}},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "r:5000/web:2"}]}},
                "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": pause}]}}},
            "status": {"observedGeneration": "3", "phase": phase, "message": "why", "currentStepIndex": 1},
        }))
        .unwrap()
    }

    #[test]
    fn lines_carry_the_message_where_it_tells_something() {
        assert_eq!(line("Healthy", "x", false), "Healthy");
        assert_eq!(line("Degraded", "x", false), "Degraded");
        assert_eq!(line("Degraded", "x", true), "Degraded - x");
        assert_eq!(line("Paused", "CanaryPauseStep", false), "Paused - CanaryPauseStep");
        let json = Status { output: Some(Output::Json), ..args() };
        let line: Value =
            serde_json::from_str(&Look::of(&rollout("Paused", &json!({})), None, &json).line).unwrap();
        assert_eq!(
            (&line["phase"], &line["setWeight"], &line["revision"]),
            (&json!("Paused"), &json!(20), &json!("2"))
        );
    }

    #[test]
    fn an_older_target_never_ends_the_wait() {
        let healthy = rollout("Healthy", &json!({}));
        let ends = |args: &Status| Look::of(&healthy, None, args).is_end(args);
        assert!(ends(&args()));
        for (revision, image, want) in [
            (Some(2), None, true),
            (Some(3), None, false),
            (None, Some("r:5000/web:2"), true),
            (None, Some("web:2"), false),
            (Some(2), Some("r:5000/web:3"), false),
        ] {
            let asked = Status { revision, image: image.map(str::to_owned), ..args() };
            assert_eq!(ends(&asked), want, "{asked:?}");
            let coded = Status { exit_code: true, revision, image: asked.image.clone(), ..args() };
            let at_once = |args: &Status| Look::of(&healthy, None, args).code_at_once(args);
            assert_eq!(
                (at_once(&asked), at_once(&coded)),
                if want { (0, 0) } else { (1, TIMEOUT) },
                "{asked:?}"
            );
        }
    }

    #[test]
    fn a_pause_ends_the_wait_only_where_that_was_asked_for() {
        let (by_hand, timed) = (rollout("Paused", &json!({})), rollout("Paused", &json!({"duration": "1h"})));
        let coded = Status { exit_code: true, ..args() };
        let until = Status { until: vec![Until::Healthy, Until::Paused], ..args() };
        for (rollout, args, ends, code) in [
            (&by_hand, &args(), false, WAITS),
            (&by_hand, &coded, true, WAITS),
            (&timed, &coded, false, 0),
            (&timed, &until, true, 0),
        ] {
            let look = Look::of(rollout, None, args);
            assert_eq!((look.is_end(args), look.code()), (ends, code), "{look:?}");
        }
        let progressing = Look::of(&rollout("Progressing", &json!({})), None, &coded);
        assert_eq!((progressing.code_at_once(&coded), progressing.code_at_once(&args())), (TIMEOUT, 0));
        let degraded = Look::of(&rollout("Degraded", &json!({})), None, &args());
        assert!(degraded.is_end(&args()) && degraded.code() == DEGRADED);
    }
}
