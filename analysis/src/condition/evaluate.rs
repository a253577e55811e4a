//! The evaluation, by the `expr-lang` crate with functions of our own.

use super::ConditionError;
use crate::provider::ReadingValue;
use chrono::{DateTime, TimeZone, Utc};
use crds::Time;
use expr::{Context, Environment, Value};
use serde_json::Value as Json;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Evaluates a condition that was checked.
pub(super) fn condition(text: &str, value: &ReadingValue, now: Time) -> Result<bool, ConditionError> {
    let result = value_of(value);
    let mut context = Context::default();
    context.insert("result", result.clone());
    match run(text, &context, &result, now)? {
        Value::Bool(holds) => Ok(holds),
        other => Err(ConditionError::Outcome { expected: "bool", found: type_of(&other).to_owned() }),
    }
}

/// Evaluates an expression for a time that was checked.
pub(super) fn time(text: &str, now: Time) -> Result<Time, ConditionError> {
    let outcome = run(text, &Context::default(), &Value::Nil, now)?;
    match outcome.as_datetime() {
        Some(time) => Ok(Time(time.to_utc())),
        None => Err(ConditionError::Outcome { expected: "time.Time", found: type_of(&outcome).to_owned() }),
    }
}

fn run(text: &str, context: &Context, result: &Value, now: Time) -> Result<Value, ConditionError> {
    // The text comes from a user, and the crate has places that it believes unreachable.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let program = expr::compile(text).map_err(|error| ConditionError::Check(first_line(&error)))?;
        let environment = environment(result, now);
        environment.run(&program, context).map_err(|error| ConditionError::Evaluate(first_line(&error)))
    }));
    outcome.unwrap_or_else(|_| {
        Err(ConditionError::Evaluate(
            "the evaluator broke down on this expression; write it another way".to_owned(),
        ))
    })
}

/// The crate draws pictures of the place of an error; a status message is one line.
fn first_line(error: &expr::Error) -> String {
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.last().map(|line| line.trim_start_matches("= ").to_owned()).unwrap_or_default()
}

pub(super) fn fail<T>(message: String) -> expr::Result<T> {
    Err(expr::Error::ExprError(message))
}

fn environment<'a>(result: &'a Value, now: Time) -> Environment<'a> {
    let mut environment = Environment::new();
    environment.add_function("now", move |_| date_time(now.0));
    for name in ["timezone", "date"] {
        // The crate looks into the process's environment for the zone "Local"; here it is UTC.
        environment.add_function(name, move |call| {
            let args = call.args.into_iter().map(|arg| match arg {
                Value::String(zone) if zone == "Local" => Value::String("UTC".to_owned()),
                arg => arg,
            });
            BUILT_IN.eval_func(call.ctx, name, args.collect(), None)
        });
    }
    environment.add_function("asInt", |call| as_int(call.args.first()));
    environment.add_function("asFloat", |call| as_float(call.args.first()).map(Value::Float));
    environment.add_function("isNaN", |call| float(call.args.first()).map(|x| Value::Bool(x.is_nan())));
    environment.add_function("isInf", |call| float(call.args.first()).map(|x| Value::Bool(x.is_infinite())));
    // PARITY [condition.default]: both look at the whole result, whatever their first argument is; pinned by `default_looks_at_result`.
    environment.add_function("isNil", |_| Ok(Value::Bool(result.is_nil())));
    environment.add_function("default", |mut call| {
        let other = call.args.pop().unwrap_or_default();
        Ok(if result.is_nil() { other } else { result.clone() })
    });
    super::strict::add_functions(&mut environment);
    environment
}

/// The crate's own functions.
pub(super) static BUILT_IN: std::sync::LazyLock<Environment<'static>> =
    std::sync::LazyLock::new(Environment::new);

fn date_time(time: DateTime<Utc>) -> expr::Result<Value> {
    let fixed = chrono::FixedOffset::east_opt(0)
        .map(|utc| utc.from_utc_datetime(&time.naive_utc()))
        .ok_or_else(|| expr::Error::ExprError("UTC is no time zone".to_owned()))?;
    Ok(Value::DateTime(fixed.into()))
}

/// `asInt`: a number cut towards zero, or a text that is a whole number.
fn as_int(arg: Option<&Value>) -> expr::Result<Value> {
    match arg {
        Some(Value::Integer(number)) => Ok(Value::Integer(*number)),
        // Beyond 64 bits Go's conversion on amd64 gives the smallest number.
        Some(Value::Float(number)) => Ok(Value::Integer(cut(*number).unwrap_or(i64::MIN))),
        Some(Value::String(text)) => match text.parse::<i64>() {
            Ok(number) => Ok(Value::Integer(number)),
            Err(error) => {
                use std::num::IntErrorKind::{NegOverflow, PosOverflow};
                let range = matches!(error.kind(), PosOverflow | NegOverflow);
                let reason = if range { "value out of range" } else { "invalid syntax" };
                fail(format!("strconv.ParseInt: parsing {text:?}: {reason}"))
            }
        },
        other => fail(format!("asInt() not supported on {}", shown(other))),
    }
}

/// `asFloat`: a number, or a text that is one.
fn as_float(arg: Option<&Value>) -> expr::Result<f64> {
    match arg {
        Some(Value::Integer(number)) => Ok(float_of(*number)),
        Some(Value::Float(number)) => Ok(*number),
        Some(Value::String(text)) => text.parse().map_err(|_| {
            expr::Error::ExprError(format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
        }),
        other => fail(format!("asFloat() not supported on {}", shown(other))),
    }
}

fn float(arg: Option<&Value>) -> expr::Result<f64> {
    match arg {
        Some(Value::Integer(number)) => Ok(float_of(*number)),
        Some(Value::Float(number)) => Ok(*number),
        other => {
            let found = match other {
                None | Some(Value::Nil) => "nil",
                Some(other) => type_of(other),
            };
            fail(format!("interface conversion: interface {{}} is {found}, not float64"))
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the range is checked: 2^63 is the first float beyond i64"
)]
pub(super) fn cut(number: f64) -> Option<i64> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    (-BEYOND..BEYOND).contains(&number).then_some(number as i64)
}

#[allow(clippy::cast_precision_loss, reason = "Go's conversion rounds to the nearest float as well")]
fn float_of(number: i64) -> f64 {
    number as f64
}

/// Type and value as Go's `%T %v` shows them.
fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Nil) => "<nil> <nil>".to_owned(),
        Some(value) => format!("{} {value}", type_of(value)),
    }
}

pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        Value::Bool(_) => "bool",
        Value::Integer(_) => "int",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::Bytes(_) => "[]uint8",
        Value::Array(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
        Value::KeyedMap(_) => "map[interface {}]interface {}",
        Value::DateTime(_) => "time.Time",
        Value::Duration(_) => "time.Duration",
        _ => "time value",
    }
}

fn value_of(value: &ReadingValue) -> Value {
    match value {
        ReadingValue::Number(number) => Value::Float(*number),
        ReadingValue::Numbers(numbers) => Value::Array(numbers.iter().copied().map(Value::Float).collect()),
        ReadingValue::Text(text) => Value::String(text.clone()),
        ReadingValue::Json(json) => json_value(json),
    }
}

/// JSON's numbers are floats, as Go decodes them.
fn json_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(json_value).collect()),
        Json::Object(fields) => {
            // In the order of the keys: a condition must not depend on the order of an answer.
            let sorted: std::collections::BTreeMap<_, _> = fields.iter().collect();
            Value::Map(sorted.into_iter().map(|(key, field)| (key.clone(), json_value(field))).collect())
        }
    }
}
