//! The Security Token Service: one action, which takes no signature.

use super::{Answer, Heard, State, xml};
use chrono::TimeDelta;
use std::collections::{BTreeMap, VecDeque};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Whose tokens are taken, and for what.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    /// The region whose endpoint is there.
    pub(crate) region: &'static str,
    pub(crate) role_arn: String,
    pub(crate) token: String,
    pub(crate) lends_for: TimeDelta,
    /// Answers that come before all others.
    pub(crate) faults: VecDeque<(u16, &'static str)>,
}

pub(super) fn answer(state: &mut State, heard: &Heard) -> Option<Answer> {
    let issuer = state.issuer.as_mut()?;
    if heard.host != format!("sts.{}.amazonaws.com", issuer.region) {
        return None;
    }
    if let Some((status, code)) = issuer.faults.pop_front() {
        return Some(Answer::error(status, code, "as the test wants it"));
    }
    let issuer = issuer.clone();
    Some(assume(state, &issuer, heard).unwrap_or_else(|refused| refused))
}

fn assume(state: &mut State, issuer: &Issuer, heard: &Heard) -> Result<Answer, Answer> {
    let invalid = |message: &str| Answer::error(400, "ValidationError", message);
    if heard.header("authorization").is_some() {
        return Err(invalid("this action takes no signature"));
    }
    let is_form =
        heard.header("content-type").is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"));
    if heard.method != "POST" || heard.path != "/" || !is_form {
        return Err(invalid("a form is needed"));
    }
    let mut form: BTreeMap<String, String> = heard.form().into_iter().collect();
    let mut take = |name: &str| form.remove(name).ok_or_else(|| invalid(&format!("{name} is missing")));
    if take("Action")? != "AssumeRoleWithWebIdentity" || take("Version")? != "2011-06-15" {
        return Err(Answer::error(400, "InvalidAction", "no such action"));
    }
    let (role, session, token) = (take("RoleArn")?, take("RoleSessionName")?, take("WebIdentityToken")?);
    if !form.is_empty() {
        return Err(invalid("there are parameters that are not documented"));
    }
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
    if !(2..=64).contains(&session.len()) || !session.chars().all(is_letter) {
        return Err(invalid("RoleSessionName does not fit its pattern"));
    }
    if role != issuer.role_arn {
        let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        return Err(Answer::error(403, "AccessDenied", message));
    }
    if token != issuer.token {
        return Err(Answer::error(400, "InvalidIdentityToken", "the token cannot be verified"));
    }
    let (id, key) = state.lend(issuer.lends_for);
    let expires = key.expires.unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let lent = xml::leaf("SessionToken", &key.token.unwrap())
        + &xml::leaf("SecretAccessKey", &key.secret)
        + &xml::leaf("Expiration", &expires)
        + &xml::leaf("AccessKeyId", &id);
    let user = xml::node("AssumedRoleUser", &xml::leaf("Arn", &format!("{role}/{session}")));
    let result = user + &xml::node("Credentials", &lent) + &xml::leaf("Provider", "oidc");
    Ok(Answer::ok(xml::answer(NAMESPACE, "AssumeRoleWithWebIdentity", &result)))
}
