//! Typed decoding of built-in kinds, as the API server's Go types do it: unknown fields are dropped and told, a value of
//! the wrong type is refused, what is empty is left out. The types are made once from the schemas that the server
//! publishes; a walk beside an object allocates only for what is not in order.

#[cfg(test)]
mod tests;

use crate::kubectl::openapi;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const REFERENCE: &str = "#/components/schemas/";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// Texts that Go keeps by a pointer: the empty one says something.
const MAY_BE_EMPTY: [&str; 2] = ["storageClassName", "volumeAttributesClassName"];

/// The type of a built-in kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Type(usize);

#[derive(Clone, Debug)]
enum Shape {
    Any,
    Bool,
    Integer(&'static str),
    Number,
    Text,
    Bytes,
    Time(&'static str),
    IntOrString,
    Quantity,
    Map(Box<Shape>),
    List(Box<Shape>),
    Struct(usize),
}

#[derive(Debug)]
struct Struct {
    /// `v1.ReplicaSetSpec`.
    name: String,
    fields: BTreeMap<&'static str, Field>,
    /// What Go writes although nobody said it.
    always: &'static [(&'static str, Zero)],
}

#[derive(Debug)]
struct Field {
    shape: Shape,
    required: bool,
}

/// A zero value of Go that is written.
#[derive(Clone, Copy, Debug)]
enum Zero {
    Null,
    Text,
    Object,
}

/// Fields without `omitempty`, or of types that are never empty to Go.
const ALWAYS: [(&str, &[(&str, Zero)]); 5] = [
    (
        "io.k8s.api.core.v1.Event",
        &[
            ("eventTime", Zero::Null),
            ("firstTimestamp", Zero::Null),
            ("lastTimestamp", Zero::Null),
            ("reportingComponent", Zero::Text),
            ("reportingInstance", Zero::Text),
            ("source", Zero::Object),
        ],
    ),
    ("io.k8s.api.apps.v1.ReplicaSetCondition", &[("lastTransitionTime", Zero::Null)]),
    (
        "io.k8s.api.apps.v1.DeploymentCondition",
        &[("lastTransitionTime", Zero::Null), ("lastUpdateTime", Zero::Null)],
    ),
    (
        "io.k8s.api.batch.v1.JobCondition",
        &[("lastProbeTime", Zero::Null), ("lastTransitionTime", Zero::Null)],
    ),
    ("io.k8s.api.core.v1.PodCondition", &[("lastProbeTime", Zero::Null), ("lastTransitionTime", Zero::Null)]),
];

/// All types; a struct refers to others by their index.
struct Types {
    structs: Vec<Struct>,
    indexes: BTreeMap<&'static str, usize>,
}

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let schemas = openapi::built_in_schemas();
    let with_fields = schemas.iter().filter(|(_, schema)| schema.get("properties").is_some());
    let names: Vec<&'static str> = with_fields.map(|(name, _)| name.as_str()).collect();
    let indexes: BTreeMap<&'static str, usize> =
        names.iter().enumerate().map(|(index, name)| (*name, index)).collect();
    let structs = names.iter().map(|name| structure(name, &indexes)).collect();
    Types { structs, indexes }
});

fn structure(full: &'static str, indexes: &BTreeMap<&'static str, usize>) -> Struct {
    let schema = openapi::built_in_schemas().get(full).unwrap_or(&Value::Null);
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let field = |(name, schema): (&'static String, &'static Value)| {
        let field = Field { shape: shape(schema, indexes), required: required.contains(&name.as_str()) };
        (name.as_str(), field)
    };
    let mut parts = full.rsplit('.');
    let (name, package) = (parts.next().unwrap_or(full), parts.next().unwrap_or_default());
    Struct {
        name: format!("{package}.{name}"),
        fields: properties.into_iter().flatten().map(field).collect(),
        always: ALWAYS.iter().find(|(of, _)| *of == full).map_or(&[][..], |(_, fields)| fields),
    }
}

