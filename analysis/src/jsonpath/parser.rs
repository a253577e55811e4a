//! From text to steps.

use super::{JsonPathError, MAX_DEPTH, Piece, Slice, Step};

type Parsed<T> = Result<T, JsonPathError>;

fn error<T>(text: impl Into<String>) -> Parsed<T> {
    Err(JsonPathError::new(text))
}

/// A whole template.
pub(super) fn template(text: &str, depth: usize) -> Parsed<Vec<Piece>> {
    if depth > MAX_DEPTH {
        return error(format!("the JSONPath nests deeper than {MAX_DEPTH} levels"));
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, action)) = rest.split_once('{') {
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let mut reader = Reader { rest: action, depth };
        pieces.push(Piece::Action(reader.action()?));
        rest = reader.rest;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

/// The steps of one action that stands without its braces.
fn steps(text: &str, depth: usize) -> Parsed<Vec<Step>> {
    let pieces = template(&format!("{{{text}}}"), depth.saturating_add(1))?;
    match pieces.into_iter().next() {
        Some(Piece::Action(steps)) => Ok(steps),
        _ => error("unclosed action"),
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Takes characters up to the first for which `ends` holds.
    fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        self.skip(end)
    }

    fn action(&mut self) -> Parsed<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            if self.rest.starts_with('}') {
                self.skip(1);
                return Ok(steps);
            }
            if self.rest.starts_with("[?(") {
                self.skip(3);
                steps.push(self.filter()?);
                continue;
            }
            if self.rest.starts_with("..") {
                if steps.last() == Some(&Step::Descend) {
                    return error("invalid multiple recursive descent");
                }
                self.skip(2);
                steps.push(Step::Descend);
                if self.peek().is_some_and(is_word) {
                    steps.push(self.field());
                }
                continue;
            }
            match self.peek() {
                None | Some('\r' | '\n') => return error("unclosed action"),
                Some(' ' | '@' | '$') => {
                    self.skip(1);
                }
                Some('[') => self.array(&mut steps)?,
                Some(quote @ ('"' | '\'')) => steps.push(self.quoted(quote)?),
                Some('.') => {
                    self.skip(1);
                    steps.push(self.field());
                }
                Some(sign) if sign == '+' || sign == '-' || sign.is_numeric() => steps.push(self.number()?),
                Some(first) if is_word(first) => {
                    let word = self.take_until(is_terminator);
                    steps.push(match word {
                        "true" => Step::Bool(true),
                        "false" => Step::Bool(false),
                        word => Step::Word(word.to_owned()),
                    });
                }
                Some(other) => {
                    let code = u32::from(other);
                    let shown = if other.is_control() { String::new() } else { format!(" '{other}'") };
                    return error(format!("unrecognized character in action: U+{code:04X}{shown}"));
                }
            }
        }
    }

    /// A field name up to a terminator; a backslash makes any character part of it.
    fn field(&mut self) -> Step {
        let mut name = String::new();
        let mut length = 0;
        let mut characters = self.rest.chars();
        while let Some(c) = characters.next() {
            if c == '\\' {
                length += 1;
                if let Some(escaped) = characters.next() {
                    length += escaped.len_utf8();
                    if escaped != '\\' {
                        name.push(escaped);
                    }
                }
                continue;
            }
            if is_terminator(c) {
                break;
            }
            length += c.len_utf8();
            name.push(c);
        }
        let written = self.skip(length);
        if written == "*" { Step::Wildcard } else { Step::Field(name) }
    }

    fn number(&mut self) -> Parsed<Step> {
        let sign = usize::from(self.rest.starts_with(['+', '-']));
        let digits = self.rest.get(sign..).unwrap_or_default();
        let length = digits.find(|c: char| c != '.' && !c.is_numeric()).unwrap_or(digits.len());
        let text = self.skip(sign.saturating_add(length));
        if let Ok(whole) = text.parse() {
            return Ok(Step::Int(whole));
        }
        match text.parse() {
            Ok(number) => Ok(Step::Float(number)),
            Err(_) => error(format!("cannot parse number {text}")),
        }
    }

    /// `[0]`, `[1:3]`, `[*]`, `['key']` or a union of them.
    fn array(&mut self, steps_out: &mut Vec<Step>) -> Parsed<()> {
        self.skip(1);
        let text = self.take_until(|c| c == ']' || c == '\n');
        if !self.rest.starts_with(']') {
            return error("unterminated array");
        }
        self.skip(1);
        if text.contains(',') {
            let parts =
                text.split(',').map(|part| steps(&format!("[{}]", part.trim_matches(' ')), self.depth));
            steps_out.push(Step::Union(parts.collect::<Parsed<_>>()?));
            return Ok(());
        }
        let key = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        if let Some(key) = key.filter(|key| !key.contains('\'')) {
            steps_out.extend(steps(&format!(".{key}"), self.depth)?);
            return Ok(());
        }
        steps_out.push(slice(if text == "*" { ":" } else { text })?);
        Ok(())
    }

    /// `[?(left operator right)]` or `[?(exists)]`; its beginning was taken.
    fn filter(&mut self) -> Parsed<Step> {
        let Some(length) = filter_length(self.rest) else { return error("unterminated filter") };
        let text = self.skip(length);
        self.skip(1);
        if !self.rest.starts_with(']') {
            return error("unclosed array expect ]");
        }
        self.skip(1);
        let is_operator = |c: char| matches!(c, '!' | '<' | '>' | '=');
        let parts = text.find(is_operator).filter(|at| *at > 0).and_then(|at| {
            let (left, rest) = text.split_at_checked(at)?;
            let end = rest.find(|c| !is_operator(c))?;
            let (operator, right) = rest.split_at_checked(end)?;
            Some((left, operator, right))
        });
        Ok(match parts {
            None => {
                Step::Filter { left: steps(text, self.depth)?, operator: String::new(), right: Vec::new() }
            }
            Some((left, operator, right)) => Step::Filter {
                left: steps(left, self.depth)?,
                operator: operator.to_owned(),
                right: steps(right, self.depth)?,
            },
        })
    }

    fn quoted(&mut self, quote: char) -> Parsed<Step> {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                '\n' => break,
                c if c == quote && !escaped => {
                    let text = self.skip(at.saturating_add(1));
                    let inner = text.get(1..at).unwrap_or_default();
                    return unquote(inner, quote).map(Step::Text).ok_or_else(|| {
                        JsonPathError::new(format!("unquote string {text} error invalid syntax"))
                    });
                }
                c => escaped = c == '\\',
            }
        }
        error("unterminated quoted string")
    }
}

