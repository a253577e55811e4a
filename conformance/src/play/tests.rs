#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::exchange::absolute;
use super::*;
use crate::transport::Lines;
use http::{Response, StatusCode};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A server that gives prepared answers and remembers what it was asked.
#[derive(Default)]
struct Prepared {
    answers: RefCell<VecDeque<(u16, String)>>,
    asked: RefCell<Vec<String>>,
    rested: RefCell<Duration>,
}

struct Script(VecDeque<String>);

impl Lines for Script {
    type Error = Infallible;

    async fn next(&mut self, _: Duration) -> Result<Line, Infallible> {
        Ok(self.0.pop_front().map_or(Line::End, Line::Text))
    }
}

impl Prepared {
    /// After the namespace and its account.
    fn with(answers: &[(u16, Value)]) -> Self {
        let opening = [(201, "{}".to_owned()), (200, "{}".to_owned())];
        let answers = answers.iter().map(|(code, body)| (*code, body.to_string()));
        Self { answers: RefCell::new(opening.into_iter().chain(answers).collect()), ..Self::default() }
    }

    fn answer(&self, request: &http::Request<Vec<u8>>) -> (StatusCode, String) {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        self.asked.borrow_mut().push(format!("{} {} {body}", request.method(), request.uri()));
        let (code, body) = self.answers.borrow_mut().pop_front().unwrap_or((200, "{}".to_owned()));
        (StatusCode::from_u16(code).unwrap(), body)
    }
}

impl Transport for Prepared {
    type Error = Infallible;
    type Lines = Script;

    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Infallible> {
        let (code, body) = self.answer(&request);
        Ok(Response::builder().status(code).body(body.into_bytes()).unwrap())
    }

    async fn watch(&self, request: http::Request<Vec<u8>>) -> Result<Response<Script>, Infallible> {
        let (code, body) = self.answer(&request);
        Ok(Response::builder().status(code).body(Script(body.lines().map(str::to_owned).collect())).unwrap())
    }

    async fn rest(&self, time: Duration) {
        *self.rested.borrow_mut() += time;
    }
}

/// Nothing here ever waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("waits"),
    }
}

fn played(server: &Prepared, case: &str) -> Played<Infallible> {
    let case: Case = serde_saphyr::from_str(case).unwrap();
    let place = Place { namespace: "c-one".to_owned(), image: "shop/web:dev".to_owned() };
    now(play(server, &place, &case))
}

#[test]
fn answers_are_sent_back_and_recorded_in_normal_form() {
    let made = json!({"metadata": {"name": "a", "namespace": "c-one", "resourceVersion": "7",
        "uid": "0b1c2d3e-1111-2222-3333-444455556666"}});
    let server = Prepared::with(&[(201, made), (200, json!({}))]);
    let case = "{name: one, steps: [
        {post: v1/secrets, body: {metadata: {name: a}}, as: made},
        {put: 'v1/secrets/a?x={made/metadata/resourceVersion}', body: '{made}', with: {/metadata/name: b}}]}";
    let Played { answers, end } = played(&server, case);
    end.unwrap();
    assert_eq!(
        answers[0].body,
        Some(
            json!({"metadata": {"name": "a", "namespace": "{ns}", "resourceVersion": "v1", "uid": "<uid1>"}})
        )
    );
    let asked = server.asked.borrow();
    assert_eq!(asked[2], "POST /api/v1/namespaces/c-one/secrets {\"metadata\":{\"name\":\"a\"}}");
    assert!(asked[3].starts_with("PUT /api/v1/namespaces/c-one/secrets/a?x=7 "), "{}", asked[3]);
    assert!(asked[3].contains("\"name\":\"b\""), "{}", asked[3]);
    assert_eq!(asked[4], "DELETE /api/v1/namespaces/c-one ");
}

#[test]
fn what_is_waited_for_comes_or_the_last_answer_is_told() {
    let ready = |count: u32| (200, json!({"status": {"ready": count}}));
    let case =
        "{name: one, steps: [{get: apps/v1/replicasets/a, until: [{at: /status/ready, is: 2}], limit: 1}]}";
    let server = Prepared::with(&[ready(0), ready(1), ready(2)]);
    played(&server, case).end.unwrap();
    assert_eq!(*server.rested.borrow(), 2 * REST);
    let server = Prepared::with(&vec![ready(1); 9]);
    let error = played(&server, case).end.unwrap_err().to_string();
    assert!(error.contains("waited 1 s for {\"at\":\"/status/ready\",\"is\":2}"), "{error}");
    assert!(error.ends_with("the last answer: {\"ready\":1}"), "{error}");
}

#[test]
fn a_status_that_the_case_does_not_name_stops_it_and_it_is_cleaned_up() {
    let server = Prepared::with(&[(404, json!({"reason": "NotFound"}))]);
    let case = "{name: one, steps: [{get: v1/pods/a}, {get: v1/pods/b}], finally: [{delete: /apis/x/v1/y}]}";
    let Played { answers, end } = played(&server, case);
    let error = end.unwrap_err().to_string();
    assert_eq!(error, "GET v1/pods/a: answered 404, the case says 2xx: {\"reason\":\"NotFound\"}");
    assert_eq!(answers.len(), 1);
    let asked = server.asked.borrow();
    assert_eq!(asked[3..], ["DELETE /apis/x/v1/y ", "DELETE /api/v1/namespaces/c-one "]);
}

#[test]
fn a_watch_goes_on_where_it_was_left() {
    let line = |kind: &str| json!({"type": kind, "object": {}}).to_string();
    let server = Prepared::default();
    let lines = [line("ADDED"), line("MODIFIED"), line("DELETED")].join("\n");
    *server.answers.borrow_mut() = VecDeque::from([(201, "{}".into()), (200, "{}".into()), (200, lines)]);
    let case = "{name: one, steps: [{watch: v1/pods?watch=1, events: 1, as: w},
        {more: w, until: [{at: /type, is: DELETED}]}, {more: w, end: true}, {more: other, events: 1}]}";
    let Played { answers, end } = played(&server, case);
    let types = |index: usize| -> Vec<String> {
        answers[index]
            .events
            .iter()
            .flatten()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!((types(0).len(), types(1), types(2).len()), (1, vec!["MODIFIED".into(), "DELETED".into()], 0));
    assert!(end.unwrap_err().to_string().starts_with("MORE other: nothing is there"));
}

#[test]
fn addresses_are_below_the_namespace_unless_they_begin_with_a_slash() {
    assert_eq!(absolute("v1/pods?watch=1"), "/api/v1/namespaces/{ns}/pods?watch=1");
    assert_eq!(absolute("apps/v1/replicasets/a/scale"), "/apis/apps/v1/namespaces/{ns}/replicasets/a/scale");
    assert_eq!(absolute("/version"), "/version");
}
