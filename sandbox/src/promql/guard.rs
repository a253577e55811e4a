//! What the parser would swallow or panic on, found in the text before it is parsed.
//!
//! The parser takes an amount of a duration that is beyond 32 bits for zero (`[1s5000000000ms]` is one second to it)
//! and a number beyond all doubles for infinity, and it reads a duration as a number of seconds, which Prometheus 2.42
//! does not (`up -30s` is `up - 30` to it, where `up offset 30s` was meant). It panics on a number without a unit that
//! is no duration at all (`[inf]`), and on a backslash before a letter outside ASCII. All of these are errors here.

use super::error::Error;
use super::time;

/// Checks the durations, numbers and strings of a query.
///
/// # Errors
///
/// [`Error::Duration`] or [`Error::Syntax`] for the first that the parser would misread.
pub(super) fn check(query: &str) -> Result<(), Error> {
    let mut wants_duration = false;
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let (token, after) = split(rest, first);
        let refused = match first {
            '"' | '\'' => escaped_beyond_ascii(token)
                .then(|| "a backslash may not stand before a letter outside ASCII".to_owned()),
            _ if wants_duration && token.parse::<f64>().is_ok() => {
                return Err(Error::Duration(token.to_owned()));
            }
            '.' | '0'..='9' if wants_duration && time::duration(token).is_none_or(|length| length == 0) => {
                return Err(Error::Duration(token.to_owned()));
            }
            '0'..='9' if !wants_duration => misread(token),
            _ => None,
        };
        if let Some(reason) = refused {
            return Err(Error::Syntax { reason, query: query.to_owned() });
        }
        wants_duration = match token {
            "[" | ":" => true,
            _ if token.eq_ignore_ascii_case("offset") => true,
            // Signs, white space and comments between `offset` and its duration.
            "+" | "-" => wants_duration,
            _ if first.is_whitespace() || first == '#' => wants_duration,
            _ => false,
        };
        rest = after;
    }
    Ok(())
}

/// Why a token that begins with a digit is not the number that the parser takes it for.
fn misread(token: &str) -> Option<String> {
    match token.parse::<f64>() {
        Ok(number) if number.is_infinite() => Some(format!("the number {token} is out of range")),
        Ok(_) => None,
        // A duration, or text that the parser refuses itself.
        Err(_) if is_hexadecimal(token) || !token.ends_with(|one: char| "smhdwy".contains(one)) => None,
        Err(_) => Some(format!("the duration {token} may only stand in brackets and after `offset`")),
    }
}

/// Splits the first token off: a string or a comment as a whole, a word or a number, or one character.
fn split(text: &str, first: char) -> (&str, &str) {
    let length = match first {
        '"' | '\'' | '`' => string_length(text, first),
        '#' => text.find('\n').unwrap_or(text.len()),
        '.' | '0'..='9' => number_length(text),
        _ if is_word(first) => text.find(|one| !is_word(one)).unwrap_or(text.len()),
        _ => first.len_utf8(),
    };
    text.split_at_checked(length).unwrap_or((text, ""))
}

/// How long the string at the beginning is, its quotes included.
fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, one) in text.char_indices().skip(1) {
        match one {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            _ if one == quote => return at + one.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// How long the number or duration at the beginning is, the sign of its exponent included.
fn number_length(text: &str) -> usize {
    let mut before = ' ';
    for (at, one) in text.char_indices() {
        let signs_exponent = matches!((before, one), ('e' | 'E', '+' | '-')) && !is_hexadecimal(text);
        if one != '.' && !is_word(one) && !signs_exponent {
            return at;
        }
        before = one;
    }
    text.len()
}

fn is_word(one: char) -> bool {
    one.is_ascii_alphanumeric() || one == '_'
}

fn is_hexadecimal(text: &str) -> bool {
    text.starts_with("0x") || text.starts_with("0X")
}

/// Whether a backslash in a string stands before a letter outside ASCII.
fn escaped_beyond_ascii(string: &str) -> bool {
    let mut escaped = false;
    string.chars().any(|one| {
        let found = escaped && !one.is_ascii();
        escaped = one == '\\' && !escaped;
        found
    })
}
