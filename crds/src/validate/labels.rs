//! The syntax of names, label keys and label values, in the words of the Kubernetes API server.

/// Longest label value and longest name part of a key, in characters.
const LABEL_CHARACTERS_MAX: usize = 63;
/// Longest prefix of a label key, in characters.
const SUBDOMAIN_CHARACTERS_MAX: usize = 253;

const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const NAME_PART: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const QUALIFIED_NAME: &str = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
const DNS_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const PREFIX_PART: &str = "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Whether `text` is not empty, holds only what `inside` allows, and starts and ends with what `edge` allows.
fn enclosed(text: &str, edge: fn(char) -> bool, inside: fn(char) -> bool) -> bool {
    text.chars().all(inside)
        && text.chars().next().is_some_and(edge)
        && text.chars().next_back().is_some_and(edge)
}

fn alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

fn lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn lower_or_dash(c: char) -> bool {
    lower(c) || c == '-'
}

fn label_character(c: char) -> bool {
    alphanumeric(c) || matches!(c, '-' | '_' | '.')
}

/// Checks the value of a label.
///
/// # Errors
/// What is wrong with it.
pub fn label_value(text: &str) -> Result<(), String> {
    if text.len() > LABEL_CHARACTERS_MAX {
        return Err(format!("must be no more than {LABEL_CHARACTERS_MAX} characters"));
    }
    let good = text.is_empty() || enclosed(text, alphanumeric, label_character);
    if good { Ok(()) } else { Err(LABEL_VALUE.to_owned()) }
}

/// Checks the key of a label or an annotation: a name, or a DNS subdomain, `/` and a name.
///
/// # Errors
/// What is wrong with it.
pub fn qualified_name(text: &str) -> Result<(), String> {
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => return Err(QUALIFIED_NAME.to_owned()),
        Some(("", _)) => return Err("prefix part must be non-empty".to_owned()),
        Some((prefix, _)) if prefix.len() > SUBDOMAIN_CHARACTERS_MAX => {
            return Err(format!("prefix part must be no more than {SUBDOMAIN_CHARACTERS_MAX} characters"));
        }
        Some((prefix, _)) if !prefix.split('.').all(|part| enclosed(part, lower, lower_or_dash)) => {
            return Err(PREFIX_PART.to_owned());
        }
        Some((_, name)) => name,
    };
    if name.is_empty() {
        return Err("name part must be non-empty".to_owned());
    }
    if name.len() > LABEL_CHARACTERS_MAX {
        return Err(format!("name part must be no more than {LABEL_CHARACTERS_MAX} characters"));
    }
    if enclosed(name, alphanumeric, label_character) { Ok(()) } else { Err(NAME_PART.to_owned()) }
}

/// Checks a DNS label, such as the name of a container.
///
/// # Errors
/// What is wrong with it.
pub fn dns_label(text: &str) -> Result<(), String> {
    if text.len() > LABEL_CHARACTERS_MAX {
        return Err(format!("must be no more than {LABEL_CHARACTERS_MAX} characters"));
    }
    if enclosed(text, lower, lower_or_dash) { Ok(()) } else { Err(DNS_LABEL.to_owned()) }
}

/// Checks the name of a port.
///
/// # Errors
/// What is wrong with it.
pub fn port_name(text: &str) -> Result<(), String> {
    /// From RFC 6335.
    const PORT_NAME_CHARACTERS_MAX: usize = 15;
    let message = if text.len() > PORT_NAME_CHARACTERS_MAX {
        return Err(format!("must be no more than {PORT_NAME_CHARACTERS_MAX} characters"));
    } else if !text.chars().all(lower_or_dash) {
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    } else if !text.chars().any(|c| c.is_ascii_lowercase()) {
        "must contain at least one letter (a-z)"
    } else if text.contains("--") {
        "must not contain consecutive hyphens"
    } else if !enclosed(text, lower, lower_or_dash) {
        "must not begin or end with a hyphen"
    } else {
        return Ok(());
    };
    Err(message.to_owned())
}
