//! Images of a Rollout's pods, as text: no form of an image is taken apart.

use anyhow::bail;
use crds::Rollout;
use serde_json::{Value, json};

/// Where a pod's containers stand.
const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

fn containers(template: &Value) -> impl Iterator<Item = (&'static str, &Vec<Value>)> {
    LISTS.into_iter().filter_map(|list| Some((list, template.pointer(&format!("/spec/{list}"))?.as_array()?)))
}

/// All images of a pod template.
pub(crate) fn of_template(template: &Value) -> Vec<String> {
    let all = containers(template).flat_map(|(_, list)| list);
    all.filter_map(|container| container.get("image")?.as_str().map(str::to_owned)).collect()
}

/// The Rollout's pod template as JSON.
pub(crate) fn template(rollout: &Rollout) -> Value {
    serde_json::to_value(&rollout.spec.template).unwrap_or_default()
}

/// The patch of a pod template that gives containers other images. `wanted` are words `CONTAINER=IMAGE`; `*` is every
/// container.
///
/// # Errors
/// When a word has no `=`, or names a container that the template does not have.
pub(crate) fn patch(template: &Value, wanted: &[String]) -> anyhow::Result<Value> {
    let mut lists: Vec<(&str, Vec<Value>)> =
        containers(template).map(|(name, list)| (name, list.clone())).collect();
    for word in wanted {
        let Some((name, image)) =
            word.split_once('=').filter(|(name, image)| !name.is_empty() && !image.is_empty())
        else {
            bail!("{word:?} is no CONTAINER=IMAGE, such as web=registry.example/web:2");
        };
        let mut found = false;
        for container in lists.iter_mut().flat_map(|(_, list)| list) {
            let is_meant = name == "*" || container.get("name").and_then(Value::as_str) == Some(name);
            if let (true, Some(container)) = (is_meant, container.as_object_mut()) {
                container.insert("image".to_owned(), json!(image));
                found = true;
            }
        }
        if !found {
            bail!("unable to find container named {name:?}");
        }
    }
    // Whole lists: a merge patch knows no other way to change one entry.
    let spec: serde_json::Map<String, Value> =
        lists.into_iter().map(|(name, list)| (name.to_owned(), Value::Array(list))).collect();
    Ok(json!({"spec": spec}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods() -> Value {
        json!({"spec": {
            "initContainers": [{"name": "init", "image": "a:1"}],
            "containers": [{"name": "web", "image": "b:1", "env": [{"name": "X", "value": "1"}]}, {"name": "side", "image": "c:1"}],
        }})
    }

    #[test]
    fn one_container_or_all_of_them() {
        let words = |text: &str| vec![text.to_owned()];
        let one = patch(&pods(), &words("web=registry.example:5000/b@sha256:0a")).unwrap();
        let containers = &one["spec"]["containers"];
        assert_eq!(containers[0]["image"], "registry.example:5000/b@sha256:0a");
        assert_eq!(containers[0]["env"][0]["value"], "1", "the rest is kept");
        assert_eq!(containers[1]["image"], "c:1");
        let all = patch(&pods(), &words("*=d:2")).unwrap();
        assert_eq!(of_template(&all), ["d:2", "d:2", "d:2"]);
    }

    #[test]
    fn a_container_that_is_not_there_is_named() {
        let error = |word: &str| patch(&pods(), &[word.to_owned()]).unwrap_err().to_string();
        assert_eq!(error("none=x"), "unable to find container named \"none\"");
        assert!(error("web").contains("is no CONTAINER=IMAGE"));
    }
}
