//! Structural schemas of custom resources: what is pruned, defaulted and refused.
//!
//! A [`Schema`] is parsed once for each version of a CustomResourceDefinition and then walked beside objects, which
//! are borrowed; nothing is allocated for a value that is in order.
//!
//! The order of a write is the server's: [`Schema::prune`], [`Schema::default`], then [`Schema::validate`]. What
//! stands in the root's `metadata` is the caller's.

mod cause;
mod defaults;
mod embedded;
mod formats;
mod language;
mod lists;
mod names;
mod node;
mod parse;
mod path;
mod prune;
mod rules;
mod scale;
mod typed;
mod values;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use cause::{Cause, summary};
pub use parse::SchemaError;

use node::Node;
use path::Path;
use scale::Scale;

/// A parsed schema of one version of a custom resource.
#[derive(Debug)]
pub struct Schema {
    root: Node,
    scale: Option<Scale>,
}

impl Schema {
    /// Parses `spec.versions[].schema.openAPIV3Schema`.
    ///
    /// # Errors
    /// Names the place of whatever cannot be read: a pattern, a rule, a type, or nesting without end. The API server
    /// refuses such a CustomResourceDefinition too.
    pub fn parse(openapi_v3_schema: &Value) -> Result<Schema, SchemaError> {
        let mut root = parse::node(openapi_v3_schema, &Path::Root, 0)?;
        // Every object has apiVersion, kind and metadata, whatever its schema says.
        root.resource = true;
        Ok(Schema { root, scale: None })
    }

    /// The same schema for a version that has a scale subresource (`spec.versions[].subresources.scale`): then
    /// [`Schema::validate`] also checks the replica counts that it names.
    #[must_use]
    pub fn scaled(mut self, scale: &Value) -> Schema {
        self.scale = Some(Scale::parse(scale));
        self
    }

    /// Drops the fields that the schema does not know and returns one sentence for each, as the server words them in
    /// warnings and in the refusals of `fieldValidation=Strict`: `unknown field "spec.foo"`.
    pub fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut unknown = Vec::new();
        prune::prune(&self.root, object, &Path::Root, &mut unknown);
        unknown.into_iter().map(|path| format!("unknown field {}", names::quoted(&path))).collect()
    }

    /// Fills in defaults; nulls that the schema does not allow make way for a default or are dropped.
    pub fn default(&self, object: &mut Value) {
        defaults::fill(&self.root, object);
    }

    /// Everything that the API server refuses in `object`, empty when it is in order.
    ///
    /// With `old`, the object that is being replaced, transition rules are evaluated, and what was wrong before and
    /// did not change is tolerated (ratcheting).
    #[must_use]
    pub fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut causes = Vec::new();
        values::check_root(&self.root, object, old, &mut causes);
        if let Some(scale) = &self.scale {
            scale.check(object, &mut causes);
        }
        embedded::check(&self.root, object, &Path::Root, &mut causes);
        let before = causes.len();
        lists::check(&self.root, object, &Path::Root, &mut causes);
        // The old object is looked at only when it matters.
        if causes.len() > before && old.is_some_and(|old| !lists::in_order(&self.root, old)) {
            causes.truncate(before);
        }
        if self.root.below.rules {
            if causes.iter().any(Cause::blocks_rules) {
                causes.push(Cause::rules_not_checked());
            } else {
                rules::check(&self.root, object, old, &mut causes);
            }
        }
        causes
    }
}
