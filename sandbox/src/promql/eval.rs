//! The evaluation of a query at one time.

use promql_parser::parser::Expr;

use super::error::Error;
use super::labels;
use super::query::{Sample, Value};
use super::series::Database;
use super::{aggregate, binary, functions, select};

/// The data and the time that a query is asked of.
#[derive(Clone, Copy)]
pub(super) struct Eval<'a> {
    /// The data.
    pub(super) database: &'a Database,
    /// The time, in milliseconds since the epoch.
    pub(super) time_ms: i64,
}

impl Eval<'_> {
    /// The value of an expression.
    pub(super) fn value(self, expr: &Expr) -> Result<Value, Error> {
        match expr {
            Expr::NumberLiteral(number) => Ok(Value::Scalar(number.val)),
            Expr::StringLiteral(text) => Ok(Value::Text(text.val.clone())),
            Expr::Paren(paren) => self.value(&paren.expr),
            Expr::Unary(unary) => self.negative(&unary.expr),
            Expr::VectorSelector(selector) => Ok(Value::Vector(select::instant(self, selector))),
            Expr::MatrixSelector(selector) => Ok(Value::Matrix(select::range(self, selector))),
            Expr::Aggregate(aggregation) => Ok(Value::Vector(aggregate::aggregate(self, aggregation)?)),
            Expr::Call(call) => functions::call(self, call),
            Expr::Binary(operation) => binary::binary(self, operation),
            Expr::Subquery(_) | Expr::Extension(_) => Err(Error::Unsupported {
                what: "subqueries and extensions of the language",
                instead: "use plain selectors",
            }),
        }
    }

    /// The value of an expression that must be a vector.
    pub(super) fn vector(self, expr: &Expr, place: &str) -> Result<Vec<Sample>, Error> {
        match self.value(expr)? {
            Value::Vector(samples) => Ok(samples),
            other => {
                Err(Error::Type { expected: "instant vector", place: place.to_owned(), got: other.kind() })
            }
        }
    }

    /// The value of an expression that must be a scalar.
    pub(super) fn scalar(self, expr: &Expr, place: &str) -> Result<f64, Error> {
        match self.value(expr)? {
            Value::Scalar(number) => Ok(number),
            other => Err(Error::Type { expected: "scalar", place: place.to_owned(), got: other.kind() }),
        }
    }

    fn negative(self, expr: &Expr) -> Result<Value, Error> {
        match self.value(expr)? {
            Value::Scalar(number) => Ok(Value::Scalar(-number)),
            Value::Vector(mut samples) => {
                for sample in &mut samples {
                    sample.value = -sample.value;
                }
                Ok(Value::Vector(labels::distinct(labels::nameless(samples))?))
            }
            other => Err(Error::Type {
                expected: "scalar or instant vector",
                place: "unary expression".to_owned(),
                got: other.kind(),
            }),
        }
    }
}
