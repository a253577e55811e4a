//! Rollouts whose routers Argo Rollouts refused, and what it said: ours is compared word by word.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "a test reads the folder that it is told")]

use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use traffic::{Objects, fault, read, routers};

/// Where it says something else on purpose: there no Istio was installed, and the server's own words are shown.
const NO_ISTIO: &str = "the server could not find the requested resource";

/// What is said of the first router that has a problem with these objects.
fn said(manifest: &Value, extra: &[Value]) -> Option<String> {
    let rollout: crds::Rollout = serde_json::from_value(manifest.clone()).unwrap();
    routers(&rollout, &|_| Vec::new()).iter().find_map(|router| {
        let references = router.references();
        let istio = references.iter().find(|reference| reference.kind.group == "networking.istio.io");
        let absent = istio.map(|reference| (reference.kind, NO_ISTIO.to_owned()));
        let found = references.iter().filter_map(|reference| {
            let is = |object: &&Value| {
                object["kind"] == reference.kind.kind && object["metadata"]["name"] == *reference.name
            };
            Some((reference.clone(), Arc::new(extra.iter().find(is)?.clone())))
        });
        let problem = read(router.as_ref(), &Objects(found.collect()), absent.as_ref()).err()?;
        let fault = fault(&rollout, router.name(), &problem);
        let path = format!("spec.strategy.canary.trafficRouting.{}", fault.path);
        Some(match fault.value {
            Some(value) => format!("{path}: Invalid value: {value}: {}", fault.message),
            None => format!("{path}: Internal error: {}", fault.message),
        })
    })
}

#[test]
fn routers_are_refused_in_the_same_words() {
    let Some(folder) = std::env::var_os("STEPGATE_PEER_DIR") else {
        println!("STEPGATE_PEER_DIR is not set: verdicts were not compared");
        return;
    };
    let text = std::fs::read_to_string(Path::new(&folder).join("verdicts/validation.jsonl")).unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let message = case["observed"]["invalidSpec"]["message"].as_str().unwrap_or_default();
        let Some((_, theirs)) = message.split_once(" is invalid: ") else { continue };
        let ours = ["istio", "nginx", "alb"]
            .map(|router| format!("spec.strategy.canary.trafficRouting.{router}"))
            .iter()
            .any(|path| theirs.starts_with(path.as_str()));
        if !ours {
            continue;
        }
        compared += 1;
        let extra = case["extra"].as_array().cloned().unwrap_or_default();
        let said = said(&case["manifest"], &extra).map(|text| {
            text.replace(&format!("virtualservices.networking.istio.io cannot be used: {NO_ISTIO}"), NO_ISTIO)
        });
        if said.as_deref() != Some(theirs) {
            wrong.push(format!("{}:\n  theirs {theirs}\n  ours   {said:?}", case["case"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(compared, 23);
}
