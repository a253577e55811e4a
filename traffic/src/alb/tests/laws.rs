//! Whatever the Ingresses are.

use super::*;
use crate::alb::release;
use crate::laws::hold;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Two Ingresses with paths that lead to the root Service and elsewhere.
fn ingresses() -> impl Strategy<Value = Vec<Value>> {
    let path = select(vec![
        path_to("root", "use-annotation"),
        path_to("ssl-redirect", "use-annotation"),
        json!({"path": "/*", "backend": {"service": {"name": "fast", "port": {"number": 80}}}, "foreign": [1, {}]}),
        json!({"path": "/x", "backend": {"resource": {"kind": "Bucket", "name": "files"}}}),
        ingress::path("theirs"),
    ]);
    let rules = prop::collection::vec(prop::collection::vec(path, 0..4), 0..3);
    let action = select(vec![
        None,
        Some("no JSON"),
        Some(
            r#"{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"stable","servicePort":80}]}}"#,
        ),
        Some(
            r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[{"TargetGroupARN":"arn:x"},{"Weight":5}]}}"#,
        ),
        Some(r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[]}}"#),
    ]);
    let ledger = select(vec![
        None,
        Some(r#"{"guestbook":["alb.ingress.kubernetes.io/actions.root"]}"#),
        Some(r#"{ "odd": 7, "other": ["alb.ingress.kubernetes.io/actions.theirs"] }"#),
        Some(r#"{"guestbook":null,"other":[]}"#),
        Some(r#"{"guestbook":["alb.ingress.kubernetes.io/conditions.wide",{}]}"#),
    ]);
    let one = (rules, action, ledger, any::<bool>(), any::<bool>()).prop_map(
        |(rules, action, ledger, old, bare)| {
            let mut ingress = web();
            if bare {
                ingress["metadata"] = json!({"name": "web", "labels": {"z": "1", "a": "2"}});
            }
            let list = ingress["spec"]["rules"].as_array_mut().unwrap();
            list.extend(
                rules.into_iter().map(|paths| json!({"host": "h", "http": {"paths": paths, "foreign": {}}})),
            );
            list.push(json!({"host": "without paths"}));
            let theirs = ("alb.ingress.kubernetes.io/conditions.theirs", Some("[]"));
            let old = (OLD_LEDGER, old.then_some("{}"));
            for (key, text) in [theirs, (ACTION, action), (LEDGER, ledger), old] {
                if let Some(text) = text {
                    ingress["metadata"]["annotations"][key] = json!(text);
                }
            }
            ingress
        },
    );
    prop::collection::vec(one, 2).prop_map(|mut ingresses| {
        ingresses[1]["metadata"]["name"] = json!("more");
        ingresses
    })
}

fn intents() -> impl Strategy<Value = Intent> {
    let routes = prop::sample::subsequence(vec!["fast", "slow", "wide"], 0..=3).prop_shuffle();
    (0..=80, prop::collection::vec(0..=10, 0..=2), routes).prop_map(|(weight, experiments, routes)| {
        let mut wanted = with_routes(weight, &routes);
        for (number, weight) in experiments.into_iter().enumerate() {
            wanted.additional.push(share(&format!("experiment-{number}"), weight));
            wanted.stable.weight -= weight;
        }
        wanted.routes.push(Route::Mirror { name: "mirror".to_owned(), matches: Vec::new(), percentage: 5 });
        wanted
    })
}

/// An Ingress without all that is ours: what Rollout `guestbook` writes on it.
fn foreign(ingress: &Value) -> Value {
    let mut left = ingress.clone();
    let mut others = Ledger::of(ingress).unwrap();
    others.forget("guestbook");
    let is_ours = |key: &str| {
        let routes = ["fast", "slow", "wide"];
        let routes = routes.iter().any(|name| key.ends_with(&format!(".{name}")));
        routes || [ACTION, LEDGER, OLD_LEDGER].contains(&key)
    };
    if let Some(annotations) = ingress::annotations_mut(&mut left) {
        annotations.retain(|key, _| !is_ours(key));
    }
    for paths in ingress::rules_mut(&mut left) {
        paths.retain(|path| {
            !ingress::action(path).is_some_and(|name| ["fast", "slow", "wide"].contains(&name))
        });
    }
    json!([left, others.text()])
}

/// Puts something else in one place of the JSON.
fn spoil(value: &mut Value, place: &Index, junk: &Value) {
    fn places(value: &Value, here: &str, all: &mut Vec<String>) {
        all.push(here.to_owned());
        let token = |key: &str| key.replace('~', "~0").replace('/', "~1");
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, value)| places(value, &format!("{here}/{}", token(key)), all));
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, value)| places(value, &format!("{here}/{at}"), all));
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    places(value, "", &mut all);
    *value.pointer_mut(place.get::<String>(&all)).unwrap() = junk.clone();
}

