//! A parsed schema: a tree of nodes, each with what the walks need and nothing to look up again.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Number, Value};

use super::formats::Format;
use super::rules::Rule;

/// One place of a schema.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) kind: Option<Kind>,
    pub(super) int_or_string: bool,
    pub(super) nullable: bool,
    /// `x-kubernetes-preserve-unknown-fields`.
    pub(super) preserves: bool,
    /// `x-kubernetes-embedded-resource`, or the root: apiVersion, kind and metadata are always fields.
    pub(super) resource: bool,
    pub(super) properties: BTreeMap<String, Node>,
    pub(super) additional: Additional,
    pub(super) items: Option<Box<Node>>,
    pub(super) default: Option<Value>,
    pub(super) list: ListType,
    pub(super) rules: Vec<Rule>,
    pub(super) checks: Checks,
    pub(super) below: Below,
}

/// The type that a schema declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Object => "object",
            Kind::Array => "array",
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
        }
    }
}

/// What may stand beside the declared properties.
#[derive(Debug, Default)]
pub(super) enum Additional {
    /// Nothing.
    #[default]
    None,
    /// Any key (`additionalProperties: true`); nothing is known of its value.
    Any,
    /// Any key, with values of this schema.
    Values(Box<Node>),
}

/// `x-kubernetes-list-type`.
#[derive(Debug, Default)]
pub(super) enum ListType {
    #[default]
    Atomic,
    Set,
    /// The keys, sorted.
    Map(Vec<String>),
}

/// What a walk finds in a node or under it, so that it can turn back early.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Below {
    pub(super) rules: bool,
    /// Sets or maps.
    pub(super) lists: bool,
    pub(super) resources: bool,
}

impl Below {
    pub(super) fn and(self, other: Below) -> Below {
        Below {
            rules: self.rules || other.rules,
            lists: self.lists || other.lists,
            resources: self.resources || other.resources,
        }
    }
}

/// Value validations.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) supported: Vec<Value>,
    pub(super) numbers: Option<Box<Numbers>>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) pattern: Option<Regex>,
    pub(super) format: Option<Format>,
    pub(super) min_items: Option<u64>,
    pub(super) max_items: Option<u64>,
    pub(super) min_properties: Option<u64>,
    pub(super) max_properties: Option<u64>,
    pub(super) required: Vec<String>,
    pub(super) all_of: Vec<Node>,
    pub(super) any_of: Vec<Node>,
    pub(super) one_of: Vec<Node>,
    pub(super) not: Option<Box<Node>>,
}

/// Bounds of numbers.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) minimum: Option<Number>,
    pub(super) exclusive_minimum: bool,
    pub(super) maximum: Option<Number>,
    pub(super) exclusive_maximum: bool,
    pub(super) multiple_of: Option<Number>,
}

impl Node {
    /// The node of a member, and whether it is a declared field.
    pub(super) fn member(&self, name: &str) -> Option<(&Node, bool)> {
        match (self.properties.get(name), &self.additional) {
            (Some(node), _) => Some((node, true)),
            (None, Additional::Values(node)) => Some((node, false)),
            (None, _) => None,
        }
    }
}
