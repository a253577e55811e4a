//! Field numbers of Kubernetes' protobuf messages, for bodies that typed clients send, from the definitions in the
//! Go modules that the cluster was built from.

use anyhow::{Context, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Folders of `k8s.io/api` whose kinds clients send; the version's folder follows.
const FOLDERS: [&str; 13] = [
    "apps/v1",
    "authentication/v1",
    "authorization/v1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "coordination/v1",
    "core/v1",
    "discovery/v1",
    "events/v1",
    "networking/v1",
    "policy/v1",
    "rbac/v1",
];
const META: &str = "k8s.io.apimachinery.pkg.apis.meta.v1.";
const API: &str = "k8s.io.api.";

/// Messages that JSON has a short form for, and their letters in the table.
const SHORT: [(&str, &str); 5] = [
    ("k8s.io.apimachinery.pkg.api.resource.Quantity", "q"),
    ("k8s.io.apimachinery.pkg.apis.meta.v1.Time", "t"),
    ("k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime", "u"),
    ("k8s.io.apimachinery.pkg.util.intstr.IntOrString", "o"),
    ("k8s.io.apimachinery.pkg.runtime.RawExtension", "x"),
];
const SCALARS: [(&str, &str); 5] =
    [("string", "s"), ("int32", "i"), ("int64", "i"), ("bool", "b"), ("bytes", "y")];

struct Field {
    number: u32,
    name: String,
    /// `*` for lists, `%` for maps from strings, empty for one.
    many: &'static str,
    /// A scalar's name, or a message's with its package.
    kind: String,
}

/// One line for each message that a created object can have in it: its name, then `NUMBER:FIELD=TYPE`, or
/// `NUMBER:+MESSAGE` for a message whose fields stand among the outer one's in JSON. Which ones these are, only
/// the `schemas` tell. `kinds` are those that can be created, `release` is the server's, for example `v1.35.4`.
///
/// # Errors
/// When the modules are not in Go's cache.
pub(super) fn table(
    release: &str,
    schemas: &BTreeMap<String, Value>,
    kinds: &BTreeSet<String>,
) -> anyhow::Result<String> {
    let messages = read(release)?;
    let mut wanted: Vec<&str> = messages
        .keys()
        .filter(|name| {
            name.starts_with(API) && name.rsplit('.').next().is_some_and(|kind| kinds.contains(kind))
                || **name == format!("{META}DeleteOptions")
        })
        .map(String::as_str)
        .collect();
    let roots: BTreeSet<&str> = wanted.iter().copied().collect();
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    // Ends because each message is taken once.
    while let Some(name) = wanted.pop() {
        let Some(fields) = messages.get(name) else { bail!("there is no message {name}") };
        if lines.contains_key(short(name)) {
            continue;
        }
        let properties = schemas
            .get(&name.replacen("k8s.io.", "io.k8s.", 1))
            .and_then(|schema| schema.get("properties"))
            .and_then(Value::as_object);
        let mut line = String::new();
        for field in fields {
            // Nobody creates a status, and nobody sends who wrote which field.
            if (roots.contains(name) && field.name == "status") || field.name == "managedFields" {
                continue;
            }
            let letter = SCALARS.iter().chain(&SHORT).find(|(kind, _)| *kind == field.kind);
            let number = field.number;
            if let Some((_, letter)) = letter {
                write!(line, " {number}:{}={}{letter}", field.name, field.many)?;
                continue;
            }
            let Some((inner, _)) = messages.get_key_value(&field.kind) else { continue };
            wanted.push(inner);
            let inner = short(inner);
            if properties.is_some_and(|properties| !properties.contains_key(&field.name)) {
                write!(line, " {number}:+{inner}")?;
            } else {
                write!(line, " {number}:{}={}{inner}", field.name, field.many)?;
            }
        }
        lines.insert(short(name).to_owned(), line);
    }
    Ok(lines.into_iter().map(|(name, line)| format!("{name}{line}\n")).collect())
}

fn short(name: &str) -> &str {
    name.strip_prefix(API).or_else(|| name.strip_prefix("k8s.io.apimachinery.pkg.apis.")).unwrap_or(name)
}

/// All messages by name with their fields.
fn read(release: &str) -> anyhow::Result<BTreeMap<String, Vec<Field>>> {
    // Kubernetes v1.35.4 is made of modules of v0.35.4.
    let version =
        release.strip_prefix("v1").with_context(|| format!("{release} is not a release of Kubernetes"))?;
    let cache = match (std::env::var_os("GOMODCACHE"), std::env::var_os("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => Path::new(&home).join("go/pkg/mod"),
        (None, None) => bail!("set GOMODCACHE to Go's module cache"),
    };
    let mut messages = BTreeMap::new();
    let api = cache.join(format!("k8s.io/api@v0{version}"));
    let machinery = cache.join(format!("k8s.io/apimachinery@v0{version}/pkg/apis/meta/v1"));
    for folder in FOLDERS.iter().map(|folder| api.join(folder)).chain([machinery]) {
        let path = folder.join("generated.proto");
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}: build the cluster first (`cargo xtask e2e build`)", path.display())
        })?;
        parse(&text, &mut messages).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(messages)
}

/// The files are generated: one message or field on a line, nothing nested.
fn parse(text: &str, messages: &mut BTreeMap<String, Vec<Field>>) -> anyhow::Result<()> {
    let mut package = "";
    let mut current: Option<(String, Vec<Field>)> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        if let Some(rest) = line.strip_prefix("package ") {
            package = rest.trim_end_matches(';');
        } else if let Some(rest) = line.strip_prefix("message ") {
            let name = rest.trim_end_matches('{').trim();
            current = Some((format!("{package}.{name}"), Vec::new()));
        } else if line == "}" {
            messages.extend(current.take());
        } else if let Some((_, fields)) = &mut current {
            fields.extend(field(line, package)?);
        }
    }
    Ok(())
}

fn field(line: &str, package: &str) -> anyhow::Result<Option<Field>> {
    let (many, rest) = if let Some(rest) = line.strip_prefix("optional ") {
        ("", rest)
    } else if let Some(rest) = line.strip_prefix("repeated ") {
        ("*", rest)
    } else if let Some(rest) = line.strip_prefix("map<string, ") {
        ("%", rest)
    } else {
        return Ok(None);
    };
    let (kind, rest) = rest.split_once(' ').context("a field without a name")?;
    let (name, number) = rest.trim_end_matches(';').split_once(" = ").context("a field without a number")?;
    let kind = kind.trim_end_matches('>');
    let scalar = SCALARS.iter().any(|(scalar, _)| *scalar == kind);
    let kind = match kind.strip_prefix('.') {
        Some(full) => full.to_owned(),
        None if scalar => kind.to_owned(),
        None => format!("{package}.{kind}"),
    };
    Ok(Some(Field { number: number.parse().context("a number")?, name: name.to_owned(), many, kind }))
}
