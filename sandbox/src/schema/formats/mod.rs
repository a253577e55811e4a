//! The formats of text that the API server knows; others are ignored.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use chrono::NaiveDate;
use regex::Regex;

mod codes;
mod web;

/// Whether a text is of a format.
type Accepts = fn(&str) -> bool;

/// A known format of text.
#[derive(Debug)]
pub(super) struct Format {
    name: &'static str,
    accepts: Accepts,
}

/// The formats by name. (`int32`, `int64`, `float` and `double` are of numbers; the server does not check them.)
const FORMATS: [(&str, Accepts); 27] = [
    ("bsonobjectid", codes::is_object_id),
    ("byte", codes::is_base64),
    ("cidr", is_cidr),
    ("creditcard", codes::is_credit_card),
    ("date", is_date),
    ("date-time", is_date_time),
    ("datetime", is_date_time),
    ("duration", is_duration),
    ("email", web::is_email),
    ("hexcolor", codes::is_hex_color),
    ("hostname", web::is_hostname),
    ("ipv4", is_ipv4),
    ("ipv6", is_ipv6),
    ("isbn", codes::is_isbn),
    ("isbn10", codes::is_isbn10),
    ("isbn13", codes::is_isbn13),
    ("k8s-long-name", web::is_long_name),
    ("k8s-short-name", web::is_short_name),
    ("mac", web::is_mac),
    ("password", is_anything),
    ("rgbcolor", codes::is_rgb_color),
    ("ssn", codes::is_ssn),
    ("uri", web::is_uri),
    ("uuid", codes::is_uuid),
    ("uuid3", codes::is_uuid3),
    ("uuid4", codes::is_uuid4),
    ("uuid5", codes::is_uuid5),
];

impl Format {
    /// The format of this name, if the server checks it.
    pub(super) fn named(name: &str) -> Option<Format> {
        FORMATS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(name, accepts)| Format { name, accepts: *accepts })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn accepts(&self, text: &str) -> bool {
        (self.accepts)(text)
    }
}

fn is_anything(_: &str) -> bool {
    true
}

/// A pattern of this module, compiled once.
fn pattern(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

fn matches(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

fn is_date(text: &str) -> bool {
    static SHAPE: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"));
    matches(&SHAPE, text) && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// RFC 3339, without leap seconds; the offset is not looked at closely.
fn is_date_time(text: &str) -> bool {
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(z|[+-][0-9]{2}:[0-9]{2})$")
    });
    let lower = text.to_ascii_lowercase();
    lower.split_once('t').is_some_and(|(date, time)| is_date(date) && matches(&TIME, time))
}

/// Go's durations (`1h30m`), or numbers with units somewhere in the text (`3 days`, `2w`, `P1D`).
fn is_duration(text: &str) -> bool {
    static GO: LazyLock<Option<Regex>> =
        LazyLock::new(|| pattern(r"^[+-]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$"));
    static LOOSE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        pattern(r"(?i)[0-9]+\s*(ns|nano|us|µs|micro|ms|milli|s|sec|m|min|h|hr|hour|d|day|w|wk|week)")
    });
    matches(&GO, text) || matches(&LOOSE, text)
}

/// Leading zeros are allowed, as the server still does: `01.2.3.4`.
fn is_ipv4(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_octet = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.trim_start_matches('0').len() <= 3
            && part.parse::<u32>().is_ok_and(|octet| octet <= u32::from(u8::MAX))
    };
    parts.len() == 4 && parts.iter().all(is_octet)
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let bits = if is_ipv4(address) {
        Ipv4Addr::BITS
    } else if is_ipv6(address) {
        Ipv6Addr::BITS
    } else {
        return false;
    };
    length.parse::<u32>().is_ok_and(|length| length <= bits)
}
