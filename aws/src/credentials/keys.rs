//! Keys in environment variables.

use super::{Credentials, Nothing, Source};
use crate::environment::{Environment, setting};

/// The keys of the environment. They stay as long as the process.
pub(super) fn load(environment: &dyn Environment) -> Result<Credentials, Nothing> {
    let not_set = |name: &str| format!("{name} is not set");
    let access_key_id = setting(environment, "AWS_ACCESS_KEY_ID")
        .ok_or_else(|| Nothing::NotSetUp(not_set("AWS_ACCESS_KEY_ID")))?;
    let secret_access_key = setting(environment, "AWS_SECRET_ACCESS_KEY")
        .ok_or_else(|| Nothing::Failed(not_set("AWS_SECRET_ACCESS_KEY")))?;
    Ok(Credentials {
        access_key_id,
        secret_access_key,
        session_token: setting(environment, "AWS_SESSION_TOKEN"),
        expires: None,
        source: Source::Environment,
    })
}
