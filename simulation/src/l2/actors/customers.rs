//! Clients of Services and of routes, and how their requests are judged.

use super::super::house::ROUTE;
use super::super::observed::lock;
use super::super::run::Driver;
use super::{kind_of, name, router_kind};
use sandbox::traffic::RouterKind;
use serde_json::Value;
use std::time::Duration;

impl Driver<'_> {
    pub(super) fn customers(&mut self, lag: Duration) {
        if !self.routes().is_empty() {
            // They come through the routes already, which are to be late no more than settles.
            return;
        }
        let services = self.fate.git.iter().filter(|object| kind_of(object) == "Service");
        let names: Vec<String> = services.map(|service| name(service).to_owned()).collect();
        self.house.open_doors(&names, lag);
        self.fate.judged = self.house.now();
        lock(&self.core).checker.planes_lag(lag);
    }

    fn routes(&self) -> Vec<(RouterKind, String)> {
        let route = |object: &Value| {
            let kind = router_kind(object).filter(|kind| *kind != RouterKind::DestinationRule)?;
            Some((kind, name(object).to_owned()))
        };
        self.fate.git.iter().filter_map(route).collect()
    }

    pub(super) fn clients_of_routes(&mut self, lag: Duration) {
        let routes = self.routes();
        self.house.open_routes(&routes, lag);
        self.fate.judged = self.house.now();
        lock(&self.core).checker.routers_lag(lag);
    }

    /// Judges what the clients have met since.
    pub(in crate::l2) fn judge(&mut self) {
        let Some(traffic) = self.house.traffic() else { return };
        let now = self.house.now();
        let since = self.fate.judged;
        // First all records, then the checker: whoever sees the cluster must not be waited for under its lock.
        let clients = traffic.clients().into_iter();
        let met: Vec<_> = clients.map(|name| (traffic.records(&name, since), name)).collect();
        let mut core = lock(&self.core);
        for (records, name) in met {
            for record in records.iter().filter(|record| record.at < now) {
                match name.strip_prefix(ROUTE) {
                    Some(route) => core.checker.judge_route(route, record, now),
                    None => core.checker.judge(&name, record, now),
                }
            }
        }
        drop(core);
        self.fate.judged = now;
    }
}
