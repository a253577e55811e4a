//! `DescribeListeners`.

use super::{Page, VERSION, items, paged};
use crate::query::Request;
use crate::xml::Malformed;

const ACTION: &str = "DescribeListeners";

/// A listener of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its Amazon Resource Name.
    pub arn: String,
    /// The port on which it listens.
    pub port: Option<u16>,
    /// What it speaks: `HTTP`, `HTTPS` ...
    pub protocol: Option<String>,
}

/// Asks for a page of the listeners of a load balancer.
#[must_use]
pub fn request(load_balancer_arn: &str, marker: Option<&str>) -> Request {
    paged(Request::new(ACTION, VERSION).with("LoadBalancerArn", load_balancer_arn), marker)
}

/// Reads a page.
///
/// # Errors
/// When it is not the answer to this action.
pub fn parse(text: &str) -> Result<Page<Listener>, Malformed> {
    items(ACTION, "Listeners", text, |member| {
        Ok(Listener {
            arn: member.required("ListenerArn")?,
            port: member.number("Port")?,
            protocol: member.text("Protocol"),
        })
    })
}
