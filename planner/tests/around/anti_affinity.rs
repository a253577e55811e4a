//! `[anti-affinity]`

use crate::play::Play;
use serde_json::{Value, json};

fn rules() -> [Value; 2] {
    [
        json!({"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 7}}),
        json!({"requiredDuringSchedulingIgnoredDuringExecution": {}}),
    ]
}

fn strategies(rule: &Value) -> [Value; 2] {
    [
        json!({"canary": {"antiAffinity": rule, "steps": [{"setWeight": 50}, {"pause": {}}]}}),
        json!({"blueGreen": {"antiAffinity": rule, "activeService": "active", "autoPromotionEnabled": false}}),
    ]
}

fn affinity(play: &Play, version: &str) -> Value {
    play.set(version).template.0.pointer("/spec/affinity").cloned().unwrap_or_default()
}

fn expected(play: &Play, rule: &Value, version: &str) -> Value {
    let hash = play.set(version).hash();
    let selector = json!({"matchExpressions":
        [{"key": "rollouts-pod-template-hash", "operator": "In", "values": [hash]}]});
    let term =
        json!({"labelSelector": selector, "namespaces": ["ns"], "topologyKey": "kubernetes.io/hostname"});
    match rule.get("preferredDuringSchedulingIgnoredDuringExecution") {
        Some(preferred) => json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution":
            [{"weight": preferred["weight"], "podAffinityTerm": term}]}}),
        None => {
            json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}})
        }
    }
}

#[test]
fn a_new_version_keeps_off_the_stable_one() {
    for rule in rules() {
        for strategy in strategies(&rule) {
            let mut play = Play::new(2, &strategy);
            assert_eq!(affinity(&play, "h1"), Value::Null, "the first version has nobody to avoid");
            let plain = Play::new(2, &json!({"canary": {}}));
            let hash = |play: &Play, version: &str| play.set(version).hash().to_owned();
            assert_eq!(hash(&play, "h1"), hash(&plain, "h1"));
            play.update("app:2", 30);
            assert_eq!(affinity(&play, "h2"), expected(&play, &rule, "h1"), "{strategy}");
            // The hash is that of the template alone, and the version is found again.
            let sets = play.model.world.replica_sets.len();
            let mut plain = plain;
            plain.update("app:2", 60);
            assert_eq!(hash(&play, "h2"), hash(&plain, "h2"), "{strategy}");
            play.act("promote", 120);
            assert_eq!((play.stable().as_str(), sets), ("h2", play.model.world.replica_sets.len()));
            assert_eq!(affinity(&play, "h2"), expected(&play, &rule, "h1"), "it stays: no write for it");
        }
    }
}

#[test]
fn it_follows_the_stable_version_and_spares_what_is_the_templates_own() {
    let rule = rules()[1].clone();
    for strategy in strategies(&rule) {
        let mut play = Play::new(2, &strategy);
        play.update("app:2", 30);
        play.act("promote", 120);
        // Back to the first version, which was made before there was a stable one.
        play.update("app:1", 30);
        assert_eq!(affinity(&play, "h1"), expected(&play, &rule, "h2"), "{strategy}");
        play.act("promote", 120);
        play.update("app:2", 30);
        assert_eq!(affinity(&play, "h2"), expected(&play, &rule, "h1"), "{strategy}");
        let writes = play.model.replica_set_writes;
        play.run(600);
        assert_eq!(play.model.replica_set_writes, writes);
    }
    let mut play = Play::new(2, &strategies(&rule)[0]);
    let own = json!({"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "demo"}}});
    let mut template = crate::play::template("app:2");
    template["spec"]["affinity"] =
        json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [own]}});
    play.model.patch(&json!({"spec": {"template": template}}));
    play.run(30);
    let terms = affinity(&play, "h2");
    let terms = &terms["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    assert_eq!((terms[0].clone(), terms.as_array().map(Vec::len)), (own, Some(2)));
}
