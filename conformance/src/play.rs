//! Plays a case on a server.

mod events;
mod exchange;

use crate::answer::Answer;
use crate::case::{Action, Body, Case, Request, Step, Until};
use crate::condition::Condition;
use crate::fill::Scope;
use crate::mask::{Raw, normal};
use crate::transport::{Line, Transport};
use crate::words::Words;
use events::{collect_events, next};
use exchange::{build, head, label, parsed};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Between two looks at something that is waited for.
const REST: Duration = Duration::from_millis(200);
/// How long a new namespace is waited for until it has its service account, without which it takes no pods.
const ACCOUNT_LIMIT: Duration = Duration::from_secs(10);
/// How much of a body is told in an error.
const TOLD_MAX: usize = 600;

/// Where a case is played.
#[derive(Debug, Clone)]
pub struct Place {
    /// A namespace that is not there yet; played cases make it and remove it. At most 40 characters, and unlike any
    /// word that answers have for another reason.
    pub namespace: String,
    /// An image that serves HTTP on port 8080 and does what its environment says: that of the demo server.
    pub image: String,
}

/// What became of a case.
#[derive(Debug)]
pub struct Played<E> {
    /// The answers in normal form, as far as it came.
    pub answers: Vec<Answer>,
    /// Whether it came to its end.
    pub end: Result<(), PlayError<E>>,
}

/// Why a case did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum PlayError<E> {
    /// No answer.
    #[error("{step}: no answer: {source}")]
    Transport {
        /// The request.
        step: String,
        /// What the transport says.
        source: E,
    },
    /// The request could not be built.
    #[error("{step}: not a request: {source}; look at the address and at its placeholders")]
    Request {
        /// The request.
        step: String,
        /// What is wrong with it.
        source: http::Error,
    },
    /// A step refers to an answer that there is not.
    #[error(
        "{step}: nothing is there for a placeholder or a watch that it names; give an earlier step this name by `as`"
    )]
    Unknown {
        /// The request.
        step: String,
    },
    /// The status is another than the case says.
    #[error("{step}: answered {seen}, the case says {expected}: {body}")]
    Code {
        /// The request.
        step: String,
        /// What the case says.
        expected: String,
        /// The status.
        seen: u16,
        /// The beginning of the body.
        body: String,
    },
    /// What was waited for has not come.
    #[error("{step}: waited {seconds} s for {condition}; the last answer: {last}")]
    Waited {
        /// The request.
        step: String,
        /// How long.
        seconds: u64,
        /// For what.
        condition: String,
        /// The beginning of the last answer, or the last event.
        last: String,
    },
    /// A pattern of this crate does not compile.
    #[error("a pattern of words is wrong: {0}")]
    Pattern(#[from] regex::Error),
}

/// Plays a case in a new namespace, and cleans up whatever happens.
pub async fn play<T: Transport>(transport: &T, place: &Place, case: &Case) -> Played<T::Error> {
    let mut run = Run::new(transport, place);
    let mut end = run.open().await;
    for step in &case.steps {
        if end.is_ok() {
            end = run.step(step).await;
        }
    }
    run.close(&case.finally).await;
    match Words::new(&place.namespace, &place.image, literals(case, place)) {
        Ok(words) => Played { answers: normal(run.raw, words), end },
        Err(error) => Played { answers: Vec::new(), end: Err(error.into()) },
    }
}

/// The texts that a case itself says.
fn literals(case: &Case, place: &Place) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for step in &case.steps {
        if let Action::Send { request: Request { body: Body::Json(body), .. }, .. } = &step.action {
            collect(body, place, &mut found);
        }
        step.changes().values().for_each(|value| collect(value, place, &mut found));
    }
    found
}

fn collect(value: &Value, place: &Place, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            found.insert(text.replace("{ns}", &place.namespace).replace("{image}", &place.image));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, place, found)),
        Value::Object(members) => members.values().for_each(|child| collect(child, place, found)),
        _ => {}
    }
}

struct Run<'c, T: Transport> {
    transport: &'c T,
    namespace: String,
    scope: Scope,
    watches: BTreeMap<String, T::Lines>,
    raw: Vec<Raw<'c>>,
}

impl<'c, T: Transport> Run<'c, T> {
    fn new(transport: &'c T, place: &Place) -> Self {
        let mut scope = Scope::default();
        scope.set("ns", Value::from(place.namespace.as_str()));
        scope.set("image", Value::from(place.image.as_str()));
        let namespace = place.namespace.clone();
        Self { transport, namespace, scope, watches: BTreeMap::new(), raw: Vec::new() }
    }

    async fn open(&self) -> Result<(), PlayError<T::Error>> {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        let request = Request {
            method: "POST".to_owned(),
            path: "/api/v1/namespaces".to_owned(),
            accept: None,
            content_type: None,
            body: Body::Json(body),
        };
        let made = self.send(&request, &BTreeMap::new()).await?;
        expect(&made, None)?;
        let account = Request {
            method: "GET".to_owned(),
            path: "v1/serviceaccounts/default".to_owned(),
            body: Body::None,
            ..request
        };
        let found = Condition { code: Some(200), ..Condition::default() };
        self.until(&account, &BTreeMap::new(), &[found], ACCOUNT_LIMIT).await.map(drop)
    }

