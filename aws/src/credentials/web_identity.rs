//! A token of a ServiceAccount, exchanged for the credentials of a role (IAM roles for service accounts).

use super::{Around, Credentials, Nothing, Source};
use crate::endpoint::SECURITY_TOKEN;
use crate::environment::{setting, token};
use crate::http::{self, Response};
use crate::query::{self, ApiError};
use crate::region::Region;
use crate::retry::Retries;
use crate::{json, xml};

/// The version of the Security Token Service's API.
const VERSION: &str = "2011-06-15";

/// How the session is called where `AWS_ROLE_SESSION_NAME` does not say it.
const SESSION_NAME: &str = "stepgate";

const ACTION: &str = "AssumeRoleWithWebIdentity";

/// The token that is exchanged, and for what.
pub(super) struct Exchange {
    role_arn: String,
    session_name: String,
    token: String,
}

/// What is set up, or why nothing is.
pub(super) fn set_up(around: Around<'_>) -> Result<Exchange, Nothing> {
    const FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
    let path =
        setting(around.environment, FILE).ok_or_else(|| Nothing::NotSetUp(format!("{FILE} is not set")))?;
    let role_arn = setting(around.environment, "AWS_ROLE_ARN")
        .ok_or_else(|| Nothing::Failed("AWS_ROLE_ARN is not set".to_owned()))?;
    let token = token(around.environment, FILE, &path).map_err(Nothing::Failed)?;
    let session_name =
        setting(around.environment, "AWS_ROLE_SESSION_NAME").unwrap_or_else(|| SESSION_NAME.to_owned());
    Ok(Exchange { role_arn, session_name, token })
}

/// The credentials of the role, asked for at the endpoint of the region. The request has no signature: the token is
/// the proof.
pub(super) async fn load(
    around: Around<'_>,
    exchange: &Exchange,
    region: &Region,
) -> Result<Credentials, Nothing> {
    let request = request(exchange).to_http(SECURITY_TOKEN.url(around.environment, region));
    let mut retries = Retries::new();
    loop {
        let answer = http::send(around.executor.clone(), request.clone()).await;
        let answer = answer.map_err(|error| Nothing::Failed(error.to_string()))?;
        match interpret(&answer) {
            Ok(credentials) => return Ok(credentials),
            Err(refused) => {
                if !is_worth_another(&refused) || !retries.again().await {
                    return Err(Nothing::Failed(refused.to_string()));
                }
            }
        }
    }
}

fn request(exchange: &Exchange) -> query::Request {
    query::Request::new(ACTION, VERSION)
        .with("RoleArn", &exchange.role_arn)
        .with("RoleSessionName", &exchange.session_name)
        .with("WebIdentityToken", &exchange.token)
}

/// The one error beside throttling of which the service says that the request may be sent again: the cluster's issuer
/// could not be reached.
fn is_worth_another(refused: &ApiError) -> bool {
    refused.is_transient() || refused.code == "IDPCommunicationError"
}

fn interpret(answer: &Response) -> Result<Credentials, ApiError> {
    let text = answer.text();
    if !answer.is_success() {
        return Err(ApiError::of(answer.status, &text));
    }
    parse(&text).map_err(|reason| ApiError {
        status: answer.status,
        code: String::new(),
        message: reason,
        request_id: None,
    })
}

fn parse(text: &str) -> Result<Credentials, String> {
    let words = |error: xml::Malformed| error.to_string();
    let document = xml::Answer::new(ACTION, text).map_err(words)?;
    let result = document.result().map_err(words)?;
    let lent = result.required_child("Credentials").map_err(words)?;
    let field = |name: &str| lent.required(name).map_err(words);
    Ok(Credentials {
        access_key_id: field("AccessKeyId")?,
        secret_access_key: field("SecretAccessKey")?,
        session_token: Some(field("SessionToken")?),
        expires: Some(json::expiration(&field("Expiration")?)?),
        source: Source::WebIdentity,
    })
}
