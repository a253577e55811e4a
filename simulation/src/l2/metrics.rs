//! What analyses are answered: each query's values by time, as a scenario says.

use crds::Time;
use providers::http::{Executor, NoAnswer, Request, Response};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
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
}

/// Answers by query, which can change while the simulation runs.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    by_query: BTreeMap<String, Answer>,
    asked: Vec<String>,
}

impl Answers {
    /// From now on a query that contains this text is answered so; of several texts the longest counts.
    pub fn set(&self, text: &str, answer: Answer) {
        self.lock().by_query.insert(text.to_owned(), answer);
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
        found.unwrap_or(Answer::Value(0.0))
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
                match answers.answer(&text) {
                    Answer::Value(value) => {
                        let at = now().0.timestamp();
                        Ok(vector(json!([{"metric": {}, "value": [at, value.to_string()]}])))
                    }
                    Answer::Empty => Ok(vector(json!([]))),
                    Answer::Body(body) => Ok(ok(body)),
                    Answer::Error => Ok(Response { status: 500, body: b"out of order".to_vec() }),
                    Answer::Silence => {
                        std::future::pending::<()>().await;
                        Err(NoAnswer("no answer".to_owned()))
                    }
                }
            }
        }))
    }
}