/// Where the bracket of a filter closes, not counting what stands in the first pair of quotes.
fn filter_length(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut closed = false;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match (c, quote) {
            ('\n', _) => return None,
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open && before != '\\' => closed = true,
            (')', None) => return Some(at),
            (')', Some(_)) if closed => return Some(at),
            _ => {}
        }
        before = c;
    }
    None
}

/// `start:end:step`, each a whole number or left out.
fn slice(text: &str) -> Parsed<Step> {
    let invalid = || JsonPathError::new(format!("invalid array index {text}"));
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 3 {
        return Err(invalid());
    }
    let mut numbers = [None; 3];
    for (slot, part) in numbers.iter_mut().zip(&parts) {
        let digits = part.strip_prefix('-').unwrap_or(part);
        if !digits.chars().all(|c| c.is_ascii_digit()) {
            return Err(invalid());
        }
        if !part.is_empty() {
            let number = part.parse::<i64>();
            *slot =
                Some(number.map_err(|_| JsonPathError::new(format!("array index {part} is not a number")))?);
        }
    }
    let [start, end, step] = numbers;
    let single = parts.len() == 1;
    let end = if single { Some(start.unwrap_or(0).saturating_add(1)) } else { end };
    Ok(Step::Slice(Slice { start, end, single, step }))
}

/// Text without Go's escapes; `None` when one is wrong.
pub(crate) fn unquote(text: &str, quote: char) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        plain.push(match characters.next()? {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' => '\\',
            escape @ ('x' | 'u' | 'U') => {
                let length = match escape {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let digits: String = characters.by_ref().take(length).collect();
                if digits.len() != length {
                    return None;
                }
                char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
            }
            c if c == quote => c,
            _ => return None,
        });
    }
    Some(plain)
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphabetic() || c.is_numeric()
}

fn is_terminator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}
