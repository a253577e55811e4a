//! Filling in defaults, and dropping nulls where the schema allows none.

use serde_json::Value;

use super::node::Node;

/// Fills in the defaults of `value`'s members and below.
///
/// A null where null is not allowed counts as absent: it takes the default, or goes. In lists it stays when there is
/// no default, because dropping it would move the other elements; validation refuses it.
pub(super) fn fill(node: &Node, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, property) in &node.properties {
                let Some(default) = &property.default else {
                    continue;
                };
                match fields.get_mut(name) {
                    None => {
                        fields.insert(name.clone(), default.clone());
                    }
                    Some(slot) if slot.is_null() && !property.nullable => *slot = default.clone(),
                    Some(_) => {}
                }
            }
            fields.retain(|name, value| {
                let Some((member, _)) = node.member(name) else {
                    return true;
                };
                fill_member(member, value)
            });
        }
        Value::Array(elements) => {
            if let Some(items) = &node.items {
                for element in elements {
                    fill_member(items, element);
                }
            }
        }
        _ => {}
    }
}

/// Fills in one member; false when it is a null that is not allowed and has no default.
fn fill_member(node: &Node, value: &mut Value) -> bool {
    if value.is_null() && !node.nullable {
        let Some(default) = &node.default else {
            return false;
        };
        *value = default.clone();
    }
    fill(node, value);
    true
}