fn both() -> Box<dyn Router> {
    router(&json!({"ingress": null, "ingresses": ["web", "more"]}))
}

proptest! {
    #[test]
    fn every_intent_is_shown_and_nothing_else_changes(
        ingresses in ingresses(), intents in prop::collection::vec(intents(), 1..4), sticky in any::<bool>(),
    ) {
        let sticky = json!({"enabled": sticky, "durationSeconds": 60});
        let router = router(&json!({"ingress": null, "ingresses": ["web", "more"], "stickinessConfig": sticky}));
        let mut now = objects(&ingresses);
        for intent in intents {
            hold(&*router, &now, &intent, foreign);
            now = carry_out(&*router, &now, &intent);
        }
    }

    /// Nobody can tell from the Ingress that a route was there.
    #[test]
    fn a_route_leaves_nothing_behind(ingresses in ingresses(), routed in intents()) {
        let plain = intent(10);
        let without = carry_out(&*both(), &objects(&ingresses), &plain);
        let with = carry_out(&*both(), &without, &Intent { routes: routed.routes, ..plain.clone() });
        prop_assert_eq!(carry_out(&*both(), &with, &plain), without);
    }

    #[test]
    fn a_rollout_that_leaves_takes_only_its_own_along(ingresses in ingresses(), intent in intents()) {
        let others = ["other", "odd"].map(str::to_owned).into();
        let all = ["other", "odd", "guestbook"].map(str::to_owned).into();
        for ingress in carry_out(&*both(), &objects(&ingresses), &intent).0.values() {
            prop_assert_eq!(release(ingress, &all).unwrap(), None);
            let released = release(ingress, &others).unwrap().unwrap();
            prop_assert_eq!(release(&released, &others).unwrap(), None);
            prop_assert_eq!(foreign(ingress), foreign(&released));
            let action = super::super::Action::parse(text(&released, ACTION)).unwrap();
            prop_assert_eq!(action.split("root", ""), planner::traffic::Split { canary: 100, ..Default::default() });
            let gone = ["fast", "slow", "wide"];
            prop_assert!(!ingress::rules(&released).flatten().filter_map(ingress::action).any(|name| gone.contains(&name)));
        }
    }

    /// Junk anywhere is a problem to be told, or it is put right or left; it ends nothing.
    #[test]
    fn no_shape_ends_it(
        mut ingresses in ingresses(), first in intents(), then in intents(),
        spoils in prop::collection::vec((any::<Index>(), select(vec![
            json!(null), json!(true), json!(-1.5), json!(u64::MAX), json!("text"), json!([[]]), json!({"name": {}}),
            json!("{\"Type\":\"forward\",\"ForwardConfig\":{\"TargetGroups\":[{\"Weight\":99999999999999999999}]}}"),
        ])), 1..4),
    ) {
        ingresses = carry_out(&*both(), &objects(&ingresses), &first).0.values().map(|one| (**one).clone()).collect();
        let keys = ingresses.iter().map(|one| reference(one["metadata"]["name"].as_str().unwrap())).collect::<Vec<_>>();
        for ingress in &mut ingresses {
            for (place, junk) in &spoils {
                spoil(ingress, place, junk);
            }
            let _ = release(ingress, &std::collections::BTreeSet::new());
        }
        let spoilt = Objects(keys.into_iter().zip(ingresses.into_iter().map(Arc::new)).collect());
        let _ = both().observe(&spoilt);
        if both().edit(&spoilt, &then).is_ok() {
            let then = then.within(both().abilities());
            let after = carry_out(&*both(), &spoilt, &then);
            prop_assert!(both().observe(&after).unwrap().shows(&then));
            prop_assert_eq!(both().edit(&after, &then).unwrap(), Vec::new());
        }
    }
}
