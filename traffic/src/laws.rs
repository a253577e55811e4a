//! What holds for every router, on whatever objects: checked by each router's own property tests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use crate::{Objects, Router};
use planner::traffic::Intent;
use serde_json::Value;
use std::sync::Arc;

/// The objects once `intent` is carried out.
pub(crate) fn carry_out(router: &dyn Router, objects: &Objects, intent: &Intent) -> Objects {
    let mut after = objects.clone();
    for edit in router.edit(objects, intent).expect("it can be edited") {
        after.0.insert(edit.object, Arc::new(edit.to));
    }
    after
}

/// Round trip, idempotence, and foreign fields that stay as they are. `foreign` takes out of an object what is ours.
pub(crate) fn hold(
    router: &dyn Router,
    objects: &Objects,
    intent: &Intent,
    foreign: impl Fn(&Value) -> Value,
) {
    let intent = intent.within(router.abilities());
    let after = carry_out(router, objects, &intent);
    let observed = router.observe(&after).expect("what was edited can be read");
    assert!(observed.shows(&intent), "{router:?} shows {observed:?} after it was asked for {intent:?}");
    let again = router.edit(&after, &intent).expect("it can be edited again");
    assert_eq!(again, Vec::new(), "an edit of what shows the intent changes something");
    for (reference, before) in &objects.0 {
        let text = |value: &Value| serde_json::to_string(&foreign(value)).unwrap();
        assert_eq!(text(before), text(&after.0[reference]), "a foreign field of {reference:?} has changed");
    }
}
