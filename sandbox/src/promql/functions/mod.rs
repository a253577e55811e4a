//! The functions of the subset.

mod histogram;
mod instant;
mod over_time;
pub(super) mod quantile;
mod rates;
pub(super) mod statistics;

pub(super) use instant::sort;

use promql_parser::parser::{Call, Expr, MatrixSelector};

use super::error::Error;
use super::eval::Eval;
use super::labels::{self, NAME};
use super::query::{Sample, Value};
use super::select::{self, Window};
use super::series::Point;

/// How a function finds its value.
#[derive(Clone, Copy)]
enum Function {
    /// A number from a number, sample by sample.
    Map(fn(f64) -> f64),
    /// A number from the samples of a window, series by series; `None` when they are too few.
    Window(fn(&[Point], Window) -> Option<f64>),
    /// Anything else.
    Special(fn(&Arguments<'_>) -> Result<Value, Error>),
}

/// The functions by name.
const FUNCTIONS: [(&str, Function); 39] = [
    ("abs", Function::Map(f64::abs)),
    ("absent", Function::Special(instant::absent)),
    ("absent_over_time", Function::Special(over_time::absent)),
    ("avg_over_time", Function::Window(over_time::avg)),
    ("ceil", Function::Map(f64::ceil)),
    ("changes", Function::Window(over_time::changes)),
    ("clamp", Function::Special(instant::clamp)),
    ("clamp_max", Function::Special(instant::clamp_max)),
    ("clamp_min", Function::Special(instant::clamp_min)),
    ("count_over_time", Function::Window(over_time::count)),
    ("delta", Function::Window(rates::delta)),
    ("exp", Function::Map(f64::exp)),
    ("floor", Function::Map(f64::floor)),
    ("histogram_quantile", Function::Special(histogram::histogram_quantile)),
    ("idelta", Function::Window(rates::idelta)),
    ("increase", Function::Window(rates::increase)),
    ("irate", Function::Window(rates::irate)),
    ("label_replace", Function::Special(instant::label_replace)),
    ("last_over_time", Function::Special(over_time::last)),
    ("ln", Function::Map(f64::ln)),
    ("log10", Function::Map(f64::log10)),
    ("log2", Function::Map(f64::log2)),
    ("max_over_time", Function::Window(over_time::max)),
    ("min_over_time", Function::Window(over_time::min)),
    ("present_over_time", Function::Window(over_time::present)),
    ("quantile_over_time", Function::Special(over_time::quantile)),
    ("rate", Function::Window(rates::rate)),
    ("resets", Function::Window(over_time::resets)),
    ("round", Function::Special(instant::round)),
    ("scalar", Function::Special(instant::scalar)),
    ("sgn", Function::Map(instant::sign)),
    ("sort", Function::Special(instant::sort_up)),
    ("sort_desc", Function::Special(instant::sort_down)),
    ("sqrt", Function::Map(f64::sqrt)),
    ("stddev_over_time", Function::Window(over_time::stddev)),
    ("stdvar_over_time", Function::Window(over_time::stdvar)),
    ("sum_over_time", Function::Window(over_time::sum)),
    ("time", Function::Special(instant::time)),
    ("vector", Function::Special(instant::vector)),
];

/// Whether a function is known.
///
/// # Errors
///
/// [`Error::Function`] when it is not.
pub(super) fn known(name: &str) -> Result<(), Error> {
    find(name).map(|_| ())
}

/// The error of a function that is not known.
pub(super) fn unknown(name: &str) -> Error {
    let known: Vec<&str> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
    Error::Function { name: name.to_owned(), known: known.join(", ") }
}

/// The value of a call.
pub(super) fn call(eval: Eval<'_>, call: &Call) -> Result<Value, Error> {
    let arguments = Arguments { eval, name: call.func.name, list: &call.args.args };
    let samples = match find(call.func.name)? {
        Function::Special(of) => return of(&arguments),
        Function::Map(of) => {
            let mut samples = labels::nameless(arguments.vector(0)?);
            samples.iter_mut().for_each(|sample| sample.value = of(sample.value));
            samples
        }
        Function::Window(of) => arguments.each_window(0, of)?,
    };
    Ok(Value::Vector(labels::distinct(samples)?))
}

fn find(name: &str) -> Result<Function, Error> {
    let found = FUNCTIONS.iter().find(|(known, _)| *known == name);
    found.map(|(_, function)| *function).ok_or_else(|| unknown(name))
}

/// The arguments of a call, evaluated as they are asked for.
struct Arguments<'a> {
    eval: Eval<'a>,
    name: &'a str,
    list: &'a [Box<Expr>],
}

impl<'a> Arguments<'a> {
    /// An argument as it was written, without parentheses around it.
    fn expr(&self, at: usize) -> Result<&'a Expr, Error> {
        let mut expr: &Expr = self.list.get(at).ok_or_else(|| Error::Arguments(self.name.to_owned()))?;
        while let Expr::Paren(paren) = expr {
            expr = &paren.expr;
        }
        Ok(expr)
    }

    fn scalar(&self, at: usize) -> Result<f64, Error> {
        self.eval.scalar(self.expr(at)?, &self.place())
    }

    fn vector(&self, at: usize) -> Result<Vec<Sample>, Error> {
        self.eval.vector(self.expr(at)?, &self.place())
    }

    fn text(&self, at: usize) -> Result<&'a str, Error> {
        match self.expr(at)? {
            Expr::StringLiteral(text) => Ok(&text.val),
            _ => Err(Error::Type { expected: "string", place: self.place(), got: "another type" }),
        }
    }

    fn range(&self, at: usize) -> Result<&'a MatrixSelector, Error> {
        match self.expr(at)? {
            Expr::MatrixSelector(selector) => Ok(selector),
            _ => Err(Error::Type { expected: "range vector", place: self.place(), got: "another type" }),
        }
    }

    /// One number for each series from its samples within the window; the metric's name goes.
    fn each_window(
        &self,
        at: usize,
        of: impl Fn(&[Point], Window) -> Option<f64>,
    ) -> Result<Vec<Sample>, Error> {
        let selector = self.range(at)?;
        let window = Window::of(self.eval, selector);
        let sample = |mut series: super::query::SampleRange| {
            series.labels.remove(NAME);
            Some(Sample { labels: series.labels, value: of(&series.points, window)? })
        };
        Ok(select::range(self.eval, selector).into_iter().filter_map(sample).collect())
    }

    fn place(&self) -> String {
        format!("call to function {:?}", self.name)
    }
}
