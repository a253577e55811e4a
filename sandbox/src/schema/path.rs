//! The place of a value in an object: a chain on the stack, written out only for what is wrong.

use super::names::quoted;

/// The place of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'p> {
    /// The object itself.
    Root,
    /// A declared field.
    Field(&'p Path<'p>, &'p str),
    /// A key of a map.
    Key(&'p Path<'p>, &'p str),
    /// An element of a list.
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// `spec.labels.app`: the form of value validations, in which keys of maps look like fields.
    pub(super) fn dotted(&self) -> String {
        self.write(|text, key| {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(key);
        })
    }

    /// `spec.labels[app]`: the form of list types and rules.
    pub(super) fn bracketed(&self) -> String {
        self.write(|text, key| {
            text.push('[');
            text.push_str(key);
            text.push(']');
        })
    }

    fn write(&self, key: fn(&mut String, &str)) -> String {
        let mut text = match self {
            Path::Root => return String::new(),
            Path::Field(parent, _) | Path::Key(parent, _) | Path::Index(parent, _) => parent.write(key),
        };
        match self {
            Path::Root => {}
            Path::Field(_, name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Path::Key(_, name) => key(&mut text, name),
            Path::Index(_, index) => text.push_str(&format!("[{index}]")),
        }
        text
    }

    /// Where in a schema: for errors about the schema itself.
    pub(super) fn of_schema(&self) -> String {
        let place = self.dotted();
        if place.is_empty() { "the root of the schema".to_owned() } else { quoted(&place) }
    }
}