fn shape(schema: &'static Value, indexes: &BTreeMap<&'static str, usize>) -> Shape {
    let all_of = schema.get("allOf").and_then(Value::as_array).and_then(|all| all.first());
    let reference = schema.get("$ref").or_else(|| all_of?.get("$ref")).and_then(Value::as_str);
    if let Some(name) = reference.and_then(|reference| reference.strip_prefix(REFERENCE)) {
        if let Some(index) = indexes.get(name) {
            return Shape::Struct(*index);
        }
        return match name.rsplit('.').next() {
            Some("Time") => Shape::Time("2006-01-02T15:04:05Z07:00"),
            Some("MicroTime") => Shape::Time("2006-01-02T15:04:05.000000Z07:00"),
            Some("IntOrString") => Shape::IntOrString,
            Some("Quantity") => Shape::Quantity,
            _ => Shape::Any,
        };
    }
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    match (text("type"), text("format")) {
        (Some("boolean"), _) => Shape::Bool,
        (Some("integer"), Some("int32")) => Shape::Integer("int32"),
        (Some("integer"), _) => Shape::Integer("int64"),
        (Some("number"), _) => Shape::Number,
        (Some("string"), Some("byte")) => Shape::Bytes,
        (Some("string"), _) => Shape::Text,
        (Some("array"), _) => {
            schema.get("items").map_or(Shape::Any, |items| Shape::List(Box::new(shape(items, indexes))))
        }
        (Some("object"), _) => match schema.get("additionalProperties") {
            Some(inner) if inner.is_object() => Shape::Map(Box::new(shape(inner, indexes))),
            _ => Shape::Any,
        },
        _ => Shape::Any,
    }
}

impl Type {
    /// The type of a kind; `None` for one that no schema describes.
    pub(crate) fn of(group: &str, version: &str, kind: &str) -> Option<Self> {
        let schema = openapi::schema_of(group, version, kind)?;
        let all = openapi::built_in_schemas();
        let (name, _) = all.iter().find(|(_, own)| std::ptr::eq(*own, schema))?;
        TYPES.indexes.get(name.as_str()).copied().map(Self)
    }

    /// Brings an object into this type, and gives the paths of its unknown fields.
    ///
    /// # Errors
    /// What Go says of the first value of a wrong type.
    pub(crate) fn decode(self, object: &mut Value) -> Result<Vec<String>, String> {
        let mut walk = Walk { unknown: Vec::new() };
        walk.root(self.0, object).map(|()| walk.unknown).map_err(Fault::text)
    }
}

/// Brings the metadata of an object of any kind into its type.
///
/// # Errors
/// What Go says of the first value of a wrong type.
pub(super) fn metadata(object: &mut Value) -> Result<Vec<String>, String> {
    let (Some(data), Some(index)) = (object.get_mut("metadata"), TYPES.indexes.get(OBJECT_META)) else {
        return Ok(Vec::new());
    };
    let mut walk = Walk { unknown: Vec::new() };
    let walked = walk.root(*index, data);
    walk.found_within(0, "metadata");
    walked.map(|()| walk.unknown).map_err(Fault::text)
}

/// A value that is not of its type.
enum Fault {
    Type {
        /// What JSON has.
        found: String,
        /// What Go wants.
        wanted: String,
        /// Names of the fields from the innermost outwards.
        fields: Vec<&'static str>,
        /// The struct that has the innermost field.
        within: Option<&'static str>,
    },
    Content(String),
}

impl Fault {
    fn text(self) -> String {
        match self {
            Self::Content(text) => text,
            Self::Type { found, wanted, mut fields, within } => {
                fields.reverse();
                let within = within.and_then(|name| name.rsplit('.').next()).unwrap_or_default();
                let place = format!("{within}.{}", fields.join("."));
                format!("json: cannot unmarshal {found} into Go struct field {place} of type {wanted}")
            }
        }
    }
}

/// Paths are put together on the way back, so that what is in order costs nothing.
struct Walk {
    unknown: Vec<String>,
}

impl Walk {
    fn root(&mut self, index: usize, value: &mut Value) -> Result<(), Fault> {
        match (TYPES.structs.get(index), value.as_object_mut()) {
            (Some(of), Some(map)) => self.structure(of, map),
            _ => Ok(()),
        }
    }

    fn value(&mut self, shape: &'static Shape, value: &mut Value) -> Result<(), Fault> {
        match (shape, &mut *value) {
            // A null is the zero value.
            (_, Value::Null)
            | (Shape::Any, _)
            | (Shape::Bool, Value::Bool(_))
            | (Shape::Text, Value::String(_))
            | (Shape::Number, Value::Number(_))
            | (Shape::Quantity | Shape::IntOrString, Value::String(_) | Value::Number(_)) => Ok(()),
            (Shape::Integer(_), Value::Number(number)) if number.is_i64() => Ok(()),
            (Shape::Bytes, Value::String(text)) => {
                base64_fault(text).map_or(Ok(()), |fault| Err(Fault::Content(fault)))
            }
            (Shape::Time(layout), Value::String(text)) => time_fault(layout, text),
            (Shape::Map(inner), Value::Object(map)) => self.map(inner, map),
            (Shape::List(inner), Value::Array(items)) => self.list(inner, items),
            (Shape::Struct(index), Value::Object(map)) => match TYPES.structs.get(*index) {
                Some(of) => self.structure(of, map),
                None => Ok(()),
            },
            (shape, other) => {
                let (found, wanted) = (found(shape, other), shape.go_name());
                Err(Fault::Type { found, wanted, fields: Vec::new(), within: None })
            }
        }
    }

