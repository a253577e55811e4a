#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use serde_json::json;

/// What `data/oracle` was asked, and what it answered.
const CASES: &str = include_str!("../../data/cases.json");
const ANSWERS: &str = include_str!("../../data/jsonpath.jsonl");

/// Go prints its own view of a value, or panics; ours says the same in other words.
const OTHER_WORDS: [&str; 2] = ["{$.s[?(@.a==1)]}", "{$.o[?(@.p==1)]}"];

/// Numbers as floats, so that 1 and 1.0 are equal; sorted, because Go walks objects in random order.
fn comparable(value: &Value) -> String {
    let floats = match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => {
            return format!("[{}]", items.iter().map(comparable).collect::<Vec<_>>().join(","));
        }
        Value::Object(fields) => {
            let mut texts: Vec<_> =
                fields.iter().map(|(key, field)| format!("{key}:{}", comparable(field))).collect();
            texts.sort();
            return texts.join(",");
        }
        other => other.clone(),
    };
    floats.to_string()
}

fn sorted(values: &[Value]) -> Vec<String> {
    let mut texts: Vec<_> = values.iter().map(comparable).collect();
    texts.sort();
    texts
}

#[test]
fn the_oracle_agrees() {
    let cases: Value = serde_json::from_str(CASES).unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for line in ANSWERS.lines() {
        let answer: Vec<Value> = serde_json::from_str(line).unwrap();
        let document = &cases["documents"][answer[0].as_str().unwrap()];
        let path = answer[1].as_str().unwrap();
        let ours = JsonPath::parse(path).and_then(|path| path.find(document));
        let agrees = match (answer[2].as_str().unwrap(), &ours) {
            ("ok", Ok(groups)) => {
                let ours: Vec<Value> = groups.iter().flatten().cloned().collect();
                let theirs = answer[3].as_array().unwrap();
                if path.contains("..") || path.contains('*') {
                    sorted(&ours) == sorted(theirs)
                } else {
                    ours.iter().map(comparable).eq(theirs.iter().map(comparable))
                }
            }
            // A null on the way ends the process there; here it is a value like others.
            ("panic", _) => true,
            ("parse" | "find", Err(error)) => {
                error.to_string() == answer[3].as_str().unwrap() || OTHER_WORDS.contains(&path)
            }
            _ => false,
        };
        compared += 1;
        if !agrees {
            wrong.push(format!("{line}\n     ours {ours:?}"));
        }
    }
    assert!(compared > 200);
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_first_result_counts() {
    let document = json!({"a": [{"v": 1}, {"v": 2}], "n": null});
    let first = |path: &str| JsonPath::parse(path).unwrap().first(&document);
    assert_eq!(first("{$.a[*].v}"), Ok(Some(json!(1))));
    assert_eq!(first("{$.a[?(@.v==9.0)].v}"), Ok(None));
    assert_eq!(first("{$.n}"), Ok(Some(Value::Null)));
    assert_eq!(first("{$.x}").unwrap_err().to_string(), "x is not found");
    assert_eq!(JsonPath::parse("{$}").unwrap().first(&Value::Null), Ok(Some(Value::Null)));
}

#[test]
fn a_path_cannot_exhaust_the_controller() {
    let deep = format!("{{{}", "[?(".repeat(1000));
    assert!(JsonPath::parse(&deep).is_err());
    let nested = format!("{{{}@{}}}", "[?(".repeat(30), ")]".repeat(30));
    let _ = JsonPath::parse(&nested);
    assert!(JsonPath::parse(&"x".repeat(5000)).unwrap_err().to_string().contains("longer than"));
    let wide = Value::Array(vec![json!([1, 2, 3, 4, 5, 6, 7, 8, 9]); 2000]);
    let path = JsonPath::parse("{$..[*]..[*]..[*]}").unwrap();
    let path_error = path.find(&wide);
    assert!(path_error.is_err() || path_error.unwrap().len() < MAX_RESULTS);
}

proptest::proptest! {
    /// Whatever a user writes, it is answered: no panic, no overflow.
    #[test]
    fn any_path_is_answered(words in proptest::collection::vec(proptest::sample::select(vec![
        "{", "}", "$", "@", ".", "..", "*", "[", "]", "[?(", ")]", "'", "\"", "a", "0", "-1", ":", ",", "==", ">", "range ",
        "end", "true", "1.5", "\\", " ", "\n", "é",
    ]), 0..24)) {
        let document = json!({"a": [{"a": 1}, [2, "x"], null], "é": {"a": true}});
        let found = JsonPath::parse(&words.concat()).and_then(|path| path.find(&document));
        proptest::prop_assert!(found.is_ok() || found.is_err_and(|error| !error.to_string().is_empty()));
    }
}
