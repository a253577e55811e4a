//! Names and addresses of the network.

use std::sync::LazyLock;

use regex::Regex;

use super::{matches, pattern};

type Pattern = LazyLock<Option<Regex>>;

/// The longest DNS label.
const MAX_LABEL_LENGTH: usize = 63;
/// The longest DNS subdomain.
const MAX_NAME_LENGTH: usize = 253;
/// The longest host name.
const MAX_HOSTNAME_LENGTH: usize = 255;

/// A DNS label of RFC 1123.
pub(super) fn is_short_name(text: &str) -> bool {
    let is_inner = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let bytes = text.as_bytes();
    text.len() <= MAX_LABEL_LENGTH
        && bytes.first().copied().is_some_and(is_inner)
        && bytes.last().copied().is_some_and(is_inner)
        && bytes.iter().all(|letter| is_inner(*letter) || *letter == b'-')
}

/// A DNS subdomain of RFC 1123.
pub(super) fn is_long_name(text: &str) -> bool {
    let is_label = |label: &str| label.len() > MAX_LABEL_LENGTH || is_short_name(label);
    text.len() <= MAX_NAME_LENGTH && text.split('.').all(|label| !label.is_empty() && is_label(label))
}

/// One label, or labels that end in a top-level domain of at least two letters. (So `a.b` is none; the server has it
/// so.) Letters of all scripts count.
pub(super) fn is_hostname(text: &str) -> bool {
    static SHAPE: Pattern = LazyLock::new(|| {
        let letter = r"[a-zA-Z0-9\p{S}\p{L}]";
        let alone = format!(r"{letter}(-?{letter}{{0,62}})?");
        let label = format!(r"{letter}([a-zA-Z0-9\-\p{{S}}\p{{L}}]{{0,61}}{letter})?");
        pattern(&format!(r"^({alone}|({label}\.)+[a-zA-Z\p{{L}}]{{2,63}})$"))
    });
    text.len() <= MAX_HOSTNAME_LENGTH
        && text.split('.').all(|label| label.len() <= MAX_LABEL_LENGTH)
        && matches(&SHAPE, text)
}

/// An address with something on both sides of the `@`, bare or in `Name <...>`.
pub(super) fn is_email(text: &str) -> bool {
    static ADDRESS: Pattern = LazyLock::new(|| pattern(r"^[^\s@<>]+@[^\s@<>]+$"));
    static NAMED: Pattern = LazyLock::new(|| pattern(r"^[^@<>]*<[^\s@<>]+@[^\s@<>]+>$"));
    matches(&ADDRESS, text.trim()) || matches(&NAMED, text.trim())
}

/// Six, eight or twenty bytes in hex, with colons or dashes between bytes or dots between pairs of bytes.
pub(super) fn is_mac(text: &str) -> bool {
    let is_made_of = |separator: char, digits: usize, counts: [usize; 3]| {
        let parts: Vec<&str> = text.split(separator).collect();
        counts.contains(&parts.len())
            && parts
                .iter()
                .all(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    is_made_of(':', 2, [6, 8, 20]) || is_made_of('-', 2, [6, 8, 20]) || is_made_of('.', 4, [3, 4, 10])
}

/// What may stand in an HTTP request: an absolute URI, or a path that begins with a slash.
pub(super) fn is_uri(text: &str) -> bool {
    static SCHEME: Pattern = LazyLock::new(|| pattern(r"^[a-zA-Z][a-zA-Z0-9+.\-]*:"));
    static AUTHORITY: Pattern =
        LazyLock::new(|| pattern(r"^[^\s<>\x22\\^`{|}\[\]]*$|^[^\s\[\]]*\[[0-9a-fA-F:.%]+\](:[0-9]*)?$"));
    if text.bytes().any(|byte| byte.is_ascii_control()) || !has_whole_escapes(text) {
        return false;
    }
    if text.starts_with('/') || text == "*" {
        return true;
    }
    if !matches(&SCHEME, text) {
        return false;
    }
    let rest = text.split_once(':').map_or("", |(_, rest)| rest);
    match rest.strip_prefix("//") {
        None => true,
        Some(rest) => {
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            matches(&AUTHORITY, authority)
        }
    }
}

/// Whether each `%` is followed by two hex digits.
fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits: Vec<u8> = rest.bytes().take(2).collect();
        digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit)
    })
}
