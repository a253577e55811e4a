//! Time goes by: requests, what data planes hear, and scrapes, in order. Times are microseconds since the epoch.

use super::clients::{Clients, Stream};
use super::plane::{Front, Key, Manner, News, Plane, Share, Split, View};
use super::pods::Pods;
use super::routers::{RouterKind, Routers};
use super::scrape::scrape;
use crate::Dig;
use crate::api::text;
use crate::promql::Database;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Groups of clients that there are at most: more is a defect of a simulation.
const STREAMS_MAX: usize = 1_000;

/// Everything that moves.
pub(super) struct State {
    seed: u64,
    /// Everything up to here has happened, requests that begin at this very moment excepted.
    at_us: i64,
    pub(super) pods: Pods,
    /// As it is, for data planes that come later.
    truth: View,
    routers: Routers,
    planes: BTreeMap<String, Plane>,
    pub(super) streams: BTreeMap<String, Stream>,
    pub(super) database: Database,
    /// Between two scrapes; `None`: nobody scrapes.
    scrape_every_us: Option<i64>,
    next_scrape_us: i64,
}

impl State {
    pub(super) fn new(seed: u64, now_us: i64, scrape_every_us: Option<i64>) -> Self {
        let scrape_every_us = scrape_every_us.map(|every| every.max(1_000));
        Self {
            seed,
            at_us: now_us,
            pods: Pods::default(),
            truth: View::default(),
            routers: Routers::default(),
            planes: BTreeMap::new(),
            streams: BTreeMap::new(),
            database: Database::default(),
            scrape_every_us,
            next_scrape_us: now_us.saturating_add(scrape_every_us.unwrap_or(0)),
        }
    }

    /// Lets everything happen up to this time.
    pub(super) fn advance(&mut self, to_us: i64) {
        loop {
            for plane in self.planes.values_mut() {
                plane.hear(self.at_us);
            }
            self.scrape();
            if self.at_us >= to_us {
                return;
            }
            let next_scrape = self.scrape_every_us.map(|_| self.next_scrape_us);
            let next = self.planes.values().filter_map(Plane::next).chain(next_scrape).fold(to_us, i64::min);
            for stream in self.streams.values_mut() {
                if let Some(plane) = self.planes.get(&stream.clients.plane) {
                    stream.run(next, plane, &mut self.pods);
                }
            }
            self.at_us = next;
        }
    }

    fn scrape(&mut self) {
        let Some(every) = self.scrape_every_us else {
            self.pods.ended.clear();
            return;
        };
        if self.next_scrape_us <= self.at_us {
            scrape(&mut self.pods, &mut self.database, self.next_scrape_us / 1_000);
            self.next_scrape_us = self.next_scrape_us.saturating_add(every);
        }
    }

    fn tell(&mut self, news: News) {
        if self.truth.knows(&news) {
            return;
        }
        for plane in self.planes.values_mut() {
            plane.tell(news.clone(), self.at_us);
        }
        self.truth.learn(news);
    }

    pub(super) fn saw_pod(&mut self, pod: &Value, deleted: bool) {
        for news in self.pods.saw(pod, deleted) {
            self.tell(news);
        }
    }

    pub(super) fn saw_service(&mut self, service: &Value, deleted: bool) {
        let key =
            (text(service, "/metadata/namespace").to_owned(), text(service, "/metadata/name").to_owned());
        let selector = service.at("/spec/selector").and_then(Value::as_object);
        let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        let front = Front {
            selector: selector.into_iter().flatten().filter_map(pair).collect(),
            publish_not_ready: service.at("/spec/publishNotReadyAddresses") == Some(&Value::Bool(true)),
        };
        self.tell(News::Service(key, (!deleted).then(|| Arc::new(front))));
    }

    pub(super) fn weigh(&mut self, route: Key, shares: &[Share]) {
        let split = Split { shares: shares.into(), manner: Manner::Plain };
        self.tell(News::Split((None, route.0, route.1), Some(Arc::new(split))));
    }

    /// An object of a router is now so, or gone.
    pub(super) fn saw_router(&mut self, kind: RouterKind, object: &Value, deleted: bool) {
        for (route, split) in self.routers.saw(kind, object, deleted) {
            self.tell(News::Split(route, split));
        }
    }

    /// The data plane of this name, which knows all that is true when it is new.
    pub(super) fn plane(&mut self, name: &str) -> &mut Plane {
        let truth = &self.truth;
        self.planes.entry(name.to_owned()).or_insert_with(|| Plane::knowing(truth.clone()))
    }

    /// Lets clients come. More than [`STREAMS_MAX`] groups are not let in.
    pub(super) fn send(&mut self, name: &str, clients: Clients) {
        self.plane(&clients.plane);
        if let Some(stream) = self.streams.get_mut(name) {
            stream.become_like(clients, self.at_us);
        } else if self.streams.len() < STREAMS_MAX {
            // Each group has its own luck, whatever the others do.
            let seed = name.bytes().fold(self.seed, |seed, byte| {
                seed.rotate_left(8).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(byte)
            });
            self.streams.insert(name.to_owned(), Stream::new(clients, self.at_us, seed));
        }
    }
}
