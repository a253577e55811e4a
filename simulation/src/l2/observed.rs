//! Where a run is disturbed and watched: the weather of its requests, the witness of its changes, and what both share.

use super::aimed::Quiver;
use super::checker::{Actor, Checker, Kind};
use super::run::QUIET;
use super::weather::{CallFault, Fault, Faults, NewsFault, SLOW, STALL};
use crds::Time;
use fastrand::Rng;
use sandbox::api::registry::ResourceId;
use sandbox::api::store::Change;
use sandbox::{ApiServer, Call, Delivery, Fate, News, Weather, Witness};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Most lines of a trace.
const TRACE_MAX_LINES: usize = 20_000;

/// What weather and witness share.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) checker: Checker,
    pub(super) faults: Faults,
    pub(super) quiver: Quiver,
    pub(super) random: Rng,
    pub(super) begin: Time,
    pub(super) calls: u32,
    pub(super) writes: u32,
    pub(super) conflicts: u32,
    pub(super) news: u32,
    pub(super) events: Vec<u32>,
    pub(super) hash: u64,
    /// The controller whose request made changes up to this revision.
    pub(super) author: Option<(Arc<str>, u64)>,
    /// Faults that were met, each at its exact place.
    pub(super) hits: Vec<Fault>,
    /// Controllers that die now.
    pub(super) dying: mpsc::UnboundedSender<String>,
    /// Until then a controller may not hear of everything: news are late, or a stream has died silently.
    pub(super) blind_until: Time,
    /// When something other than leases and events was last changed.
    pub(super) changed: Time,
    /// Whether anything has ever gone wrong.
    pub(super) troubled: bool,
    /// Requests about the lease that are lost, of one controller or of all, until then.
    pub(super) lease_lost: Vec<(Option<String>, Time)>,
    /// Controllers that are frozen, until then.
    pub(super) frozen: BTreeMap<String, Time>,
    pub(super) trace: Option<Vec<String>>,
    pub(super) kinds: BTreeMap<ResourceId, Option<Kind>>,
}

pub(super) type Shared = Arc<Mutex<Core>>;

