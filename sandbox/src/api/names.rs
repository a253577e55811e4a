//! The rules of names, labels and finalizers, with the sentences of the API server.

use super::failure::Cause;
use super::registry::ResourceType;

/// Longest name of an object.
const NAME_MAX_LETTERS: usize = 253;
/// Longest name that must be a DNS label.
const LABEL_MAX_LETTERS: usize = 63;

/// Longest part of a qualified name, and longest value of a label.
const PART_MAX_LETTERS: usize = 63;
/// Finalizers without a prefix that Kubernetes itself uses.
pub(super) const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
pub(super) const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// Whether it is a DNS label.
pub(super) fn is_label(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(letter) && name.ends_with(letter) && name.chars().all(|c| letter(c) || c == '-')
}

fn is_word(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(letter) && text.ends_with(letter) && text.chars().all(|c| letter(c) || "-_.".contains(c))
}

/// What is wrong with a name of the form `example.com/name`, where the prefix may be missing.
pub(super) fn qualified_fault(name: &str) -> Option<String> {
    let own = match name.split_once('/') {
        Some((prefix, _)) if !prefix.split('.').all(is_label) => {
            return Some(format!("prefix part {SUBDOMAIN}"));
        }
        Some((_, own)) => own,
        None => name,
    };
    if own.is_empty() {
        return Some("name part must be non-empty".to_owned());
    }
    if own.len() > PART_MAX_LETTERS {
        return Some(format!("name part must be no more than {PART_MAX_LETTERS} bytes"));
    }
    (!is_word(own)).then(|| format!("name part {QUALIFIED}"))
}

/// What is wrong with the value of a label.
pub(super) fn label_value_fault(value: &str) -> Option<String> {
    if value.len() > PART_MAX_LETTERS {
        return Some(format!("must be no more than {PART_MAX_LETTERS} bytes"));
    }
    (!value.is_empty() && !is_word(value)).then(|| LABEL_VALUE.to_owned())
}

/// What is wrong with a key of a ConfigMap or Secret.
pub(super) fn config_key_fault(key: &str) -> Option<String> {
    let good = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    (!good).then(|| CONFIG_KEY.to_owned())
}

/// What is wrong with the name of a new object.
pub(super) fn name_fault(resource: &ResourceType, name: &str) -> Option<Cause> {
    let (rule, max, first) = if resource.is("", "Service") {
        (LABEL_1035, LABEL_MAX_LETTERS, true)
    } else if resource.is("", "Namespace") {
        (LABEL, LABEL_MAX_LETTERS, false)
    } else if resource.group == "rbac.authorization.k8s.io" {
        return None;
    } else {
        (SUBDOMAIN, NAME_MAX_LETTERS, false)
    };
    let invalid = |why: &str| Cause {
        reason: "FieldValueInvalid",
        field: "metadata.name".to_owned(),
        message: format!("Invalid value: {name:?}: {why}"),
    };
    if name.len() > max {
        // The rules of labels are older than the habit of counting bytes.
        let unit = if rule == SUBDOMAIN { "bytes" } else { "characters" };
        return Some(invalid(&format!("must be no more than {max} {unit}")));
    }
    let label = |part: &str| is_label(part) && !(first && part.starts_with(|c: char| c.is_ascii_digit()));
    let good = if rule == SUBDOMAIN { name.split('.').all(label) } else { label(name) };
    (!good).then(|| invalid(rule))
}
