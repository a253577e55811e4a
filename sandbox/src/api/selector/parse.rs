//! Reads label selectors as the API server reads them, with its errors.

use super::Need;
use std::iter::Peekable;
use std::vec::IntoIter;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// One of the signs of the language.
    Sign(&'static str),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Sign(sign) => sign,
        }
    }
}

/// Longer signs first.
const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            found.push(Token::Sign(sign));
            rest = rest.get(sign.len()..).unwrap_or_default().trim_start();
            continue;
        }
        let ends = |c: char| c.is_whitespace() || "=!(),><".contains(c);
        let (word, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        found.push(Token::Word(word.to_owned()));
        rest = after.trim_start();
    }
    found
}

struct Reader {
    tokens: Peekable<IntoIter<Token>>,
}

/// The requirements of a selector.
///
/// # Errors
/// What the server says of the first token that does not fit.
pub(super) fn needs(text: &str) -> Result<Vec<Need>, String> {
    let mut reader = Reader { tokens: tokens(text).into_iter().peekable() };
    let mut found = Vec::new();
    loop {
        match reader.tokens.peek() {
            None => return Ok(found),
            Some(Token::Word(_) | Token::Sign("!")) => {}
            Some(other) => {
                return Err(format!("found '{}', expected: !, identifier, or 'end of string'", other.text()));
            }
        }
        found.push(reader.need().map_err(|error| format!("unable to parse requirement: {error}"))?);
        match reader.tokens.next() {
            None => return Ok(found),
            Some(Token::Sign(",")) => match reader.tokens.peek() {
                Some(Token::Word(_) | Token::Sign("!")) => {}
                other => {
                    let seen = other.map_or("", Token::text);
                    return Err(format!("found '{seen}', expected: identifier after ','"));
                }
            },
            Some(other) => return Err(format!("found '{}', expected: ',' or 'end of string'", other.text())),
        }
    }
}

impl Reader {
    fn need(&mut self) -> Result<Need, String> {
        let absent = self.tokens.next_if_eq(&Token::Sign("!")).is_some();
        let key = self.word()?;
        if absent {
            return Ok(Need::Absent(key));
        }
        match self.tokens.peek() {
            None | Some(Token::Sign(",")) => return Ok(Need::Exists(key)),
            Some(_) => {}
        }
        let operator = self.tokens.next().map(|token| token.text().to_owned()).unwrap_or_default();
        match operator.as_str() {
            "in" => self.values().map(|values| Need::In(key, values)),
            "notin" => self.values().map(|values| Need::NotIn(key, values)),
            "=" | "==" => self.value().map(|value| Need::In(key, vec![value])),
            "!=" => self.value().map(|value| Need::NotIn(key, vec![value])),
            ">" | "gt" => self.number().map(|value| Need::More(key, value)),
            "<" | "lt" => self.number().map(|value| Need::Less(key, value)),
            other => Err(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")),
        }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("found '{}', expected: identifier", other.as_ref().map_or("", Token::text))),
        }
    }

    /// A value may be empty.
    fn value(&mut self) -> Result<String, String> {
        match self.tokens.peek() {
            None | Some(Token::Sign(",")) => Ok(String::new()),
            Some(_) => self.word(),
        }
    }

    fn number(&mut self) -> Result<i64, String> {
        let value = self.value()?;
        value.parse().map_err(|_| {
            format!("values[0][key]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer")
        })
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        let opened = self.tokens.next();
        if opened != Some(Token::Sign("(")) {
            return Err(format!("found '{}' expected: '('", opened.as_ref().map_or("", Token::text)));
        }
        let mut found = Vec::new();
        loop {
            match self.tokens.next() {
                Some(Token::Word(word)) => found.push(word),
                Some(Token::Sign(",")) => continue,
                Some(Token::Sign(")")) => return Ok(found),
                other => {
                    let seen = other.as_ref().map_or("", Token::text);
                    return Err(format!("found '{seen}', expected: ',', ')' or identifier"));
                }
            }
            match self.tokens.peek() {
                Some(Token::Sign("," | ")")) => {}
                other => {
                    let seen = other.map_or("", Token::text);
                    return Err(format!("found '{seen}', expected: ',' or ')'"));
                }
            }
        }
    }
}
