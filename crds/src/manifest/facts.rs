//! Facts about a schema without its prose: enough to tell whether one API server accepts what another did.
//!
//! Written as a tree of lines, one for each node: tabs for the depth, the name (`[]` for items, `{}` for values of a
//! map), then the keywords as JSON. A subtree that occurs again is written once, as `@N`.

use crate::hash::encode;
use crate::hash::table::Kind;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Subtrees of fewer lines are repeated where they occur.
const BLOCK_MIN_LINES: usize = 8;
/// Nesting that is read at most; real schemas have less than 20 levels.
const DEPTH_LIMIT: usize = 64;

/// One node of a schema.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    /// Keywords other than those that hold schemas, such as `type` and `x-kubernetes-list-type`.
    keywords: Map<String, Value>,
    children: BTreeMap<String, Node>,
}

/// Facts about CustomResourceDefinitions by kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    kinds: BTreeMap<String, Node>,
}

/// A table of facts that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the table of facts cannot be read: {text:?}; make the table again")]
pub struct FactsError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
}

/// Where a schema of ours says something else than the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Kind and path, such as `Rollout.spec.replicas`.
    pub path: String,
    /// The keyword, or `missing` and `extra` for a whole property.
    pub keyword: String,
    /// What the table says, as JSON.
    pub expected: String,
    /// What our schema says, as JSON.
    pub found: String,
}

impl Facts {
    /// Takes the facts from CustomResourceDefinitions: the first version's schema, and the definition itself.
    #[must_use]
    pub fn of(manifests: &[Value]) -> Self {
        let mut kinds = BTreeMap::new();
        for manifest in manifests {
            let Some(kind) = manifest.pointer("/spec/names/kind").and_then(Value::as_str) else { continue };
            let schema = manifest.pointer("/spec/versions/0/schema/openAPIV3Schema");
            let mut node = schema.map(|schema| node(schema, 0)).unwrap_or_default();
            for path in ["/spec/names", "/spec/scope", "/spec/group"] {
                node.definition(path, manifest.pointer(path));
            }
            for field in ["name", "served", "storage", "subresources", "additionalPrinterColumns"] {
                let path = format!("/spec/versions/0/{field}");
                node.definition(&path, manifest.pointer(&path));
            }
            kinds.insert(kind.to_owned(), node);
        }
        Self { kinds }
    }

    /// Reads a table that [`Facts::to_table`] wrote.
    ///
    /// # Errors
    /// When a line is not a fact.
    pub fn parse(table: &str) -> Result<Self, FactsError> {
        let mut blocks: BTreeMap<String, Node> = BTreeMap::new();
        let mut kinds = BTreeMap::new();
        let mut stack: Vec<(String, Node)> = Vec::new();
        let mut finish =
            |stack: &mut Vec<(String, Node)>, depth: usize, blocks: &mut BTreeMap<String, Node>| {
                while stack.len() > depth {
                    let Some((name, node)) = stack.pop() else { return };
                    match stack.last_mut() {
                        Some((_, parent)) => _ = parent.children.insert(name, node),
                        None if name.starts_with('@') => _ = blocks.insert(name, node),
                        None => _ = kinds.insert(name, node),
                    }
                }
            };
        for (index, line) in table.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let error = || FactsError { line: index + 1, text: line.to_owned() };
            let text = line.trim_start_matches('\t');
            let depth = line.len() - text.len();
            finish(&mut stack, depth, &mut blocks);
            let (name, rest) = text.split_once(' ').ok_or_else(error)?;
            let node = if rest.starts_with('@') {
                blocks.get(rest).cloned().ok_or_else(error)?
            } else {
                let keywords = serde_json::from_str(rest).map_err(|_| error())?;
                Node { keywords, children: BTreeMap::new() }
            };
            if stack.len() != depth {
                return Err(error());
            }
            stack.push((name.to_owned(), node));
        }
        finish(&mut stack, 0, &mut blocks);
        Ok(Self { kinds })
    }

    /// The table as text.
    #[must_use]
    pub fn to_table(&self) -> String {
        let mut blocks: BTreeMap<String, String> = BTreeMap::new();
        let mut out = String::new();
        let mut head = String::new();
        for (kind, node) in &self.kinds {
            node.write(kind, 0, &mut out, &mut blocks, &mut head);
        }
        format!("{head}{out}")
    }

    /// Every place where `ours` says something else. An empty list means: whatever this accepts, `ours` accepts.
    #[must_use]
    pub fn differences(&self, ours: &Self) -> Vec<Difference> {
        let mut out = Vec::new();
        for (kind, theirs) in &self.kinds {
            match ours.kinds.get(kind) {
                Some(ours) => theirs.compare(ours, kind, &mut out),
                None => out.push(difference(kind, "missing", &Value::Bool(true), &Value::Null)),
            }
        }
        out
    }
}

