//! The query protocol: an action and its parameters as a form, and errors as XML.

use crate::http::{self, Reach};
use crate::xml;
use std::time::Duration;

/// How long one exchange with an API may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The one content type of a form.
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Most letters of a body that is no error of AWS and is shown as one.
const SHOWN_MAX: usize = 200;

/// Codes by which AWS says that too much was asked at once.
const THROTTLING: [&str; 6] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "TooManyRequestsException",
];

/// Codes by which AWS says that lent credentials are no longer good.
const EXPIRED: [&str; 2] = ["ExpiredToken", "ExpiredTokenException"];

/// An action with its parameters, not yet signed or sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The action, such as `DescribeRules`.
    pub action: &'static str,
    /// The version of the API, a date.
    pub version: &'static str,
    /// Parameters in order, without the two above.
    pub parameters: Vec<(String, String)>,
}

impl Request {
    /// An action without parameters.
    #[must_use]
    pub fn new(action: &'static str, version: &'static str) -> Self {
        Self { action, version, parameters: Vec::new() }
    }

    /// With a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With the members of a list: `name.member.1` and so on.
    #[must_use]
    pub fn with_list(mut self, name: &str, values: &[String]) -> Self {
        let numbered = values.iter().zip(1_usize..);
        self.parameters
            .extend(numbered.map(|(value, number)| (format!("{name}.member.{number}"), value.clone())));
        self
    }

    /// The form.
    #[must_use]
    pub fn body(&self) -> String {
        let named = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        http::form([("Action", self.action), ("Version", self.version)].into_iter().chain(named))
    }

    /// The request for a service at `url`, not signed.
    #[must_use]
    pub fn to_http(&self, url: String) -> http::Request {
        http::Request {
            method: "POST",
            url,
            headers: vec![("Content-Type".to_owned(), CONTENT_TYPE.to_owned())],
            body: self.body(),
            timeout: TIMEOUT,
            reach: Reach::Api,
        }
    }
}

/// What a service answered instead of a result, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ApiError {
    /// Status of the answer.
    pub status: u16,
    /// AWS's code, such as `AccessDenied`; empty where the answer has none.
    pub code: String,
    /// AWS's message, or the beginning of an answer that is no error of AWS.
    pub message: String,
    /// How AWS finds the request again.
    pub request_id: Option<String>,
}

impl ApiError {
    /// The error that an answer without success tells.
    #[must_use]
    pub fn of(status: u16, body: &str) -> Self {
        match xml::error(body) {
            Some((code, message, request_id)) => Self { status, code, message, request_id },
            None => Self {
                status,
                code: String::new(),
                message: body.trim().chars().filter(|letter| !letter.is_control()).take(SHOWN_MAX).collect(),
                request_id: None,
            },
        }
    }

    /// Whether too much was asked at once.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        self.status == 429 || THROTTLING.contains(&self.code.as_str())
    }

    /// Whether the same request may well be answered a little later: throttling, or a fault of the service.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.is_throttling() || matches!(self.status, 500 | 502 | 503 | 504)
    }

    /// Whether the credentials are no longer good.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        EXPIRED.contains(&self.code.as_str())
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            ("", "") => write!(f, "HTTP {}", self.status)?,
            ("", message) => write!(f, "HTTP {}: {message}", self.status)?,
            (code, "") => f.write_str(code)?,
            (code, message) => write!(f, "{code}: {message}")?,
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: &str = "<ErrorResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
        <Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: x is not authorized</Message></Error>\
        <RequestId>7</RequestId></ErrorResponse>";

    #[test]
    fn a_request_is_a_form() {
        let request = Request::new("DescribeTags", "2015-12-01")
            .with_list("ResourceArns", &["a/b".to_owned(), "c".to_owned()])
            .with("X", "1");
        assert_eq!(
            request.body(),
            "Action=DescribeTags&Version=2015-12-01&ResourceArns.member.1=a%2Fb&ResourceArns.member.2=c&X=1"
        );
    }

    #[test]
    fn errors_keep_the_words_of_aws() {
        let error = ApiError::of(403, DENIED);
        assert_eq!(error.to_string(), "AccessDenied: User: x is not authorized (request 7)");
        assert!(!error.is_transient() && !error.is_expired());
        assert_eq!(ApiError::of(502, "<html>\nbad gateway").to_string(), "HTTP 502: <html>bad gateway");
        assert_eq!(ApiError::of(503, "").to_string(), "HTTP 503");
    }

    #[test]
    fn throttling_is_known_by_its_codes() {
        for code in ["Throttling", "ThrottlingException", "RequestLimitExceeded"] {
            let body = DENIED.replace("AccessDenied", code);
            assert!(ApiError::of(400, &body).is_throttling(), "{code}");
        }
        assert!(ApiError::of(429, "").is_throttling() && !ApiError::of(500, "").is_throttling());
        assert!(ApiError::of(500, "").is_transient() && !ApiError::of(501, "").is_transient());
        assert!(ApiError::of(403, &DENIED.replace("AccessDenied", "ExpiredToken")).is_expired());
    }
}
