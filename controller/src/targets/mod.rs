//! Load balancers of AWS are asked what they serve, and which pods they know, beside the work: an answer may take seconds,
//! and an abort must not wait for it. `[traffic.verified]` `[traffic.registered]`

mod counts;
mod known;
mod pods;
mod weights;

pub(crate) use pods::Bindings;

use crate::cache::Store;
use crate::clock::Clock;
use crate::queue::{Key, Queue};
use aws::Client;
use k8s_openapi::api::core::v1::Service;
use known::Known;
use planner::traffic::Served;
use planner::{Plan, World};
use pods::Selected;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use traffic::Balancer;
use weights::Answer;

/// Shortest time between two questions about the same; a planner that waits looks again after as long.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// Longest wait for all answers to one question about one Rollout.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);

/// What load balancers have said. Without a client nothing is asked.
#[derive(Clone, Default)]
pub(crate) struct Targets(Option<Arc<Inner>>);

struct Inner {
    /// Of the load balancers of each Rollout.
    weights: Mutex<BTreeMap<Key, Known<Vec<Balancer>, Answer>>>,
    /// Of the pods of Services of each Rollout, by the name of the Service.
    pods: Mutex<BTreeMap<(Key, String), Known<Selected, planner::Targets>>>,
    ask: mpsc::UnboundedSender<(Key, Question)>,
}

/// What is asked.
enum Question {
    Weights(Vec<Balancer>),
    Pods(Selected),
}

/// Who answers.
pub(crate) struct Sources {
    pub(crate) aws: Arc<Client>,
    /// The tag by which target groups of an Ingress are found.
    pub(crate) tag_key: String,
    pub(crate) bindings: Bindings,
}

impl std::fmt::Debug for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Targets").field(&self.0.is_some()).finish()
    }
}

impl Targets {
    /// Starts to ask, one question after the other, so that no account is flooded. Each answer wakes its Rollout.
    pub(crate) fn start(tasks: &mut JoinSet<()>, sources: Sources, clock: Clock, queue: Arc<Queue>) -> Self {
        let (ask, mut asked) = mpsc::unbounded_channel::<(Key, Question)>();
        let inner = Arc::new(Inner { weights: Mutex::default(), pods: Mutex::default(), ask });
        let answers = Arc::downgrade(&inner);
        tasks.spawn(async move {
            while let Some((key, question)) = asked.recv().await {
                let answer = question.ask(&sources, clock).await;
                let Some(inner) = answers.upgrade() else { return };
                inner.take(&key, question, answer);
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
        let mut weights = inner.weights();
        if !is_under_way {
            weights.remove(key);
            return None;
        }
        let known = weights.entry(key.clone()).or_insert_with(|| Known::new(balancers.to_vec()));
        known.be_about(balancers.to_vec());
        if known.is_due(|answer| answer.is_right) {
            known.asks();
            inner.send(key, Question::Weights(balancers.to_vec()));
        }
        let answer = known.answer.clone();
        Some(answer.map_or_else(|| Ok(Served::default()), |answer| answer.map(|answer| answer.served)))
    }

    /// What target groups have said of the pods that a Service selects now, and whether that has not been told yet.
    pub(crate) fn said(&self, key: &Key, service: &Service) -> (planner::Targets, bool) {
        let Some(inner) = &self.0 else { return Default::default() };
        let pods = inner.pods();
        let name = service.metadata.name.clone().unwrap_or_default();
        let known = pods.get(&(key.clone(), name)).filter(|known| known.about == Selected::by(service));
        let Some((known, answer)) = known.and_then(|known| Some((known, known.answer.clone()?))) else {
            return Default::default();
        };
        let said = answer.unwrap_or_else(planner::Targets::Silent);
        let is_news = known.told.as_ref() != Some(&said);
        (said, is_news)
    }

    /// Asks what a plan waits for, of Services as they are after it. What it does not rest on is asked anew when another
    /// one does. `is_told` says that what was news to the plan has been told.
    pub(crate) fn want(
        &self,
        key: &Key,
        world: &World,
        plan: &Plan,
        services: &Store<Service>,
        is_told: bool,
    ) {
        let Some(inner) = &self.0 else { return };
        let mut pods = inner.pods();
        for (_, known) in pods.iter_mut().filter(|((of, name), _)| of == key && !plan.asks.contains(name)) {
            known.forget_answer();
        }
        for name in &plan.asks {
            let Some(service) = services.get(&key.namespace, name) else { continue };
            let selected = Selected::by(&service);
            let known =
                pods.entry((key.clone(), name.clone())).or_insert_with(|| Known::new(selected.clone()));
            let seen = world.services.get(name).filter(|_| is_told);
            if let Some(seen) = seen.filter(|seen| seen.targets != planner::Targets::Unknown) {
                known.told = Some(seen.targets.clone());
            }
            known.be_about(selected.clone());
            if known.is_due(planner::Targets::are_checked) {
                known.asks();
                inner.send(key, Question::Pods(selected));
            }
        }
    }

    /// The Rollout is gone.
    pub(crate) fn forget(&self, key: &Key) {
        if let Some(inner) = &self.0 {
            inner.weights().remove(key);
            inner.pods().retain(|(of, _), _| of != key);
        }
    }
}

impl Question {
    async fn ask(&self, sources: &Sources, clock: Clock) -> Said {
        let asking = async {
            match self {
                Self::Weights(balancers) => {
                    let asked = weights::ask(&sources.aws, &sources.tag_key, balancers, clock);
                    Said::Weights(asked.await)
                }
                Self::Pods(selected) => {
                    Said::Pods(pods::ask(&sources.bindings, &sources.aws, selected, clock).await)
                }
            }
        };
        tokio::time::timeout(ASK_TIMEOUT, asking).await.unwrap_or_else(|_| {
            let why = format!("Elastic Load Balancing has not answered for {} s", ASK_TIMEOUT.as_secs());
            match self {
                Self::Weights(_) => Said::Weights(Err(why)),
                Self::Pods(_) => Said::Pods(Err(why)),
            }
        })
    }
}

/// What was said to a question.
enum Said {
    Weights(Result<Answer, String>),
    Pods(Result<planner::Targets, String>),
}

impl Inner {
    fn weights(&self) -> MutexGuard<'_, BTreeMap<Key, Known<Vec<Balancer>, Answer>>> {
        self.weights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pods(&self) -> MutexGuard<'_, BTreeMap<(Key, String), Known<Selected, planner::Targets>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, key: &Key, question: Question) {
        // It ends with the process only.
        let _ = self.ask.send((key.clone(), question));
    }

    /// An answer to what is not asked any more is none.
    fn take(&self, key: &Key, question: Question, said: Said) {
        match (question, said) {
            (Question::Weights(balancers), Said::Weights(answer)) => {
                if let Some(known) = self.weights().get_mut(key) {
                    known.take(&balancers, answer);
                }
            }
            (Question::Pods(selected), Said::Pods(answer)) => {
                if let Some(known) = self.pods().get_mut(&(key.clone(), selected.service.clone())) {
                    known.take(&selected, answer);
                }
            }
            (Question::Weights(_), Said::Pods(_)) | (Question::Pods(_), Said::Weights(_)) => {}
        }
    }
}
