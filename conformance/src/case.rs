//! Cases as they are written in YAML.

use crate::condition::Condition;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A file of cases.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// What the cases are about, in a sentence.
    pub about: String,
    /// Objects that cases refer to by YAML anchors.
    #[serde(default)]
    pub given: Vec<Value>,
    /// The cases.
    pub cases: Vec<Case>,
}

/// Requests that build on each other, in a namespace of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its name; that of its namespace is made of it.
    pub name: String,
    /// What it shows, where the name does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<String>,
    /// What is asked, in order.
    pub steps: Vec<Step>,
    /// What removes what the end of the namespace does not; the answers do not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finally: Vec<Step>,
}

/// One request, or one look at a watch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "written::Step", into = "written::Step")]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// The name under which later steps find the answer.
    pub name: Option<String>,
    /// JSON pointers to what is recorded of the answer; all when empty.
    pub keep: Vec<String>,
    /// JSON pointers to what is not recorded.
    pub drop: Vec<String>,
    /// The status that the real server gives; `None` is any below 300. It tells the reader, and keeps a mistake in a
    /// case from being recorded.
    pub code: Option<u16>,
    written: Box<written::Step>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Sends a request, and sends it again while the answer is not as it should become.
    Send {
        /// The request.
        request: Request,
        /// What to wait for; empty takes the first answer.
        until: Vec<Condition>,
        /// How long.
        limit: Duration,
    },
    /// Opens a watch and collects events.
    Watch {
        /// The request.
        request: Request,
        /// When to stop.
        until: Until,
        /// How long to wait for each event.
        limit: Duration,
    },
    /// Collects more events of a watch that an earlier step opened under this name.
    More {
        /// The name of that step.
        watch: String,
        /// When to stop.
        until: Until,
        /// How long to wait for each event.
        limit: Duration,
    },
    /// Lets time pass.
    Rest(Duration),
}

/// When a watch has been seen enough of.
#[derive(Debug, Clone)]
pub enum Until {
    /// After this many events.
    Events(usize),
    /// After an event that is like this.
    Event(Vec<Condition>),
    /// When the server ends it.
    End,
}

/// A request whose texts may hold placeholders.
#[derive(Debug, Clone)]
pub struct Request {
    /// GET, POST, PUT, PATCH, DELETE or another.
    pub method: String,
    /// Address without host, query included. One that does not begin with a slash is within the namespace, behind
    /// its group and version: `v1/pods`, `apps/v1/replicasets/web`.
    pub path: String,
    /// What is asked for.
    pub accept: Option<String>,
    /// What the body is.
    pub content_type: Option<String>,
    /// What is sent.
    pub body: Body,
}

/// What a request carries.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// Text that need not be JSON.
    Text(String),
}

mod written {
    //! A step as one flat map, in which the name of the verb is the key of the address.

    use super::{Action, BTreeMap, Body, Condition, Deserialize, Duration, Request, Serialize, Until, Value};

    /// How long is waited for what controllers or the kubelet do, and for an event of a watch.
    const LIMIT_SECONDS: u64 = 90;
    const MILLISECONDS: f64 = 1000.0;
    /// Longer rests make a run on the real server long; time passes by waiting for something instead.
    const REST_MAX_SECONDS: f64 = 10.0;

