//! Whether a query stays within the subset, found before it is answered.

use promql_parser::label::Matchers;
use promql_parser::parser::{BinModifier, Expr, VectorSelector};

use super::error::Error;
use super::{aggregate, binary, functions};

/// Checks a query and everything in it.
///
/// # Errors
///
/// When it is nested deeper than `most`, or holds what the sandbox does not know.
pub(super) fn check(expr: &Expr, most: usize) -> Result<(), Error> {
    visit(expr, most).map_err(|error| match error {
        // Each level knows only what was left to it.
        Error::TooDeep { .. } => Error::TooDeep { most },
        error => error,
    })
}

fn visit(expr: &Expr, left: usize) -> Result<(), Error> {
    let Some(left) = left.checked_sub(1) else { return Err(Error::TooDeep { most: 0 }) };
    match expr {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(()),
        Expr::Paren(paren) => visit(&paren.expr, left),
        Expr::Unary(unary) => visit(&unary.expr, left),
        Expr::VectorSelector(selector) => selects(selector),
        Expr::MatrixSelector(selector) => selects(&selector.vs),
        Expr::Aggregate(aggregation) => {
            aggregate::Aggregation::of(aggregation.op)?;
            if let Some(parameter) = &aggregation.param {
                visit(parameter, left)?;
            }
            visit(&aggregation.expr, left)
        }
        Expr::Call(call) => {
            functions::known(call.func.name)?;
            call.args.args.iter().try_for_each(|argument| visit(argument, left))
        }
        Expr::Binary(operation) => {
            binary::Operator::of(operation.op)?;
            operation.modifier.as_ref().map_or(Ok(()), matches)?;
            visit(&operation.lhs, left)?;
            visit(&operation.rhs, left)
        }
        Expr::Subquery(_) => Err(Error::Unsupported {
            what: "subqueries",
            instead: "use a range of samples like [5m], or record the inner query as a series",
        }),
        Expr::Extension(_) => {
            Err(Error::Unsupported { what: "extensions of the language", instead: "write plain PromQL" })
        }
    }
}

fn selects(selector: &VectorSelector) -> Result<(), Error> {
    let Matchers { or_matchers, .. } = &selector.matchers;
    if !or_matchers.is_empty() {
        return Err(Error::Unsupported {
            what: "`or` between the matchers of a selector",
            instead: "write two selectors with `or` between them",
        });
    }
    if selector.at.is_some() {
        return Err(Error::Unsupported {
            what: "the @ modifier",
            instead: "use `offset`, or the query's `time` parameter",
        });
    }
    Ok(())
}

fn matches(modifier: &BinModifier) -> Result<(), Error> {
    if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
        return Err(Error::Unsupported {
            what: "the fill modifiers",
            instead: "write `or vector(0)` on the side that may be missing",
        });
    }
    Ok(())
}