    fn map(&mut self, inner: &'static Shape, map: &mut Map<String, Value>) -> Result<(), Fault> {
        for (key, value) in map.iter_mut() {
            if value.is_null() && matches!(inner, Shape::Text | Shape::Bytes) {
                *value = Value::String(String::new());
            }
            let before = self.unknown.len();
            self.value(inner, value)?;
            self.found_within(before, key);
        }
        Ok(())
    }

    fn list(&mut self, inner: &'static Shape, items: &mut [Value]) -> Result<(), Fault> {
        for (index, item) in items.iter_mut().enumerate() {
            let before = self.unknown.len();
            self.value(inner, item)?;
            if self.unknown.len() > before {
                self.found_within(before, &format!("[{index}]"));
            }
        }
        Ok(())
    }

    fn structure(&mut self, of: &'static Struct, map: &mut Map<String, Value>) -> Result<(), Fault> {
        let mut gone: Vec<String> = Vec::new();
        for (key, value) in map.iter_mut() {
            let Some((name, field)) = of.fields.get_key_value(key.as_str()) else {
                self.unknown.push(key.clone());
                gone.push(key.clone());
                continue;
            };
            let before = self.unknown.len();
            let walked = self.value(&field.shape, value);
            self.found_within(before, name);
            if let Err(mut fault) = walked {
                if let Fault::Type { fields, within, .. } = &mut fault {
                    fields.push(name);
                    within.get_or_insert(of.name.as_str());
                }
                return Err(fault);
            }
            if field.is_left_out(name, value) {
                gone.push(key.clone());
            }
        }
        for key in gone {
            map.remove(&key);
        }
        for (name, zero) in of.always {
            if !map.contains_key(*name) {
                map.insert((*name).to_owned(), zero.value());
            }
        }
        Ok(())
    }

    /// Puts the name of a field before the paths that were found below it.
    fn found_within(&mut self, before: usize, name: &str) {
        for path in self.unknown.iter_mut().skip(before) {
            let dot = if path.starts_with('[') { "" } else { "." };
            *path = format!("{name}{dot}{path}");
        }
    }
}

impl Field {
    /// Whether Go would not write it.
    fn is_left_out(&self, name: &str, value: &Value) -> bool {
        if value.is_null() {
            return true;
        }
        if self.required || matches!(self.shape, Shape::Any) {
            return false;
        }
        match value {
            Value::String(text) => text.is_empty() && !MAY_BE_EMPTY.contains(&name),
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty() && matches!(self.shape, Shape::Map(_)),
            _ => false,
        }
    }
}

impl Zero {
    fn value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Text => Value::String(String::new()),
            Self::Object => Value::Object(Map::new()),
        }
    }
}

impl Shape {
    fn go_name(&self) -> String {
        match self {
            Self::Any => "interface {}".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Integer(name) => (*name).to_owned(),
            Self::Number => "float64".to_owned(),
            Self::Text | Self::Time(_) => "string".to_owned(),
            Self::IntOrString => "intstr.IntOrString".to_owned(),
            Self::Quantity => "resource.Quantity".to_owned(),
            Self::Bytes => "[]uint8".to_owned(),
            Self::Map(inner) => format!("map[string]{}", inner.go_name()),
            Self::List(inner) => format!("[]{}", inner.go_name()),
            Self::Struct(index) => TYPES.structs.get(*index).map(|of| of.name.clone()).unwrap_or_default(),
        }
    }
}

/// What JSON has, as Go names it.
fn found(shape: &Shape, value: &Value) -> String {
    match value {
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if matches!(shape, Shape::Integer(_)) => format!("number {number}"),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
        Value::Null => "null".to_owned(),
    }
}

fn time_fault(layout: &str, text: &str) -> Result<(), Fault> {
    if text.is_empty() || chrono::DateTime::parse_from_rfc3339(text).is_ok() {
        return Ok(());
    }
    let message = format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\"");
    Err(Fault::Content(message))
}

/// What Go says of text that is not padded base64.
fn base64_fault(text: &str) -> Option<String> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let body = text.trim_end_matches('=');
    if let Some(at) = body.bytes().position(|byte| !letter(byte)) {
        return Some(format!("illegal base64 data at input byte {at}"));
    }
    // Of text that ends too early Go names the beginning of the last group.
    let whole = text.len().is_multiple_of(4) && text.len() - body.len() <= 2;
    (!whole).then(|| format!("illegal base64 data at input byte {}", body.len() / 4 * 4))
}
