//! The sources one after the other, and the credentials that are held in between.

use super::{Around, ChainError, Credentials, Nothing, Source, SourceError};
use super::{container, imds, keys, web_identity};
use crate::environment::Environment;
use crate::http::Executor;
use crate::region::{Region, RegionError};
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use tokio::sync::{Mutex, OnceCell};

/// How long credentials that are still good are used after a renewal that failed, before the next.
const RENEWED_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(30);

/// Finds credentials as the AWS SDKs do: environment, web identity, container, instance metadata; the first that gives
/// some counts. One that is set up and fails is passed over with a warning in the log. Credentials that expire are
/// renewed five minutes before, by one caller while the others wait.
pub struct Chain {
    environment: Arc<dyn Environment>,
    executor: Executor,
    held: Mutex<Held>,
    region: OnceCell<Region>,
}

#[derive(Default)]
struct Held {
    credentials: Option<Credentials>,
    /// Before this time credentials that are still good are not renewed.
    not_before: Option<DateTime<Utc>>,
}

impl Held {
    /// Those that can be used without asking anybody.
    fn ready(&self, now: DateTime<Utc>) -> Option<&Credentials> {
        let credentials = self.credentials.as_ref().filter(|held| held.are_good(now))?;
        let waits = self.not_before.is_some_and(|time| now < time);
        (waits || !credentials.are_to_be_renewed(now)).then_some(credentials)
    }
}

impl Chain {
    /// A chain that reads its settings from `environment` and asks through `executor`. Nothing is read or asked yet.
    #[must_use]
    pub fn new(environment: Arc<dyn Environment>, executor: Executor) -> Self {
        Self { environment, executor, held: Mutex::default(), region: OnceCell::new() }
    }

    fn around(&self) -> Around<'_> {
        Around { environment: &*self.environment, executor: &self.executor }
    }

    /// Where settings are read.
    pub(crate) fn environment(&self) -> &dyn Environment {
        &*self.environment
    }

    /// Credentials that are good at `now`: those that are held, or new ones.
    ///
    /// # Errors
    /// When no source gives any, with the reason of each. While those that are held are good a renewal that fails is
    /// no error; it is tried again half a minute later.
    pub async fn credentials(&self, now: DateTime<Utc>) -> Result<Credentials, ChainError> {
        let mut held = self.held.lock().await;
        if let Some(ready) = held.ready(now) {
            return Ok(ready.clone());
        }
        match self.load(now).await {
            Ok(credentials) => {
                *held = Held { credentials: Some(credentials.clone()), not_before: None };
                Ok(credentials)
            }
            Err(failed) => match &held.credentials {
                Some(old) if old.are_good(now) => {
                    tracing::warn!(error = %failed, "AWS credentials cannot be renewed, and are still good");
                    let old = old.clone();
                    held.not_before = now.checked_add_signed(RENEWED_AGAIN_AFTER);
                    Ok(old)
                }
                _ => Err(failed),
            },
        }
    }

    /// Forgets credentials that a service has refused, unless they have been replaced in the meantime.
    pub async fn forget(&self, refused: &Credentials) {
        let mut held = self.held.lock().await;
        if held.credentials.as_ref() == Some(refused) {
            *held = Held::default();
        }
    }

    /// The region to speak to: `AWS_REGION`, `AWS_DEFAULT_REGION`, else that of the instance, which is asked once.
    ///
    /// # Errors
    /// When nothing names a region, or what is named cannot be one.
    pub async fn region(&self) -> Result<Region, RegionError> {
        if let Some(named) = Region::of_environment(&*self.environment) {
            return named;
        }
        let asked =
            self.region.get_or_try_init(|| async { imds::region(self.around()).await.map_err(RegionError) });
        asked.await.cloned()
    }

    /// Asks each source in order.
    async fn load(&self, now: DateTime<Utc>) -> Result<Credentials, ChainError> {
        let mut errors = Vec::new();
        for source in [Source::Environment, Source::WebIdentity, Source::Container, Source::InstanceMetadata]
        {
            let given = self.ask(source).await.and_then(|given| good(given, now));
            match given {
                Ok(credentials) => {
                    warn_of_failures(&errors, source);
                    return Ok(credentials);
                }
                Err(nothing) => errors.push(nothing.named(source)),
            }
        }
        Err(ChainError(errors))
    }

    async fn ask(&self, source: Source) -> Result<Credentials, Nothing> {
        let around = self.around();
        match source {
            Source::Environment => keys::load(around.environment),
            Source::WebIdentity => {
                let exchange = web_identity::set_up(around)?;
                let region = self.region().await.map_err(|error| Nothing::Failed(error.to_string()))?;
                web_identity::load(around, &exchange, &region).await
            }
            Source::Container => container::load(around).await,
            Source::InstanceMetadata => imds::load(around).await,
        }
    }
}

/// A source may hand out what it held too long, or the clocks differ: such credentials would only be refused.
fn good(given: Credentials, now: DateTime<Utc>) -> Result<Credentials, Nothing> {
    match given.expires {
        Some(expires) if expires <= now => Err(Nothing::Failed(format!(
            "the credentials that it gave expired at {}",
            expires.format("%Y-%m-%dT%H:%M:%SZ")
        ))),
        _ => Ok(given),
    }
}

/// Who set up a source means it: that another one answered instead is told.
fn warn_of_failures(errors: &[SourceError], found: Source) {
    for error in errors.iter().filter(|error| error.is_set_up) {
        tracing::warn!(%error, %found, "a source of AWS credentials is set up and failed; another one is used");
    }
}
