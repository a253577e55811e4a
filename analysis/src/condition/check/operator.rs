//! Operators: how they bind, and which kinds they take.

use super::super::lexer::Word;
use super::super::strict;
use super::{Check, Checked, Kind, MAX_RANGE_ITEMS, whole_number};

/// How strongly an infix operator binds; `None` when it is none.
fn strength(word: &Word) -> Option<u8> {
    let text = match word {
        Word::Sign(sign) => sign,
        Word::Name(name) => name,
        _ => return None,
    };
    Some(match text.as_str() {
        "|" => 1,
        "or" | "||" => 10,
        "and" | "&&" => 15,
        "==" | "!=" | "<" | ">" | ">=" | "<=" | "in" | "matches" | "contains" | "startsWith" | "endsWith"
        | "not" => 20,
        ".." => 25,
        "+" | "-" => 30,
        "*" | "/" | "%" => 60,
        "**" | "^" => 100,
        "??" => 110,
        _ => return None,
    })
}

impl Check {
    /// Operands with operators between them that bind at least as strongly as `least`.
    pub(super) fn binary(&mut self, least: u8) -> Checked {
        self.deeper()?;
        let start = self.at;
        let mark = self.written.len();
        let mut left = self.unary()?;
        let mut before: Option<String> = None;
        while let Some(strength) = strength(self.peek()).filter(|strength| *strength >= least) {
            let (Word::Name(sign) | Word::Sign(sign)) = self.peek().clone() else { break };
            let strict = sign == "not" || strict::OPERATORS.contains(&sign.as_str());
            let left_written = if strict { self.unwrite(mark) } else { String::new() };
            if strict {
                self.skip();
            } else {
                self.next();
            }
            if sign == "|" {
                left = self.pipe(mark)?;
                continue;
            }
            let mixed = |before: &str| {
                format!(
                    "Operator ({before}) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses."
                )
            };
            let coalesces = sign == "??";
            if let Some(before) = before.as_deref().filter(|before| (*before == "??") != coalesces) {
                return Err(mixed(if coalesces { before } else { &sign }));
            }
            let negated = sign == "not";
            let sign = if negated { self.not_in()? } else { sign };
            let tighter =
                if matches!(sign.as_str(), "**" | "^") { strength } else { strength.saturating_add(1) };
            let middle = self.at;
            let right = self.binary(tighter)?;
            if sign == ".." {
                self.range(start, middle)?;
            }
            left = infix(&sign, left, right)?;
            if negated {
                let negated = self.unwrite(mark);
                self.rewrite(strict::NOT, &[&format!("{left_written} {sign} {negated}")])?;
            } else if strict {
                let right_written = self.unwrite(mark);
                self.rewrite(strict::OPERATE, &[&format!("{sign:?}"), &left_written, &right_written])?;
            }
            before = Some(sign);
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(left)
    }

    fn not_in(&mut self) -> Result<String, String> {
        match self.peek() {
            Word::Name(name)
                if matches!(name.as_str(), "in" | "matches" | "contains" | "startsWith" | "endsWith") =>
            {
                let name = name.clone();
                self.skip();
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Bounds `from..to`. Both ends are literals, or the end is a length, which the size of an answer bounds.
    fn range(&mut self, start: usize, middle: usize) -> Result<(), String> {
        let literal = |words: &[Word]| match words {
            [Word::Int(digits)] => whole_number(digits).ok(),
            [Word::Sign(minus), Word::Int(digits)] if minus == "-" => {
                whole_number(digits).ok().and_then(i64::checked_neg)
            }
            _ => None,
        };
        let from = literal(self.words.get(start..middle.saturating_sub(1)).unwrap_or_default());
        let end = self.words.get(middle..self.at).unwrap_or_default();
        let is_length =
            matches!(end, [Word::Name(name), Word::Sign(open), ..] if name == "len" && open == "(");
        let items = match (from, literal(end)) {
            (Some(from), Some(to)) => to.saturating_sub(from).saturating_add(1),
            (Some(_), None) if is_length => 1,
            _ => {
                return Err(
                    "the ends of a range must be whole numbers, the last one may be len(...)".to_owned()
                );
            }
        };
        self.range_items = self.range_items.saturating_mul(items.max(1));
        if self.range_items > MAX_RANGE_ITEMS {
            return Err(format!("memory budget exceeded: ranges make more than {MAX_RANGE_ITEMS} items"));
        }
        Ok(())
    }
}

/// The kind of `sign operand`.
pub(super) fn prefix(sign: &str, operand: Kind) -> Checked {
    let fits = match sign {
        "!" | "not" => operand == Kind::Bool,
        _ => operand.is_number(),
    };
    if operand.is_any() {
        return Ok(if matches!(sign, "!" | "not") { Kind::Bool } else { Kind::Any });
    }
    if fits { Ok(operand) } else { Err(format!("invalid operation: {sign} (mismatched type {operand})")) }
}

/// The kind of `left sign right`.
fn infix(sign: &str, left: Kind, right: Kind) -> Checked {
    let unknown = left.is_any() || right.is_any();
    let numbers = left.is_number() && right.is_number();
    let texts = left == Kind::Text && right == Kind::Text;
    let is = |kind: Kind, wanted: fn(Kind) -> bool| kind.is_any() || wanted(kind);
    let both = |wanted: fn(Kind) -> bool| is(left, wanted) && is(right, wanted);
    let (fits, kind) = match sign {
        "==" | "!=" => (unknown || numbers || comparable(left, right), Kind::Bool),
        "<" | ">" | "<=" | ">=" => (unknown || numbers || texts, Kind::Bool),
        "and" | "&&" | "or" | "||" => (both(|kind| kind == Kind::Bool), Kind::Bool),
        "contains" | "matches" | "startsWith" | "endsWith" => (both(|kind| kind == Kind::Text), Kind::Bool),
        "in" => (true, Kind::Bool),
        "+" if texts => (true, Kind::Text),
        "+" | "-" | "*" if left == Kind::Int && right == Kind::Int => (true, Kind::Int),
        "+" | "-" | "*" => (unknown || numbers, if numbers { Kind::Float } else { Kind::Any }),
        "/" | "**" | "^" => (both(Kind::is_number), Kind::Float),
        "%" => (both(|kind| kind == Kind::Int), Kind::Int),
        ".." => (both(|kind| kind == Kind::Int), Kind::Ints),
        "??" => (true, if left == Kind::Nil { right } else { left.or(right) }),
        _ => (true, Kind::Any),
    };
    if fits {
        Ok(kind)
    } else {
        Err(format!("invalid operation: {sign} (mismatched types {left} and {right})"))
    }
}

fn comparable(left: Kind, right: Kind) -> bool {
    let lists = [Kind::Floats, Kind::Ints, Kind::List];
    left == right
        || left == Kind::Nil
        || right == Kind::Nil
        || (lists.contains(&left) && lists.contains(&right))
}
