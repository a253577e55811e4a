//! Restarts beside updates.

use crate::play::Play;
use serde_json::{Value, json};
use std::time::Duration;

#[test]
pub(crate) fn restart_during_an_update() {
    for tenths in [0, 5, 10, 14, 16, 18, 20, 24, 28] {
        let mut play = Play::new(2, &json!({"canary": {"maxSurge": 1, "maxUnavailable": 0}}));
        play.update("app:2", 0);
        play.model.now = play.model.now.plus(Duration::from_millis(tenths * 100));
        play.model.act("restart", &Value::Null);
        play.watch(120, |play| {
            let ready = play.model.pods.iter().filter(|pod| pod.ready.is_some_and(|at| at <= play.model.now));
            let ready = ready.count();
            // At rest a restart takes one pod, whatever `maxUnavailable` says.
            let least = if play.stable() == "h2" { 1 } else { 2 };
            assert!(ready >= least, "{ready} pods are left after a restart at {tenths} tenths of a second");
        });
        assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h2"));
    }
}
