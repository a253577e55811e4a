//! What Go's `encoding/json` does with the structs of the Kubernetes API, read from data.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Structs of `core/v1` and `batch/v1`; printed by `crds/data/gotypes` from the Kubernetes types.
const KUBERNETES: &str = include_str!("../../data/kubernetes.table");
/// Structs of canary steps.
const STEPS: &str = include_str!("../../data/steps.table");

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Bool,
    Int,
    Quantity,
    IntOrString,
    Time,
    /// Any JSON, kept as it is.
    Raw,
    Pointer(Box<Kind>),
    Slice(Box<Kind>),
    /// Keys are always text.
    Map(Box<Kind>),
    Struct(&'static str),
}

/// One JSON key of a struct.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) omit_empty: bool,
    pub(crate) omit_zero: bool,
}

static TABLE: LazyLock<BTreeMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    let mut table: BTreeMap<&'static str, Vec<Field>> = BTreeMap::new();
    let mut current = "";
    for line in KUBERNETES.lines().chain(STEPS.lines()).filter(|line| !line.starts_with('#')) {
        match line.strip_prefix('\t') {
            None => {
                current = line;
                table.insert(line, Vec::new());
            }
            Some(line) => table.entry(current).or_default().extend(field(line)),
        }
    }
    table
});

/// Fields of a struct in Go's order; empty for a struct that the table does not have.
pub(crate) fn fields(name: &str) -> &'static [Field] {
    TABLE.get(name).map_or(&[], Vec::as_slice)
}

fn field(line: &'static str) -> Option<Field> {
    let mut words = line.split(' ');
    let (name, kind) = (words.next()?, words.next()?);
    let mut field = Field { name, kind: parse_kind(kind), omit_empty: false, omit_zero: false };
    for word in words {
        field.omit_empty |= word == "omitempty";
        field.omit_zero |= word == "omitzero";
    }
    Some(field)
}

fn parse_kind(text: &'static str) -> Kind {
    if let Some(inner) = text.strip_prefix('*') {
        return Kind::Pointer(Box::new(parse_kind(inner)));
    }
    if let Some(inner) = text.strip_prefix("[]") {
        return Kind::Slice(Box::new(parse_kind(inner)));
    }
    if let Some(inner) = text.strip_prefix("map:") {
        return Kind::Map(Box::new(parse_kind(inner)));
    }
    match text {
        "string" => Kind::String,
        "bool" => Kind::Bool,
        "int32" | "int64" => Kind::Int,
        "quantity" => Kind::Quantity,
        "intstr" => Kind::IntOrString,
        "time" => Kind::Time,
        "raw" => Kind::Raw,
        name => Kind::Struct(name),
    }
}

#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static [Field])> {
    TABLE.iter().map(|(name, fields)| (*name, fields.as_slice()))
}
