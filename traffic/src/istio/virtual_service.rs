//! One VirtualService.

use super::managed::{self, Model};
use super::places::{HTTP, Place, destinations, places, section};
use super::sides::{Sides, name};
use super::target::Target;
use crate::{Problem, Reference};
use planner::traffic::{Intent, Route, Split};
use serde_json::Value;

/// A VirtualService, and which of its routes are split.
#[derive(Debug)]
pub(super) struct VirtualService<'a> {
    /// Which.
    pub(super) reference: &'a Reference,
    /// As it is.
    pub(super) value: &'a Value,
    sides: &'a Sides,
    places: Vec<Place>,
}

impl<'a> VirtualService<'a> {
    /// The VirtualService, when it has routes to split, and each has both sides.
    pub(super) fn of(target: &'a Target, value: &'a Value, sides: &'a Sides) -> Result<Self, Problem> {
        let reference = &target.reference;
        let mut found: Vec<Place> = Vec::new();
        for entry in &target.entries {
            let more = places(value, entry, sides).map_err(|what| reference.unfit(what))?;
            let new: Vec<Place> = more.into_iter().filter(|place| !found.contains(place)).collect();
            found.extend(new);
        }
        if found.is_empty() {
            let what = "has no route to split: add one to spec.http, spec.tls or spec.tcp, with a destination for each \
                version";
            return Err(reference.unfit(what));
        }
        for place in &found {
            let checked = sides.check(place.destinations(value));
            checked.map_err(|what| reference.unfit(format!("{}: {what}", place.path())))?;
        }
        Ok(Self { reference, value, sides, places: found })
    }

    /// The split of each route that is split, and of each mirror route: it carries the requests that it copies.
    pub(super) fn splits(&self) -> Result<Vec<Split>, Problem> {
        let chosen = self.places.iter().map(|place| (*place, place.destinations(self.value)));
        let mirrors = section(self.value, HTTP).iter().enumerate().filter(|(_, route)| self.is_mirror(route));
        let mirrors = mirrors.map(|(index, route)| (Place { section: HTTP, index }, destinations(route)));
        let split = |(place, destinations): (Place, &[Value])| {
            let split = self.sides.split(destinations);
            split.map_err(|what| self.reference.unfit(format!("{}.{what}", place.path())))
        };
        chosen.chain(mirrors).map(split).collect()
    }

    fn is_mirror(&self, route: &Value) -> bool {
        self.sides.is_managed(name(route)) && route.get("mirror").is_some()
    }

    /// Its managed routes; nothing where it can have none and has none.
    pub(super) fn routes(&self) -> Option<Vec<Route>> {
        let routes = managed::shown(section(self.value, HTTP), self.sides, self.model(self.value));
        (self.has_model() || !routes.is_empty()).then_some(routes)
    }

    /// Whether it can have managed routes: they are modelled on the first HTTP route that is split.
    pub(super) fn has_model(&self) -> bool {
        self.model(self.value).is_some()
    }

    fn model<'v>(&self, value: &'v Value) -> Option<Model<'v>> {
        let place = self.places.iter().find(|place| place.section == HTTP)?;
        Model::of(place.destinations(value), self.sides)
    }

    /// As it is to be.
    pub(super) fn edit(&self, intent: &Intent) -> Result<Value, Problem> {
        let mut after = self.value.clone();
        for place in &self.places {
            let divided = self.sides.divided(place.destinations(self.value), intent);
            let divided = divided.map_err(|what| self.reference.unfit(format!("{}.{what}", place.path())))?;
            place.replace(&mut after, divided);
        }
        let http = section(&after, HTTP);
        let arranged = managed::arranged(http, self.sides, self.model(&after), intent);
        if arranged != http
            && let Some(slot) = after.pointer_mut("/spec/http")
        {
            *slot = Value::Array(arranged);
        }
        Ok(after)
    }
}
