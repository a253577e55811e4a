//! Value validations: types, bounds, patterns, required members, combinations of schemas.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::cause::Cause;
use super::lists::identity;
use super::names::{float_text, number_text, quoted, type_name};
use super::node::{Additional, Kind, ListType, Node, Numbers};
use super::path::Path;

/// The largest whole number up to which floats count as integers: 2^53 - 1.
const MAX_WHOLE_FLOAT: f64 = 9_007_199_254_740_991.0;

/// What each schema counts for apart from its type, its format and what is below it (see [`check`]).
const BASE_COUNT: usize = 3;

/// Checks a whole object against its schema.
pub(super) fn check_root(node: &Node, value: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    check_place(node, value, old, &Path::Root, causes);
}

/// Checks the value of one place. What is wrong with it is tolerated when it was so before and did not change.
fn check_place(
    node: &Node,
    value: &Value,
    old: Option<&Value>,
    path: &Path<'_>,
    causes: &mut Vec<Cause>,
) -> usize {
    let before = causes.len();
    let count = check(node, value, old, path, causes);
    if causes.len() > before && old == Some(value) {
        causes.truncate(before);
    }
    count
}

/// Checks a value against one schema; returns how many checks were made.
///
/// The count is not the number of mistakes: the server reports, of several alternatives that all fail, the one in
/// which it checked most.
fn check(node: &Node, value: &Value, old: Option<&Value>, path: &Path<'_>, causes: &mut Vec<Cause>) -> usize {
    check_type(node, value, path, causes);
    check_enum(node, value, path, causes);
    let own = BASE_COUNT
        .saturating_add(usize::from(node.kind.is_some()))
        .saturating_add(usize::from(node.checks.format.is_some()));
    let inner = match value {
        Value::Null => return own,
        Value::Bool(_) => 0,
        Value::Number(number) => {
            if let Some(bounds) = &node.checks.numbers {
                check_number(bounds, number, path, causes);
            }
            0
        }
        Value::String(text) => {
            check_text(node, text, path, causes);
            0
        }
        Value::Array(elements) => check_array(node, elements, old, path, causes),
        Value::Object(fields) => check_object(node, fields, old, path, causes),
    };
    own.saturating_add(inner).saturating_add(check_combinations(node, value, path, causes))
}

fn check_type(node: &Node, value: &Value, path: &Path<'_>, causes: &mut Vec<Cause>) {
    let wanted = match node.kind {
        None if !node.int_or_string => return,
        None => "integer,string",
        Some(kind) => kind.name(),
    };
    let fits = match (node.kind, value) {
        (_, Value::Null) => node.nullable,
        (None, Value::String(_)) => true,
        (None | Some(Kind::Integer), Value::Number(number)) => is_whole(number),
        (Some(kind), value) => kind == kind_of(value),
        (None, _) => false,
    };
    if fits {
        return;
    }
    match (&node.checks.format, value) {
        (Some(_), Value::Array(_)) => {
            // The server takes any list where text of a known format is wanted.
        }
        (Some(format), Value::Number(number)) => {
            let shown = if number.is_i64() { "int64" } else { "double" };
            causes.push(Cause::mistyped(path, format.name(), shown));
        }
        (Some(format), Value::Bool(_) | Value::Object(_)) => {
            causes.push(Cause::mistyped(path, format.name(), ""));
        }
        _ => causes.push(Cause::mistyped(path, wanted, type_name(value))),
    }
}

fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Object(_) | Value::Null => Kind::Object,
        Value::Array(_) => Kind::Array,
        Value::String(_) => Kind::String,
        Value::Number(_) => Kind::Number,
        Value::Bool(_) => Kind::Boolean,
    }
}

/// Whether a number counts as an integer, however it is written: `5`, `5.0`, `3e9`.
pub(super) fn is_whole(number: &Number) -> bool {
    number.is_i64()
        || number.as_f64().is_some_and(|float| float.fract() == 0.0 && float.abs() <= MAX_WHOLE_FLOAT)
}

fn check_enum(node: &Node, value: &Value, path: &Path<'_>, causes: &mut Vec<Cause>) {
    let supported = &node.checks.supported;
    if supported.is_empty() {
        return;
    }
    // To the server null is never supported, even when the enum lists it.
    if value.is_null() || !supported.iter().any(|allowed| is_same(value, allowed)) {
        causes.push(Cause::not_supported(path, value, supported));
    }
}

/// Equality as the server's enums have it: a number is converted to the type of the listed one first, so 1.9 is 1.
fn is_same(value: &Value, allowed: &Value) -> bool {
    match (value, allowed) {
        (Value::Number(value), Value::Number(allowed)) if value.is_f64() && allowed.is_i64() => {
            truncated(value) == allowed.as_i64()
        }
        (Value::Number(value), Value::Number(allowed)) if allowed.is_f64() => {
            value.as_f64() == allowed.as_f64()
        }
        _ => value == allowed,
    }
}

