//! The check of an expression: is it well formed, do its types fit, what may it cost?
//!
//! This is one pass over the words that works out types and builds no tree. Where it does not know a type it says
//! [`Kind::Any`] and accepts; what it refuses, Go's compiler of the language refuses too, with these words. The
//! bounds on depth and ranges are ours: an expression comes from a user and runs inside the controller.
//!
//! The pass also writes the expression anew for the `expr-lang` crate, where that one is laxer than Go: an index, a
//! member and an operator become calls of functions of ours ([`super::strict`]), so that an index out of range is an
//! error as it must be: `result[0] == 1` over no samples is no failed release.

mod call;
mod kind;
mod operator;

pub(super) use kind::Kind;

use super::ConditionError;
use super::lexer::{Word, is_operator_name, words};
use super::strict;
use std::collections::BTreeMap;

/// How deep brackets, calls and chains of operators may nest.
const MAX_DEPTH: usize = 100;
/// How many indices, members and operators are written anew; they nest in what is evaluated.
const MAX_REWRITES: usize = 150;
/// How many items all ranges of an expression make together, each inside the others in the worst case.
const MAX_RANGE_ITEMS: i64 = 100_000;

/// Checks a condition over a result of one kind; hands back what is to be evaluated.
pub(super) fn check(text: &str, result: Kind) -> Result<String, ConditionError> {
    let (found, rewritten) = outcome(text, Some(result))?;
    match found {
        Kind::Bool | Kind::Any => Ok(rewritten),
        other => Err(ConditionError::Outcome { expected: "bool", found: other.to_string() }),
    }
}

/// Checks an expression for a time; it has no `result`. Hands back what is to be evaluated.
pub(super) fn check_time(text: &str) -> Result<String, ConditionError> {
    outcome(text, None).map(|(_, rewritten)| rewritten)
}

fn outcome(text: &str, result: Option<Kind>) -> Result<(Kind, String), ConditionError> {
    let (words, sources) = words(text).map_err(ConditionError::Check)?.into_iter().unzip();
    let mut names = BTreeMap::new();
    if let Some(result) = result {
        names.insert("result".to_owned(), result);
    }
    let mut check = Check {
        words,
        sources,
        at: 0,
        depth: 0,
        names,
        predicates: 0,
        range_items: 1,
        written: String::new(),
        rewrites: 0,
    };
    let kind = check.program(&Word::End).map_err(ConditionError::Check)?;
    Ok((kind, check.written))
}

/// A pass over the words.
struct Check {
    words: Vec<Word>,
    /// How each word is written for the evaluation.
    sources: Vec<String>,
    at: usize,
    depth: usize,
    /// Kinds of `result` and of what `let` names.
    names: BTreeMap<String, Kind>,
    /// How many predicates the pass is inside of; `#` and `.field` mean something there only.
    predicates: usize,
    range_items: i64,
    /// What is to be evaluated, as far as the pass has come.
    written: String,
    rewrites: usize,
}

type Checked = Result<Kind, String>;

impl Check {
    fn peek(&self) -> &Word {
        self.words.get(self.at).unwrap_or(&Word::End)
    }

    fn next(&mut self) -> Word {
        if let Some(source) = self.sources.get(self.at) {
            self.written.push_str(source);
            self.written.push(' ');
        }
        self.skip()
    }

    /// Takes a word without writing it.
    fn skip(&mut self) -> Word {
        let word = self.peek().clone();
        self.at = self.at.saturating_add(1);
        word
    }

    /// Takes back what was written since `mark`.
    fn unwrite(&mut self, mark: usize) -> String {
        let tail = self.written.get(mark..).unwrap_or_default().to_owned();
        self.written.truncate(mark);
        tail
    }

