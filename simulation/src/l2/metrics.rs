//! What analyses are answered: each query's values by time, as a scenario says.

use super::weather::Mood;
use crds::Time;
use providers::http::{Executor, NoAnswer, Request, Response};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tower::util::BoxCloneSyncService;

/// What a query is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A vector of one sample.
    Value(f64),
    /// An empty vector.
    Empty,
    /// This JSON.
    Body(serde_json::Value),
    /// HTTP 500.
    Error,
    /// Nothing, until the caller gives up.
    Silence,
    /// What would be answered otherwise, so much later.
    Late(Duration, Box<Self>),
}

/// How late slow gates answer.
const SLOW: Duration = Duration::from_secs(10);

/// Answers by query, which can change while the simulation runs.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    by_query: BTreeMap<String, Answer>,
    mood: Option<Mood>,
    asked: Vec<String>,
}

impl Answers {
    /// From now on a query that contains this text is answered so; of several texts the longest counts.
    pub fn set(&self, text: &str, answer: Answer) {
        self.lock().by_query.insert(text.to_owned(), answer);
    }

    /// From now on all queries are answered so; with `None` each as it was set.
    pub fn set_mood(&self, mood: Option<Mood>) {
        self.lock().mood = mood;
    }

    /// Queries that were asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.lock().asked.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, url: &str) -> Answer {
        let mut state = self.lock();
        let fits = state.by_query.iter().filter(|(text, _)| url.contains(text.as_str()));
        let found = fits.max_by_key(|(text, _)| text.len()).map(|(_, answer)| answer.clone());
        state.asked.push(url.to_owned());
        let usual = found.unwrap_or(Answer::Value(0.0));
        match state.mood {
            None => usual,
            Some(Mood::Error) => Answer::Error,
            Some(Mood::Empty) => Answer::Empty,
            Some(Mood::NaN) => Answer::Value(f64::NAN),
            Some(Mood::Slow) => Answer::Late(SLOW, Box::new(usual)),
            Some(Mood::Flips) => Answer::Value(if state.asked.len().is_multiple_of(2) { 0.0 } else { 1.0 }),
        }
    }

    /// The service that the controller asks.
    #[must_use]
    pub fn executor(&self, now: impl Fn() -> Time + Clone + Send + Sync + 'static) -> Executor {
        let answers = self.clone();
        BoxCloneSyncService::new(tower::service_fn(move |request: Request| {
            let answers = answers.clone();
            let now = now.clone();
            async move {
                let text = format!("{} {}", request.url, request.body);
                let ok =
                    |body: serde_json::Value| Response { status: 200, body: body.to_string().into_bytes() };
                let vector = |samples: serde_json::Value| {
                    ok(json!({"status": "success", "data": {"resultType": "vector", "result": samples}}))
                };
                let mut answer = answers.answer(&text);
                while let Answer::Late(wait, later) = answer {
                    tokio::time::sleep(wait).await;
                    answer = *later;
                }
                match answer {
                    Answer::Value(value) => {
                        let at = now().0.timestamp();
                        Ok(vector(json!([{"metric": {}, "value": [at, value.to_string()]}])))
                    }
                    Answer::Empty => Ok(vector(json!([]))),
                    Answer::Body(body) => Ok(ok(body)),
                    Answer::Error => Ok(Response { status: 500, body: b"out of order".to_vec() }),
                    Answer::Silence | Answer::Late(..) => {
                        std::future::pending::<()>().await;
                        Err(NoAnswer("no answer".to_owned()))
                    }
                }
            }
        }))
    }
}
