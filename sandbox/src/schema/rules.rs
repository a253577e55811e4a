//! `x-kubernetes-validations`: rules in CEL over an object and the one that it replaces.

use std::sync::Arc;

use kube_cel::cel::objects::OptionalValue;
use kube_cel::cel::parser::Expression;
use kube_cel::cel::{self, Context, ExecutionError};
use serde_json::Value;

use super::cause::Cause;
use super::language::{self, wording};
use super::node::{Additional, Node};
use super::parse::SchemaError;
use super::path::Path;
use super::typed;
use super::values::counterpart;

/// One compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    source: String,
    program: Expression,
    message: Option<String>,
    message_program: Option<Expression>,
    reason: Option<String>,
    /// `fieldPath`, in steps.
    field_path: Vec<String>,
    /// Whether the rule speaks of `oldSelf`.
    is_transition: bool,
    /// `optionalOldSelf`: `oldSelf` is optional, and the rule is evaluated without one too.
    optional_old: bool,
}

impl Rule {
    pub(super) fn parse(rule: &Value, path: &Path<'_>) -> Result<Rule, SchemaError> {
        let text = |name: &str| {
            rule.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
        };
        let source = text("rule").unwrap_or_default();
        let compile = |source: &str| {
            language::parse(source).map_err(|why| SchemaError::Rule {
                place: path.of_schema(),
                rule: source.to_owned(),
                why,
            })
        };
        let program = compile(source)?;
        Ok(Rule {
            source: source.to_owned(),
            is_transition: program.references().has_variable("oldSelf"),
            program,
            message: text("message").map(str::to_owned),
            message_program: text("messageExpression").map(compile).transpose()?,
            reason: text("reason").map(str::to_owned),
            field_path: text("fieldPath").map(steps).unwrap_or_default(),
            optional_old: rule.get("optionalOldSelf").and_then(Value::as_bool).unwrap_or(false),
        })
    }

    /// What the server says when the rule fails.
    fn sentence(&self, scope: &Context<'_>) -> String {
        let expressed =
            self.message_program.as_ref().and_then(|program| match language::evaluate(program, scope) {
                // An empty message, or one of several lines, is as good as none.
                Ok(cel::Value::String(text)) if !text.trim().is_empty() && !text.contains('\n') => {
                    Some(text.trim().to_owned())
                }
                _ => None,
            });
        expressed.or_else(|| self.message.clone()).unwrap_or_else(|| format!("failed rule: {}", self.source))
    }
}

/// The steps of a field path: `.spec.m['a.b']` is `spec`, `m`, `a.b`.
fn steps(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("['") {
            let (step, after) = quoted.split_once("']").unwrap_or((quoted, ""));
            steps.push(step.to_owned());
            rest = after;
        } else {
            let plain = rest.strip_prefix('.').unwrap_or(rest);
            let end = plain.find(['.', '[']).unwrap_or(plain.len());
            let (step, after) = plain.split_at(end);
            if !step.is_empty() {
                steps.push(step.to_owned());
            }
            // A step that is neither a name nor a quoted key cannot come from a schema that the server accepted.
            rest = if after.len() < rest.len() { after } else { "" };
        }
    }
    steps
}

/// A value and what it replaces, where that is known.
#[derive(Clone, Copy)]
struct Change<'v> {
    new: &'v Value,
    old: &'v Value,
}

impl Change<'_> {
    fn is_none(self) -> bool {
        self.new == self.old
    }
}

/// Evaluates every rule of the schema on `object`.
pub(super) fn check(node: &Node, object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    language::with(|language| {
        let nearest = old.map(|old| Change { new: object, old });
        Walk { language, causes }.visit(node, object, old, nearest, &Path::Root);
    });
}

struct Walk<'w> {
    language: &'w Context<'static>,
    causes: &'w mut Vec<Cause>,
}

