//! What an answer is waited for.

use crate::pointer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that an answer can be like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// A JSON pointer into the body; `*` stands for every member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The value there. Without `count`: of all that the pointer leads to, which is at least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<Value>,
    /// How many values there are (that are `is`, when that is given).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

impl Condition {
    /// Whether an answer is like this. A condition that says only where asks for anything to be there.
    #[must_use]
    pub fn holds(&self, code: u16, body: &Value) -> bool {
        if self.code.is_some_and(|wanted| wanted != code) {
            return false;
        }
        let Some(at) = &self.at else { return true };
        let found = pointer::select(body, at);
        let equal = found.iter().filter(|value| self.is.as_ref().is_none_or(|is| is == **value)).count();
        match self.count {
            Some(count) => equal == count,
            None => !found.is_empty() && equal == found.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_some_or_none() {
        let body = json!({"items": [{"phase": "Running"}, {"phase": "Pending"}], "n": 2});
        let at =
            |at: &str, is: Option<Value>, count| Condition { code: None, at: Some(at.to_owned()), is, count };
        assert!(at("/n", Some(json!(2)), None).holds(200, &body));
        assert!(!at("/items/*/phase", Some(json!("Running")), None).holds(200, &body));
        assert!(at("/items/*/phase", Some(json!("Running")), Some(1)).holds(200, &body));
        assert!(at("/items/*", None, Some(2)).holds(200, &body));
        assert!(at("/gone", None, Some(0)).holds(200, &body));
        assert!(!at("/gone", None, None).holds(200, &body));
        let code = Condition { code: Some(404), ..Condition::default() };
        assert!(code.holds(404, &body) && !code.holds(200, &body));
    }
}
