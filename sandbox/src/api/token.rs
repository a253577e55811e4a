//! Tokens of the pages of a list: base64 of JSON, as a real server makes them. To clients they mean nothing.

use super::failure::Failure;
use super::store::Name;
use serde_json::{Value, json};

/// Digits of base64 in addresses.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The version that all its pages are of.
    pub(super) revision: u64,
    /// The last object that was told.
    pub(super) after: Name,
}

/// The token of the page after an object.
pub(super) fn write(revision: u64, (namespace, name): &Name) -> String {
    let plain =
        json!({"v": "meta.k8s.io/v1", "rv": revision, "start": format!("{namespace}/{name}")}).to_string();
    let letter = |bits: u32| {
        let index = usize::try_from(bits & 63).unwrap_or(0);
        LETTERS.get(index).copied().map_or('A', char::from)
    };
    let mut out = String::new();
    for chunk in plain.as_bytes().chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digits = [letter(bits >> 18), letter(bits >> 12), letter(bits >> 6), letter(bits)];
        out.extend(digits.iter().take(chunk.len() + 1));
    }
    out
}

/// Reads a token.
///
/// # Errors
/// When this server has not made it.
pub(super) fn read(token: &str) -> Result<Token, Failure> {
    let bad = |why: String| {
        Failure::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
    };
    let bytes = decoded(token).map_err(bad)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
        let first = bytes.first().copied().unwrap_or(b' ');
        bad(match first {
            b'{' => error.to_string(),
            0x80.. => format!("invalid character '\\u{first:04x}' looking for beginning of value"),
            _ => format!("invalid character '{}' looking for beginning of value", char::from(first)),
        })
    })?;
    let start = value.get("start").and_then(Value::as_str).and_then(|start| start.split_once('/'));
    match (value.get("rv").and_then(Value::as_u64), start) {
        (Some(revision), Some((namespace, name))) => {
            Ok(Token { revision, after: (namespace.to_owned(), name.to_owned()) })
        }
        _ => Err(bad("it was not made by this server".to_owned())),
    }
}

fn decoded(token: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(token.len());
    let (mut bits, mut count) = (0_u32, 0_u32);
    for (at, digit) in token.bytes().enumerate() {
        let Some(six) = LETTERS.iter().position(|letter| *letter == digit) else {
            return Err(format!("illegal base64 data at input byte {at}"));
        };
        bits = (bits << 6) | u32::try_from(six).unwrap_or(0);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).unwrap_or(0));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn tokens_are_read_as_they_were_written() {
        for name in ["a", "ab", "abc", "web-5d"] {
            let name = ("shop".to_owned(), name.to_owned());
            assert_eq!(read(&write(7, &name)).unwrap(), Token { revision: 7, after: name });
        }
        assert!(read("!").unwrap_err().message.ends_with("illegal base64 data at input byte 0"));
        assert!(read("e30").is_err());
    }
}
