//! Answers that a metric's conditions take for good or for bad. `try` cannot know the numbers of somebody's own metrics, so
//! it tries plain values against the conditions, through the providers' own reading of an answer.

use analysis::condition;
use analysis::provider::{MetricContext, Reading};
use crds::Time;
use crds::analysis::{AnalysisPhase, Metric};
use providers::Kind;
use providers::http::Response;
use serde_json::{Value, json};

/// Values that are tried first, in this order.
const PLAIN: [f64; 7] = [0.0, 1.0, 0.5, 0.99, 100.0, 1000.0, -1.0];
/// A text that no condition asks for.
const OTHER_TEXT: &str = "something else";
/// Literals of conditions that are looked at.
const LITERALS_MAX: usize = 8;
/// Fields of a result that are filled, and answers that are tried, at most.
const FIELDS_MAX: usize = 3;
const TRIES_MAX: usize = 4000;

/// An answer, and what it says in short.
#[derive(Clone, Debug)]
pub(super) struct Assumed {
    /// The whole answer.
    pub(super) response: Response,
    /// For people.
    pub(super) shown: String,
    /// What the metric's conditions make of it.
    pub(super) phase: AnalysisPhase,
}

/// An answer that makes the metric succeed, or fail; where no value that was tried does, the nearest to it.
pub(super) fn find(metric: &Metric, good: bool, now: Time) -> Assumed {
    let wanted = if good { AnalysisPhase::Successful } else { AnalysisPhase::Failed };
    let candidates = candidates(metric, now);
    let mut held = None;
    let mut first = None;
    for (response, shown) in candidates.into_iter().take(TRIES_MAX) {
        let phase = judge(metric, &response, now);
        if phase == wanted {
            return Assumed { response, shown, phase };
        }
        let assumed = Assumed { response, shown, phase };
        if !good && phase == AnalysisPhase::Inconclusive {
            held.get_or_insert(assumed.clone());
        }
        first.get_or_insert(assumed);
    }
    let nothing = || Assumed {
        response: Response { status: 500, body: b"try has no answer".to_vec() },
        shown: "HTTP 500".to_owned(),
        phase: AnalysisPhase::Error,
    };
    held.or(first).unwrap_or_else(nothing)
}

/// What the metric's conditions make of an answer.
pub(super) fn judge(metric: &Metric, response: &Response, now: Time) -> AnalysisPhase {
    let reading = match providers::kind(metric) {
        Kind::Web => {
            let context = MetricContext {
                run_name: "",
                run_namespace: "",
                run_uid: "",
                metric,
                attempt: 1,
                run_started_at: None,
                now,
            };
            providers::web::interpret(context, response)
        }
        _ => providers::prometheus::interpret(response),
    };
    match reading {
        Reading::Value { value, .. } => condition::judge(metric, &value, now).unwrap_or(AnalysisPhase::Error),
        Reading::Decided { phase, .. } => phase,
        Reading::Pending { .. } | Reading::Error { .. } => AnalysisPhase::Error,
    }
}

fn candidates(metric: &Metric, now: Time) -> Vec<(Response, String)> {
    let text = format!(
        "{} {}",
        metric.success_condition.as_deref().unwrap_or_default(),
        metric.failure_condition.as_deref().unwrap_or_default()
    );
    let mut numbers = PLAIN.to_vec();
    for number in numbers_in(&text) {
        numbers.extend([number, number * 2.0, number / 2.0, number + 1.0, number - 1.0]);
    }
    if let Some(prometheus) = &metric.provider.prometheus {
        let query = prometheus.query.as_deref().unwrap_or_default().trim();
        let kind = match (&prometheus.range_query, query.starts_with("scalar(")) {
            (Some(_), _) => "matrix",
            (None, true) => "scalar",
            (None, false) => "vector",
        };
        return numbers
            .into_iter()
            .map(|number| (prometheus_answer(kind, number, now), shown(number)))
            .collect();
    }
    let path = metric.provider.web.as_ref().and_then(|web| web.json_path.as_deref()).unwrap_or_default();
    let mut values: Vec<Value> = vec![json!(true), json!(false), json!(OTHER_TEXT)];
    values.extend(strings_in(&text).into_iter().map(Value::from));
    values.extend(numbers.into_iter().map(Value::from));
    let bodies = if fields_in(&text).is_empty() { values } else { objects(&fields_in(&text), &values) };
    bodies
        .into_iter()
        .map(|value| {
            let body = at_path(path, value).to_string();
            (Response { status: 200, body: body.clone().into_bytes() }, body)
        })
        .collect()
}

