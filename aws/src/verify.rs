//! Which weights a load balancer forwards, in the terms of the Ingress that it serves.

use crate::client::Client;
use crate::elbv2::{LoadBalancer, Rule, TargetGroup};
use crate::error::Error;
use crate::time::Clock;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The tag by which the AWS Load Balancer Controller marks what it made for a part of an Ingress.
pub const DEFAULT_TAG_KEY: &str = "ingress.k8s.aws/resource";
/// What AWS says of an ARN that no load balancer has.
const GONE: &str = "LoadBalancerNotFound";

/// The value of that tag at a target group: `<namespace>/<ingress>-<service>:<port>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceId(pub String);

impl ResourceId {
    /// The id of the target group of a Service behind an Ingress. `port` is written as the Ingress writes it: a number,
    /// or the name of a port.
    #[must_use]
    pub fn new(namespace: &str, ingress: &str, service: &str, port: &str) -> Self {
        Self(format!("{namespace}/{ingress}-{service}:{port}"))
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// The DNS name of the load balancer, from the status of the Ingress.
    pub dns_name: &'a str,
    /// The key of the tag with the resource id; see [`DEFAULT_TAG_KEY`].
    pub tag_key: &'a str,
    /// The weights that are to be forwarded.
    pub wanted: &'a BTreeMap<ResourceId, u32>,
}

/// A target group that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedGroup {
    /// What it was found by.
    pub resource_id: ResourceId,
    /// Its name.
    pub name: String,
    /// Its Amazon Resource Name.
    pub arn: String,
    /// The weights that rules forward to it: none where no rule does, several where rules differ.
    pub weights: BTreeSet<u32>,
}

impl VerifiedGroup {
    /// The weight that all rules forward to it.
    #[must_use]
    pub fn weight(&self) -> Option<u32> {
        match self.weights.len() {
            1 => self.weights.first().copied(),
            _ => None,
        }
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The load balancer; none where none has the DNS name.
    pub load_balancer: Option<LoadBalancer>,
    /// The target groups of the wanted ids that were found, in the order of their ids.
    pub target_groups: Vec<VerifiedGroup>,
    /// Whether the load balancer is there, and for each wanted id the rules forward its weight, and no other.
    pub all_shown: bool,
}

/// Which of the wanted weights a load balancer forwards.
///
/// Weights count in actions that choose between target groups: where an action names only one, its weight says nothing,
/// as all goes there (a header route, another path of the Ingress). Such a weight counts only for a target group that no
/// action chooses.
///
/// # Errors
/// See [`Error`]. That the load balancer or a target group is not there is none.
pub async fn verify(client: &Client, question: &Question<'_>, now: DateTime<Utc>) -> Result<Verified, Error> {
    let clock = Clock::starting_at(now);
    match read(client, question, clock).await {
        Err(error) if error.code() == Some(GONE) => {
            // It was remembered, and has been deleted since.
            client.forget_load_balancer(question.dns_name);
            read(client, question, clock).await
        }
        answer => answer,
    }
}

async fn read(client: &Client, question: &Question<'_>, clock: Clock) -> Result<Verified, Error> {
    let Some(load_balancer) = client.remembered_load_balancer(question.dns_name, clock.now()).await? else {
        return Ok(Verified { load_balancer: None, target_groups: Vec::new(), all_shown: false });
    };
    let groups = client.target_groups(&load_balancer.arn, clock.now()).await?;
    let ids = resource_ids(client, &groups, question, clock).await?;
    let mut rules = Vec::new();
    if !ids.is_empty() {
        for listener in client.listeners(&load_balancer.arn, clock.now()).await? {
            rules.extend(client.rules(&listener.arn, clock.now()).await?);
        }
    }
    let target_groups = found(&groups, &ids, &rules);
    let all_shown = question.wanted.iter().all(|(id, weight)| is_shown(&target_groups, id, *weight));
    Ok(Verified { load_balancer: Some(load_balancer), target_groups, all_shown })
}

/// The wanted ids by the ARN of the target group that has them.
async fn resource_ids(
    client: &Client,
    groups: &[TargetGroup],
    question: &Question<'_>,
    clock: Clock,
) -> Result<BTreeMap<String, ResourceId>, Error> {
    let arns: Vec<String> = groups.iter().map(|group| group.arn.clone()).collect();
    let described = client.tags(&arns, clock.now()).await?;
    let ids = described.into_iter().filter_map(|mut described| {
        let id = ResourceId(described.tags.remove(question.tag_key)?);
        question.wanted.contains_key(&id).then_some((described.arn, id))
    });
    Ok(ids.collect())
}

fn found(groups: &[TargetGroup], ids: &BTreeMap<String, ResourceId>, rules: &[Rule]) -> Vec<VerifiedGroup> {
    let found = groups.iter().filter_map(|group| {
        Some(VerifiedGroup {
            resource_id: ids.get(&group.arn)?.clone(),
            name: group.name.clone(),
            arn: group.arn.clone(),
            weights: weights(rules, &group.arn),
        })
    });
    let mut found: Vec<VerifiedGroup> = found.collect();
    found.sort_by(|a, b| (&a.resource_id, &a.arn).cmp(&(&b.resource_id, &b.arn)));
    found
}

/// The weights of a target group in the actions that choose, else in those that name only it.
fn weights(rules: &[Rule], arn: &str) -> BTreeSet<u32> {
    let (mut chosen, mut alone) = (BTreeSet::new(), BTreeSet::new());
    for forwards in rules.iter().flat_map(|rule| &rule.forwards) {
        let weights = forwards.iter().filter(|forward| forward.target_group_arn == arn);
        let into = if forwards.len() > 1 { &mut chosen } else { &mut alone };
        into.extend(weights.filter_map(|forward| forward.weight));
    }
    if chosen.is_empty() { alone } else { chosen }
}

/// Whether a weight, and no other, is forwarded to what an id names. A target group that is about to be deleted may
/// still have the id, and no rule: one that has is enough.
fn is_shown(groups: &[VerifiedGroup], id: &ResourceId, weight: u32) -> bool {
    let mut of_id =
        groups.iter().filter(|group| group.resource_id == *id && !group.weights.is_empty()).peekable();
    of_id.peek().is_some() && of_id.all(|group| group.weight() == Some(weight))
}
