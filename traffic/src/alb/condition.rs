//! What a conditions annotation says: which headers a request must have.

use super::json::{self, field};
use crds::rollout::canary::{HeaderRoutingMatch, StringMatch};
use planner::traffic::Route;
use serde::Serialize;
use serde_json::Value;

/// The kind of condition that looks at a header.
const HEADER: &str = "http-header";

/// A header and the values of which it must have one. The fields stand in the order in which Argo Rollouts writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Condition {
    field: &'static str,
    http_header_config: Header,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Header {
    http_header_name: String,
    values: Vec<String>,
}

/// The conditions for these matches; none where a match is not for an exact value. Values for the same header stand in
/// one condition.
///
/// PARITY: the load balancer wants all conditions of a route, so two headers must both match, where other routers take
/// either. And `*` and `?` in a value stand for any text, as AWS reads them.
pub(super) fn of(matches: &[HeaderRoutingMatch]) -> Option<Vec<Condition>> {
    let mut conditions: Vec<Condition> = Vec::new();
    for HeaderRoutingMatch { header_name, header_value } in matches {
        let StringMatch { exact: Some(value), prefix: None, regex: None } = header_value else { return None };
        let known =
            conditions.iter_mut().find(|known| known.http_header_config.http_header_name == *header_name);
        match known {
            Some(known) => known.http_header_config.values.push(value.clone()),
            None => conditions.push(condition(header_name.clone(), vec![value.clone()])),
        }
    }
    Some(conditions)
}

/// The annotation.
pub(super) fn text(conditions: &[Condition]) -> String {
    json::text(&conditions)
}

/// What an annotation says, if it is about headers alone.
pub(super) fn parse(text: &str) -> Option<Vec<Condition>> {
    let conditions: Value = serde_json::from_str(text).ok()?;
    conditions.as_array()?.iter().map(parse_one).collect()
}

/// The matches that would be written as these conditions: those of a route in `declared` with this name if they would
/// be, since the same conditions may be asked for in several ways. None where no matches would.
pub(super) fn matches(
    name: &str,
    conditions: &[Condition],
    declared: &[Route],
) -> Option<Vec<HeaderRoutingMatch>> {
    let of_route = |route: &Route| match route {
        Route::Header { name: of, matches } if of == name => Some(matches.clone()),
        _ => None,
    };
    let one_by_one = conditions.iter().flat_map(|condition| {
        let Header { http_header_name, values } = &condition.http_header_config;
        values.iter().map(|value| HeaderRoutingMatch {
            header_name: http_header_name.clone(),
            header_value: StringMatch { exact: Some(value.clone()), ..StringMatch::default() },
        })
    });
    let mut candidates = declared.iter().filter_map(of_route).chain([one_by_one.collect()]);
    candidates.find(|matches| !matches.is_empty() && of(matches).as_deref() == Some(conditions))
}

fn condition(http_header_name: String, values: Vec<String>) -> Condition {
    Condition { field: HEADER, http_header_config: Header { http_header_name, values } }
}

fn parse_one(value: &Value) -> Option<Condition> {
    let config = field(value, "HttpHeaderConfig")?;
    let name = field(config, "HttpHeaderName")?.as_str()?;
    let values = field(config, "Values")?.as_array()?;
    let values = values.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
    let of_header = field(value, "Field")?.as_str() == Some(HEADER);
    of_header.then(|| condition(name.to_owned(), values))
}
