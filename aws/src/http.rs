//! Requests and answers as plain data, and the seam behind which they are exchanged.

use std::fmt;
use std::time::Duration;
use tower::ServiceExt;

/// A request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `PUT`.
    pub method: &'static str,
    /// The whole URL.
    pub url: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// Body; empty for none.
    pub body: String,
    /// How long the whole exchange may take.
    pub timeout: Duration,
    /// Which way it goes.
    pub reach: Reach,
}

/// Which way a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To an API of AWS: through the proxy of the environment, where there is one.
    Api,
    /// To a service of this machine or of its node: never through a proxy, which would ask the one of *its* machine.
    Local,
}

/// An answer.
#[derive(Clone, Default, PartialEq, Eq)]
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

/// Exchanges requests for answers: [`crate::network`], or a simulation. It follows no redirect: a signature is good for
/// one host, and a token of this machine is nobody else's.
pub type Executor = tower::util::BoxCloneSyncService<Request, Response, NoAnswer>;

/// Sends one request.
///
/// # Errors
/// When there was no answer.
pub async fn send(executor: Executor, request: Request) -> Result<Response, NoAnswer> {
    executor.oneshot(request).await
}

impl Request {
    /// Method and URL as errors may show them: without a query, which may be secret.
    pub(crate) fn place(&self) -> String {
        let url = self.url.split_once('?').map_or(self.url.as_str(), |(place, _)| place);
        format!("{} {url}", self.method)
    }
}

impl Response {
    /// Whether the status is one of success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Headers carry signatures and tokens, and bodies carry identities: neither is shown.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("place", &self.place())
            .field("headers", &names)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

/// Answers of metadata services are credentials: only their size is shown.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("bytes", &self.body.len()).finish()
    }
}

/// Text as a form body: everything but letters, digits and `-_.~` is escaped.
#[must_use]
pub fn form<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
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
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_escaped() {
        assert_eq!(form([("A.member.1", "arn:aws:x/y z"), ("b", "~ä+")]), {
            "A.member.1=arn%3Aaws%3Ax%2Fy%20z&b=~%C3%A4%2B"
        });
        assert_eq!(form([]), "");
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        let request = Request {
            method: "POST",
            url: "https://sts.example/?token=hunter2".to_owned(),
            headers: vec![("Authorization".to_owned(), "hunter2".to_owned())],
            body: "WebIdentityToken=hunter2".to_owned(),
            timeout: Duration::from_secs(1),
            reach: Reach::Api,
        };
        let shown = format!("{request:?} {:?}", Response { status: 200, body: b"hunter2".to_vec() });
        assert!(shown.contains("Authorization") && !shown.contains("hunter2"), "{shown}");
    }
}
