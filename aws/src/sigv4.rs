//! Signature Version 4: proves who asks, for one request, host, region and five minutes.

use crate::credentials::Credentials;
use crate::http::Request;
use crate::region::Region;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as signed};
use aws_sigv4::sign::v4;
use chrono::{DateTime, Utc};
use std::time::SystemTime;

/// A request that cannot be signed; says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request cannot be signed: {0}")]
pub struct SigningError(pub String);

/// Signs a request for `service` in `region` at the time `now`: `Authorization`, `X-Amz-Date` and, for credentials that
/// are lent, `X-Amz-Security-Token` are added. What is signed must be sent as it is.
///
/// # Errors
/// When the URL is none, or a header cannot be one.
pub fn sign(
    request: &mut Request,
    credentials: &Credentials,
    service: &str,
    region: &Region,
    now: DateTime<Utc>,
) -> Result<(), SigningError> {
    let failed = |error: &dyn std::error::Error| SigningError(error.to_string());
    // Expiry is our own business: the signer does not look at it.
    let identity = aws_credential_types::Credentials::new(
        credentials.access_key_id.clone(),
        credentials.secret_access_key.clone(),
        credentials.session_token.clone(),
        None,
        "stepgate",
    )
    .into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region.name())
        .name(service)
        .time(SystemTime::from(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| failed(&error))?
        .into();
    let signable = SignableRequest::new(
        request.method,
        request.url.as_str(),
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        SignableBody::Bytes(request.body.as_bytes()),
    )
    .map_err(|error| failed(&error))?;
    let (instructions, _) = signed(signable, &parameters).map_err(|error| failed(&error))?.into_parts();
    let added = instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let added: Vec<(String, String)> = added.collect();
    request.headers.extend(added);
    Ok(())
}
