//! Environment variables of a container.

use super::super::steps::is_downward_api_path;
use super::{Invalid, node::Node};

const NAME: &str = "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')";
const SOURCES: [&str; 5] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
/// Fields of a pod, beside its metadata, that a variable can show.
const POD_FIELDS: [&str; 6] = [
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// `env` of a container.
pub(super) fn check(container: &Node<'_>) -> Result<(), Invalid> {
    for variable in container.items("env") {
        let name = variable.required_text("name")?;
        let character = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !name.chars().all(character) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Invalid::value(variable.at("name"), &name, NAME));
        }
        source(&variable)?;
    }
    Ok(())
}

fn source(variable: &Node<'_>) -> Result<(), Invalid> {
    let from = variable.get("valueFrom");
    if !from.is_set() {
        return Ok(());
    }
    let set = SOURCES.iter().filter(|source| from.get(source).is_set()).count();
    if set == 0 {
        let why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        return Err(Invalid::value(from.path, &"", why));
    }
    if !variable.text("value").is_empty() {
        return Err(Invalid::value(from.path, &"", "may not be specified when `value` is not empty"));
    }
    if set > 1 {
        return Err(Invalid::value(from.path, &"", "may not have more than one field specified at a time"));
    }
    let field = from.get("fieldRef");
    if !field.is_set() {
        return Ok(());
    }
    let path = field.required_text("fieldPath")?;
    if is_downward_api_path(path) || POD_FIELDS.contains(&path) {
        return Ok(());
    }
    let why = format!("error converting fieldPath: field label not supported: {path}");
    Err(Invalid::value(field.at("fieldPath"), &path, &why))
}
