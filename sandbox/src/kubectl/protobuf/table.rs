//! The table of messages, `data/messages.txt`.

use super::Error;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static MESSAGES: LazyLock<BTreeMap<&'static str, Message>> = LazyLock::new(|| {
    include_str!("../../../data/messages.txt")
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let name = words.next()?;
            Some((name, Message { fields: words.filter_map(field).collect() }))
        })
        .collect()
});

/// The fields of one message by number.
#[derive(Debug)]
pub(super) struct Message {
    fields: BTreeMap<u32, Field>,
}

#[derive(Debug)]
pub(super) struct Field {
    /// Name in JSON; empty for a message whose fields stand among the outer one's.
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    List,
    Map,
    Inline,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Boolean,
    Bytes,
    Quantity,
    Time { micros: bool },
    IntOrString,
    Raw,
    Message(String),
}

impl Message {
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        self.fields.get(&number)
    }
}

/// The message of this name.
pub(super) fn message(name: &str) -> Result<&'static Message, Error> {
    MESSAGES.get(name).ok_or(Error::Damaged("a message that the table lacks"))
}

/// The message of a kind: packages have the first word of a group as their name, and `core` where it is empty.
/// Options of requests are of the same package for all groups.
pub(super) fn message_of(api_version: &str, kind: &str) -> Option<&'static Message> {
    let (group, version) = api_version.split_once('/').unwrap_or(("core", api_version));
    let package = group.split('.').next().unwrap_or(group);
    let own = MESSAGES.get(format!("{package}.{version}.{kind}").as_str());
    own.or_else(|| MESSAGES.get(format!("meta.v1.{kind}").as_str()).filter(|_| kind.ends_with("Options")))
}

/// `NUMBER:FIELD=TYPE` or `NUMBER:+MESSAGE`.
fn field(word: &str) -> Option<(u32, Field)> {
    let (number, rest) = word.split_once(':')?;
    let number = number.parse().ok()?;
    if let Some(inline) = rest.strip_prefix('+') {
        let kind = Kind::Message(inline.to_owned());
        return Some((number, Field { name: String::new(), shape: Shape::Inline, kind }));
    }
    let (name, kind) = rest.split_once('=')?;
    let (shape, kind) = match (kind.strip_prefix('*'), kind.strip_prefix('%')) {
        (Some(kind), _) => (Shape::List, kind),
        (None, Some(kind)) => (Shape::Map, kind),
        (None, None) => (Shape::One, kind),
    };
    let kind = match kind {
        "s" => Kind::Text,
        "i" => Kind::Integer,
        "b" => Kind::Boolean,
        "y" => Kind::Bytes,
        "q" => Kind::Quantity,
        "t" => Kind::Time { micros: false },
        "u" => Kind::Time { micros: true },
        "o" => Kind::IntOrString,
        "x" => Kind::Raw,
        message => Kind::Message(message.to_owned()),
    };
    Some((number, Field { name: name.to_owned(), shape, kind }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_read_and_names_only_messages_that_are_there() {
        let text = include_str!("../../../data/messages.txt");
        assert_eq!(MESSAGES.len(), text.lines().count());
        let fields: usize = MESSAGES.values().map(|message| message.fields.len()).sum();
        assert_eq!(fields, text.split_whitespace().count() - MESSAGES.len());
        for field in MESSAGES.values().flat_map(|message| message.fields.values()) {
            if let Kind::Message(name) = &field.kind {
                assert!(message(name).is_ok(), "{name}");
            }
        }
    }

    #[test]
    fn kinds_have_messages() {
        for (api_version, kind) in [
            ("v1", "Pod"),
            ("apps/v1", "Deployment"),
            ("rbac.authorization.k8s.io/v1", "Role"),
            ("policy/v1", "DeleteOptions"),
            ("authentication.k8s.io/v1", "TokenRequest"),
        ] {
            assert!(message_of(api_version, kind).is_some(), "{kind}");
        }
        assert!(message_of("example.com/v1", "Widget").is_none());
    }
}
