//! What lies where in an object.

use serde_json::Value;

/// Finds what lies at a path.
pub trait Dig {
    /// What lies at a path like `/spec/replicas`. As [`Value::pointer`], for keys without `~`: that one makes two new
    /// strings of each key, and objects are looked into some hundred times for each request.
    fn at(&self, path: &str) -> Option<&Value>;
}

impl Dig for Value {
    fn at(&self, path: &str) -> Option<&Value> {
        let mut keys = path.split('/');
        // A path begins with a slash, or is empty and means the whole.
        if !keys.next()?.is_empty() {
            return None;
        }
        keys.try_fold(self, |value, key| match value {
            Self::Object(map) => map.get(key),
            Self::Array(list) => list.get(key.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Dig;
    use serde_json::json;

    #[test]
    fn it_finds_what_a_pointer_finds() {
        let value = json!({"a": {"b": [{"c": 1}, 2], "": 3}, "x": null});
        for path in
            ["", "/a", "/a/b", "/a/b/0/c", "/a/b/1", "/a/b/2", "/a/b/x", "/a/", "/x", "/x/y", "/no", "a"]
        {
            assert_eq!(value.at(path), value.pointer(path), "{path}");
        }
    }
}