pub(super) fn lock(core: &Shared) -> MutexGuard<'_, Core> {
    core.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    pub(super) fn note(&mut self, now: Time, line: impl FnOnce() -> String) {
        let begin = self.begin;
        if let Some(trace) = self.trace.as_mut().filter(|trace| trace.len() < TRACE_MAX_LINES) {
            trace.push(format!("{:9.3} s  {}", begin.until(now).as_secs_f64(), line()));
        }
    }

    /// Whether the faults are over and nothing has changed for a while.
    pub(super) fn is_quiet(&self, now: Time) -> bool {
        let calm = self.faults.swarm.as_ref().and_then(|swarm| swarm.until).unwrap_or(self.begin);
        self.changed.max(calm).max(self.blind_until).plus(QUIET) <= now
    }

    /// What keeps a request from being looked at by chance: its sender is frozen, or its lease out of reach.
    fn obstacle(&self, call: &Call, now: Time) -> Option<Fate> {
        if let Some(until) = self.frozen.get(&call.client).filter(|until| now < **until) {
            return Some(Fate::Slow { before: now.until(*until), after: Duration::ZERO });
        }
        let lost = |(who, until): &(Option<String>, Time)| {
            now < *until && who.as_ref().is_none_or(|who| *who == call.client)
        };
        (call.resource == "leases" && self.lease_lost.iter().any(lost))
            .then_some(Fate::Broken { applied: false })
    }

    fn mix(&mut self, parts: &[&str]) {
        // FNV-1a: cheap, and the same everywhere.
        for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

pub(super) struct Sky(pub(super) Shared);

impl Weather for Sky {
    fn call(&mut self, call: &Call, now: Time) -> Fate {
        let mut core = lock(&self.0);
        let (number, write) = (core.calls, core.writes);
        core.calls += 1;
        if call.is_write() && call.resource != "leases" {
            core.writes += 1;
            if call.resource == "events" {
                core.events.push(write);
            }
        }
        core.checker.sent(call, now);
        if let Some(fate) = core.obstacle(call, now) {
            core.troubled = true;
            core.blind_until = core.blind_until.max(now);
            return fate;
        }
        if let Some(fate) = core.quiver.at_call(call) {
            core.troubled = true;
            // What never comes to rest has no end to wait for.
            if !matches!(call.resource.as_str(), "events" | "leases") {
                core.blind_until = core.blind_until.max(now);
            }
            core.note(now, || format!("AIMED {fate:?}: {} {}/{}", call.verb, call.resource, call.name));
            return fate;
        }
        let Core { faults, random, .. } = &mut *core;
        let Some(fault) = faults.of_call(call, number, write, now, random) else { return Fate::Answered };
        core.hits.push(Fault::Call(number, fault));
        // A controller that was disturbed may have something to do although nothing has changed.
        let over = match fault {
            CallFault::Slow => now.plus(SLOW),
            // A list without an answer is given up as a watch is.
            CallFault::Silent if !call.is_write() => now.plus(STALL),
            _ => now,
        };
        core.blind_until = core.blind_until.max(over);
        core.troubled = true;
        core.note(now, || {
            format!("FAULT {fault:?}: {} {}/{} of {}", call.verb, call.resource, call.name, call.client)
        });
        core.checker.reach(match fault {
            CallFault::CrashBefore => "a controller died before a write",
            CallFault::CrashAfter => "a controller died after a write",
            CallFault::LostAnswer
            | CallFault::SilentAnswer
            | CallFault::BrokenAnswer
            | CallFault::GatewayTimeout => "a write was carried out and its answer lost",
            CallFault::Conflict => "a conflict that was none",
            CallFault::Forbidden | CallFault::Invalid => "a write was refused for now",
            CallFault::TooMany | CallFault::Broken | CallFault::Lost | CallFault::Silent => {
                "a request got no good answer"
            }
            CallFault::Slow => "a request was carried out long after it was sent",
        });
        if fault.is_crash() {
            let _ = core.dying.send(call.client.clone());
        }
        fault.fate()
    }

    fn news(&mut self, news: &News<'_>, now: Time) -> Delivery {
        let mut core = lock(&self.0);
        let number = core.news;
        core.news += 1;
        if let Some(until) = core.frozen.get(news.client).filter(|until| now < **until) {
            return Delivery::Until(*until);
        }
        let Core { faults, random, quiver, .. } = &mut *core;
        let aimed = quiver.at_news(news, now);
        let is_aimed = aimed.is_some();
        let delivery = aimed.unwrap_or_else(|| faults.of_news(news, number, now, random));
        // What is aimed is of the scenario, and comes again with it.
        if !is_aimed {
            core.hits.extend(hit(&delivery, number, now));
        }
        core.troubled |= delivery != Delivery::Delivered;
        match &delivery {
            Delivery::Stalled => {
                core.blind_until = core.blind_until.max(now.plus(STALL));
                core.checker.reach("a stream died silently");
            }
            Delivery::Until(time) => {
                core.blind_until = core.blind_until.max(*time);
                core.checker.reach("news came late");
            }
            Delivery::Gone | Delivery::Failed => core.checker.reach("a watch began anew from a list"),
            _ => {}
        }
        if delivery != Delivery::Delivered {
            core.note(now, || {
                format!(
                    "FAULT {delivery:?}: {} {} @{} to {}",
                    news.event, news.resource, news.revision, news.client
                )
            });
        }
        delivery
    }

    fn done(&mut self, call: &Call, code: u16, revision: u64, now: Time) {
        let mut core = lock(&self.0);
        let code_text = code.to_string();
        core.mix(&[&call.client, call.verb, &call.resource, &call.name, &call.subresource, &code_text]);
        if call.is_write() {
            core.author = Some((call.client.as_str().into(), revision));
            if code == 409 && call.verb == "patch" {
                core.conflicts += 1;
                core.checker.reach("a write that came too late was refused");
            }
            if !matches!(call.resource.as_str(), "leases" | "events") && !core.checker.leads(&call.client) {
                core.checker.reach(match code {
                    ..300 => "a write of a controller that leads no more found all as it had been",
                    _ => "a write of a controller that leads no more was refused",
                });
            }
            if call.resource != "leases" {
                core.note(now, || {
                    let body: String = String::from_utf8_lossy(&call.body).chars().take(300).collect();
                    let sub = if call.subresource.is_empty() {
                        String::new()
                    } else {
                        format!("/{}", call.subresource)
                    };
                    format!(
                        "{} {} {}/{}{sub} -> {code} @{revision} {body}",
                        call.client, call.verb, call.resource, call.name
                    )
                });
            }
        }
        core.checker.called(call, code, now);
    }
}

/// The fault that gives this delivery again.
fn hit(delivery: &Delivery, number: u32, now: Time) -> Option<Fault> {
    let fault = match delivery {
        Delivery::Delivered => return None,
        Delivery::Until(time) => {
            let late = u64::try_from(now.until(*time).as_millis()).unwrap_or(u64::MAX);
            return Some(Fault::Late(number, late));
        }
        Delivery::Twice => NewsFault::Twice,
        Delivery::Closed => NewsFault::Closed,
        Delivery::Broken => NewsFault::Broken,
        Delivery::Gone => NewsFault::Gone,
        Delivery::Failed => NewsFault::Failed,
        Delivery::Stalled => NewsFault::Stalled,
    };
    Some(Fault::News(number, fault))
}

pub(super) struct Eye(pub(super) Shared);

impl Witness for Eye {
    fn saw(&mut self, api: &ApiServer, resource: ResourceId, change: &Change, now: Time) {
        let mut core = lock(&self.0);
        let kind = *core
            .kinds
            .entry(resource)
            .or_insert_with(|| api.resource(resource).ok().and_then(|kind| Kind::of(&kind.kind)));
        let Some(kind) = kind else { return };
        let actor = match &core.author {
            Some((client, revision)) if change.revision <= *revision => Actor::Controller(client.clone()),
            _ => Actor::World,
        };
        let before = change.before.as_ref().map(|before| &before.value);
        let after = (!change.deleted).then_some(&change.object.value);
        core.checker.world.revision = change.revision;
        core.changed = now;
        let name = change.object.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let revision = change.revision.to_string();
        core.mix(&[name, &revision]);
        if actor == Actor::World {
            core.note(now, || {
                let what = match (before, after) {
                    (None, _) => "appears",
                    (_, None) => "goes",
                    _ => "changes",
                };
                let status = change.object.value.get("status").map(Value::to_string).unwrap_or_default();
                let status: String = if kind == Kind::Pod || kind == Kind::Rollout {
                    String::new()
                } else {
                    status.chars().take(160).collect()
                };
                format!("  {kind:?} {name} {what} @{revision} {status}")
            });
        }
        core.checker.saw(&actor, kind, before, after, now);
    }
}
