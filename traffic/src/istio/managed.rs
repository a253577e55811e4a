//! Managed routes: those that send requests with certain headers to the canary, and those that mirror requests to it.
//!
//! A managed route is ours as a whole. It is recognised when it is exactly what we would write for what it says;
//! anything else of its name is put right.

use super::places::destinations;
use super::sides::{Role, Sides, name};
use super::weights::alike;
use crds::rollout::canary::{HeaderRoutingMatch, RouteMatch};
use planner::traffic::{Intent, Route, WHOLE_WEIGHT};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The split HTTP route that managed routes are modelled on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model<'a> {
    destinations: &'a [Value],
    canary: &'a Value,
}

impl<'a> Model<'a> {
    /// The model, if the route has a destination of the canary.
    pub(super) fn of(destinations: &'a [Value], sides: &Sides) -> Option<Self> {
        let canary = sides.find(destinations, &Role::Canary)?.get("destination")?;
        Some(Self { destinations, canary })
    }

    /// A managed route as it is written.
    ///
    /// DIFFERS: the canary's destination is that of the model, word for word. Argo Rollouts puts it together from a
    /// short host and the first destination's port, which may be another Service, or another Service's port.
    fn written(self, route: &Route) -> Value {
        match route {
            Route::Header { name, matches } => json!({
                "name": name,
                "match": matches.iter().map(written_header).collect::<Vec<_>>(),
                "route": [{"destination": self.canary, "weight": WHOLE_WEIGHT}],
            }),
            Route::Mirror { name, matches, percentage } => json!({
                "name": name,
                "match": matches.iter().map(written_match).collect::<Vec<_>>(),
                "route": self.destinations,
                "mirror": self.canary,
                "mirrorPercentage": {"value": percentage},
            }),
        }
    }

    /// What a managed route says; nothing if it is not as we write it. Weights do not count: those of a header route
    /// mean nothing, and those of a mirror route are a split of their own.
    fn read(self, value: &Value) -> Option<Route> {
        let name = name(value).to_owned();
        let matches = value.get("match")?.as_array().filter(|matches| !matches.is_empty())?;
        let route = if value.get("mirror").is_some() {
            let percentage = value.pointer("/mirrorPercentage/value")?.as_i64()?;
            let matches = matches.iter().map(read_match).collect::<Option<_>>()?;
            Route::Mirror { name, matches, percentage: i32::try_from(percentage).ok()? }
        } else {
            Route::Header { name, matches: matches.iter().map(read_header).collect::<Option<_>>()? }
        };
        (weightless(value) == weightless(&self.written(&route))).then_some(route)
    }
}

/// The managed routes among HTTP routes, as far as they stand before all others; one that cannot be read is
/// [`strange`].
pub(super) fn shown(http: &[Value], sides: &Sides, model: Option<Model<'_>>) -> Vec<Route> {
    let managed = |route: &&Value| sides.is_managed(name(route));
    let before = http
        .iter()
        .take_while(managed)
        .map(|route| model.and_then(|model| model.read(route)).unwrap_or_else(|| strange(name(route))));
    let behind = http.iter().skip_while(managed).filter(managed).map(|route| strange(name(route)));
    before.chain(behind).collect()
}

/// What several VirtualServices show together: where they differ, every route is [`strange`].
pub(super) fn agreed(mut shown: Vec<Vec<Route>>) -> Vec<Route> {
    shown.dedup();
    if shown.len() > 1 {
        return shown.iter().flatten().map(|route| strange(route.name())).collect();
    }
    shown.pop().unwrap_or_default()
}

/// A route that is there, and shows nothing that anybody asks for: a header route without matches would be none.
fn strange(name: &str) -> Route {
    Route::Header { name: name.to_owned(), matches: Vec::new() }
}

/// The HTTP routes as they are to be: wanted managed routes first, in order, then all that are not managed.
///
/// A managed route that is right already stays as it is. Without a model there are none.
pub(super) fn arranged(
    http: &[Value],
    sides: &Sides,
    model: Option<Model<'_>>,
    intent: &Intent,
) -> Vec<Value> {
    let (ours, others): (Vec<&Value>, Vec<&Value>) =
        http.iter().partition(|route| sides.is_managed(name(route)));
    let wanted = model.into_iter().flat_map(|model| intent.routes.iter().map(move |route| (model, route)));
    let right = |model: Model<'_>, route: &Route, value: &Value| {
        let splits = value.get("mirror").is_none()
            || sides.split(destinations(value)).is_ok_and(|split| alike(&split, intent));
        splits && model.read(value).as_ref() == Some(route)
    };
    let managed = wanted.map(|(model, route)| {
        let found = ours.iter().find(|value| right(model, route, value));
        found.map_or_else(|| model.written(route), |value| (*value).clone())
    });
    managed.chain(others.into_iter().cloned()).collect()
}

fn weightless(route: &Value) -> Value {
    let mut weightless = route.clone();
    let destinations = weightless.get_mut("route").and_then(Value::as_array_mut);
    for destination in destinations.into_iter().flatten().filter_map(Value::as_object_mut) {
        destination.remove("weight");
    }
    weightless
}

fn written_header(header: &HeaderRoutingMatch) -> Value {
    let mut headers = Map::new();
    headers.insert(header.header_name.clone(), json!(header.header_value));
    json!({"headers": headers})
}

fn read_header(value: &Value) -> Option<HeaderRoutingMatch> {
    let (name, value) = value.get("headers")?.as_object()?.iter().next()?;
    Some(HeaderRoutingMatch {
        header_name: name.clone(),
        header_value: Deserialize::deserialize(value).ok()?,
    })
}

fn written_match(route: &RouteMatch) -> Value {
    let fields =
        [("method", json!(route.method)), ("uri", json!(route.path)), ("headers", json!(route.headers))];
    let set = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(set.map(|(name, value)| (name.to_owned(), value)).collect())
}

fn read_match(value: &Value) -> Option<RouteMatch> {
    let fields = value.as_object()?;
    Some(RouteMatch {
        method: read_field(fields, "method")?,
        path: read_field(fields, "uri")?,
        headers: read_field(fields, "headers")?,
    })
}

/// A field that may be missing; nothing if it has another shape.
fn read_field<'a, T: Deserialize<'a>>(fields: &'a Map<String, Value>, name: &str) -> Option<Option<T>> {
    fields.get(name).map(T::deserialize).transpose().ok()
}
