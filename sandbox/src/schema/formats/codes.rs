//! Codes and numbers: UUIDs, base64, colours, checksums.

use std::sync::LazyLock;

use regex::Regex;

use super::{matches, pattern};

type Pattern = LazyLock<Option<Regex>>;

/// UUIDs of any version; the dashes may be missing.
pub(super) fn is_uuid(text: &str) -> bool {
    static SHAPE: Pattern =
        LazyLock::new(|| pattern(r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"));
    matches(&SHAPE, text)
}

pub(super) fn is_uuid3(text: &str) -> bool {
    is_uuid(text) && digit(text, 12) == Some('3')
}

pub(super) fn is_uuid4(text: &str) -> bool {
    is_uuid(text) && digit(text, 12) == Some('4') && has_variant(text)
}

pub(super) fn is_uuid5(text: &str) -> bool {
    is_uuid(text) && digit(text, 12) == Some('5') && has_variant(text)
}

fn has_variant(text: &str) -> bool {
    digit(text, 16).is_some_and(|digit| "89abAB".contains(digit))
}

/// The digit at this place, dashes not counted.
fn digit(text: &str, place: usize) -> Option<char> {
    text.chars().filter(|letter| *letter != '-').nth(place)
}

/// Padded base64 of at least one byte.
pub(super) fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let padding = text.len().saturating_sub(digits.len());
    !digits.is_empty()
        && text.len().is_multiple_of(4)
        && padding <= 2
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

pub(super) fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(super) fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    [3, 6].contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(super) fn is_rgb_color(text: &str) -> bool {
    static SHAPE: Pattern = LazyLock::new(|| {
        let part = r"\s*(0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\s*";
        pattern(&format!(r"^rgb\({part},{part},{part}\)$"))
    });
    matches(&SHAPE, text)
}

pub(super) fn is_ssn(text: &str) -> bool {
    static SHAPE: Pattern = LazyLock::new(|| pattern(r"^[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}$"));
    matches(&SHAPE, text)
}

pub(super) fn is_isbn(text: &str) -> bool {
    is_isbn10(text) || is_isbn13(text)
}

/// Ten digits (the last may be X) whose sum, weighted 1 to 10, is a multiple of 11: 0306406152.
pub(super) fn is_isbn10(text: &str) -> bool {
    let digits = without_gaps(text);
    let Some(values) = digits
        .chars()
        .enumerate()
        .map(|(place, letter)| if place == 9 && letter == 'X' { Some(10) } else { letter.to_digit(10) })
        .collect::<Option<Vec<u32>>>()
    else {
        return false;
    };
    values.len() == 10 && weighted(&values, |place| place.saturating_add(1)).is_multiple_of(11)
}

/// Thirteen digits whose sum, weighted 1 and 3 in turn, is a multiple of 10: 9783161484100.
pub(super) fn is_isbn13(text: &str) -> bool {
    let digits = without_gaps(text);
    let Some(values) = digits.chars().map(|letter| letter.to_digit(10)).collect::<Option<Vec<u32>>>() else {
        return false;
    };
    let weight = |place: u32| if place.is_multiple_of(2) { 1 } else { 3 };
    values.len() == 13 && weighted(&values, weight).is_multiple_of(10)
}

/// 13 to 19 digits, each second one from the right doubled, digits of doubled ones added: the sum ends in 0.
pub(super) fn is_credit_card(text: &str) -> bool {
    let digits = without_gaps(text);
    let Some(values) = digits.chars().rev().map(|letter| letter.to_digit(10)).collect::<Option<Vec<u32>>>()
    else {
        return false;
    };
    let sum: u32 = values
        .iter()
        .enumerate()
        .map(|(place, value)| match value.saturating_mul(2) {
            _ if place.is_multiple_of(2) => *value,
            doubled if doubled > 9 => doubled.saturating_sub(9),
            doubled => doubled,
        })
        .sum();
    (13..=19).contains(&values.len()) && sum.is_multiple_of(10)
}

fn without_gaps(text: &str) -> String {
    text.chars().filter(|letter| !matches!(letter, '-' | ' ')).collect()
}

fn weighted(values: &[u32], weight: impl Fn(u32) -> u32) -> u32 {
    values.iter().zip(0_u32..).map(|(value, place)| value.saturating_mul(weight(place))).sum()
}