fn shown(number: f64) -> String {
    format!("[{number}]")
}

/// The answer of a Prometheus with one number.
fn prometheus_answer(kind: &str, number: f64, now: Time) -> Response {
    let at = now.0.timestamp();
    let sample = json!([at, number.to_string()]);
    let result = match kind {
        "scalar" => sample,
        "matrix" => json!([{"metric": {}, "values": [sample]}]),
        _ => json!([{"metric": {}, "value": sample}]),
    };
    let body = json!({"status": "success", "data": {"resultType": kind, "result": result}});
    Response { status: 200, body: body.to_string().into_bytes() }
}

/// Numbers that stand in a condition, but for indices.
fn numbers_in(text: &str) -> Vec<f64> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '[');
    let words = text.split(|c| !is_part(c));
    words.filter_map(|word| word.parse::<f64>().ok()).filter(|n| n.is_finite()).take(LITERALS_MAX).collect()
}

/// Texts that stand in a condition.
fn strings_in(text: &str) -> Vec<String> {
    ['"', '\'']
        .into_iter()
        .flat_map(|quote| text.split(quote).skip(1).step_by(2))
        .take(LITERALS_MAX)
        .map(str::to_owned)
        .collect()
}

/// Fields of the result that a condition looks at, such as `data.ok`.
fn fields_in(text: &str) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for rest in text.split("result.").skip(1) {
        let field: String =
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')).collect();
        let field = field.trim_matches('.').to_owned();
        if !field.is_empty() && !fields.contains(&field) && fields.len() < FIELDS_MAX {
            fields.push(field);
        }
    }
    fields
}

/// Objects with each of the values in each of the fields.
fn objects(fields: &[String], values: &[Value]) -> Vec<Value> {
    let mut all = vec![json!({})];
    for field in fields {
        let mut next = Vec::new();
        for object in &all {
            for value in values {
                let mut object = object.clone();
                put(&mut object, field, value);
                next.push(object);
                if next.len() >= TRIES_MAX {
                    break;
                }
            }
        }
        all = next;
    }
    all
}

fn put(object: &mut Value, field: &str, value: &Value) {
    let Some(map) = object.as_object_mut() else { return };
    match field.split_once('.') {
        Some((head, rest)) => put(map.entry(head).or_insert_with(|| json!({})), rest, value),
        None => {
            map.insert(field.to_owned(), value.clone());
        }
    }
}

/// A document in which a plain JSONPath (names and indices) finds the value.
fn at_path(path: &str, value: Value) -> Value {
    let path = path.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
    let mut document = value;
    let parts: Vec<&str> = path.split(['.', '[', ']']).filter(|part| !part.is_empty()).collect();
    for part in parts.into_iter().rev() {
        document = match part.parse::<usize>() {
            Ok(_) => json!([document]),
            Err(_) if part == "*" => json!([document]),
            Err(_) => json!({part.trim_matches(['\'', '"']): document}),
        };
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(provider: &Value, success: &str, failure: &str) -> Metric {
        let conditions = json!({"name": "m", "provider": provider, "successCondition": success, "failureCondition": failure});
        serde_json::from_value(conditions).unwrap()
    }

    #[test]
    fn values_are_found_for_common_conditions() {
        let prometheus = |query: &str| json!({"prometheus": {"query": query}});
        let web = |path: &str| json!({"web": {"url": "http://a", "jsonPath": path}});
        for (provider, success, failure) in [
            (prometheus("q"), "result[0] >= 0.95", ""),
            (prometheus("q"), "result[0] < 0.05", "result[0] >= 0.05"),
            (prometheus("q"), "len(result) > 0 && all(result, # < 2500)", ""),
            (prometheus("scalar(q)"), "result <= 250", ""),
            (web("{$.data.ok}"), "result == true", ""),
            (web("{$.items[0].state}"), "result == \"healthy\"", ""),
            (web("{$.data}"), "result.ok && result.successPercent >= 0.90", ""),
            (web(""), "result.status == 'UP'", ""),
        ] {
            let metric = metric(&provider, success, failure);
            let now = Time::default();
            assert_eq!(find(&metric, true, now).phase, AnalysisPhase::Successful, "{success}");
            assert_eq!(find(&metric, false, now).phase, AnalysisPhase::Failed, "{success}");
        }
    }

    #[test]
    fn what_cannot_fail_is_not_made_to() {
        let free = metric(&json!({"prometheus": {"query": "q"}}), "", "");
        assert_eq!(find(&free, false, Time::default()).phase, AnalysisPhase::Successful);
    }
}
