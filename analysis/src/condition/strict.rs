//! What Go does more strictly than the `expr-lang` crate, as functions that the check writes into expressions.

use super::evaluate::{BUILT_IN, cut, fail, type_of};
use expr::{Context, Environment, Program, Value};
use serde_json::{Map, Number, Value as Json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// `value[index]`.
pub(super) const INDEX: &str = "strict_index";
/// `value.field`.
pub(super) const MEMBER: &str = "strict_member";
/// `left sign right`.
pub(super) const OPERATE: &str = "strict_operate";
/// `!value`.
pub(super) const NOT: &str = "strict_not";
/// `first; last`.
pub(super) const LAST: &str = "strict_last";

/// `{key: value}`: keys and values in turn.
pub(super) const MAP: &str = "strict_map";

/// Operators that are evaluated by [`OPERATE`]: those whose operands must fit.
pub(super) const OPERATORS: [&str; 13] =
    ["+", "-", "*", "/", "%", "<", ">", "<=", ">=", "contains", "startsWith", "endsWith", "matches"];

/// Adds the functions.
pub(super) fn add_functions(environment: &mut Environment<'_>) {
    environment.add_function(INDEX, |call| match call.args.as_slice() {
        [value, index] => fetch(value, index),
        _ => fail("an index needs a value".to_owned()),
    });
    environment.add_function(MEMBER, |call| match call.args.as_slice() {
        [value, field] => fetch(value, field),
        _ => fail("a member needs a value".to_owned()),
    });
    environment.add_function(OPERATE, |call| match call.args.as_slice() {
        [Value::String(sign), left, right] => operate(sign, left, right),
        _ => fail("an operator needs two values".to_owned()),
    });
    environment.add_function(NOT, |call| match call.args.as_slice() {
        [Value::Bool(flag)] => Ok(Value::Bool(!flag)),
        [other] => fail(format!("interface conversion: interface {{}} is {}, not bool", named(other))),
        _ => fail("not needs a value".to_owned()),
    });
    environment.add_function(MAP, |call| {
        let pairs = call.args.chunks(2).map(|pair| match pair {
            [Value::String(key), value] => Ok((key.clone(), value.clone())),
            _ => fail("a key must be a text".to_owned()),
        });
        pairs.collect::<expr::Result<Vec<_>>>().map(|pairs| pairs.into_iter().collect())
    });
    environment.add_function(LAST, |mut call| Ok(call.args.pop().unwrap_or_default()));
    environment.add_function("len", |call| {
        let found = call.args.first().map_or("<nil>", type_of);
        BUILT_IN
            .eval_func(call.ctx, "len", call.args, None)
            .or_else(|_| fail(format!("invalid argument for len (type {found})")))
    });
    environment.add_function("toJSON", |call| match call.args.first().and_then(json) {
        Some(value) => match serde_json::to_string_pretty(&value) {
            Ok(text) => Ok(Value::String(text)),
            Err(error) => fail(error.to_string()),
        },
        None => BUILT_IN.eval_func(call.ctx, "toJSON", call.args, None),
    });
}

fn named(value: &Value) -> &'static str {
    if value.is_nil() { "nil" } else { type_of(value) }
}

/// A member or an element, with Go's errors: beyond the end of a list there is none, below nil nothing.
fn fetch(value: &Value, index: &Value) -> expr::Result<Value> {
    match (value, index) {
        (Value::Map(fields), Value::String(name)) => Ok(fields.get(name).cloned().unwrap_or_default()),
        (Value::Array(items), Value::Integer(_) | Value::Float(_)) => element(whole(index), items.len())
            .and_then(|at| match items.get(at) {
                Some(item) => Ok(item.clone()),
                None => fail("index out of range".to_owned()),
            }),
        (Value::String(text), Value::Integer(_) | Value::Float(_)) => {
            let bytes = text.as_bytes();
            let at = element(whole(index), bytes.len())?;
            Ok(Value::Integer(i64::from(bytes.get(at).copied().unwrap_or_default())))
        }
        (Value::String(_) | Value::Array(_), Value::String(_)) => {
            fail("invalid operation: int(string)".to_owned())
        }
        // Times and the like have members of their own.
        (Value::KeyedMap(_) | Value::Bytes(_), _) => {
            let mut context = Context::default();
            context.insert("a", value.clone());
            context.insert("b", index.clone());
            INDEXING
                .as_ref()
                .map_or_else(|| fail("no index".to_owned()), |program| expr::run(program, &context))
        }
        _ => {
            let wanted = match index {
                Value::String(name) => name.clone(),
                other => other.to_string(),
            };
            fail(format!("cannot fetch {wanted} from {}", type_of(value)))
        }
    }
}

fn whole(index: &Value) -> i64 {
    match index {
        Value::Integer(number) => *number,
        Value::Float(number) => cut(*number).unwrap_or(i64::MAX),
        _ => i64::MAX,
    }
}

/// The place in a list; negative from its end.
fn element(index: i64, length: usize) -> expr::Result<usize> {
    let end = i64::try_from(length).unwrap_or(i64::MAX);
    let place = if index < 0 { index.saturating_add(end) } else { index };
    match usize::try_from(place) {
        Ok(place) if place < length => Ok(place),
        _ => fail(format!("index out of range: {place} (array length is {length})")),
    }
}

static INDEXING: LazyLock<Option<Program>> = LazyLock::new(|| expr::compile("a[b]").ok());

/// `a sign b`, for each operator.
static OPERATIONS: LazyLock<BTreeMap<&'static str, Program>> = LazyLock::new(|| {
    let compiled = OPERATORS.iter().map(|sign| (*sign, expr::compile(&format!("a {sign} b"))));
    compiled.filter_map(|(sign, program)| Some((sign, program.ok()?))).collect()
});

fn operate(sign: &str, left: &Value, right: &Value) -> expr::Result<Value> {
    if sign.len() > 2 && (left.is_nil() || right.is_nil()) {
        return Ok(Value::Bool(false));
    }
    let mut context = Context::default();
    context.insert("a", left.clone());
    context.insert("b", right.clone());
    let mismatch = || format!("invalid operation: {} {sign} {}", type_of(left), type_of(right));
    let Some(program) = OPERATIONS.get(sign) else { return fail(mismatch()) };
    expr::run(program, &context).or_else(|error| match error.to_string() {
        text if text.starts_with("Invalid operands") => fail(mismatch()),
        text => fail(text),
    })
}

/// A value as JSON, objects by key; `None` when it holds something that JSON has not.
fn json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Nil => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => match cut(*number) {
            Some(whole) if number.fract() == 0.0 => Json::from(whole),
            _ => Json::Number(Number::from_f64(*number)?),
        },
        Value::String(text) => Json::String(text.clone()),
        Value::Array(items) => Json::Array(items.iter().map(json).collect::<Option<_>>()?),
        Value::Map(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            let fields = sorted.into_iter().map(|(key, field)| Some((key.clone(), json(field)?)));
            Json::Object(fields.collect::<Option<Map<_, _>>>()?)
        }
        _ => return None,
    })
}
