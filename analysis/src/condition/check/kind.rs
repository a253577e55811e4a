//! Types as far as the check knows them.

/// What kind of value a part of an expression has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::condition) enum Kind {
    /// Unknown until it is evaluated.
    Any,
    /// `nil`.
    Nil,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A text.
    Text,
    /// A list of numbers.
    Floats,
    /// A list of whole numbers, as a range makes it.
    Ints,
    /// A list of anything.
    List,
    /// Anything by name.
    Map,
}

impl Kind {
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }

    /// Whether nothing is known that could be wrong.
    pub(super) fn is_any(self) -> bool {
        self == Self::Any
    }

    /// The kind of one of two values.
    pub(super) fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Any }
    }
}

impl std::fmt::Display for Kind {
    /// The type's name in Go, which people know from the messages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Any => "unknown",
            Self::Nil => "<nil>",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Text => "string",
            Self::Floats => "[]float64",
            Self::Ints => "[]int",
            Self::List => "[]interface {}",
            Self::Map => "map[string]interface {}",
        })
    }
}
