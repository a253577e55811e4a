//! `DescribeTags`.

use super::{VERSION, items};
use crate::query::Request;
use crate::xml::Malformed;
use std::collections::BTreeMap;

const ACTION: &str = "DescribeTags";

/// Most resources of one request, as documented.
pub const ARNS_MAX: usize = 20;

/// The tags of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagDescription {
    /// Amazon Resource Name of the resource.
    pub arn: String,
    /// Values by key; a tag without a value has an empty one.
    pub tags: BTreeMap<String, String>,
}

/// Asks for the tags of at most [`ARNS_MAX`] resources.
#[must_use]
pub fn request(arns: &[String]) -> Request {
    Request::new(ACTION, VERSION).with_list("ResourceArns", arns)
}

/// Reads the answer, which is never more than one page.
///
/// # Errors
/// When it is not the answer to this action.
pub fn parse(text: &str) -> Result<Vec<TagDescription>, Malformed> {
    let page = items(ACTION, "TagDescriptions", text, |member| {
        let tags = member.members("Tags").map(|tag| {
            let value = tag.text("Value").unwrap_or_default();
            Ok((tag.required("Key")?, value))
        });
        Ok(TagDescription { arn: member.required("ResourceArn")?, tags: tags.collect::<Result<_, _>>()? })
    })?;
    Ok(page.items)
}
