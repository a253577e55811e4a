//! Which endpoints a target group lacks.

use crate::client::Client;
use crate::elbv2::TargetHealth;
use crate::error::Error;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// What is wanted of targets beside that they are registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Nothing: one that is not healthy yet, or drains, counts.
    #[default]
    Ignored,
    /// That they are healthy: requests are sent to them.
    Wanted,
}

/// Which of `targets` (IP address and port of a pod) a target group of the type `ip` lacks; none when all are there.
///
/// # Errors
/// See [`Error`]; a target group that does not exist is one, with the code `TargetGroupNotFound`.
pub async fn missing_targets(
    client: &Client,
    target_group_arn: &str,
    targets: &BTreeSet<SocketAddr>,
    health: Health,
    now: DateTime<Utc>,
) -> Result<BTreeSet<SocketAddr>, Error> {
    if targets.is_empty() {
        return Ok(BTreeSet::new());
    }
    Ok(missing(&client.target_health(target_group_arn, now).await?, targets, health))
}

fn missing(
    described: &[TargetHealth],
    targets: &BTreeSet<SocketAddr>,
    health: Health,
) -> BTreeSet<SocketAddr> {
    let there: BTreeSet<SocketAddr> = described
        .iter()
        .filter(|target| target.is_registered() && (health == Health::Ignored || target.is_healthy()))
        .filter_map(|target| Some(SocketAddr::new(target.id.parse::<IpAddr>().ok()?, target.port?)))
        .collect();
    targets.difference(&there).copied().collect()
}
