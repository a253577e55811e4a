//! Where what was seen is not what was recorded.

use crate::answer::Answer;
use crate::json::canonical;
use crate::play::Played;
use crate::record::Recorded;
use serde_json::Value;
use std::fmt;

/// How much of a value is told.
const TOLD_MAX: usize = 300;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Name of the case.
    pub case: String,
    /// Number of the answer, from 1.
    pub step: usize,
    /// Its request.
    pub request: String,
    /// JSON pointer into the answer as it is recorded.
    pub pointer: String,
    /// What the real server answered; `None` when there is nothing.
    pub expected: Option<String>,
    /// What was seen.
    pub seen: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, step, request, pointer, .. } = self;
        let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        writeln!(
            f,
            "{case}, step {step}, {request}: {}",
            if pointer.is_empty() { "the whole" } else { pointer }
        )?;
        writeln!(f, "    expected {}", told(&self.expected))?;
        write!(f, "    seen     {}", told(&self.seen))
    }
}

/// The differences between what was recorded of a case and what became of it, in order.
#[must_use]
pub fn compare<E: fmt::Display>(recorded: &Recorded, played: &Played<E>) -> Vec<Difference> {
    let mut found = Vec::new();
    for (index, expected) in recorded.answers.iter().enumerate() {
        let mut of_step = Step { recorded, step: index + 1, request: &expected.step, found: &mut found };
        match played.answers.get(index) {
            Some(seen) => of_step.values("", &plain(expected), &plain(seen)),
            None => {
                // What follows the end of a case that stopped tells nothing new.
                let why = played.end.as_ref().err().map(ToString::to_string);
                let answered = format!("an answer with status {}", expected.code);
                of_step.add("", Some(answered), why);
                return found;
            }
        }
    }
    let extra = played.answers.len().saturating_sub(recorded.answers.len());
    if let Some(answer) = played.answers.last().filter(|_| extra > 0) {
        let mut after =
            Step { recorded, step: played.answers.len(), request: &answer.step, found: &mut found };
        after.add("", None, Some(format!("{extra} answers that are not recorded")));
    }
    if let (true, Err(error)) = (found.is_empty(), &played.end) {
        let step = played.answers.len();
        let mut last = Step { recorded, step, request: "the end", found: &mut found };
        last.add("", Some("the end of the case".to_owned()), Some(error.to_string()));
    }
    found
}

fn plain(answer: &Answer) -> Value {
    serde_json::to_value(answer).unwrap_or_default()
}

struct Step<'a> {
    recorded: &'a Recorded,
    step: usize,
    request: &'a str,
    found: &'a mut Vec<Difference>,
}

impl Step<'_> {
    fn add(&mut self, pointer: &str, expected: Option<String>, seen: Option<String>) {
        self.found.push(Difference {
            case: self.recorded.case.clone(),
            step: self.step,
            request: self.request.to_owned(),
            pointer: pointer.to_owned(),
            expected,
            seen,
        });
    }

    fn values(&mut self, pointer: &str, expected: &Value, seen: &Value) {
        match (expected, seen) {
            (Value::Object(expected), Value::Object(seen)) => {
                let mut keys: Vec<&String> = expected.keys().chain(seen.keys()).collect();
                keys.sort();
                keys.dedup();
                for key in keys {
                    let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                    self.options(&pointer, expected.get(key), seen.get(key));
                }
            }
            (Value::Array(expected), Value::Array(seen)) => {
                for index in 0..expected.len().max(seen.len()) {
                    self.options(&format!("{pointer}/{index}"), expected.get(index), seen.get(index));
                }
            }
            (expected, seen) if expected == seen => {}
            (expected, seen) => self.add(pointer, Some(told(expected)), Some(told(seen))),
        }
    }

    fn options(&mut self, pointer: &str, expected: Option<&Value>, seen: Option<&Value>) {
        match (expected, seen) {
            (Some(expected), Some(seen)) => self.values(pointer, expected, seen),
            (expected, seen) => self.add(pointer, expected.map(told), seen.map(told)),
        }
    }
}

fn told(value: &Value) -> String {
    let text = canonical(value);
    match text.char_indices().nth(TOLD_MAX).and_then(|(end, _)| text.get(..end)) {
        Some(beginning) => format!("{beginning}... ({} characters)", text.chars().count()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use serde_json::json;

    fn answer(body: Value) -> Answer {
        Answer { step: "GET v1/pods".to_owned(), code: 200, body: Some(body), ..Answer::default() }
    }

    fn recorded(answers: Vec<Answer>) -> Recorded {
        Recorded { case: "one".to_owned(), of: String::new(), answers }
    }

    fn played(answers: Vec<Answer>) -> Played<String> {
        Played { answers, end: Ok(()) }
    }

    #[test]
    fn a_difference_says_where_it_is() {
        let recorded = recorded(vec![answer(json!({"a/b": [1, {"c": 2}], "d": 1}))]);
        let seen = played(vec![answer(json!({"a/b": [1, {"c": 3}, 4], "e": null}))]);
        let found = compare(&recorded, &seen);
        let pointers: Vec<&str> = found.iter().map(|one| one.pointer.as_str()).collect();
        assert_eq!(pointers, ["/body/a~1b/1/c", "/body/a~1b/2", "/body/d", "/body/e"]);
        let text = found[0].to_string();
        assert_eq!(text, "one, step 1, GET v1/pods: /body/a~1b/1/c\n    expected 2\n    seen     3");
        assert_eq!(found[3].seen.as_deref(), Some("null"));
        assert_eq!(found[3].expected, None);
        assert!(compare(&recorded, &played(recorded.answers.clone())).is_empty());
    }

    #[test]
    fn a_case_that_stopped_says_why_once() {
        let recorded = recorded(vec![answer(json!(1)), answer(json!(2)), answer(json!(3))]);
        let stopped = Played {
            answers: vec![answer(json!(1))],
            end: Err(crate::PlayError::<String>::Unknown { step: "x".into() }),
        };
        let found = compare(&recorded, &stopped);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].step, 2);
        assert!(found[0].seen.as_ref().unwrap().starts_with("x: nothing is there"));
    }
}