/// A number without its fraction.
fn truncated(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let whole = number.as_f64()?.trunc();
        // Written out and read back: the only conversion from float to integer that cannot go wrong silently.
        format!("{whole:.0}").parse().ok()
    })
}

fn check_number(bounds: &Numbers, number: &Number, path: &Path<'_>, causes: &mut Vec<Cause>) {
    // The server compares an integer with the bound's whole part, so 0 is not below a minimum of 0.5.
    let compared = |bound: &Number| match (number.as_i64(), truncated(bound)) {
        (Some(value), Some(bound)) => (Some(value.cmp(&bound)), bound.to_string()),
        _ => {
            let (value, bound) = (number.as_f64().unwrap_or_default(), bound.as_f64().unwrap_or_default());
            (value.partial_cmp(&bound), float_text(bound))
        }
    };
    if let Some(factor) = &bounds.multiple_of {
        check_multiple(factor, number, path, causes);
    }
    let shown_number = number_text(number);
    let mut refuse = |bound: String| causes.push(Cause::out_of_bounds(path, &shown_number, &bound));
    if let Some(maximum) = &bounds.maximum {
        let (order, shown) = compared(maximum);
        if bounds.exclusive_maximum && order.is_none_or(|order| order.is_ge()) {
            refuse(format!("should be less than {shown}"));
        } else if !bounds.exclusive_maximum && order.is_none_or(|order| order.is_gt()) {
            refuse(format!("should be less than or equal to {shown}"));
        }
    }
    if let Some(minimum) = &bounds.minimum {
        let (order, shown) = compared(minimum);
        if bounds.exclusive_minimum && order.is_none_or(|order| order.is_le()) {
            refuse(format!("should be greater than {shown}"));
        } else if !bounds.exclusive_minimum && order.is_none_or(|order| order.is_lt()) {
            refuse(format!("should be greater than or equal to {shown}"));
        }
    }
}

/// An integer is compared with the factor's whole part here too, so no integer is a multiple of 0.25.
fn check_multiple(factor: &Number, number: &Number, path: &Path<'_>, causes: &mut Vec<Cause>) {
    let is_multiple = match (number.as_i64(), truncated(factor)) {
        (Some(_), Some(whole)) if whole <= 0 => {
            let field = path.dotted();
            let detail = format!("factor MultipleOf declared for {field} must be positive: {whole}");
            causes.push(Cause::invalid(field, &whole.to_string(), &detail));
            return;
        }
        (Some(number), Some(whole)) => number.checked_rem(whole).is_none_or(|rest| rest == 0),
        _ => {
            let quotient = number.as_f64().unwrap_or_default() / factor.as_f64().unwrap_or(1.0);
            quotient.fract() == 0.0
        }
    };
    if !is_multiple {
        let bound = format!("should be a multiple of {}", number_text(factor));
        causes.push(Cause::out_of_bounds(path, &number_text(number), &bound));
    }
}

/// Length and pattern: the first that fails is told. The format is checked beside them.
fn check_text(node: &Node, text: &str, path: &Path<'_>, causes: &mut Vec<Cause>) {
    let checks = &node.checks;
    // Counted only when a bound asks for it.
    let longer_than =
        |limit: u64| usize::try_from(limit).is_ok_and(|limit| text.chars().nth(limit).is_some());
    let at_least = |limit: u64| limit == 0 || longer_than(limit.saturating_sub(1));
    if let Some(limit) = checks.max_length.filter(|limit| longer_than(*limit)) {
        causes.push(Cause::too_long(path, limit));
    } else if let Some(limit) = checks.min_length.filter(|limit| !at_least(*limit)) {
        causes.push(Cause::out_of_bounds(
            path,
            &quoted(text),
            &format!("should be at least {limit} chars long"),
        ));
    } else if let Some(pattern) = checks.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        causes.push(Cause::out_of_bounds(
            path,
            &quoted(text),
            &format!("should match '{}'", pattern.as_str()),
        ));
    }
    if let Some(format) = checks.format.as_ref().filter(|format| !format.accepts(text)) {
        causes.push(Cause::mistyped(path, format.name(), text));
    }
}

fn check_array(
    node: &Node,
    elements: &[Value],
    old: Option<&Value>,
    path: &Path<'_>,
    causes: &mut Vec<Cause>,
) -> usize {
    let mut count = 0_usize;
    if let Some(items) = &node.items {
        for (index, element) in elements.iter().enumerate() {
            let before = old.and_then(|old| counterpart(&node.list, element, old));
            count =
                count.saturating_add(check_place(items, element, before, &Path::Index(path, index), causes));
        }
    }
    let length = elements.len();
    if let Some(limit) = node.checks.min_items.filter(|limit| is_below(length, *limit)) {
        let bound = format!("should have at least {limit} items");
        causes.push(Cause::out_of_bounds(path, &length.to_string(), &bound));
    }
    if let Some(limit) = node.checks.max_items.filter(|limit| is_above(length, *limit)) {
        causes.push(Cause::too_many(path, length, limit));
    }
    count
}

