//! What is near: the agent of the container, and the instance metadata service.

use super::{Answer, Heard, Key, State};
use chrono::TimeDelta;

/// The agent of EKS Pod Identity, or of ECS.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) host: &'static str,
    pub(crate) path: &'static str,
    /// What must stand in the `Authorization` header; nothing for an agent that wants none.
    pub(crate) token: Option<String>,
    pub(crate) lends_for: TimeDelta,
}

/// The instance metadata service, version 2.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) host: &'static str,
    pub(crate) role: Option<&'static str>,
    pub(crate) region: &'static str,
    pub(crate) lends_for: TimeDelta,
}

/// The token of all sessions.
const SESSION: &str = "AQAEAsession==";

fn plain(status: u16, body: &str) -> Answer {
    Answer { status, body: body.to_owned() }
}

fn document(id: &str, key: &Key, begin: &str) -> Answer {
    let (secret, token) = (&key.secret, key.token.as_deref().unwrap());
    let expires = key.expires.unwrap().format("%Y-%m-%dT%H:%M:%SZ");
    Answer::ok(format!(
        "{{{begin}\"AccessKeyId\": \"{id}\", \"SecretAccessKey\": \"{secret}\", \"Token\": \"{token}\", \
         \"Expiration\": \"{expires}\"}}"
    ))
}

pub(super) fn agent(state: &mut State, heard: &Heard) -> Option<Answer> {
    let agent = state.agent.clone().filter(|agent| agent.host == heard.host)?;
    if heard.method != "GET" || heard.path != agent.path {
        return Some(plain(404, "{\"code\": \"NotFound\", \"message\": \"no such path\"}"));
    }
    if heard.header("authorization") != agent.token.as_deref() {
        return Some(plain(401, "{\"code\": \"AccessDenied\", \"message\": \"the token is not taken\"}"));
    }
    let (id, key) = state.lend(agent.lends_for);
    Some(document(&id, &key, "\"RoleArn\": \"arn\", "))
}

pub(super) fn instance(state: &mut State, heard: &Heard) -> Option<Answer> {
    let instance = state.instance.clone().filter(|instance| instance.host == heard.host)?;
    if heard.path == "/latest/api/token" {
        let ttl =
            heard.header("x-aws-ec2-metadata-token-ttl-seconds").and_then(|ttl| ttl.parse::<u32>().ok());
        return Some(match ttl {
            _ if heard.method != "PUT" => plain(405, ""),
            Some(1..=21600) => plain(200, SESSION),
            _ => plain(400, "Bad Request"),
        });
    }
    if heard.header("x-aws-ec2-metadata-token") != Some(SESSION) || heard.method != "GET" {
        return Some(plain(401, "Unauthorized"));
    }
    if heard.path == "/latest/meta-data/placement/region" {
        return Some(plain(200, instance.region));
    }
    let Some(role) = instance.role else { return Some(plain(404, "Not Found")) };
    match heard.path.strip_prefix("/latest/meta-data/iam/security-credentials/") {
        Some("") => Some(plain(200, role)),
        Some(asked) if asked == role => {
            let (id, key) = state.lend(instance.lends_for);
            Some(document(&id, &key, "\"Code\": \"Success\", \"Type\": \"AWS-HMAC\", "))
        }
        _ => Some(plain(404, "Not Found")),
    }
}