    async fn close(&mut self, finally: &'c [Step]) {
        self.watches.clear();
        let namespace = Request {
            method: "DELETE".to_owned(),
            path: format!("/api/v1/namespaces/{}", self.namespace),
            accept: None,
            content_type: None,
            body: Body::None,
        };
        for step in finally {
            if let Action::Send { request, .. } = &step.action {
                // What a case did not come to make cannot be removed.
                drop(self.send(request, step.changes()).await);
            }
        }
        drop(self.send(&namespace, &BTreeMap::new()).await);
    }

    async fn step(&mut self, step: &'c Step) -> Result<(), PlayError<T::Error>> {
        let answer = match &step.action {
            Action::Rest(time) => {
                self.transport.rest(*time).await;
                return Ok(());
            }
            Action::Send { request, until, limit } => {
                self.until(request, step.changes(), until, *limit).await?
            }
            Action::Watch { request, until, limit } => self.watch(request, step, until, *limit).await?,
            Action::More { watch, until, limit } => {
                let label = format!("MORE {watch}");
                let mut lines =
                    self.watches.remove(watch).ok_or(PlayError::Unknown { step: label.clone() })?;
                let events = collect_events(&mut lines, until, *limit, &label).await;
                self.watches.insert(watch.clone(), lines);
                Answer { step: label, code: 200, events: Some(events?), ..Answer::default() }
            }
        };
        if let Some(name) = &step.name {
            let last = answer.body.as_ref().or_else(|| answer.events.as_ref()?.last());
            self.scope.set(name, last.cloned().unwrap_or_default());
        }
        let judged = expect(&answer, step.code);
        self.raw.push(Raw { answer, keep: &step.keep, drop: &step.drop });
        judged
    }

    async fn watch(
        &mut self,
        request: &Request,
        step: &Step,
        until: &Until,
        limit: Duration,
    ) -> Result<Answer, PlayError<T::Error>> {
        let label = label("WATCH", &request.path);
        let built = build(&self.scope, request, &BTreeMap::new())?;
        let opened = self.transport.watch(built).await;
        let opened = opened.map_err(|source| PlayError::Transport { step: label.clone(), source })?;
        let mut answer = head(label.clone(), &opened);
        let mut lines = opened.into_body();
        if answer.code == http::StatusCode::OK.as_u16() {
            answer.events = Some(collect_events(&mut lines, until, limit, &label).await?);
            if let Some(name) = &step.name {
                self.watches.insert(name.clone(), lines);
            }
        } else {
            let mut text = String::new();
            while let Line::Text(line) = next(&mut lines, limit, &label).await? {
                text.push_str(&line);
            }
            answer.body = parsed(&text);
        }
        Ok(answer)
    }

    async fn until(
        &self,
        request: &Request,
        changes: &BTreeMap<String, Value>,
        until: &[Condition],
        limit: Duration,
    ) -> Result<Answer, PlayError<T::Error>> {
        let filled = |condition: &Condition| Condition {
            is: condition.is.as_ref().map(|is| self.scope.value(is)),
            ..condition.clone()
        };
        let until: Vec<Condition> = until.iter().map(filled).collect();
        let mut waited = Duration::ZERO;
        loop {
            let answer = self.send(request, changes).await?;
            let body = answer.body.as_ref().unwrap_or(&Value::Null);
            let Some(missing) = until.iter().find(|condition| !condition.holds(answer.code, body)) else {
                return Ok(answer);
            };
            if waited >= limit {
                return Err(PlayError::Waited {
                    step: answer.step,
                    seconds: limit.as_secs(),
                    condition: json!(missing).to_string(),
                    last: told_of(body),
                });
            }
            self.transport.rest(REST).await;
            waited += REST;
        }
    }

    async fn send(
        &self,
        request: &Request,
        changes: &BTreeMap<String, Value>,
    ) -> Result<Answer, PlayError<T::Error>> {
        let label = label(&request.method, &request.path);
        let built = build(&self.scope, request, changes)?;
        let response = self.transport.send(built).await;
        let response = response.map_err(|source| PlayError::Transport { step: label.clone(), source })?;
        let mut answer = head(label, &response);
        answer.body = parsed(&String::from_utf8_lossy(response.body()));
        Ok(answer)
    }
}

/// The part of an object that says most: its status.
fn told_of(body: &Value) -> String {
    told(&body.get("status").filter(|status| status.is_object()).unwrap_or(body).to_string())
}

fn told(text: &str) -> String {
    let end = text.char_indices().nth(TOLD_MAX).map_or(text.len(), |(index, _)| index);
    text.get(..end).unwrap_or(text).to_owned()
}

fn expect<E>(answer: &Answer, code: Option<u16>) -> Result<(), PlayError<E>> {
    const GOOD: std::ops::Range<u16> = 200..300;
    if code.map_or(GOOD.contains(&answer.code), |code| code == answer.code) {
        return Ok(());
    }
    Err(PlayError::Code {
        step: answer.step.clone(),
        expected: code.map_or("2xx".to_owned(), |code| code.to_string()),
        seen: answer.code,
        body: told(&answer.body.as_ref().map(Value::to_string).unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests;
