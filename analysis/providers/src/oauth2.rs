//! OAuth 2 client credentials: one request for a token before the one that is meant. `[provider.oauth2]`

use crate::http::{self, Executor, Request, Response};
use crds::analysis::provider::OAuth2Config;
use serde_json::Value;
use std::time::Duration;

/// The settings, when a token is asked for at all.
///
/// # Errors
/// When one that is needed is missing.
pub fn wanted(config: Option<&OAuth2Config>) -> Result<Option<&OAuth2Config>, String> {
    let text = |part: &Option<String>| part.as_deref().unwrap_or_default().to_owned();
    let Some(config) = config.filter(|config| !text(&config.token_url).is_empty()) else { return Ok(None) };
    if text(&config.client_id).is_empty() || text(&config.client_secret).is_empty() {
        return Err(
            "missing mandatory parameter in metric for OAuth2 setup: clientId and clientSecret".to_owned()
        );
    }
    Ok(Some(config))
}

/// The request for a token. The client names itself in the `Authorization` header, or in the form: servers take the one
/// or the other (RFC 6749, 2.3.1).
#[must_use]
pub fn prepare(config: &OAuth2Config, in_form: bool, timeout: Duration, insecure: bool) -> Request {
    let id = config.client_id.as_deref().unwrap_or_default();
    let secret = config.client_secret.as_deref().unwrap_or_default();
    let scopes = config.scopes.clone().unwrap_or_default().join(" ");
    let mut form = vec![("grant_type", "client_credentials")];
    if !scopes.is_empty() {
        form.push(("scope", &scopes));
    }
    let mut headers = vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    if in_form {
        form.extend([("client_id", id), ("client_secret", secret)]);
    } else {
        // Both are form-encoded before they are joined (RFC 6749, 2.3.1).
        let encoded = |text: &str| http::form(&[("", text)]).trim_start_matches('=').to_owned();
        headers.push(("Authorization".to_owned(), http::basic_auth(&encoded(id), &encoded(secret))));
    }
    Request {
        method: "POST".to_owned(),
        url: config.token_url.clone().unwrap_or_default(),
        headers,
        body: http::form(&form),
        timeout,
        insecure,
    }
}

/// The token of an answer.
///
/// # Errors
/// When there is none; the message shows the server's own code, never what was sent.
pub fn interpret(response: &Response) -> Result<String, String> {
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    if !(200..300).contains(&response.status) {
        return Err(format!("oauth2: cannot fetch token: {} {}", response.status, text("error"))
            .trim()
            .to_owned());
    }
    match text("access_token") {
        "" => Err("oauth2: server response missing access_token".to_owned()),
        token => Ok(token.to_owned()),
    }
}

/// Gets a token and puts it into the request, where the metric asks for it.
pub(crate) async fn log_in(
    executor: &Executor,
    config: Option<&OAuth2Config>,
    request: &mut Request,
) -> Result<(), String> {
    let Some(config) = wanted(config)? else { return Ok(()) };
    let ask =
        |in_form| http::send(executor.clone(), prepare(config, in_form, request.timeout, request.insecure));
    let mut answer = ask(false).await.map_err(|no_answer| no_answer.to_string())?;
    if matches!(answer.status, 400 | 401) {
        answer = ask(true).await.map_err(|no_answer| no_answer.to_string())?;
    }
    let token = interpret(&answer)?;
    http::set_default(&mut request.headers, "Authorization", &format!("Bearer {token}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn config() -> OAuth2Config {
        OAuth2Config {
            token_url: Some("http://login/token".to_owned()),
            client_id: Some("me".to_owned()),
            client_secret: Some("a b".to_owned()),
            scopes: Some(vec!["read".to_owned(), "more".to_owned()]),
        }
    }

    #[test]
    fn the_client_names_itself_in_the_header_or_in_the_form() {
        let header = prepare(&config(), false, Duration::from_secs(1), false);
        assert_eq!(header.body, "grant_type=client_credentials&scope=read+more");
        assert!(header.headers.contains(&("Authorization".to_owned(), http::basic_auth("me", "a+b"))));
        let form = prepare(&config(), true, Duration::from_secs(1), false);
        assert!(form.body.ends_with("&client_id=me&client_secret=a+b"), "{}", form.body);
        assert_eq!(form.headers.len(), 1);
    }

    #[test]
    fn a_token_or_the_servers_reason() {
        let answer = |status, body: &str| interpret(&Response { status, body: body.as_bytes().to_vec() });
        assert_eq!(answer(200, r#"{"access_token": "t"}"#).unwrap(), "t");
        let refused = answer(401, r#"{"error": "invalid_client"}"#).unwrap_err();
        assert_eq!(refused, "oauth2: cannot fetch token: 401 invalid_client");
        assert_eq!(answer(200, "{}").unwrap_err(), "oauth2: server response missing access_token");
    }

    #[test]
    fn only_a_token_url_asks_for_a_token() {
        assert_eq!(wanted(None), Ok(None));
        assert_eq!(wanted(Some(&OAuth2Config::default())), Ok(None));
        let half = OAuth2Config { client_secret: None, ..config() };
        assert!(wanted(Some(&half)).unwrap_err().contains("clientSecret"));
    }
}
