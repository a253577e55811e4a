//! Which weights the rules of load balancers have. `[traffic.verified]`

use crate::clock::Clock;
use aws::{Client, Question, ResourceId, Verified, VerifiedGroup};
use crds::rollout::status::{AlbStatus, AwsResourceRef};
use planner::traffic::{Served, Split};
use std::collections::{BTreeMap, BTreeSet};
use traffic::Balancer;

/// What the load balancers of a Rollout serve.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) served: Served,
    /// All weights are as they were asked for: nothing more is to be asked.
    pub(super) is_right: bool,
}

/// Asks all load balancers of a Rollout.
pub(super) async fn ask(
    client: &Client,
    tag_key: &str,
    balancers: &[Balancer],
    clock: Clock,
) -> Result<Answer, String> {
    let mut all = Answer { served: Served::default(), is_right: true };
    for balancer in balancers {
        let name = &balancer.ingress;
        let host = balancer.host.as_deref();
        let host = host.ok_or_else(|| format!("Ingress {name:?} has no load balancer in its status yet"))?;
        let wanted = wanted(balancer);
        let question = Question { dns_name: host, tag_key, wanted: &wanted };
        let verified = aws::verify(client, &question, clock.now().0).await;
        let verified = verified.map_err(|error| format!("Ingress {name:?}: {error}"))?;
        if verified.load_balancer.is_none() {
            return Err(format!("Ingress {name:?}: no load balancer of this account has the name {host}"));
        }
        all.is_right &= verified.all_shown;
        all.served.traffic.splits.extend(splits(balancer, &verified));
        all.served.balancers.push(status(balancer, &verified));
    }
    Ok(all)
}

/// The weights that the Ingress shows, by the tags of target groups.
fn wanted(balancer: &Balancer) -> BTreeMap<ResourceId, u32> {
    let weight = |weight: i64| u32::try_from(weight).unwrap_or(0);
    let additional = balancer.additional.iter().map(|(service, tag)| {
        let shown = balancer.shown.additional.get(service).copied().unwrap_or(0);
        (ResourceId(tag.clone()), weight(shown))
    });
    let canary = (ResourceId(balancer.canary.clone()), weight(balancer.shown.canary));
    let stable = (ResourceId(balancer.stable.clone()), weight(balancer.shown.stable));
    additional.chain([canary, stable]).collect()
}

/// What the rules of a load balancer serve. Where they differ, the most and the least that each version may get.
fn splits(balancer: &Balancer, verified: &Verified) -> BTreeSet<Split> {
    let weights = |tag: &str| -> Vec<i64> {
        let groups = verified.target_groups.iter().filter(|group| group.resource_id.0 == tag);
        groups.flat_map(|group| &group.weights).map(|weight| i64::from(*weight)).collect()
    };
    let most = |tag: &str| weights(tag).into_iter().max().unwrap_or(0);
    let least = |tag: &str| weights(tag).into_iter().min().unwrap_or(0);
    let additional: BTreeMap<String, i64> =
        balancer.additional.iter().map(|(service, tag)| (service.clone(), most(tag))).collect();
    let split = |canary, stable| Split { canary, stable, additional: additional.clone() };
    BTreeSet::from([
        split(most(&balancer.canary), least(&balancer.stable)),
        split(least(&balancer.canary), most(&balancer.stable)),
    ])
}

fn status(balancer: &Balancer, verified: &Verified) -> AlbStatus {
    let group = |tag: &str| {
        let is_it = |group: &&VerifiedGroup| group.resource_id.0 == tag;
        verified.target_groups.iter().find(is_it).map(|group| resource(&group.name, &group.arn))
    };
    AlbStatus {
        load_balancer: verified.load_balancer.as_ref().map(|found| resource(&found.name, &found.arn)),
        canary_target_group: group(&balancer.canary),
        stable_target_group: group(&balancer.stable),
        ingress: Some(balancer.ingress.clone()),
    }
}

/// A resource with the name that metrics of AWS know it by.
fn resource(name: &str, arn: &str) -> AwsResourceRef {
    AwsResourceRef { name: name.to_owned(), arn: arn.to_owned(), full_name: Some(full_name(arn).to_owned()) }
}

/// The last part of an ARN, for a load balancer without its kind.
pub(super) fn full_name(arn: &str) -> &str {
    let last = arn.rsplit(':').next().unwrap_or_default();
    last.strip_prefix("loadbalancer/").unwrap_or(last)
}
