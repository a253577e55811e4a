//! Credentials as the container agents and the instance metadata service write them.

use crate::credentials::{Credentials, Source};
use chrono::{DateTime, Utc};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    access_key_id: Option<String>,
    #[serde(default)]
    secret_access_key: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    expiration: Option<String>,
}

/// The credentials of a document.
///
/// # Errors
/// What is missing, or the code and the message that stand there instead. What was read is never shown.
pub(crate) fn credentials(text: &str, source: Source) -> Result<Credentials, String> {
    // serde's own words may quote the document.
    let document: Document = serde_json::from_str(text)
        .map_err(|_| "the answer is not a JSON document of credentials".to_owned())?;
    if let Some(code) = document.code.filter(|code| code != "Success") {
        return Err(format!("{code}: {}", document.message.unwrap_or_default())
            .trim_end_matches(": ")
            .to_owned());
    }
    let needed = |value: Option<String>, name: &str| {
        value.filter(|value| !value.is_empty()).ok_or_else(|| format!("the answer has no {name}"))
    };
    Ok(Credentials {
        access_key_id: needed(document.access_key_id, "AccessKeyId")?,
        secret_access_key: needed(document.secret_access_key, "SecretAccessKey")?,
        session_token: document.token.filter(|token| !token.is_empty()),
        expires: document.expiration.as_deref().map(expiration).transpose()?,
        source,
    })
}

/// A point in time as AWS writes it.
pub(crate) fn expiration(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| format!("the answer's Expiration {text:?} is not a time"))
}

/// The reason in an answer that is an error: its code and message where it has them, else nothing.
pub(crate) fn reason(text: &str) -> String {
    let Ok(document) = serde_json::from_str::<serde_json::Value>(text) else { return String::new() };
    let field = |names: [&str; 2]| {
        names.iter().find_map(|name| document.get(*name)?.as_str()).unwrap_or_default().to_owned()
    };
    format!("{} {}", field(["Code", "code"]), field(["Message", "message"])).trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_document_is_read() {
        let text = r#"{"Code": "Success", "AccessKeyId": "a", "SecretAccessKey": "s", "Token": "t",
            "Expiration": "2026-01-02T03:04:05Z", "RoleArn": "x"}"#;
        let read = credentials(text, Source::Container).unwrap();
        assert_eq!((read.access_key_id.as_str(), read.session_token.as_deref()), ("a", Some("t")));
        assert_eq!(read.expires.unwrap().timestamp(), 1_767_323_045);
    }

    #[test]
    fn what_is_wrong_is_said_without_what_was_read() {
        for (text, words) in [
            (
                r#"{"Code": "AssumeRoleUnauthorizedAccess", "Message": "no"}"#,
                "AssumeRoleUnauthorizedAccess: no",
            ),
            (r#"{"Code": "Failed"}"#, "Failed"),
            (r#"{"AccessKeyId": "hunter2"}"#, "the answer has no SecretAccessKey"),
            ("hunter2", "the answer is not a JSON document of credentials"),
            (
                r#"{"AccessKeyId": "a", "SecretAccessKey": "hunter2", "Expiration": "soon"}"#,
                "the answer's Expiration \"soon\" is not a time",
            ),
        ] {
            assert_eq!(credentials(text, Source::Container).unwrap_err(), words);
        }
        assert_eq!(reason(r#"{"code": "AccessDenied", "message": "no"}"#), "AccessDenied no");
        assert_eq!(reason("hunter2"), "");
    }
}