/// The element of the old list that an element of the new one replaces: known only in lists that are maps.
pub(super) fn counterpart<'o>(list: &ListType, element: &Value, old: &'o Value) -> Option<&'o Value> {
    let ListType::Map(keys) = list else {
        return None;
    };
    let wanted = identity(element.as_object()?, keys);
    old.as_array()?.iter().find(|old| old.as_object().is_some_and(|fields| identity(fields, keys) == wanted))
}

fn is_below(length: usize, limit: u64) -> bool {
    u64::try_from(length).is_ok_and(|length| length < limit)
}

fn is_above(length: usize, limit: u64) -> bool {
    u64::try_from(length).is_ok_and(|length| length > limit)
}

fn check_object(
    node: &Node,
    fields: &Map<String, Value>,
    old: Option<&Value>,
    path: &Path<'_>,
    causes: &mut Vec<Cause>,
) -> usize {
    let checks = &node.checks;
    if let Some(limit) = checks.min_properties.filter(|limit| is_below(fields.len(), *limit)) {
        let bound = format!("should have at least {limit} properties");
        causes.push(Cause::out_of_bounds(path, &fields.len().to_string(), &bound));
    }
    if let Some(limit) = checks.max_properties.filter(|limit| is_above(fields.len(), *limit)) {
        causes.push(Cause::too_many(path, fields.len(), limit));
    }
    let mut count = 0_usize;
    let has_members = !node.properties.is_empty() || matches!(node.additional, Additional::Values(_));
    if has_members {
        for (name, value) in fields {
            let Some((member, declared)) = node.member(name) else {
                continue;
            };
            let before = old.and_then(|old| old.get(name));
            let place = if declared { Path::Field(path, name) } else { Path::Key(path, name) };
            count = count.saturating_add(check_place(member, value, before, &place, causes));
        }
    }
    let resource: &[&str] =
        if node.resource && !matches!(path, Path::Root) { &["apiVersion", "kind"] } else { &[] };
    let required = checks.required.iter().map(String::as_str).chain(resource.iter().copied());
    for name in required.filter(|name| !fields.contains_key(*name)) {
        causes.push(Cause::required(Path::Field(path, name).dotted()));
    }
    count
}

/// `anyOf`, `oneOf`, `allOf` and `not`; returns the checks made in what is reported.
fn check_combinations(node: &Node, value: &Value, path: &Path<'_>, causes: &mut Vec<Cause>) -> usize {
    let checks = &node.checks;
    let mut count = 0_usize;
    if !checks.any_of.is_empty() {
        let tried = Tried::all(&checks.any_of, value, path);
        if tried.passed == 0 {
            causes.push(Cause::combination(path, "must validate at least one schema (anyOf)"));
            count = count.saturating_add(tried.report(causes));
        }
    }
    if !checks.one_of.is_empty() {
        let tried = Tried::all(&checks.one_of, value, path);
        if tried.passed != 1 {
            let found: Cow<'_, str> = match tried.passed {
                0 => "Found none valid".into(),
                passed => format!("Found {passed} valid alternatives").into(),
            };
            let sentence = format!("must validate one and only one schema (oneOf). {found}");
            causes.push(Cause::combination(path, &sentence));
            if tried.passed == 0 {
                count = count.saturating_add(tried.report(causes));
            }
        }
    }
    if !checks.all_of.is_empty() {
        let mut passed = 0_usize;
        for branch in &checks.all_of {
            let before = causes.len();
            count = count.saturating_add(check(branch, value, None, path, causes));
            passed = passed.saturating_add(usize::from(causes.len() == before));
        }
        if passed < checks.all_of.len() {
            let none = if passed == 0 { ". None validated" } else { "" };
            causes.push(Cause::combination(path, &format!("must validate all the schemas (allOf){none}")));
        }
    }
    if let Some(not) = &checks.not {
        let mut found = Vec::new();
        check(not, value, None, path, &mut found);
        if found.is_empty() {
            causes.push(Cause::combination(path, "must not validate the schema (not)"));
        }
    }
    count
}

/// What came of trying alternatives.
#[derive(Default)]
struct Tried {
    passed: usize,
    /// The causes and the count of the failed alternative in which most was checked, the first of equals.
    best: Option<(Vec<Cause>, usize)>,
}

impl Tried {
    fn all(alternatives: &[Node], value: &Value, path: &Path<'_>) -> Tried {
        let mut tried = Tried::default();
        for alternative in alternatives {
            let mut causes = Vec::new();
            let count = check(alternative, value, None, path, &mut causes);
            if causes.is_empty() {
                tried.passed = tried.passed.saturating_add(1);
            } else if tried.best.as_ref().is_none_or(|(_, most)| count > *most) {
                tried.best = Some((causes, count));
            }
        }
        tried
    }

    fn report(self, causes: &mut Vec<Cause>) -> usize {
        let Some((best, count)) = self.best else {
            return 0;
        };
        causes.extend(best);
        count
    }
}
