//! The language of rules: CEL with Kubernetes' functions, and what the evaluator needs to agree with the API server.
//!
//! Known differences, all of which refuse an object that the server might accept or word a refusal otherwise:
//! comprehensions over two variables and `sortBy` cannot be evaluated, sets are compared in order, and there is no
//! budget of costs.

use std::cell::OnceCell;

use kube_cel::KubeCelExt;
use kube_cel::cel::common::ast::{EntryExpr, Expr};
use kube_cel::cel::extractors::This;
use kube_cel::cel::objects::ValueType;
use kube_cel::cel::parser::{Expression, Parser};
use kube_cel::cel::{self, Context, ExecutionError, FunctionContext};

/// The evaluator's name of `a[?b]`.
const OPTIONAL_INDEX: &str = "_[?_]";
/// The evaluator's name of `a.?b`.
const OPTIONAL_SELECT: &str = "_?._";

/// The types that rules may name.
const TYPES: [&str; 9] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];

/// Parses an expression.
pub(super) fn parse(source: &str) -> Result<Expression, String> {
    let parser = Parser::new().enable_optional_syntax(true);
    let mut expression = parser.parse(source).map_err(|error| error.to_string())?;
    index_optionally(&mut expression);
    Ok(expression)
}

/// Evaluates an expression.
pub(super) fn evaluate(expression: &Expression, scope: &Context<'_>) -> Result<cel::Value, ExecutionError> {
    cel::Value::resolve(expression, scope)
}

/// Calls `work` with the functions of the language. Filling their table costs more than most rules, so each thread
/// does it once.
pub(super) fn with<T>(work: impl FnOnce(&Context<'static>) -> T) -> T {
    thread_local! {
        static LANGUAGE: OnceCell<Context<'static>> = const { OnceCell::new() };
    }
    LANGUAGE.with(|language| work(language.get_or_init(language_of_rules)))
}

fn language_of_rules() -> Context<'static> {
    let mut language = Context::default().with_all();
    for name in TYPES {
        language.add_variable_from_value(name, name);
    }
    // The evaluator has no types as values: here a type is its name.
    language.add_function("type", |value: cel::Value| {
        let name = match value.type_of() {
            ValueType::Float => "double",
            ValueType::Null => "null_type",
            ValueType::Duration => "google.protobuf.Duration",
            ValueType::Timestamp => "google.protobuf.Timestamp",
            other => return other.to_string(),
        };
        name.to_owned()
    });
    // The evaluator counts the bytes of a text; the language counts characters.
    language.add_function("size", |context: &FunctionContext<'_, '_>, This(value): This<cel::Value>| {
        let size = match &value {
            cel::Value::String(text) => text.chars().count(),
            cel::Value::List(elements) => elements.len(),
            cel::Value::Map(map) => map.map.len(),
            cel::Value::Bytes(bytes) => bytes.len(),
            _ => return Err(context.error("only texts, lists, maps and bytes have a size")),
        };
        Ok(i64::try_from(size).unwrap_or(i64::MAX))
    });
    language
}

/// Writes `a.?b` as `a[?'b']`, which means the same: the evaluator fails at the first when there is no `b`.
fn index_optionally(expression: &mut Expression) {
    match &mut expression.expr {
        Expr::Call(call) => {
            if call.func_name == OPTIONAL_SELECT {
                OPTIONAL_INDEX.clone_into(&mut call.func_name);
            }
            call.target.iter_mut().for_each(|target| index_optionally(target));
            call.args.iter_mut().for_each(index_optionally);
        }
        Expr::Comprehension(comprehension) => {
            let parts = [
                &mut comprehension.iter_range,
                &mut comprehension.accu_init,
                &mut comprehension.loop_cond,
                &mut comprehension.loop_step,
                &mut comprehension.result,
            ];
            parts.into_iter().for_each(index_optionally);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(index_optionally),
        Expr::Select(select) => index_optionally(&mut select.operand),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| index_entry(&mut entry.expr)),
        Expr::Struct(object) => object.entries.iter_mut().for_each(|entry| index_entry(&mut entry.expr)),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
    }
}

fn index_entry(entry: &mut EntryExpr) {
    match entry {
        EntryExpr::StructField(field) => index_optionally(&mut field.value),
        EntryExpr::MapEntry(entry) => {
            index_optionally(&mut entry.key);
            index_optionally(&mut entry.value);
        }
    }
}

/// The server's words for what can go wrong in a rule.
pub(super) fn wording(error: &ExecutionError) -> String {
    let conversion = |to: &str| format!("type conversion error from 'string' to '{to}'");
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        ExecutionError::IndexOutOfBounds(cel::Value::Int(index)) => format!("index out of bounds: {index}"),
        ExecutionError::NoSuchOverload => "no such overload".to_owned(),
        ExecutionError::FunctionError { function, .. } => match function.as_str() {
            "int" | "uint" | "double" => conversion(function),
            "timestamp" => conversion("google.protobuf.Timestamp"),
            "duration" => conversion("google.protobuf.Duration"),
            "quantity" => "quantities must match the regular expression \
                           '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                .to_owned(),
            _ => error.to_string(),
        },
        other => other.to_string(),
    }
}