    #[derive(Debug, Clone, Default, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub(crate) struct Step {
        #[serde(skip_serializing_if = "Option::is_none")]
        get: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        post: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        put: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        patch: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        delete: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        options: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        watch: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        more: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rest: Option<f64>,
        #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        accept: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(rename = "with", skip_serializing_if = "BTreeMap::is_empty")]
        changes: BTreeMap<String, Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        until: Vec<Condition>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        events: Option<usize>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        end: bool,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        keep: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        drop: Vec<String>,
    }

    impl TryFrom<Step> for super::Step {
        type Error = String;

        fn try_from(written: Step) -> Result<Self, String> {
            let action = written.action()?;
            Ok(Self {
                action,
                name: written.name.clone(),
                keep: written.keep.clone(),
                drop: written.drop.clone(),
                code: written.code,
                written: Box::new(written),
            })
        }
    }

    impl From<super::Step> for Step {
        fn from(step: super::Step) -> Self {
            *step.written
        }
    }

    impl Step {
        fn action(&self) -> Result<Action, String> {
            let verbs = [
                ("GET", &self.get),
                ("POST", &self.post),
                ("PUT", &self.put),
                ("PATCH", &self.patch),
                ("DELETE", &self.delete),
                ("OPTIONS", &self.options),
            ];
            let mut sent = verbs.iter().filter_map(|(method, path)| Some((*method, path.as_ref()?)));
            let limit = Duration::from_secs(self.limit.unwrap_or(LIMIT_SECONDS));
            match (sent.next(), sent.next(), &self.watch, &self.more, self.rest) {
                (Some((method, path)), None, None, None, None) => Ok(Action::Send {
                    request: self.request(method, path)?,
                    until: self.until.clone(),
                    limit,
                }),
                (None, None, Some(path), None, None) => Ok(Action::Watch {
                    request: self.request("GET", path)?,
                    until: self.seen_enough()?,
                    limit,
                }),
                (None, None, None, Some(watch), None) => {
                    Ok(Action::More { watch: watch.clone(), until: self.seen_enough()?, limit })
                }
                (None, None, None, None, Some(seconds)) => rest(seconds),
                _ => Err(
                    "a step has exactly one of get, post, put, patch, delete, options, watch, more and rest"
                        .to_owned(),
                ),
            }
        }

        fn seen_enough(&self) -> Result<Until, String> {
            match (self.events, self.until.as_slice(), self.end) {
                (Some(events), [], false) => Ok(Until::Events(events)),
                (None, [], true) => Ok(Until::End),
                (None, [_, ..], false) => Ok(Until::Event(self.until.clone())),
                _ => Err("a watch has exactly one of events, until and end".to_owned()),
            }
        }

        fn request(&self, method: &str, path: &str) -> Result<Request, String> {
            let body = match (&self.body, &self.text) {
                (None, None) if self.changes.is_empty() => Body::None,
                (Some(body), None) => Body::Json(body.clone()),
                (None, Some(text)) if self.changes.is_empty() => Body::Text(text.clone()),
                _ => {
                    return Err("a request has body (with changes by `with`), or text, or neither".to_owned());
                }
            };
            Ok(Request {
                method: method.to_owned(),
                path: path.to_owned(),
                accept: self.accept.as_deref().map(accept),
                content_type: self.content_type.as_deref().map(content_type),
                body,
            })
        }
    }

    impl super::Step {
        /// What is changed in the body after its placeholders are filled: JSON pointers and values.
        pub(crate) fn changes(&self) -> &BTreeMap<String, Value> {
            &self.written.changes
        }
    }

    fn rest(seconds: f64) -> Result<Action, String> {
        if !(0.0..=REST_MAX_SECONDS).contains(&seconds) {
            return Err(format!("a rest lasts 0 to {REST_MAX_SECONDS} seconds"));
        }
        Ok(Action::Rest(Duration::from_secs_f64((seconds * MILLISECONDS).round() / MILLISECONDS)))
    }

    /// Short names of what can be asked for.
    fn accept(name: &str) -> String {
        let kind = match name {
            "table" => "Table",
            "metadata" => "PartialObjectMetadata",
            "metadata-list" => "PartialObjectMetadataList",
            other => return other.to_owned(),
        };
        format!("application/json;as={kind};v=v1;g=meta.k8s.io")
    }

    /// Short names of patches.
    fn content_type(name: &str) -> String {
        match name {
            "merge" => "application/merge-patch+json",
            "json" => "application/json-patch+json",
            "strategic" => "application/strategic-merge-patch+json",
            other => other,
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(text: &str) -> Result<Step, serde_saphyr::Error> {
        serde_saphyr::from_str(text)
    }

    #[test]
    fn a_step_is_one_request() {
        let step =
            step("{patch: v1/pods/a, type: merge, body: {spec: {}}, with: {/spec/x: 1}, code: 422}").unwrap();
        let Action::Send { request, .. } = &step.action else { panic!("{step:?}") };
        assert_eq!((request.method.as_str(), request.path.as_str()), ("PATCH", "v1/pods/a"));
        assert_eq!(request.content_type.as_deref(), Some("application/merge-patch+json"));
        assert_eq!(step.changes().len(), 1);
        assert_eq!(step.code, Some(422));
    }

    #[test]
    fn mistakes_are_told() {
        let two = step("{get: a, put: b}").unwrap_err().to_string();
        assert!(two.contains("exactly one of get"), "{two}");
        let endless = step("{watch: a}").unwrap_err().to_string();
        assert!(endless.contains("exactly one of events, until and end"), "{endless}");
        let unknown = step("{get: a, boddy: {}}").unwrap_err().to_string();
        assert!(unknown.contains("boddy"), "{unknown}");
        assert!(step("{rest: 60}").is_err());
    }

    #[test]
    fn what_was_written_is_written_again() {
        let text = "{watch: v1/pods, until: [{at: /type, is: BOOKMARK}], as: w}";
        let written = serde_json::to_value(step(text).unwrap()).unwrap();
        assert_eq!(written, serde_saphyr::from_str::<Value>(text).unwrap());
    }
}
