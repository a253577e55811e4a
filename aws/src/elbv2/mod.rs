//! Elastic Load Balancing, version 2 (API version 2015-12-01): each action is a `request` as plain data and a `parse`
//! of its answer. [`crate::Client`] sends them.

pub mod listeners;
pub mod load_balancers;
pub mod rules;
pub mod tags;
pub mod target_groups;
pub mod target_health;

pub use listeners::Listener;
pub use load_balancers::LoadBalancer;
pub use rules::{Forward, Rule};
pub use tags::TagDescription;
pub use target_groups::TargetGroup;
pub use target_health::TargetHealth;

use crate::query::Request;
use crate::xml::{Answer, Element, Malformed};

/// The version of the API.
pub const VERSION: &str = "2015-12-01";

/// Most items of a page, as documented; so many are asked for.
pub const PAGE_SIZE: u32 = 400;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items on it.
    pub items: Vec<T>,
    /// What to ask for the next page with; none on the last.
    pub next_marker: Option<String>,
}

/// Asks for a page of a list: the first, or the one behind `marker`.
fn paged(request: Request, marker: Option<&str>) -> Request {
    let request = request.with("PageSize", &PAGE_SIZE.to_string());
    match marker {
        Some(marker) => request.with("Marker", marker),
        None => request,
    }
}

/// The list of that name in an answer, item by item.
fn items<T>(
    action: &'static str,
    list: &str,
    text: &str,
    item: impl Fn(Element<'_>) -> Result<T, Malformed>,
) -> Result<Page<T>, Malformed> {
    let answer = Answer::new(action, text)?;
    let result = answer.result()?;
    let items = result.members(list).map(item).collect::<Result<_, _>>()?;
    Ok(Page { items, next_marker: result.text("NextMarker") })
}
