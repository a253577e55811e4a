//! `DescribeTargetHealth`.

use super::{VERSION, items};
use crate::query::Request;
use crate::xml::Malformed;

const ACTION: &str = "DescribeTargetHealth";

/// A target and its health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHealth {
    /// What it is: an IP address, an instance, a function; by the type of the target group.
    pub id: String,
    /// The port on which it listens; a function has none.
    pub port: Option<u16>,
    /// `healthy`, `initial`, `unhealthy`, `unused`, `draining`, `unavailable` ...
    pub state: String,
    /// Why it is not healthy, as AWS codes it.
    pub reason: Option<String>,
}

impl TargetHealth {
    /// Whether its first health checks are over, with whatever result, or it is not checked at all.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.state != "initial"
    }

    /// Whether it belongs to the target group: AWS also describes targets that do not, or are about to leave it.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.state != "draining" && self.reason.as_deref() != Some("Target.NotRegistered")
    }
}

/// Asks for all targets of a target group.
#[must_use]
pub fn request(target_group_arn: &str) -> Request {
    Request::new(ACTION, VERSION).with("TargetGroupArn", target_group_arn)
}

/// Reads the answer, which is never more than one page.
///
/// # Errors
/// When it is not the answer to this action.
pub fn parse(text: &str) -> Result<Vec<TargetHealth>, Malformed> {
    let page = items(ACTION, "TargetHealthDescriptions", text, |member| {
        let target = member.required_child("Target")?;
        let health = member.child("TargetHealth");
        let word = |name: &str| health.and_then(|health| health.text(name));
        Ok(TargetHealth {
            id: target.required("Id")?,
            port: target.number("Port")?,
            state: word("State").unwrap_or_default(),
            reason: word("Reason"),
        })
    })?;
    Ok(page.items)
}
