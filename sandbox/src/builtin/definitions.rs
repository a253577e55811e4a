//! The controller of CustomResourceDefinitions: one that is deleted takes its objects with it.

use super::views;
use crate::api::{ApiServer, At, Part, kinds};
use serde_json::Value;

/// One look at a definition.
pub(super) fn look(api: &mut ApiServer, at: &At) {
    if api.get(at).is_none_or(|definition| !views::is_deleting(&definition.value)) {
        return;
    }
    let _ = api.change(at, Part::Main, false, |old| {
        let mut new = old.clone();
        if let Some(list) = new.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
            list.retain(|name| name != kinds::DEFINITION_FINALIZER);
        }
        Ok(new)
    });
}
