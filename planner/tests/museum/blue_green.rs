//! Blue-green: Services, gates and delays.

use crate::play::{Play, analysis, template};
use crds::analysis::AnalysisPhase;
use crds::meta;
use serde_json::json;

#[test]
pub(crate) fn finished_update_goes_quiet() {
    let mut play =
        Play::new(3, &json!({"blueGreen": {"activeService": "active", "scaleDownDelaySeconds": 20}}));
    play.update("app:2", 120);
    play.act("abort", 5);
    let writes = play.model.writes;
    play.run(3600);
    assert_eq!(play.model.writes, writes);
}

#[test]
pub(crate) fn second_abort_kills_at_once() {
    let mut play = Play::new(
        3,
        &json!({"blueGreen": {"activeService": "active", "previewService": "preview",
            "autoPromotionEnabled": false, "abortScaleDownDelaySeconds": 30}}),
    );
    play.update("app:2", 20);
    play.act("abort", 5);
    play.act("retry", 60);
    play.act("abort", 0);
    play.watch(25, |play| assert_eq!((play.set("h2").replicas, play.selected("active").as_str()), (3, "h1")));
    play.run(10);
    assert_eq!((play.set("h2").replicas, play.selected("active").as_str()), (0, "h1"));
}

#[test]
pub(crate) fn blank_deadline() {
    let mut play = Play::new(
        3,
        &json!({"blueGreen": {"activeService": "active", "previewService": "preview",
            "autoPromotionEnabled": false, "abortScaleDownDelaySeconds": 60}}),
    );
    play.update("app:2", 20);
    play.act("abort", 30);
    for set in &mut play.model.world.replica_sets {
        if let Some(deadline) = set.annotations.get_mut(meta::SCALE_DOWN_DEADLINE_ANNOTATION) {
            deadline.clear();
        }
    }
    play.watch(58, |play| assert_eq!(play.set("h2").replicas, 3));
    play.run(4);
    assert_eq!(play.set("h2").replicas, 0);
    assert_eq!(play.set("h2").annotations.get(meta::SCALE_DOWN_DEADLINE_ANNOTATION), None);
}

#[test]
pub(crate) fn stable_taken_down_when_the_strategy_changes() {
    let mut play = Play::new(4, &json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}));
    let blue_green = json!({"activeService": "active", "scaleDownDelaySeconds": 30});
    play.model.patch(&json!({"spec": {"template": template("app:bad"),
        "strategy": {"canary": null, "blueGreen": blue_green}}}));
    play.watch(300, |play| assert_eq!(play.set("h1").counts.available, 4));
}

#[test]
pub(crate) fn gate_skipped_by_a_leaked_checkpoint() {
    let mut play = Play::new(
        3,
        &json!({"blueGreen": {"activeService": "active", "previewService": "preview", "previewReplicaCount": 1,
            "autoPromotionEnabled": false, "prePromotionAnalysis": analysis()}}),
    );
    play.script("demo-h2-2-pre", 0, AnalysisPhase::Successful);
    play.script("demo-h3-3-pre", 0, AnalysisPhase::Successful);
    play.update("app:2", 20);
    play.act("promote", 0);
    play.model.set_image("app:3");
    play.watch(600, |play| assert_eq!(play.selected("active"), "h1"));
    assert_eq!(play.status().message, "BlueGreenPause");
}

#[test]
pub(crate) fn stale_deadline_opens_the_gate() {
    let mut play = Play::new(
        3,
        &json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false,
            "scaleDownDelaySeconds": 20}}),
    );
    play.update("app:2", 20);
    play.act("promote", 120);
    assert_eq!(play.selected("active"), "h2");
    play.leave_deadlines(60);
    play.model.set_image("app:1");
    play.watch(120, |play| assert_eq!(play.selected("active"), "h2"));
    assert_eq!(play.status().message, "BlueGreenPause");
}

#[test]
pub(crate) fn gate_opened_by_an_empty_selector() {
    for preview in [None, Some(1)] {
        let mut play = Play::new(
            3,
            &json!({"blueGreen": {"activeService": "active", "previewService": "preview",
                "previewReplicaCount": preview, "autoPromotionEnabled": false,
                "prePromotionAnalysis": analysis()}}),
        );
        play.script("demo-h2-2-pre", 3000, AnalysisPhase::Successful);
        play.update("app:2", 0);
        play.model.world.services.get_mut("active").unwrap().selector.remove(meta::POD_TEMPLATE_HASH_LABEL);
        play.watch(120, |play| {
            assert_eq!(play.selected("active"), "h1");
            assert!(play.set("h2").replicas <= preview.unwrap_or(3));
        });
        assert_eq!(play.status().message, "BlueGreenPause");
        play.act("promote", 20);
        assert_eq!(play.selected("active"), "h2");
    }
}

#[test]
fn gate_opened_by_an_empty_selector_while_a_stable_pod_is_away() {
    let mut play =
        Play::new(3, &json!({"blueGreen": {"activeService": "active", "autoPromotionEnabled": false}}));
    play.update("app:2", 60);
    assert_eq!(play.status().message, "BlueGreenPause");
    play.model.act("deletePod", &json!({"revision": 1}));
    play.model.world.services.get_mut("active").unwrap().selector.remove(meta::POD_TEMPLATE_HASH_LABEL);
    play.watch(60, |play| assert_ne!(play.selected("active"), "h2"));
    assert_eq!(play.selected("active"), "h1");
}

#[test]
fn gate_opened_by_a_change_of_strategy() {
    let mut play = Play::new(4, &json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}));
    let blue_green = json!({"activeService": "active", "autoPromotionEnabled": false});
    play.model.patch(&json!({"spec": {"template": template("app:2"),
        "strategy": {"canary": null, "blueGreen": blue_green}}}));
    play.watch(60, |play| assert_eq!(play.selected("active"), "h1"));
    assert_eq!((play.status().message.as_str(), play.stable().as_str()), ("BlueGreenPause", "h1"));
}

#[test]
pub(crate) fn edited_replicaset_taken_for_the_new_one() {
    let mut play = Play::new(3, &json!({"blueGreen": {"activeService": "active"}}));
    let set = &mut play.model.world.replica_sets[0];
    std::sync::Arc::make_mut(&mut set.template).0["spec"]["containers"][0]["image"] = json!("app:2");
    play.update("app:2", 60);
    assert_eq!((play.set("h2").counts.available, play.selected("active").as_str()), (3, "h2"));
}
