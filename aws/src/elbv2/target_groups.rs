//! `DescribeTargetGroups`.

use super::{Page, VERSION, items, paged};
use crate::query::Request;
use crate::xml::Malformed;

const ACTION: &str = "DescribeTargetGroups";

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its Amazon Resource Name.
    pub arn: String,
    /// Its name.
    pub name: String,
}

/// Asks for a page of the target groups that a load balancer uses.
#[must_use]
pub fn request(load_balancer_arn: &str, marker: Option<&str>) -> Request {
    paged(Request::new(ACTION, VERSION).with("LoadBalancerArn", load_balancer_arn), marker)
}

/// Reads a page.
///
/// # Errors
/// When it is not the answer to this action.
pub fn parse(text: &str) -> Result<Page<TargetGroup>, Malformed> {
    items(ACTION, "TargetGroups", text, |member| {
        Ok(TargetGroup { arn: member.required("TargetGroupArn")?, name: member.required("TargetGroupName")? })
    })
}
