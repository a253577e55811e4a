//! XML answers of the query protocol. Elements are known by their local names: the namespace only repeats the version.

use roxmltree::{Document, Node, ParsingOptions};

/// Most nodes of an answer. A page has at most 400 items, of a few dozen nodes each.
const NODES_MAX: u32 = 400_000;

/// An answer that is not what the action answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer to {action} cannot be read: {reason}")]
pub struct Malformed {
    /// The action that was asked.
    pub action: String,
    /// What is wrong with the answer.
    pub reason: String,
}

impl Malformed {
    pub(crate) fn new(action: &str, reason: impl Into<String>) -> Self {
        Self { action: action.to_owned(), reason: reason.into() }
    }
}

/// A parsed answer.
pub(crate) struct Answer<'t> {
    action: &'static str,
    document: Document<'t>,
}

/// An element of an answer.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    action: &'static str,
    node: Node<'a, 'a>,
}

/// Parses text; what has a DTD is refused.
fn document(text: &str) -> Result<Document<'_>, String> {
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| error.to_string())
}

impl<'t> Answer<'t> {
    /// Parses the answer to `action`.
    pub(crate) fn new(action: &'static str, text: &'t str) -> Result<Self, Malformed> {
        let document = document(text).map_err(|reason| Malformed::new(action, reason))?;
        Ok(Self { action, document })
    }

    /// The element with the result: `<ActionResponse><ActionResult>`.
    pub(crate) fn result(&self) -> Result<Element<'_>, Malformed> {
        let root = Element { action: self.action, node: self.document.root_element() };
        let wanted = format!("{}Response", self.action);
        if root.node.tag_name().name() != wanted {
            let found = root.node.tag_name().name();
            return Err(Malformed::new(self.action, format!("it is {found}, not {wanted}")));
        }
        root.required_child(&format!("{}Result", self.action))
    }
}

impl<'a> Element<'a> {
    /// The first child of that name.
    pub(crate) fn child(self, name: &str) -> Option<Self> {
        let node = self.node.children().find(|node| node.is_element() && node.tag_name().name() == name)?;
        Some(Self { node, ..self })
    }

    /// As [`Element::child`], where there must be one.
    pub(crate) fn required_child(self, name: &str) -> Result<Self, Malformed> {
        self.child(name).ok_or_else(|| self.lacks(name))
    }

    /// The text of the child of that name, unless it is empty.
    pub(crate) fn text(self, name: &str) -> Option<String> {
        let text = self.child(name)?.own_text();
        (!text.is_empty()).then_some(text)
    }

    /// As [`Element::text`], where there must be one.
    pub(crate) fn required(self, name: &str) -> Result<String, Malformed> {
        self.text(name).ok_or_else(|| self.lacks(name))
    }

    /// The number in the child of that name, where there is one.
    pub(crate) fn number<N: std::str::FromStr>(self, name: &str) -> Result<Option<N>, Malformed> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| Malformed::new(self.action, format!("{name} {text:?} is not a number that fits")))
    }

    /// The `member` elements of the list of that name; none where there is no list.
    pub(crate) fn members(self, name: &str) -> impl Iterator<Item = Element<'a>> {
        self.child(name)
            .into_iter()
            .flat_map(|list| list.node.children())
            .filter(|node| node.is_element() && node.tag_name().name() == "member")
            .map(move |node| Self { node, ..self })
    }

    /// Comments split text: all pieces are taken.
    fn own_text(self) -> String {
        let pieces = self.node.children().filter(Node::is_text).filter_map(|node| node.text());
        pieces.collect::<String>().trim().to_owned()
    }

    fn lacks(self, name: &str) -> Malformed {
        Malformed::new(self.action, format!("{} has no {name}", self.node.tag_name().name()))
    }
}

/// Code, message and request id of an `ErrorResponse`.
pub(crate) fn error(text: &str) -> Option<(String, String, Option<String>)> {
    let document = document(text).ok()?;
    let root = Element { action: "", node: document.root_element() };
    let error = root.child("Error")?;
    let id = root.text("RequestId").or_else(|| root.text("RequestID"));
    Some((error.text("Code")?, error.text("Message").unwrap_or_default(), id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_not_the_answer_is_named() {
        let reason = |text| match Answer::new("Ask", text) {
            Ok(answer) => answer.result().map(|_| ()).unwrap_err().to_string(),
            Err(malformed) => malformed.to_string(),
        };
        assert!(reason("<html>").starts_with("the answer to Ask cannot be read: "));
        assert_eq!(reason("<a/>"), "the answer to Ask cannot be read: it is a, not AskResponse");
        assert_eq!(
            reason("<AskResponse/>"),
            "the answer to Ask cannot be read: AskResponse has no AskResult"
        );
        // Entities of one's own are how a small text becomes a large one.
        assert!(reason("<!DOCTYPE a [<!ENTITY b \"c\">]><AskResponse>&b;</AskResponse>").contains("DTD"));
    }

    #[test]
    fn texts_and_members_are_found() {
        let text = "<AskResponse xmlns=\"urn:x\"><AskResult><A> x&amp;<!-- c -->y </A><E/><N>70000</N>\
            <L><member><A>1</A></member><member/></L></AskResult></AskResponse>";
        let answer = Answer::new("Ask", text).unwrap();
        let result = answer.result().unwrap();
        assert_eq!((result.text("A").as_deref(), result.text("E")), (Some("x&y"), None));
        assert_eq!(result.number::<u32>("N"), Ok(Some(70000)));
        assert!(result.number::<u16>("N").unwrap_err().reason.contains("\"70000\""));
        assert_eq!((result.members("L").count(), result.members("M").count()), (2, 0));
    }
}
