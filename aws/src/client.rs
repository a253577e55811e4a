//! Sends actions of Elastic Load Balancing: signed, repeated where that helps, page by page.

use crate::credentials::Chain;
use crate::elbv2::{self, Listener, LoadBalancer, Page, Rule, TagDescription, TargetGroup, TargetHealth};
use crate::endpoint::ELASTIC_LOAD_BALANCING;
use crate::environment::Environment;
use crate::error::Error;
use crate::http::{self, Executor};
use crate::query::{self, ApiError};
use crate::retry::Retries;
use crate::sigv4;
use crate::time::Clock;
use crate::xml::Malformed;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most pages of one list: of 400 items each, more than any account's quota.
const PAGES_MAX: usize = 100;
/// Most load balancers that are remembered: more than a cluster has.
const REMEMBERED_MAX: usize = 1000;

/// Asks Elastic Load Balancing. To be kept: it holds credentials between questions.
///
/// Every question takes the time `now`, with which it is signed; while it is asked the time goes on with tokio's clock.
/// Throttling and faults of the service are asked again, at most three times, after pauses of 0.5, 1 and 2 seconds.
/// Credentials that are refused as expired are replaced once.
pub struct Client {
    chain: Chain,
    executor: Executor,
    /// Load balancers that were found, by the DNS names that they were asked for by.
    load_balancers: Mutex<BTreeMap<String, LoadBalancer>>,
}

impl Client {
    /// A client that reads its settings from `environment` and asks through `executor`. Nothing is asked yet.
    #[must_use]
    pub fn new(environment: Arc<dyn Environment>, executor: Executor) -> Self {
        Self { chain: Chain::new(environment, executor.clone()), executor, load_balancers: Mutex::default() }
    }

    /// Where its credentials come from.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The load balancer of a DNS name; none where there is none of that name.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn load_balancer(
        &self,
        dns_name: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<LoadBalancer>, Error> {
        // The API finds by ARN and by name, not by DNS name: it is looked through, up to the one that is meant.
        let is_it = |found: &LoadBalancer| found.has_dns_name(dns_name);
        let read =
            self.list(now, elbv2::load_balancers::request, elbv2::load_balancers::parse, is_it).await?;
        Ok(read.into_iter().find(is_it))
    }

    /// The same, and one that was found before is not looked for again.
    pub(crate) async fn remembered_load_balancer(
        &self,
        dns_name: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<LoadBalancer>, Error> {
        let known = self.known().get(dns_name).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let found = self.load_balancer(dns_name, now).await?;
        if let Some(found) = &found {
            let mut known = self.known();
            if known.len() >= REMEMBERED_MAX {
                known.clear();
            }
            known.insert(dns_name.to_owned(), found.clone());
        }
        Ok(found)
    }

    /// The load balancer of that DNS name is gone: another one may have it.
    pub(crate) fn forget_load_balancer(&self, dns_name: &str) {
        self.known().remove(dns_name);
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, LoadBalancer>> {
        self.load_balancers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The target groups that a load balancer uses.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn target_groups(
        &self,
        load_balancer_arn: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<TargetGroup>, Error> {
        let request = |marker: Option<&str>| elbv2::target_groups::request(load_balancer_arn, marker);
        self.list(now, request, elbv2::target_groups::parse, |_| false).await
    }

    /// The tags of resources, asked for in portions of 20.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn tags(&self, arns: &[String], now: DateTime<Utc>) -> Result<Vec<TagDescription>, Error> {
        let clock = Clock::starting_at(now);
        let mut tags = Vec::new();
        for portion in arns.chunks(elbv2::tags::ARNS_MAX) {
            let text = self.call(&elbv2::tags::request(portion), clock).await?;
            tags.extend(elbv2::tags::parse(&text)?);
        }
        Ok(tags)
    }

    /// The listeners of a load balancer.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn listeners(
        &self,
        load_balancer_arn: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<Listener>, Error> {
        let request = |marker: Option<&str>| elbv2::listeners::request(load_balancer_arn, marker);
        self.list(now, request, elbv2::listeners::parse, |_| false).await
    }

    /// The rules of a listener, the default one among them.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn rules(&self, listener_arn: &str, now: DateTime<Utc>) -> Result<Vec<Rule>, Error> {
        let request = |marker: Option<&str>| elbv2::rules::request(listener_arn, marker);
        self.list(now, request, elbv2::rules::parse, |_| false).await
    }

    /// The targets of a target group and their health.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn target_health(
        &self,
        target_group_arn: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<TargetHealth>, Error> {
        let request = elbv2::target_health::request(target_group_arn);
        let text = self.call(&request, Clock::starting_at(now)).await?;
        Ok(elbv2::target_health::parse(&text)?)
    }

    /// All items of a list, page by page, up to the page with one that is `enough`.
    async fn list<T>(
        &self,
        now: DateTime<Utc>,
        request: impl Fn(Option<&str>) -> query::Request,
        parse: fn(&str) -> Result<Page<T>, Malformed>,
        enough: impl Fn(&T) -> bool,
    ) -> Result<Vec<T>, Error> {
        let clock = Clock::starting_at(now);
        let mut items = Vec::new();
        let mut marker: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let text = self.call(&request(marker.as_deref()), clock).await?;
            let page = parse(&text)?;
            let is_enough = page.items.iter().any(&enough);
            items.extend(page.items);
            marker = page.next_marker;
            if marker.is_none() || is_enough {
                return Ok(items);
            }
        }
        Err(Error::TooLong { action: request(None).action, pages: PAGES_MAX })
    }

    /// The text of the answer to one action.
    async fn call(&self, request: &query::Request, clock: Clock) -> Result<String, Error> {
        let region = self.chain.region().await?;
        let url = ELASTIC_LOAD_BALANCING.url(self.chain.environment(), &region);
        let mut retries = Retries::new();
        let mut is_renewed = false;
        loop {
            let credentials = self.chain.credentials(clock.now()).await?;
            let mut signed = request.to_http(url.clone());
            // Anew each time: a signature is good for five minutes only.
            sigv4::sign(&mut signed, &credentials, ELASTIC_LOAD_BALANCING.name, &region, clock.now())?;
            let answer = http::send(self.executor.clone(), signed).await;
            let answer = answer.map_err(|error| Error::NoAnswer { action: request.action, error })?;
            let text = answer.text();
            if answer.is_success() {
                return Ok(text);
            }
            let error = ApiError::of(answer.status, &text);
            let again = if error.is_expired() && !is_renewed {
                is_renewed = true;
                self.chain.forget(&credentials).await;
                true
            } else {
                error.is_transient() && retries.again().await
            };
            if !again {
                return Err(Error::Api { action: request.action, error });
            }
        }
    }
}