    /// Writes a call of one of our functions in the place of what Go does more strictly.
    fn rewrite(&mut self, function: &str, arguments: &[&str]) -> Result<(), String> {
        self.rewrites = self.rewrites.saturating_add(1);
        if self.rewrites > MAX_REWRITES {
            return Err(format!(
                "the expression has more than {MAX_REWRITES} operators, members and indices"
            ));
        }
        self.written.push_str(&format!("{function}({}) ", arguments.join(", ")));
        Ok(())
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Word::Sign(found) if found == sign)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Word::Name(found) if found == name)
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        if found {
            self.next();
        }
        found
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), String> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> String {
        format!("unexpected token {}", self.peek().shown())
    }

    /// Counts a level of nesting; every recursion goes through here or through [`Check::unary`].
    fn deeper(&mut self) -> Result<(), String> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            return Err(format!("the expression nests deeper than {MAX_DEPTH} levels"));
        }
        Ok(())
    }

    /// `let` statements and one expression, up to a closing word.
    fn program(&mut self, end: &Word) -> Checked {
        let outer = self.names.clone();
        while self.is_name("let") {
            self.next();
            let Word::Name(name) = self.next() else { return Err(self.unexpected()) };
            self.expect_sign("=")?;
            let kind = self.expression()?;
            self.expect_sign(";")?;
            self.names.insert(name, kind);
        }
        let mark = self.written.len();
        let mut kind = self.expression()?;
        while self.is_sign(";") {
            self.skip();
            let before = self.unwrite(mark);
            kind = self.expression()?;
            let last = self.unwrite(mark);
            self.rewrite(strict::LAST, &[&before, &last])?;
        }
        if self.peek() != end {
            return Err(self.unexpected());
        }
        self.next();
        self.names = outer;
        Ok(kind)
    }

    fn expression(&mut self) -> Checked {
        self.deeper()?;
        let mark = self.written.len();
        let mut kind = self.binary(0)?;
        while self.is_sign("?") || self.is_sign("?:") {
            if self.is_sign("?:") {
                self.skip();
                let condition = self.unwrite(mark);
                let other = self.expression()?;
                let other_written = self.unwrite(mark);
                self.written.push_str(&format!("({condition} ? {condition} : {other_written}) "));
                kind = kind.or(other);
                continue;
            }
            self.next();
            let consequent = self.expression()?;
            self.expect_sign(":")?;
            let alternative = self.expression()?;
            kind = consequent.or(alternative);
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(kind)
    }

    /// One operand with its prefixes and what follows it.
    fn unary(&mut self) -> Checked {
        self.deeper()?;
        let kind = match self.peek().clone() {
            Word::Sign(sign) if sign == "!" => self.negation("!")?,
            Word::Name(name) if name == "not" => self.negation("not")?,
            Word::Sign(sign) if matches!(sign.as_str(), "-" | "+") => {
                self.next();
                let operand = self.unary()?;
                operator::prefix(&sign, operand)?
            }
            _ => {
                let mark = self.written.len();
                let kind = self.primary()?;
                self.postfix(kind, mark)?
            }
        };
        self.depth = self.depth.saturating_sub(1);
        Ok(kind)
    }

    fn negation(&mut self, sign: &str) -> Checked {
        self.skip();
        let mark = self.written.len();
        let operand = self.unary()?;
        let kind = operator::prefix(sign, operand)?;
        let operand = self.unwrite(mark);
        self.rewrite(strict::NOT, &[&operand])?;
        Ok(kind)
    }

    fn primary(&mut self) -> Checked {
        match self.peek().clone() {
            Word::Int(digits) => {
                self.next();
                whole_number(&digits).map(|_| Kind::Int)
            }
            Word::Float(_) => {
                self.next();
                Ok(Kind::Float)
            }
            Word::Text(_) => {
                self.next();
                Ok(Kind::Text)
            }
            Word::Name(name) => self.name(&name),
            Word::Sign(sign) => self.bracket(&sign),
            Word::End => Err(self.unexpected()),
        }
    }

    fn name(&mut self, name: &str) -> Checked {
        if name == "if" {
            return self.conditional();
        }
        if is_operator_name(name) {
            return Err(self.unexpected());
        }
        self.next();
        match name {
            "true" | "false" => return Ok(Kind::Bool),
            "nil" => return Ok(Kind::Nil),
            "b" if matches!(self.peek(), Word::Text(_)) => {
                self.next();
                return Ok(Kind::Any);
            }
            _ => {}
        }
        if self.is_sign("(") {
            return self.call(name);
        }
        if name.starts_with('#') && self.predicates > 0 || name == "$env" {
            return Ok(Kind::Any);
        }
        self.names.get(name).copied().ok_or_else(|| format!("unknown name {name}"))
    }

    fn conditional(&mut self) -> Checked {
        self.next();
        self.expression()?;
        self.expect_sign("{")?;
        let consequent = self.program(&Word::Sign("}".to_owned()))?;
        if !self.is_name("else") {
            return Err(self.unexpected());
        }
        self.next();
        if self.is_name("if") {
            self.deeper()?;
            let alternative = self.conditional()?;
            return Ok(consequent.or(alternative));
        }
        self.expect_sign("{")?;
        let alternative = self.program(&Word::Sign("}".to_owned()))?;
        Ok(consequent.or(alternative))
    }

    fn bracket(&mut self, sign: &str) -> Checked {
        match sign {
            "(" => {
                self.next();
                let kind = self.expression()?;
                self.expect_sign(")")?;
                Ok(kind)
            }
            "[" => {
                self.next();
                self.list("]", |check| check.expression().map(|_| ()))?;
                Ok(Kind::List)
            }
            "{" => self.map(),
            "." if self.predicates > 0 => {
                self.skip();
                match self.skip() {
                    Word::Name(field) => {
                        self.rewrite(strict::MEMBER, &["#", &format!("{field:?}")])?;
                        Ok(Kind::Any)
                    }
                    other => Err(format!("unexpected token {}", other.shown())),
                }
            }
            _ => Err(self.unexpected()),
        }
    }

    /// `{key: value}`, written as a call: the evaluator breaks down on values that are no literals.
    fn map(&mut self) -> Checked {
        let mark = self.written.len();
        self.skip();
        while !self.is_sign("}") {
            match self.skip() {
                Word::Name(name) | Word::Int(name) => self.written.push_str(&format!("{name:?}")),
                Word::Text(_) => {
                    let source = self.sources.get(self.at.saturating_sub(1)).cloned();
                    self.written.push_str(&source.unwrap_or_default());
                }
                Word::Sign(sign) if sign == "(" => {
                    self.expression()?;
                    if !self.is_sign(")") {
                        return Err(self.unexpected());
                    }
                    self.skip();
                }
                other => return Err(format!("unexpected token {}", other.shown())),
            }
            if !self.is_sign(":") {
                return Err(self.unexpected());
            }
            self.skip();
            self.written.push_str(", ");
            self.expression()?;
            if !self.is_sign(",") {
                break;
            }
            self.next();
        }
        if !self.is_sign("}") {
            return Err(self.unexpected());
        }
        self.skip();
        let entries = self.unwrite(mark);
        self.rewrite(strict::MAP, &[entries.trim_end().trim_end_matches(',')])?;
        Ok(Kind::Map)
    }

    /// Items between commas up to a closing sign; a comma may stand behind the last.
    fn list(&mut self, end: &str, item: impl Fn(&mut Self) -> Result<(), String>) -> Result<(), String> {
        while !self.is_sign(end) {
            item(self)?;
            if !self.take_sign(",") {
                break;
            }
        }
        self.expect_sign(end)
    }
}

/// Reads a whole number as Go reads it.
fn whole_number(digits: &str) -> Result<i64, String> {
    let clean = digits.replace('_', "");
    let radix = match clean.get(..2) {
        Some("0x" | "0X") => 16,
        Some("0o" | "0O") => 8,
        Some("0b" | "0B") => 2,
        _ => 10,
    };
    let plain = if radix == 10 { clean.as_str() } else { clean.get(2..).unwrap_or_default() };
    i64::from_str_radix(plain, radix).map_err(|error| {
        let reason = match error.kind() {
            std::num::IntErrorKind::PosOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("invalid integer literal: strconv.ParseInt: parsing {digits:?}: {reason}")
    })
}
