//! The words of an expression.

/// Longest expression that is read, in bytes: far beyond what people write, small enough to evaluate at once.
pub(super) const MAX_BYTES: usize = 16 * 1024;

/// Operators and brackets of several characters, longest first.
const LONG: [&str; 13] = ["...", "**", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "..", "?:", "::"];

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// A name or a keyword.
    Name(String),
    /// A whole number.
    Int(String),
    /// A number with a fraction or an exponent.
    Float(String),
    /// A text.
    Text(String),
    /// An operator or a bracket.
    Sign(String),
    /// The end.
    End,
}

impl Word {
    /// The word as Go's parser shows it in an error.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::End => "EOF".to_owned(),
            Self::Name(name) if is_operator_name(name) => format!("Operator({name:?})"),
            Self::Name(name) => format!("Identifier({name:?})"),
            Self::Int(number) | Self::Float(number) => format!("Number({number:?})"),
            Self::Text(text) => format!("String({text:?})"),
            Self::Sign(sign) if "()[]{}".contains(sign.as_str()) => format!("Bracket({sign:?})"),
            Self::Sign(sign) => format!("Operator({sign:?})"),
        }
    }
}

/// Names that stand for operators.
pub(super) fn is_operator_name(name: &str) -> bool {
    matches!(
        name,
        "not"
            | "in"
            | "and"
            | "or"
            | "contains"
            | "matches"
            | "startsWith"
            | "endsWith"
            | "let"
            | "if"
            | "else"
    )
}

/// A word and how it is written for the evaluation.
pub(super) type Written = (Word, String);

/// Splits an expression into words; the last one is [`Word::End`].
///
/// # Errors
/// A text or comment without an end, or a character that the language does not have.
pub(super) fn words(text: &str) -> Result<Vec<Written>, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("the expression is longer than {MAX_BYTES} bytes"));
    }
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = rest.trim_start();
        } else if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, behind)| behind);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map(|(_, behind)| behind).ok_or("unclosed comment")?;
        } else {
            let (word, behind) = word(rest, first, words.last().map(|(word, _)| word))?;
            let source = rest.get(..rest.len().saturating_sub(behind.len())).unwrap_or_default();
            let source = if matches!(word, Word::Text(_)) { plain_text(source) } else { source.to_owned() };
            words.push((word, source));
            rest = behind;
        }
    }
    words.push((Word::End, String::new()));
    Ok(words)
}

/// A text without escapes where that is possible: the evaluator reads fewer escapes than the language has.
fn plain_text(source: &str) -> String {
    let quote = source.chars().next().unwrap_or('"');
    let inner = source.get(1..source.len().saturating_sub(1)).unwrap_or_default();
    if quote == '`' || !inner.contains('\\') {
        return source.to_owned();
    }
    match crate::jsonpath::unquote(inner, quote) {
        Some(plain) if !plain.contains(['`', '\r']) => format!("`{plain}`"),
        _ => source.to_owned(),
    }
}

fn word<'a>(rest: &'a str, first: char, before: Option<&Word>) -> Result<(Word, &'a str), String> {
    if matches!(first, '"' | '\'' | '`') {
        return quoted(rest, first);
    }
    let fraction = first == '.' && rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
    let after_name = matches!(before, Some(Word::Name(_)));
    if first.is_ascii_digit() || (fraction && !after_name) {
        return Ok(number(rest));
    }
    if first.is_alphabetic() || matches!(first, '_' | '$' | '#') {
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| !c.is_alphanumeric() && *c != '_' && *c != '$')
            .map_or(rest.len(), |(at, _)| at);
        let (name, behind) = rest.split_at(end);
        return Ok((Word::Name(name.to_owned()), behind));
    }
    let long = LONG.iter().find(|sign| rest.starts_with(**sign)).map(|sign| sign.len());
    let length = match long {
        Some(length) => length,
        None if "+-*/%^<>=!?:|.,;()[]{}".contains(first) => first.len_utf8(),
        None => return Err(format!("unrecognized character: U+{:04X} {first:?}", u32::from(first))),
    };
    let (sign, behind) = rest.split_at(length);
    Ok((Word::Sign(sign.to_owned()), behind))
}

fn quoted(rest: &str, quote: char) -> Result<(Word, &str), String> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => {
                let (text, behind) = rest.split_at(at + c.len_utf8());
                return Ok((Word::Text(text.trim_matches(quote).to_owned()), behind));
            }
            _ => {}
        }
    }
    Err("literal not terminated".to_owned())
}

fn number(rest: &str) -> (Word, &str) {
    let mut end = 0;
    let mut float = false;
    let mut chars = rest.char_indices().peekable();
    let hex = ["0x", "0X", "0b", "0B", "0o", "0O"].iter().any(|prefix| rest.starts_with(prefix));
    let mut before = ' ';
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let belongs = match c {
            '0'..='9' | '_' => true,
            // `1..3` is a range, `1.5` a number.
            '.' => !hex && !float && next != Some('.'),
            'e' | 'E' if !hex => true,
            '+' | '-' => !hex && matches!(before, 'e' | 'E'),
            c => hex && c.is_ascii_alphanumeric(),
        };
        if !belongs {
            break;
        }
        float |= !hex && matches!(c, '.' | 'e' | 'E');
        before = c;
        end = at + c.len_utf8();
    }
    let (digits, behind) = rest.split_at(end);
    let digits = digits.to_owned();
    (if float { Word::Float(digits) } else { Word::Int(digits) }, behind)
}