fn difference(path: &str, keyword: &str, expected: &Value, found: &Value) -> Difference {
    Difference {
        path: path.to_owned(),
        keyword: keyword.to_owned(),
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

fn node(schema: &Value, depth: usize) -> Node {
    let mut out = Node::default();
    let Some(schema) = schema.as_object().filter(|_| depth < DEPTH_LIMIT) else { return out };
    for (key, value) in schema {
        match key.as_str() {
            "description" => {}
            "properties" => {
                let entries = value.as_object().into_iter().flatten();
                out.children.extend(entries.map(|(name, schema)| (name.clone(), node(schema, depth + 1))));
            }
            "items" => _ = out.children.insert("[]".to_owned(), node(value, depth + 1)),
            "additionalProperties" => _ = out.children.insert("{}".to_owned(), node(value, depth + 1)),
            _ => _ = out.keywords.insert(key.clone(), sorted(value)),
        }
    }
    out
}

/// The value with sorted lists of texts: the order of `required` and `enum` means nothing.
fn sorted(value: &Value) -> Value {
    let Value::Array(items) = value else { return value.clone() };
    let mut items = items.clone();
    if items.iter().all(Value::is_string) {
        items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
    Value::Array(items)
}

impl Node {
    /// Notes a fact about the definition beside the schema, without prose.
    fn definition(&mut self, path: &str, value: Option<&Value>) {
        // No subresources and an empty list of them are the same.
        let Some(mut value) = value.filter(|value| **value != json!({})).cloned() else { return };
        super::remove_descriptions(&mut value);
        self.keywords.insert(path.to_owned(), value);
    }

    fn write(
        &self,
        name: &str,
        depth: usize,
        out: &mut String,
        blocks: &mut BTreeMap<String, String>,
        head: &mut String,
    ) {
        let tabs = "\t".repeat(depth);
        let mut body = String::new();
        for (child, node) in &self.children {
            node.write(child, depth + 1, &mut body, blocks, head);
        }
        // Keys sorted at every depth: the order of a JSON map depends on the build.
        let mut keywords = String::new();
        encode(Some(&Value::Object(self.keywords.clone())), &Kind::Raw, &mut keywords);
        if depth == 0 || body.lines().count() < BLOCK_MIN_LINES {
            _ = write!(out, "{tabs}{name} {keywords}\n{body}");
            return;
        }
        let shifted = body.lines().filter_map(|line| line.get(depth..)).map(|line| format!("{line}\n"));
        let block = format!("{keywords}\n{}", shifted.collect::<String>());
        let next = format!("@{}", blocks.len());
        let id = blocks.entry(block).or_insert_with_key(|block| {
            _ = write!(head, "{next} {block}");
            next
        });
        _ = writeln!(out, "{tabs}{name} {id}");
    }

    fn compare(&self, ours: &Self, path: &str, out: &mut Vec<Difference>) {
        let absent = Value::Null;
        let keys = || {
            self.keywords.keys().chain(ours.keywords.keys().filter(|key| !self.keywords.contains_key(*key)))
        };
        for key in keys() {
            let (expected, found) =
                (self.keywords.get(key).unwrap_or(&absent), ours.keywords.get(key).unwrap_or(&absent));
            if expected != found {
                out.push(difference(path, key, expected, found));
            }
        }
        for (name, child) in &self.children {
            let path = format!("{path}.{name}");
            match ours.children.get(name) {
                Some(ours) => child.compare(ours, &path, out),
                None => out.push(difference(&path, "missing", &Value::Bool(true), &Value::Null)),
            }
        }
        for name in ours.children.keys().filter(|name| !self.children.contains_key(*name)) {
            out.push(difference(&format!("{path}.{name}"), "extra", &Value::Null, &Value::Bool(true)));
        }
    }
}