impl Walk<'_> {
    /// `nearest` is the closest change on the way down: an element of a plain list replaces no particular old one,
    /// and what is wrong with it is tolerated when the whole list did not change.
    fn visit(
        &mut self,
        node: &Node,
        value: &Value,
        old: Option<&Value>,
        nearest: Option<Change<'_>>,
        path: &Path<'_>,
    ) {
        if !node.below.rules || value.is_null() {
            return;
        }
        let old = old.filter(|old| !old.is_null());
        if !node.rules.is_empty() {
            self.evaluate(node, value, old, nearest, path);
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let Some((member, declared)) = node.member(name) else {
                        continue;
                    };
                    let place = if declared { Path::Field(path, name) } else { Path::Key(path, name) };
                    let before = old.and_then(|old| old.get(name));
                    let nearest = before.map(|old| Change { new: value, old }).or(nearest);
                    self.visit(member, value, before, nearest, &place);
                }
            }
            Value::Array(elements) => {
                let Some(items) = &node.items else {
                    return;
                };
                for (index, element) in elements.iter().enumerate() {
                    let before = old.and_then(|old| counterpart(&node.list, element, old));
                    let nearest = before.map(|old| Change { new: element, old }).or(nearest);
                    self.visit(items, element, before, nearest, &Path::Index(path, index));
                }
            }
            _ => {}
        }
    }

    fn evaluate(
        &mut self,
        node: &Node,
        value: &Value,
        old: Option<&Value>,
        nearest: Option<Change<'_>>,
        path: &Path<'_>,
    ) {
        let mut scope = self.language.new_inner_scope();
        scope.add_variable_from_value("self", typed::value(node, value));
        let old_self = old.filter(|_| node.rules.iter().any(|rule| rule.is_transition));
        let old_self = old_self.map(|old| typed::value(node, old));
        for rule in &node.rules {
            let mut scope = scope.new_inner_scope();
            match (&old_self, rule.is_transition, rule.optional_old) {
                (_, false, _) => {}
                (None, true, false) => continue,
                (Some(old), true, false) => scope.add_variable_from_value("oldSelf", old.clone()),
                (old, true, true) => {
                    let old = old.clone().map_or_else(OptionalValue::none, OptionalValue::of);
                    scope.add_variable_from_value("oldSelf", cel::Value::Opaque(Arc::new(old)));
                }
            }
            let cause = match language::evaluate(&rule.program, &scope) {
                Ok(cel::Value::Bool(true)) => continue,
                Ok(_) => {
                    let field = resolved(node, path, &rule.field_path);
                    Cause::rule(rule.reason.as_deref(), field, value, &rule.sentence(&scope))
                }
                Err(error) => failure(rule, node, path, &error),
            };
            if rule.is_transition || !nearest.is_some_and(Change::is_none) {
                self.causes.push(cause);
            }
        }
    }
}

/// A rule that could not be evaluated to the end.
fn failure(rule: &Rule, node: &Node, path: &Path<'_>, error: &ExecutionError) -> Cause {
    let field = path.bracketed();
    let field = if field.is_empty() { "<nil>".to_owned() } else { field };
    let kind = node.kind.map_or("", super::node::Kind::name);
    let told = rule.message.as_deref().unwrap_or(&rule.source);
    let detail = format!("{} evaluating rule: {told}", wording(error));
    Cause::invalid(field, &super::names::quoted(kind), &detail)
}

/// A rule's path and the steps of its `fieldPath`, which are keys where the schema has a map.
fn resolved(node: &Node, path: &Path<'_>, steps: &[String]) -> String {
    let Some((step, rest)) = steps.split_first() else {
        return path.bracketed();
    };
    let place = match (&node.additional, node.properties.contains_key(step)) {
        (Additional::Any | Additional::Values(_), false) => Path::Key(path, step),
        _ => Path::Field(path, step),
    };
    match node.member(step) {
        Some((member, _)) => resolved(member, &place, rest),
        None => rest.iter().fold(place.bracketed(), |text, step| format!("{text}.{step}")),
    }
}
