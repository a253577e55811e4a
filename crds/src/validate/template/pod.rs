//! `spec.template.spec`.

use super::node::Node;
use super::{Invalid, container, labels, volume};
use serde_json::Value;
use std::collections::BTreeSet;

/// Longest name of a kernel parameter, in characters.
const SYSCTL_CHARACTERS_MAX: usize = 253;
const SYSCTL_NAME: &str = "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

/// The whole pod; the order of the checks decides which error is told.
pub(super) fn spec(pod: &Node<'_>) -> Result<(), Invalid> {
    let volumes = volume::volumes(pod)?;
    containers(pod, &volumes)?;
    pod.one_of("restartPolicy", &["Always", "OnFailure", "Never"])?;
    pod.one_of("dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"])?;
    node_selector(pod)?;
    for sysctl in pod.get("securityContext").items("sysctls") {
        sysctl_name(&sysctl)?;
    }
    spread(pod)?;
    for toleration in pod.items("tolerations") {
        self::toleration(&toleration)?;
    }
    if !pod.items("ephemeralContainers").is_empty() {
        let why = "ephemeral containers not allowed in pod template";
        return Err(Invalid::forbidden(pod.at("ephemeralContainers"), why));
    }
    // What a ReplicaSet asks beyond a pod.
    pod.one_of("restartPolicy", &["Always"])?;
    if pod.number("activeDeadlineSeconds").is_some() {
        let why = "activeDeadlineSeconds in ReplicaSet is not Supported";
        return Err(Invalid::forbidden(pod.at("activeDeadlineSeconds"), why));
    }
    Ok(())
}

/// Containers first, then init containers; their names are unique together.
fn containers(pod: &Node<'_>, volumes: &BTreeSet<&str>) -> Result<(), Invalid> {
    let mut names = BTreeSet::new();
    let containers = pod.items("containers");
    if containers.is_empty() {
        return Err(Invalid::required(pod.at("containers"), ""));
    }
    for container in containers.iter().chain(&pod.items("initContainers")) {
        container::check(container, volumes)?;
        let name = container.text("name");
        if !names.insert(name) {
            return Err(Invalid::duplicate(container.at("name"), name));
        }
    }
    Ok(())
}

fn node_selector(pod: &Node<'_>) -> Result<(), Invalid> {
    let selector = pod.get("nodeSelector");
    for (key, value) in selector.value().and_then(Value::as_object).into_iter().flatten() {
        labels::qualified_name(key).map_err(|why| Invalid::value(&selector.path, key, &why))?;
        let value = value.as_str().unwrap_or_default();
        labels::label_value(value).map_err(|why| Invalid::value(&selector.path, &value, &why))?;
    }
    Ok(())
}

fn sysctl_name(sysctl: &Node<'_>) -> Result<(), Invalid> {
    let name = sysctl.required_text("name")?;
    let character = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let segment = |segment: &str| {
        segment.starts_with(character)
            && segment.ends_with(character)
            && segment.chars().all(|c| character(c) || c == '-' || c == '_')
    };
    if name.len() <= SYSCTL_CHARACTERS_MAX && name.split(['.', '/']).all(segment) {
        return Ok(());
    }
    Err(Invalid::value(sysctl.at("name"), &name, SYSCTL_NAME))
}

fn spread(pod: &Node<'_>) -> Result<(), Invalid> {
    let mut seen = BTreeSet::new();
    for constraint in pod.items("topologySpreadConstraints") {
        let skew = constraint.number("maxSkew").unwrap_or(0);
        if skew <= 0 {
            return Err(Invalid::value(constraint.at("maxSkew"), &skew, "must be greater than zero"));
        }
        let key = constraint.text("topologyKey");
        if key.is_empty() {
            return Err(Invalid::required(constraint.at("topologyKey"), "can not be empty"));
        }
        let action = constraint.text("whenUnsatisfiable");
        let actions = ["DoNotSchedule", "ScheduleAnyway"];
        if !actions.contains(&action) {
            return Err(Invalid::unsupported(constraint.at("whenUnsatisfiable"), action, &actions));
        }
        if !seen.insert((key, action)) {
            let path = format!("{}.{{topologyKey, whenUnsatisfiable}}", constraint.path);
            return Err(Invalid::duplicate(path, &format!("{{{key}, {action}}}")));
        }
    }
    Ok(())
}

fn toleration(toleration: &Node<'_>) -> Result<(), Invalid> {
    let (key, operator) = (toleration.text("key"), toleration.text("operator"));
    if !key.is_empty() {
        labels::qualified_name(key).map_err(|why| Invalid::value(toleration.at("key"), &key, &why))?;
    } else if operator != "Exists" {
        let why =
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        return Err(Invalid::value(toleration.at("operator"), &operator, why));
    }
    let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    if toleration.get("tolerationSeconds").is_set() && toleration.text("effect") != "NoExecute" {
        let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        return Err(Invalid::value(toleration.at("effect"), &toleration.text("effect"), why));
    }
    if operator == "Exists" && !toleration.text("value").is_empty() {
        let why = "value must be empty when `operator` is 'Exists'";
        return Err(Invalid::value(toleration.at("operator"), &toleration.text("value"), why));
    }
    toleration.one_of("effect", &effects)
}
