//! Requests and answers as plain data, and the seam behind which they are exchanged.

use std::time::Duration;
use tower::ServiceExt;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` ...
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// Body; empty for none.
    pub body: String,
    /// How long the whole exchange may take.
    pub timeout: Duration,
    /// Do not verify the server's certificate.
    pub insecure: bool,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Body, cut off at the executor's limit.
    pub body: Vec<u8>,
}

/// There was no answer; says what went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(pub String);

/// Exchanges requests for answers: the network, or a simulation.
pub type Executor = tower::util::BoxCloneSyncService<Request, Response, NoAnswer>;

/// Sends one request.
///
/// # Errors
/// When there was no answer.
pub async fn send(executor: Executor, request: Request) -> Result<Response, NoAnswer> {
    executor.oneshot(request).await
}

/// Puts a header in the place of any of the same name; names know no case.
pub fn set(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    headers.push((name.to_owned(), value.to_owned()));
}

/// Puts a header where none of its name is.
pub fn set_default(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    if !headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name)) {
        headers.push((name.to_owned(), value.to_owned()));
    }
}

/// Puts text into a form body or a query: everything but letters, digits and `-_.~` is escaped, a space becomes `+`.
#[must_use]
pub fn form(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (key, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        escape(key, &mut out);
        out.push('=');
        escape(value, &mut out);
    }
    out
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// `Basic` credentials as a header's value.
#[must_use]
pub fn basic_auth(user: &str, password: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let plain = format!("{user}:{password}");
    let mut out = String::from("Basic ");
    for chunk in plain.as_bytes().chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let word = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for place in 0..4usize {
            let index = usize::try_from((word >> (18 - 6 * place)) & 63).unwrap_or(0);
            let letter = ALPHABET.get(index).copied().filter(|_| place <= chunk.len());
            out.push(letter.map_or('=', char::from));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_base64() {
        assert_eq!(basic_auth("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(basic_auth("a", "b"), "Basic YTpi");
        assert_eq!(basic_auth("a", ""), "Basic YTo=");
    }

    #[test]
    fn a_header_is_there_once() {
        let mut headers = vec![("content-type".to_owned(), "a".to_owned()), ("X".to_owned(), "b".to_owned())];
        set_default(&mut headers, "Content-Type", "c");
        assert_eq!(headers.len(), 2);
        set(&mut headers, "Content-Type", "c");
        assert_eq!(headers, [("X".to_owned(), "b".to_owned()), ("Content-Type".to_owned(), "c".to_owned())]);
    }

    #[test]
    fn forms_are_escaped() {
        assert_eq!(form(&[("query", "sum(a{b=\"c\"}) > 1")]), "query=sum%28a%7Bb%3D%22c%22%7D%29+%3E+1");
        assert_eq!(form(&[("a", "ä"), ("b", "~")]), "a=%C3%A4&b=~");
    }
}
