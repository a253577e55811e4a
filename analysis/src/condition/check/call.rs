//! Calls, members, indices and slices.

use super::super::lexer::Word;
use super::super::strict;
use super::{Check, Checked, Kind};

/// Functions of the language whose outcome has one kind.
const KNOWN: [(&str, Kind); 24] = [
    ("len", Kind::Int),
    ("count", Kind::Int),
    ("int", Kind::Int),
    ("asInt", Kind::Int),
    ("indexOf", Kind::Int),
    ("lastIndexOf", Kind::Int),
    ("float", Kind::Float),
    ("asFloat", Kind::Float),
    ("all", Kind::Bool),
    ("any", Kind::Bool),
    ("one", Kind::Bool),
    ("none", Kind::Bool),
    ("isNaN", Kind::Bool),
    ("isInf", Kind::Bool),
    ("isNil", Kind::Bool),
    ("hasPrefix", Kind::Bool),
    ("hasSuffix", Kind::Bool),
    ("string", Kind::Text),
    ("type", Kind::Text),
    ("upper", Kind::Text),
    ("lower", Kind::Text),
    ("trim", Kind::Text),
    ("toJSON", Kind::Text),
    ("join", Kind::Text),
];

/// The other functions.
const OTHERS: [&str; 52] = [
    "default",
    "now",
    "date",
    "duration",
    "timezone",
    "map",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "sum",
    "mean",
    "median",
    "min",
    "max",
    "abs",
    "ceil",
    "floor",
    "round",
    "keys",
    "values",
    "first",
    "last",
    "take",
    "reduce",
    "sort",
    "sortBy",
    "reverse",
    "uniq",
    "concat",
    "flatten",
    "split",
    "splitAfter",
    "trimPrefix",
    "trimSuffix",
    "replace",
    "repeat",
    "fromJSON",
    "toBase64",
    "fromBase64",
    "toPairs",
    "fromPairs",
    "get",
    "groupBy",
    "countBy",
    "bitand",
    "bitor",
    "bitxor",
    "bitnand",
    "bitnot",
    "bitshl",
];

/// Functions of Argo Rollouts: how many arguments each takes.
const OURS: [(&str, usize); 6] =
    [("asInt", 1), ("asFloat", 1), ("isNaN", 1), ("isInf", 1), ("isNil", 1), ("default", 2)];

fn is_function(name: &str) -> bool {
    OTHERS.contains(&name)
        || KNOWN.iter().any(|(known, _)| *known == name)
        || matches!(name, "bitshr" | "bitushr")
}

/// Functions that take a predicate over the items of a list.
fn takes_predicate(name: &str) -> bool {
    matches!(
        name,
        "all"
            | "any"
            | "one"
            | "none"
            | "map"
            | "filter"
            | "find"
            | "findIndex"
            | "findLast"
            | "findLastIndex"
            | "count"
            | "sum"
            | "reduce"
            | "groupBy"
            | "countBy"
            | "sortBy"
    )
}

impl Check {
    /// A call of a function; its name was taken.
    pub(super) fn call(&mut self, name: &str) -> Checked {
        if !is_function(name) {
            return Err(format!("unknown name {name}"));
        }
        let (count, first) = self.arguments(takes_predicate(name), 1)?;
        let wanted = OURS.iter().find(|(ours, _)| *ours == name).map_or(count, |(_, wanted)| *wanted);
        if count != wanted {
            let problem = if count < wanted { "not enough" } else { "too many" };
            return Err(format!("{problem} arguments to call {name}"));
        }
        if name == "len" {
            if count != 1 {
                return Err(format!("invalid number of arguments (expected 1, got {count})"));
            }
            if matches!(first, Kind::Bool | Kind::Int | Kind::Float | Kind::Nil) {
                return Err(format!("invalid argument for len (type {first})"));
            }
        }
        Ok(KNOWN.iter().find(|(known, _)| *known == name).map_or(Kind::Any, |(_, kind)| *kind))
    }

    /// `a | f(b)` is `f(a, b)`; the sign was taken.
    pub(super) fn pipe(&mut self, mark: usize) -> Checked {
        let Word::Name(name) = self.next() else { return Err(self.unexpected()) };
        if !is_function(&name) {
            return Err(format!("unknown name {name}"));
        }
        self.arguments(takes_predicate(&name), 0)?;
        let kind = KNOWN.iter().find(|(known, _)| *known == name).map_or(Kind::Any, |(_, kind)| *kind);
        self.postfix(kind, mark)
    }

