//! Functions of samples at one time.

use std::collections::BTreeSet;

use promql_parser::label::MatchOp;
use promql_parser::parser::{Expr, VectorSelector};
use regex::Regex;

use super::super::error::Error;
use super::super::labels::{self, Labels, NAME};
use super::super::number;
use super::super::query::{Sample, Value};
use super::Arguments;

pub(super) fn time(arguments: &Arguments<'_>) -> Result<Value, Error> {
    Ok(Value::Scalar(number::seconds(arguments.eval.time_ms)))
}

pub(super) fn vector(arguments: &Arguments<'_>) -> Result<Value, Error> {
    Ok(Value::Vector(vec![Sample { labels: Labels::new(), value: arguments.scalar(0)? }]))
}

/// The value of the only sample, NaN when there is none or more than one.
pub(super) fn scalar(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let samples = arguments.vector(0)?;
    Ok(Value::Scalar(if let [one] = samples.as_slice() { one.value } else { f64::NAN }))
}

/// One, with the labels that the selector demands, when there is no sample.
pub(super) fn absent(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let labels = match arguments.expr(0)? {
        Expr::VectorSelector(selector) => demanded(selector),
        _ => Labels::new(),
    };
    Ok(Value::Vector(one_if(arguments.vector(0)?.is_empty(), labels)))
}

pub(super) fn one_if(holds: bool, labels: Labels) -> Vec<Sample> {
    if holds { vec![Sample { labels, value: 1.0 }] } else { Vec::new() }
}

/// The labels that a selector demands to be equal to something, unless it says more about the same label.
pub(super) fn demanded(selector: &VectorSelector) -> Labels {
    let (mut result, mut seen) = (Labels::new(), BTreeSet::new());
    for matcher in selector.matchers.matchers.iter().filter(|one| one.name != NAME) {
        let equal = matches!(matcher.op, MatchOp::Equal);
        let first = !equal || seen.insert(&matcher.name);
        labels::set(&mut result, &matcher.name, if equal && first { &matcher.value } else { "" });
    }
    result
}

/// Each value between two bounds; nothing at all when the bounds are the wrong way round.
pub(super) fn clamp(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let (min, max) = (arguments.scalar(1)?, arguments.scalar(2)?);
    let clamped = map(arguments, |value| number::greater(min, number::lesser(max, value)))?;
    Ok(if max < min { Value::Vector(Vec::new()) } else { clamped })
}

pub(super) fn clamp_max(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let max = arguments.scalar(1)?;
    map(arguments, |value| number::lesser(max, value))
}

pub(super) fn clamp_min(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let min = arguments.scalar(1)?;
    map(arguments, |value| number::greater(min, value))
}

/// Each value rounded to a multiple of a number, half way up.
pub(super) fn round(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let nearest = if arguments.list.len() > 1 { arguments.scalar(1)? } else { 1.0 };
    // As Prometheus does it, since a division by 0.1 and a multiplication with 10 round differently.
    let inverse = 1.0 / nearest;
    map(arguments, |value| (value * inverse + 0.5).floor() / inverse)
}

/// -1, 0 or 1; NaN stays.
pub(super) fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

pub(super) fn sort_up(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let mut samples = arguments.vector(0)?;
    sort(&mut samples, false);
    Ok(Value::Vector(samples))
}

pub(super) fn sort_down(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let mut samples = arguments.vector(0)?;
    sort(&mut samples, true);
    Ok(Value::Vector(samples))
}

/// Sorts samples by value, NaN last either way; equal ones stay in their order.
pub(in super::super) fn sort(samples: &mut [Sample], greatest_first: bool) {
    samples.sort_by(|left, right| {
        let (left, right) = (left.value, right.value);
        let (left, right) = if greatest_first { (right, left) } else { (left, right) };
        // Not `total_cmp`, which puts zero after negative zero.
        left.partial_cmp(&right).unwrap_or_else(|| {
            let nan_last = left.is_nan().cmp(&right.is_nan());
            if greatest_first { nan_last.reverse() } else { nan_last }
        })
    });
}

/// Sets a label from what a regular expression finds in another.
pub(super) fn label_replace(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let (target, replacement) = (arguments.text(1)?, arguments.text(2)?);
    let (source, expression) = (arguments.text(3)?, arguments.text(4)?);
    let regex =
        Regex::new(&format!("^(?:{expression})$")).map_err(|_| Error::Regex(expression.to_owned()))?;
    if !is_label_name(target) {
        return Err(Error::LabelName(target.to_owned()));
    }
    let mut samples = arguments.vector(0)?;
    for sample in &mut samples {
        let mut text = String::new();
        match regex.captures(labels::value(&sample.labels, source)) {
            None => continue,
            Some(captures) => captures.expand(replacement, &mut text),
        }
        labels::set(&mut sample.labels, target, &text);
    }
    Ok(Value::Vector(labels::distinct(samples)?))
}

fn is_label_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|one| one.is_ascii_alphabetic() || one == '_')
        && characters.all(|one| one.is_ascii_alphanumeric() || one == '_')
}

/// The first argument, value by value, without the metric's name.
fn map(arguments: &Arguments<'_>, of: impl Fn(f64) -> f64) -> Result<Value, Error> {
    let mut samples = labels::nameless(arguments.vector(0)?);
    samples.iter_mut().for_each(|sample| sample.value = of(sample.value));
    Ok(Value::Vector(labels::distinct(samples)?))
}
