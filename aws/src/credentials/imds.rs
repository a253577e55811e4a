//! The instance metadata service of EC2, version 2: a token is asked for first, and shown with each question.

use super::{Around, Credentials, Nothing, Source};
use crate::environment::{is_true, setting};
use crate::http::{self, Reach, Request, Response};
use crate::json;
use crate::region::Region;
use std::time::Duration;

/// Where the service is found.
const IPV4: &str = "http://169.254.169.254";
/// The same where `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE` says `IPv6`.
const IPV6: &str = "http://[fd00:ec2::254]";

/// Seconds for which a token is asked: the longest that the service gives.
const TOKEN_TTL_SECONDS: &str = "21600";

/// How long each question may take. Where no service is, packets vanish, and nothing but the time tells.
const TIMEOUT: Duration = Duration::from_secs(1);

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// The service with a token of its own.
struct Session<'a> {
    around: Around<'a>,
    base: String,
    token: String,
}

/// The credentials of the role of this instance.
pub(super) async fn load(around: Around<'_>) -> Result<Credentials, Nothing> {
    let session = Session::open(around).await?;
    let roles = session.get(ROLES).await.map_err(Nothing::Failed)?;
    let role = roles.lines().next().map(str::trim).filter(|role| is_name(role));
    let role = role.ok_or_else(|| Nothing::Failed("this instance has no role".to_owned()))?;
    let text = session.get(&format!("{ROLES}{role}")).await.map_err(Nothing::Failed)?;
    json::credentials(&text, Source::InstanceMetadata).map_err(Nothing::Failed)
}

/// The region of this instance.
pub(super) async fn region(around: Around<'_>) -> Result<Region, String> {
    let words = |nothing: Nothing| nothing.named(Source::InstanceMetadata).to_string();
    let session = Session::open(around).await.map_err(words)?;
    let text = session.get("/latest/meta-data/placement/region").await;
    let text = text.map_err(|reason| words(Nothing::Failed(reason)))?;
    Region::new(text.trim()).map_err(|error| error.0)
}

/// Whether this is a name of a role, which becomes part of a path.
fn is_name(role: &str) -> bool {
    !role.is_empty()
        && role.chars().all(|letter| letter.is_ascii_alphanumeric() || "+=,.@_-".contains(letter))
}

/// Where the service is, as far as the environment says it.
fn base(around: Around<'_>) -> Result<String, Nothing> {
    if is_true(around.environment, "AWS_EC2_METADATA_DISABLED") {
        return Err(Nothing::NotSetUp("AWS_EC2_METADATA_DISABLED is true".to_owned()));
    }
    if let Some(url) = setting(around.environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT") {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let mode = setting(around.environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    match mode.map(|mode| mode.to_ascii_lowercase()).as_deref() {
        None | Some("ipv4") => Ok(IPV4.to_owned()),
        Some("ipv6") => Ok(IPV6.to_owned()),
        Some(mode) => Err(Nothing::Failed(format!(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is {mode:?}: IPv4 or IPv6 is needed"
        ))),
    }
}

impl<'a> Session<'a> {
    async fn open(around: Around<'a>) -> Result<Self, Nothing> {
        let base = base(around)?;
        let header = ("X-aws-ec2-metadata-token-ttl-seconds".to_owned(), TOKEN_TTL_SECONDS.to_owned());
        let request = request("PUT", format!("{base}/latest/api/token"), header);
        // There is no telling an instance from any other machine but by asking.
        let answer = ask(around, request).await.map_err(Nothing::Failed)?;
        let token = answer.trim().to_owned();
        if token.is_empty() || token.chars().any(char::is_control) {
            return Err(Nothing::Failed("the token that it gave is none".to_owned()));
        }
        Ok(Self { around, base, token })
    }

    async fn get(&self, path: &str) -> Result<String, String> {
        let header = ("X-aws-ec2-metadata-token".to_owned(), self.token.clone());
        ask(self.around, request("GET", format!("{}{path}", self.base), header)).await
    }
}

fn request(method: &'static str, url: String, header: (String, String)) -> Request {
    Request { method, url, headers: vec![header], body: String::new(), timeout: TIMEOUT, reach: Reach::Local }
}

async fn ask(around: Around<'_>, request: Request) -> Result<String, String> {
    let place = request.place();
    let answer: Response =
        http::send(around.executor.clone(), request).await.map_err(|error| error.to_string())?;
    match answer.is_success() {
        true => Ok(answer.text()),
        false => Err(format!("{place} answered {}", answer.status)),
    }
}
