//! Load balancers of AWS are asked what they serve, beside the work: an answer may take seconds, and an abort must not
//! wait for it. `[traffic.verified]`

use crate::clock::Clock;
use crate::queue::{Key, Queue};
use aws::{Client, Question, ResourceId, Verified, VerifiedGroup};
use crds::rollout::status::{AlbStatus, AwsResourceRef};
use planner::traffic::{Served, Split};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use traffic::Balancer;

/// Shortest time between two questions about the same weights; a planner that waits looks again after as long.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// Longest wait for all answers about one Rollout.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);

/// What load balancers have said. Without a client nothing is asked.
#[derive(Clone, Default)]
pub(crate) struct Targets(Option<Arc<Inner>>);

struct Inner {
    known: Mutex<BTreeMap<Key, Known>>,
    ask: mpsc::UnboundedSender<(Key, Vec<Balancer>)>,
}

/// What is known of the load balancers of one Rollout.
struct Known {
    /// What was asked for.
    about: Vec<Balancer>,
    asked: Instant,
    /// `None` until the answer is there.
    answer: Option<Result<Answer, String>>,
}

#[derive(Clone)]
struct Answer {
    served: Served,
    /// All weights are as they were asked for: nothing more is to be asked.
    is_right: bool,
}

impl std::fmt::Debug for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Targets").field(&self.0.is_some()).finish()
    }
}

impl Targets {
    /// Starts to ask, one Rollout after the other, so that no account is flooded. Each answer wakes its Rollout.
    pub(crate) fn start(
        tasks: &mut JoinSet<()>,
        client: Arc<Client>,
        tag_key: String,
        clock: Clock,
        queue: Arc<Queue>,
    ) -> Self {
        let (ask, mut asked) = mpsc::unbounded_channel::<(Key, Vec<Balancer>)>();
        let inner = Arc::new(Inner { known: Mutex::default(), ask });
        let answers = Arc::downgrade(&inner);
        tasks.spawn(async move {
            while let Some((key, balancers)) = asked.recv().await {
                let asking = ask_all(&client, &tag_key, &balancers, clock);
                let answer = tokio::time::timeout(ASK_TIMEOUT, asking).await.unwrap_or_else(|_| {
                    Err(format!("Elastic Load Balancing has not answered for {} s", ASK_TIMEOUT.as_secs()))
                });
                let Some(inner) = answers.upgrade() else { return };
                if let Some(known) = inner.known().get_mut(&key).filter(|known| known.about == balancers) {
                    known.answer = Some(answer);
                }
                queue.add(key);
            }
        });
        Self(Some(inner))
    }

    /// What the load balancers of a Rollout serve; `None` where nobody asks. What is not known yet is asked for, and counts
    /// as not served. `is_under_way` says whether their weights may change: at rest nothing is asked.
    pub(crate) fn served(
        &self,
        key: &Key,
        balancers: &[Balancer],
        is_under_way: bool,
    ) -> Option<Result<Served, String>> {
        let inner = self.0.as_ref().filter(|_| !balancers.is_empty())?;
        let mut known = inner.known();
        if !is_under_way {
            known.remove(key);
            return None;
        }
        let there = known.get(key).filter(|known| known.about == balancers);
        let now = Instant::now();
        let is_due = there.is_none_or(|there| match &there.answer {
            Some(Ok(answer)) if answer.is_right => false,
            Some(_) => now >= there.asked + ASK_EVERY,
            None => now >= there.asked + ASK_TIMEOUT + ASK_EVERY,
        });
        let answer = there.and_then(|there| there.answer.clone());
        if is_due {
            let before = answer.clone();
            known.insert(key.clone(), Known { about: balancers.to_vec(), asked: now, answer: before });
            // It ends with the process only.
            let _ = inner.ask.send((key.clone(), balancers.to_vec()));
        }
        Some(answer.map_or_else(|| Ok(Served::default()), |answer| answer.map(|answer| answer.served)))
    }
}

impl Targets {
    /// The Rollout is gone.
    pub(crate) fn forget(&self, key: &Key) {
        if let Some(inner) = &self.0 {
            inner.known().remove(key);
        }
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, BTreeMap<Key, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask_all(
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

/// A resource with the name that metrics of AWS know it by: the last part of its ARN, for a load balancer without its
/// kind.
fn resource(name: &str, arn: &str) -> AwsResourceRef {
    let last = arn.rsplit(':').next().unwrap_or_default();
    let full = last.strip_prefix("loadbalancer/").unwrap_or(last);
    AwsResourceRef { name: name.to_owned(), arn: arn.to_owned(), full_name: Some(full.to_owned()) }
}
