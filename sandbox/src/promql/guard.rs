//! What the parser would swallow or panic on, found in the text before it is parsed.
//!
//! The parser takes an amount of a duration that is beyond 32 bits for zero (`[1s5000000000ms]` is one second to it),
//! and it panics on a number without a unit that is no duration at all (`[inf]`) and on a backslash before a letter
//! outside ASCII. All three are errors here.

use super::error::Error;
use super::time;

/// Checks the durations and strings of a query.
///
/// # Errors
///
/// [`Error::Duration`] or [`Error::Syntax`] for the first that the parser would not survive.
pub(super) fn check(query: &str) -> Result<(), Error> {
    let mut before = Before::Else;
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let (token, after) = split(rest, first);
        if matches!(first, '"' | '\'') && escapes_beyond_ascii(token) {
            let reason = "a backslash may not stand before a letter outside ASCII".to_owned();
            return Err(Error::Syntax { reason, query: query.to_owned() });
        }
        let is_number = first.is_ascii_digit() || first == '.' || token.parse::<f64>().is_ok();
        let is_duration = first.is_ascii_digit() && !is_literal(token);
        if (is_duration || (is_number && before == Before::Duration)) && !is_positive(token) {
            return Err(Error::Duration(token.to_owned()));
        }
        before = match token {
            "[" | ":" => Before::Duration,
            _ if token.eq_ignore_ascii_case("offset") => Before::Duration,
            // Signs and white space between `offset` and its duration.
            "+" | "-" => before,
            _ if first.is_whitespace() || first == '#' => before,
            _ => Before::Else,
        };
        rest = after;
    }
    Ok(())
}

/// What the next token follows.
#[derive(PartialEq)]
enum Before {
    Duration,
    Else,
}

/// Splits the first token off: a string or a comment as a whole, a word or a number, or one character.
fn split(text: &str, first: char) -> (&str, &str) {
    let length = match first {
        '"' | '\'' | '`' => string_length(text, first),
        '#' => text.find('\n').unwrap_or(text.len()),
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

/// Whether a backslash in a string stands before a letter outside ASCII.
fn escapes_beyond_ascii(string: &str) -> bool {
    let mut escaped = false;
    string.chars().any(|one| {
        let found = escaped && !one.is_ascii();
        escaped = one == '\\' && !escaped;
        found
    })
}

/// Whether it is part of a word or of a number; the sign of an exponent is not, so that `1e-7` is three tokens.
fn is_word(one: char) -> bool {
    one.is_ascii_alphanumeric() || one == '_' || one == '.'
}

/// Whether a token that begins with a digit is a number: `1`, `0x1f`, `1e` (of `1e-7`), `2.5`.
fn is_literal(token: &str) -> bool {
    let lower = token.to_ascii_lowercase();
    let hexadecimal = lower.strip_prefix("0x");
    hexadecimal.is_some_and(|digits| digits.chars().all(|one| one.is_ascii_hexdigit()))
        || lower.trim_end_matches('e').parse::<f64>().is_ok()
}

/// Whether it is a duration that takes some time.
fn is_positive(token: &str) -> bool {
    time::duration(token).is_some_and(|milliseconds| milliseconds > 0)
}
