//! Pods as they are: whether their process runs, how it answers, and what it has counted.

use super::answers::{AnswerRule, Answers};
use super::journal::Outcome;
use super::plane::{Backend, Facts, Key, News, PodId};
use super::scrape::{Counters, Exposition};
use crate::Dig;
use crate::api::{number, text};
use crate::builtin::{candidate, environment, labels};
use crds::meta::POD_TEMPLATE_HASH_LABEL;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Rules that are kept; the oldest go first.
const RULES_MAX: usize = 256;

/// A pod.
#[derive(Debug)]
pub(super) struct Pod {
    uid: String,
    pub(super) facts: Arc<Facts>,
    /// Whether its process takes requests.
    pub(super) runs: bool,
    restarts: i64,
    said: Answers,
    answers: Answers,
    pub(super) counters: Counters,
    /// What Prometheus reads of it, while it is a target.
    pub(super) exposition: Option<Exposition>,
}

/// All pods.
#[derive(Debug, Default)]
pub(super) struct Pods {
    by_id: BTreeMap<PodId, Pod>,
    by_name: BTreeMap<Key, PodId>,
    last: PodId,
    rules: Vec<AnswerRule>,
    /// Namespaces and names of targets that went since they were last taken.
    pub(super) ended: Vec<Key>,
}

impl Pods {
    /// A pod is now so, or gone. Gives what data planes have to learn of it.
    pub(super) fn saw(&mut self, object: &Value, deleted: bool) -> Vec<News> {
        let key = (text(object, "/metadata/namespace").to_owned(), text(object, "/metadata/name").to_owned());
        let uid = text(object, "/metadata/uid");
        let mut news = Vec::new();
        let known = self.by_name.get(&key).copied();
        let same = known.filter(|id| self.by_id.get(id).is_some_and(|pod| pod.uid == uid));
        if let Some(id) = known
            && (deleted || same.is_none())
        {
            self.by_name.remove(&key);
            if self.by_id.remove(&id).is_some_and(|pod| pod.exposition.is_some()) {
                self.ended.push(key.clone());
            }
            news.push(News::Pod(id, None));
        }
        if deleted {
            return news;
        }
        let id = same.unwrap_or_else(|| {
            self.last += 1;
            self.last
        });
        let old = self.by_id.remove(&id);
        let before = old.as_ref().map(|pod| pod.facts.clone());
        let pod = Pod::of(object, old, &self.rules, &mut self.ended);
        if before.as_ref() != Some(&pod.facts) {
            news.push(News::Pod(id, Some(pod.facts.clone())));
        }
        self.by_name.insert(key, id);
        self.by_id.insert(id, pod);
        news
    }

    /// From now on this rule holds, in the place of one that says something else of the same.
    pub(super) fn rule(&mut self, rule: AnswerRule) {
        self.rules.retain(|other| !rule.replaces(other));
        if self.rules.len() >= RULES_MAX {
            self.rules.remove(0);
        }
        self.rules.push(rule);
        self.obey();
    }

    /// All rules end.
    pub(super) fn forget_rules(&mut self) {
        self.rules.clear();
        self.obey();
    }

    fn obey(&mut self) {
        for pod in self.by_id.values_mut() {
            pod.answers = pod.said.under(&self.rules, &pod.facts.backend.version);
        }
    }

    /// Sends a request to a pod.
    pub(super) fn ask(&mut self, id: PodId) -> (Outcome, Duration) {
        let Some(pod) = self.by_id.get_mut(&id).filter(|pod| pod.runs) else {
            return (Outcome::Refused, Duration::ZERO);
        };
        let fails = pod.answers.errors.fails(pod.counters.requests().saturating_add(1));
        pod.counters.count(fails, pod.answers.latency);
        let outcome = if fails { Outcome::Failed(500) } else { Outcome::Answered };
        (outcome, pod.answers.latency)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pod> {
        self.by_id.values_mut()
    }
}

impl Pod {
    fn of(object: &Value, old: Option<Self>, rules: &[AnswerRule], ended: &mut Vec<Key>) -> Self {
        let facts = facts(object, old.as_ref());
        let running = object.at("/status/containerStatuses/0/state/running").is_some();
        let is_running = text(object, "/status/phase") == "Running";
        let restarts = number(object, "/status/containerStatuses/0/restartCount").unwrap_or(0);
        let said = Answers::said_by(object);
        let answers = said.under(rules, &facts.backend.version);
        let (mut counters, mut exposition) = (Counters::default(), None);
        if let Some(old) = old {
            exposition = old.exposition;
            // A new process counts from zero.
            if old.restarts == restarts {
                counters = old.counters;
            }
        }
        let is_target = is_running && Exposition::is_wanted(object);
        match (is_target, exposition.is_some()) {
            (true, false) => exposition = Some(Exposition::of(object, &facts)),
            (false, true) => {
                exposition = None;
                ended.push((facts.backend.namespace.clone(), facts.backend.pod.clone()));
            }
            _ => {}
        }
        Self {
            uid: text(object, "/metadata/uid").to_owned(),
            facts,
            runs: running && is_running,
            restarts,
            said,
            answers,
            counters,
            exposition,
        }
    }
}

/// What there is to learn of a pod; who it is stays the same object, for as long as it is the same.
fn facts(object: &Value, old: Option<&Pod>) -> Arc<Facts> {
    let labels = labels(object);
    let backend = Backend {
        namespace: text(object, "/metadata/namespace").to_owned(),
        pod: text(object, "/metadata/name").to_owned(),
        hash: labels.get(POD_TEMPLATE_HASH_LABEL).cloned().unwrap_or_default(),
        version: version(object).into(),
    };
    let same = old.map(|pod| &pod.facts.backend).filter(|known| ***known == backend);
    let backend = same.cloned().unwrap_or_else(|| Arc::new(backend));
    let facts = Facts { backend, labels, candidate: candidate(object) };
    match old {
        Some(old) if *old.facts == facts => old.facts.clone(),
        _ => Arc::new(facts),
    }
}

/// `VERSION`, or the tag of the image: that is how demo images of one colour each tell which they are.
fn version(pod: &Value) -> &str {
    environment(pod, "VERSION").unwrap_or_else(|| {
        let image = text(pod, "/spec/containers/0/image").split('@').next().unwrap_or_default();
        image.rsplit('/').next().and_then(|last| last.split_once(':')).map_or("", |(_, tag)| tag)
    })
}
