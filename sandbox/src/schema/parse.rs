//! From the JSON of a schema to its nodes.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};
use thiserror::Error;

use super::formats::Format;
use super::node::{Additional, Below, Checks, Kind, ListType, Node, Numbers};
use super::path::Path;
use super::rules::Rule;

/// How deep schemas may nest. The deepest of Kubernetes' own (a pod template in a custom resource) has about 20
/// levels; the bound keeps a malicious one from exhausting the stack.
const MAX_DEPTH: usize = 100;

/// Why a schema cannot be used; each names its place.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// A schema, or a list of schemas, is of another JSON type.
    #[error("schema at {place}: {keyword} must be {wanted}")]
    Malformed {
        /// Where.
        place: String,
        /// Which keyword.
        keyword: &'static str,
        /// What is expected there.
        wanted: &'static str,
    },
    /// `type` is none of the six types of structural schemas.
    #[error("schema at {place}: type {name:?} is none of object, array, string, integer, number, boolean")]
    UnknownType {
        /// Where.
        place: String,
        /// The type that stands there.
        name: String,
    },
    /// A `pattern` is no regular expression.
    #[error("schema at {place}: pattern {pattern:?} is no regular expression: {source}")]
    Pattern {
        /// Where.
        place: String,
        /// The pattern.
        pattern: String,
        /// What the compiler says.
        source: Box<regex::Error>,
    },
    /// An `x-kubernetes-validations` rule does not compile.
    #[error("schema at {place}: rule {rule:?} does not compile: {why}")]
    Rule {
        /// Where.
        place: String,
        /// The rule.
        rule: String,
        /// What the compiler says.
        why: String,
    },
    /// The schema nests too deeply.
    #[error("schema at {place}: nested more than {MAX_DEPTH} levels deep")]
    TooDeep {
        /// Where.
        place: String,
    },
}

/// Parses one schema and everything under it.
pub(super) fn node(schema: &Value, path: &Path<'_>, depth: usize) -> Result<Node, SchemaError> {
    if depth > MAX_DEPTH {
        return Err(SchemaError::TooDeep { place: path.of_schema() });
    }
    let reader = Reader { fields: object(schema, path, "it")?, path, depth: depth.saturating_add(1) };
    let mut node = Node {
        kind: reader.kind()?,
        int_or_string: reader.flag("x-kubernetes-int-or-string"),
        nullable: reader.flag("nullable"),
        preserves: reader.flag("x-kubernetes-preserve-unknown-fields"),
        resource: reader.flag("x-kubernetes-embedded-resource"),
        properties: reader.properties()?,
        additional: reader.additional()?,
        items: reader.one("items")?,
        default: reader.fields.get("default").cloned(),
        list: reader.list_type(),
        rules: reader.rules()?,
        checks: reader.checks()?,
        below: Below::default(),
    };
    node.below = below(&node);
    Ok(node)
}

fn below(node: &Node) -> Below {
    let own = Below {
        rules: !node.rules.is_empty(),
        lists: !matches!(node.list, ListType::Atomic),
        resources: node.resource,
    };
    let values = match &node.additional {
        Additional::Values(values) => Some(values.as_ref()),
        Additional::None | Additional::Any => None,
    };
    let children = node.properties.values().chain(values).chain(node.items.as_deref());
    children.fold(own, |found, child| found.and(child.below))
}

fn object<'s>(
    value: &'s Value,
    path: &Path<'_>,
    keyword: &'static str,
) -> Result<&'s Map<String, Value>, SchemaError> {
    value.as_object().ok_or_else(|| SchemaError::Malformed {
        place: path.of_schema(),
        keyword,
        wanted: "an object",
    })
}

struct Reader<'s> {
    fields: &'s Map<String, Value>,
    path: &'s Path<'s>,
    depth: usize,
}

