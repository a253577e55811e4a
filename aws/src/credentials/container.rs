//! Credentials from an agent beside the container: EKS Pod Identity, or ECS.

use super::{Around, Credentials, Nothing, Source};
use crate::environment::{setting, token};
use crate::http::{self, Reach, Request};
use crate::json;
use reqwest::Url;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Where the agent of ECS is found; `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` is a path there.
const ECS: &str = "http://169.254.170.2";

/// The hosts that are no loopback and may be asked without TLS: the agents of ECS and of EKS Pod Identity.
const AGENTS: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

/// How long the agent may take. That of EKS asks the EKS Auth API in the meantime.
const TIMEOUT: Duration = Duration::from_secs(5);

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

/// The credentials that the agent lends.
pub(super) async fn load(around: Around<'_>) -> Result<Credentials, Nothing> {
    let url = url(around)?;
    let headers = authorization(around)
        .map_err(Nothing::Failed)?
        .map(|token| ("Authorization".to_owned(), token))
        .into_iter()
        .collect();
    let request =
        Request { method: "GET", url, headers, body: String::new(), timeout: TIMEOUT, reach: Reach::Local };
    let answer = http::send(around.executor.clone(), request).await;
    let answer = answer.map_err(|error| Nothing::Failed(error.to_string()))?;
    let text = answer.text();
    if !answer.is_success() {
        let words = format!("the agent answered {} {}", answer.status, json::reason(&text));
        return Err(Nothing::Failed(words.trim_end().to_owned()));
    }
    json::credentials(&text, Source::Container).map_err(Nothing::Failed)
}

/// Where to ask. The relative one goes first, as it is documented.
fn url(around: Around<'_>) -> Result<String, Nothing> {
    if let Some(path) = setting(around.environment, RELATIVE) {
        // Without it the host would go on: `169.254.170.2` and `.evil.com`.
        return match path.starts_with('/') {
            true => Ok(format!("{ECS}{path}")),
            false => Err(Nothing::Failed(format!("{RELATIVE} does not begin with /"))),
        };
    }
    let url = setting(around.environment, FULL)
        .ok_or_else(|| Nothing::NotSetUp(format!("neither {RELATIVE} nor {FULL} is set")))?;
    may_be_asked(&url).map_err(Nothing::Failed)?;
    Ok(url)
}

/// Whether a token may be sent to a URL: over TLS, to this machine, or to one of the agents.
fn may_be_asked(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|error| format!("{FULL}: {error}"))?;
    let host = parsed.host_str().unwrap_or_default();
    let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let is_near = host == "localhost"
        || address.is_some_and(|address| address.is_loopback() || AGENTS.contains(&address));
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if is_near => Ok(()),
        "http" => Err(format!(
            "{FULL} names {host}: without TLS only a loopback address and the agents of ECS and EKS are asked"
        )),
        scheme => Err(format!("{FULL} has the scheme {scheme}: http or https is needed")),
    }
}

/// The token to show. The file goes first: it is renewed, and the variable cannot be.
fn authorization(around: Around<'_>) -> Result<Option<String>, String> {
    if let Some(path) = setting(around.environment, TOKEN_FILE) {
        return token(around.environment, TOKEN_FILE, &path).map(Some);
    }
    match setting(around.environment, TOKEN) {
        Some(token) if token.chars().any(char::is_control) => Err(format!("{TOKEN} has more than one line")),
        token => Ok(token),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_or_secure_hosts_are_asked() {
        for url in [
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://169.254.170.2/x",
            "http://127.0.0.1:8080/",
            "http://127.9.9.9/",
            "http://[::1]/",
            "http://localhost:1/",
            "https://agent.example/credentials",
        ] {
            assert_eq!(may_be_asked(url), Ok(()), "{url}");
        }
        for url in [
            "http://example.com/",
            "http://169.254.169.254/",
            "http://169.254.170.23@evil.com/",
            "http://evil.com\\@169.254.170.23/",
            "http://169.254.170.23.evil.com/",
            "http://localhost.evil.com/",
            "http://[fd00:ec2::24]/",
            "file:///etc/passwd",
            "169.254.170.23",
        ] {
            assert!(may_be_asked(url).is_err(), "{url}");
        }
    }
}
