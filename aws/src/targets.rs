//! Which endpoints a target group has.

use crate::client::Client;
use crate::elbv2::TargetHealth;
use crate::error::Error;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// What a target group says of targets that it is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// Those that it does not have, or is about to let go.
    pub missing: BTreeSet<SocketAddr>,
    /// Those that it has, and whose first health checks are not over: no request is sent to them yet. What comes of the
    /// checks does not count: where all targets are unhealthy, requests are sent to all.
    pub unchecked: BTreeSet<SocketAddr>,
}

/// What a target group of the type `ip` says of `targets` (IP address and port of a pod).
///
/// # Errors
/// See [`Error`]; a target group that does not exist is one, with the code `TargetGroupNotFound`.
pub async fn registration(
    client: &Client,
    target_group_arn: &str,
    targets: &BTreeSet<SocketAddr>,
    now: DateTime<Utc>,
) -> Result<Registration, Error> {
    if targets.is_empty() {
        return Ok(Registration::default());
    }
    Ok(compare(&client.target_health(target_group_arn, now).await?, targets))
}

fn compare(described: &[TargetHealth], targets: &BTreeSet<SocketAddr>) -> Registration {
    let there = |is_wanted: fn(&TargetHealth) -> bool| -> BTreeSet<SocketAddr> {
        let there = described.iter().filter(|target| target.is_registered() && is_wanted(target));
        let address =
            |target: &TargetHealth| Some(SocketAddr::new(target.id.parse::<IpAddr>().ok()?, target.port?));
        there.filter_map(address).collect()
    };
    let (registered, checked) = (there(|_| true), there(TargetHealth::is_checked));
    Registration {
        missing: targets.difference(&registered).copied().collect(),
        unchecked: targets
            .intersection(&registered)
            .filter(|target| !checked.contains(target))
            .copied()
            .collect(),
    }
}