    /// How many arguments, and the kind of the first. `body` is the place of the predicate.
    fn arguments(&mut self, predicate: bool, body: usize) -> Result<(usize, Kind), String> {
        self.expect_sign("(")?;
        let (mut count, mut first) = (0usize, Kind::Any);
        if predicate {
            self.predicates = self.predicates.saturating_add(1);
        }
        while !self.is_sign(")") {
            let mark = self.written.len();
            let braces = self.is_sign("{");
            let kind = if predicate && self.is_sign("{") {
                self.next();
                self.deeper()?;
                let kind = self.program(&Word::Sign("}".to_owned()))?;
                self.depth = self.depth.saturating_sub(1);
                kind
            } else {
                self.expression()?
            };
            if count == body && predicate && !braces {
                // In braces the evaluator sees that it is a predicate, even one without `#`.
                let written = self.unwrite(mark);
                self.written.push_str(&format!("{{ {written}}} "));
            }
            if count == 0 {
                first = kind;
            }
            count = count.saturating_add(1);
            if !self.take_sign(",") {
                break;
            }
        }
        self.expect_sign(")")?;
        if predicate {
            self.predicates = self.predicates.saturating_sub(1);
        }
        Ok((count, first))
    }

    /// Members, indices, slices and method calls behind a value that was written from `mark` on.
    pub(super) fn postfix(&mut self, mut kind: Kind, mark: usize) -> Checked {
        // Behind `?.` the rest of the chain is nil when its beginning is: the evaluator sees to that.
        let mut optional = false;
        loop {
            if self.is_sign("?.") {
                optional = true;
                self.next();
                if let Word::Name(_) = self.peek() {
                    self.next();
                    kind = Kind::Any;
                }
                if self.is_sign("(") {
                    self.arguments(false, 0)?;
                }
            } else if self.is_sign(".") {
                kind = self.member(kind, mark, optional)?;
            } else if self.is_sign("[") {
                kind = self.index(kind, mark, optional)?;
            } else {
                return Ok(kind);
            }
        }
    }

    fn member(&mut self, kind: Kind, mark: usize, optional: bool) -> Checked {
        let base = self.unwrite(mark);
        self.skip();
        let Word::Name(field) = self.skip() else { return Err(self.unexpected()) };
        if self.is_sign("(") {
            self.written.push_str(&format!("{base}.{field}"));
            return self.method(&field, kind);
        }
        let found = member(kind, &field)?;
        if optional {
            self.written.push_str(&format!("{base}.{field} "));
        } else {
            self.rewrite(strict::MEMBER, &[&base, &format!("{field:?}")])?;
        }
        Ok(found)
    }

    /// A method of a time or a duration.
    fn method(&mut self, name: &str, kind: Kind) -> Checked {
        // The zone of the machine that we run on is none of a condition's business.
        if name == "Local" {
            return Err("Local() is not available: the controller has no time zone of its own".to_owned());
        }
        if !kind.is_any() {
            return Err(format!("type {kind} has no method {name}"));
        }
        self.arguments(false, 0)?;
        Ok(Kind::Any)
    }

    fn index(&mut self, kind: Kind, mark: usize, optional: bool) -> Checked {
        let base = self.unwrite(mark);
        self.skip();
        let index = if self.is_sign(":") { Kind::Any } else { self.expression()? };
        if self.is_sign(":") {
            self.next();
            if !self.is_sign("]") {
                self.expression()?;
            }
            let bounds = self.unwrite(mark);
            self.expect_sign("]")?;
            self.written.truncate(mark);
            self.written.push_str(&format!("{base}[{bounds}] "));
            return Ok(kind);
        }
        let written = self.unwrite(mark);
        self.expect_sign("]")?;
        self.written.truncate(mark);
        if optional {
            self.written.push_str(&format!("{base}[{written}] "));
        } else {
            self.rewrite(strict::INDEX, &[&base, &written])?;
        }
        let whole = index.is_any() || index.is_number();
        match kind {
            Kind::Any => Ok(Kind::Any),
            Kind::Map if index.is_any() || index == Kind::Text => Ok(Kind::Any),
            Kind::Map => Err(format!("cannot use {index} to get an element from {kind}")),
            Kind::Floats if whole => Ok(Kind::Float),
            Kind::Ints if whole => Ok(Kind::Int),
            Kind::List if whole => Ok(Kind::Any),
            Kind::Floats | Kind::Ints | Kind::List => {
                Err(format!("array elements can only be selected using an integer (got {index})"))
            }
            _ => Err(format!("type {kind}[{index}] is undefined")),
        }
    }
}

fn member(kind: Kind, field: &str) -> Checked {
    match kind {
        Kind::Any | Kind::Map => Ok(Kind::Any),
        Kind::Floats | Kind::Ints | Kind::List => {
            Err("array elements can only be selected using an integer (got string)".to_owned())
        }
        _ => Err(format!("type {kind} has no field {field}")),
    }
}