impl Reader<'_> {
    fn flag(&self, keyword: &str) -> bool {
        self.fields.get(keyword).and_then(Value::as_bool).unwrap_or(false)
    }

    fn text(&self, keyword: &str) -> Option<&str> {
        self.fields.get(keyword).and_then(Value::as_str)
    }

    fn count(&self, keyword: &str) -> Option<u64> {
        self.fields.get(keyword).and_then(Value::as_u64)
    }

    fn texts(&self, keyword: &str) -> Vec<String> {
        let list = self.fields.get(keyword).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn kind(&self) -> Result<Option<Kind>, SchemaError> {
        Ok(match self.text("type") {
            None | Some("") => None,
            Some("object") => Some(Kind::Object),
            Some("array") => Some(Kind::Array),
            Some("string") => Some(Kind::String),
            Some("integer") => Some(Kind::Integer),
            Some("number") => Some(Kind::Number),
            Some("boolean") => Some(Kind::Boolean),
            Some(other) => {
                return Err(SchemaError::UnknownType {
                    place: self.path.of_schema(),
                    name: other.to_owned(),
                });
            }
        })
    }

    fn properties(&self) -> Result<BTreeMap<String, Node>, SchemaError> {
        let Some(properties) = self.fields.get("properties") else {
            return Ok(BTreeMap::new());
        };
        object(properties, self.path, "properties")?
            .iter()
            .map(|(name, schema)| {
                Ok((name.clone(), node(schema, &Path::Field(self.path, name), self.depth)?))
            })
            .collect()
    }

    fn additional(&self) -> Result<Additional, SchemaError> {
        match self.fields.get("additionalProperties") {
            None | Some(Value::Null | Value::Bool(false)) => Ok(Additional::None),
            Some(Value::Bool(true)) => Ok(Additional::Any),
            Some(schema) => {
                Ok(Additional::Values(Box::new(node(schema, &Path::Key(self.path, "*"), self.depth)?)))
            }
        }
    }

    fn one(&self, keyword: &'static str) -> Result<Option<Box<Node>>, SchemaError> {
        let Some(schema) = self.fields.get(keyword) else {
            return Ok(None);
        };
        Ok(Some(Box::new(node(schema, &Path::Field(self.path, keyword), self.depth)?)))
    }

    fn many(&self, keyword: &'static str) -> Result<Vec<Node>, SchemaError> {
        let schemas = match self.fields.get(keyword) {
            None => return Ok(Vec::new()),
            Some(Value::Array(schemas)) => schemas,
            Some(_) => {
                let place = self.path.of_schema();
                return Err(SchemaError::Malformed { place, keyword, wanted: "a list of schemas" });
            }
        };
        let place = Path::Field(self.path, keyword);
        let each = schemas.iter().enumerate();
        each.map(|(index, schema)| node(schema, &Path::Index(&place, index), self.depth)).collect()
    }

    fn list_type(&self) -> ListType {
        match self.text("x-kubernetes-list-type") {
            Some("set") => ListType::Set,
            Some("map") => {
                let mut keys = self.texts("x-kubernetes-list-map-keys");
                keys.sort();
                ListType::Map(keys)
            }
            _ => ListType::Atomic,
        }
    }

    fn rules(&self) -> Result<Vec<Rule>, SchemaError> {
        let rules = self.fields.get("x-kubernetes-validations").and_then(Value::as_array);
        rules.into_iter().flatten().map(|rule| Rule::parse(rule, self.path)).collect()
    }

    fn checks(&self) -> Result<Checks, SchemaError> {
        Ok(Checks {
            supported: self.fields.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
            numbers: self.numbers(),
            min_length: self.count("minLength"),
            max_length: self.count("maxLength"),
            pattern: self
                .text("pattern")
                .filter(|text| !text.is_empty())
                .map(|text| self.regex(text))
                .transpose()?,
            format: self.text("format").and_then(Format::named),
            min_items: self.count("minItems"),
            max_items: self.count("maxItems"),
            min_properties: self.count("minProperties"),
            max_properties: self.count("maxProperties"),
            required: self.texts("required"),
            all_of: self.many("allOf")?,
            any_of: self.many("anyOf")?,
            one_of: self.many("oneOf")?,
            not: self.one("not")?,
        })
    }

    fn numbers(&self) -> Option<Box<Numbers>> {
        let number = |keyword| self.fields.get(keyword).and_then(Value::as_number).cloned();
        let numbers = Numbers {
            minimum: number("minimum"),
            exclusive_minimum: self.flag("exclusiveMinimum"),
            maximum: number("maximum"),
            exclusive_maximum: self.flag("exclusiveMaximum"),
            multiple_of: number("multipleOf"),
        };
        let any = numbers.minimum.is_some() || numbers.maximum.is_some() || numbers.multiple_of.is_some();
        any.then(|| Box::new(numbers))
    }

    fn regex(&self, pattern: &str) -> Result<Regex, SchemaError> {
        Regex::new(pattern).map_err(|source| SchemaError::Pattern {
            place: self.path.of_schema(),
            pattern: pattern.to_owned(),
            source: Box::new(source),
        })
    }
}
