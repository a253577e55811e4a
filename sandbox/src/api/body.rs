//! Bodies of requests: from JSON, YAML or protobuf to an object in the shape of its kind.

use super::failure::{Cause, Failure, MEDIA_TYPES, Of};
use super::registry::ResourceType;
use super::request::{Request, Validation};
use super::{ApiServer, decode, text};
use crate::kubectl::protobuf;
use serde_json::Value;

/// How much of a body an error quotes.
const QUOTED_MAX_BYTES: usize = 30;

/// What an error quotes of a body: its beginning, as hexadecimal digits when it does not look like JSON.
fn quoted(body: &[u8]) -> String {
    let shown = body.get(..QUOTED_MAX_BYTES).unwrap_or(body);
    let more = if body.len() > QUOTED_MAX_BYTES { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(shown)),
        Some(_) => {
            let digits: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            digits + more
        }
    }
}

fn unrecognized(kind: &str, why: &str, body: &[u8]) -> Failure {
    let message =
        format!("the object provided is unrecognized (must be of type {kind}): {why} ({})", quoted(body));
    Failure::bad_request(message)
}

/// What Go says of a body that is not JSON.
pub(super) fn json_fault(error: &serde_json::Error) -> String {
    let text = if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() };
    format!("couldn't get version/kind; json parse error: {text}")
}

/// The object in a body, as it was sent.
pub(super) fn read(request: &Request, kind: &str) -> Result<Value, Failure> {
    let body = request.body.as_ref();
    let object: Value = match request.content_type.as_str() {
        "application/json" | "" => {
            serde_json::from_slice(body).map_err(|error| unrecognized(kind, &json_fault(&error), body))?
        }
        "application/yaml" => {
            let text = String::from_utf8_lossy(body);
            serde_saphyr::from_str(&text)
                .map_err(|error| unrecognized(kind, &format!("yaml: {error}"), body))?
        }
        protobuf::CONTENT_TYPE => protobuf::decode(body).map_err(|error| match error {
            protobuf::Error::UnknownKind { .. } => Failure::media_type(MEDIA_TYPES),
            error => Failure::bad_request(error.to_string()),
        })?,
        _ => return Err(Failure::media_type(MEDIA_TYPES)),
    };
    if object.is_object() {
        return Ok(object);
    }
    let head = r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    let found = match object {
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        _ => "bool",
    };
    let why = format!(
        "couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go value of type {head}"
    );
    Err(unrecognized(kind, &why, body))
}

/// Sentences about fields that are not known.
fn sentences(paths: Vec<String>) -> Vec<String> {
    paths.into_iter().map(|path| format!("unknown field {path:?}")).collect()
}

/// Writes numbers as Go writes them: `1.0` as `1`.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().filter(|float| float.fract() == 0.0);
            if let Some(whole) = whole.and_then(|float| format!("{float:.0}").parse::<i64>().ok()) {
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// Brings an object into the shape of its kind, and gives a sentence for each field that is not known.
pub(super) fn shape(kind: &ResourceType, object: &mut Value) -> Result<Vec<String>, String> {
    let Some(custom) = &kind.custom else {
        return kind.typed.map_or(Ok(Vec::new()), |typed| typed.decode(object)).map(sentences);
    };
    whole_numbers(object);
    let mut unknown = sentences(decode::metadata(object)?);
    if let Some(schema) = &custom.schema {
        unknown.extend(schema.prune(object));
        schema.default(object);
    }
    unknown.sort();
    Ok(unknown)
}

fn is_of_kind(kind: &ResourceType, object: &Value) -> Result<(), Failure> {
    let given = text(object, "/kind");
    if given == kind.kind {
        return Ok(());
    }
    let cause = Cause {
        reason: "FieldValueInvalid",
        field: "kind".to_owned(),
        message: format!("Invalid value: {given:?}: must be {}", kind.kind),
    };
    let of = Of { group: &kind.group, plural: &kind.plural, kind: given };
    Err(Failure::invalid(of, text(object, "/metadata/name"), &[cause]))
}

fn cannot(given: &str, version: &str, kind: &str, why: &str) -> Failure {
    Failure::bad_request(format!("{given} in version {version:?} cannot be handled as a {kind}: {why}"))
}

impl ApiServer {
    /// The object in a body, in the shape of its kind; what is not known is told in warnings or refused.
    pub(super) fn body(&mut self, request: &Request, kind: &ResourceType) -> Result<Value, Failure> {
        let mut object = read(request, &kind.kind)?;
        self.fits(request, kind, &object)?;
        let unknown =
            shape(kind, &mut object).map_err(|why| cannot(&kind.kind, &kind.version, &kind.kind, &why))?;
        match request.query.validation {
            Validation::Strict if !unknown.is_empty() => {
                let why = format!("strict decoding error: {}", unknown.join(", "));
                return Err(cannot(&kind.kind, &kind.version, &kind.kind, &why));
            }
            Validation::Warn => self.warnings.extend(unknown),
            _ => {}
        }
        Ok(object)
    }

    /// What a patch made of an object, in the shape of its kind.
    pub(super) fn patched(
        kind: &ResourceType,
        validation: Validation,
        mut object: Value,
        warnings: &mut Vec<String>,
    ) -> Result<Value, Failure> {
        let refused = |object: &Value, why: &str| {
            let cause = Cause {
                reason: "FieldValueInvalid",
                field: "patch".to_owned(),
                message: format!("Invalid value: {:?}: {why}", object.to_string()),
            };
            Failure::invalid(Of { group: "", plural: "", kind: "" }, "", &[cause])
        };
        // The error quotes the object as the patch left it.
        let strict = (validation == Validation::Strict).then(|| object.clone());
        if kind.custom.is_some() {
            is_of_kind(kind, &object)?;
        }
        match shape(kind, &mut object) {
            Err(why) => return Err(refused(&object, &why)),
            Ok(unknown) if unknown.is_empty() => {}
            Ok(unknown) => match strict {
                Some(before) => {
                    let why = format!("strict decoding error: {}", unknown.join(", "));
                    return Err(refused(&before, &why));
                }
                None if validation == Validation::Warn => warnings.extend(unknown),
                None => {}
            },
        }
        Ok(object)
    }

    /// Whether version and kind of a body are those of the resource.
    fn fits(&mut self, request: &Request, kind: &ResourceType, object: &Value) -> Result<(), Failure> {
        let (version, given) = (text(object, "/apiVersion"), text(object, "/kind"));
        let own_version = kind.api_version();
        if kind.custom.is_none() {
            if !given.is_empty() && !version.is_empty() {
                return self.fits_built_in(kind, object, version, given);
            }
            return Ok(());
        }
        if given.is_empty() || version.is_empty() {
            let missing = if given.is_empty() { "Kind" } else { "apiVersion" };
            let sent = String::from_utf8_lossy(&request.body);
            let why = format!("Object '{missing}' is missing in '{}'", sent.trim_end());
            return Err(unrecognized(&kind.kind, &why, &request.body));
        }
        if version != own_version {
            // No schema describes it, so that nothing of it is known.
            let fields = object.as_object().into_iter().flatten().map(|(key, _)| key);
            let unknown = fields.filter(|key| !["apiVersion", "kind", "metadata"].contains(&key.as_str()));
            self.warnings.extend(unknown.map(|key| format!("unknown field {key:?}")));
            return Err(Failure::bad_request(format!(
                "the API version in the data ({version}) does not match the expected API version ({own_version})"
            )));
        }
        is_of_kind(kind, object)
    }

    fn fits_built_in(
        &self,
        kind: &ResourceType,
        object: &Value,
        version: &str,
        given: &str,
    ) -> Result<(), Failure> {
        let own_version = kind.api_version();
        if version == own_version && given == kind.kind {
            return Ok(());
        }
        let (group, short) = version.rsplit_once('/').unwrap_or(("", version));
        let Some(other) = decode::Type::of(group, short, given) else {
            let why = format!(
                "no kind {given:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\""
            );
            return Err(cannot(given, version, &kind.kind, &why));
        };
        if let Err(why) = other.decode(&mut object.clone()) {
            return Err(cannot(given, version, &kind.kind, &why));
        }
        Err(Failure::bad_request(format!(
            "the API version in the data ({version}, Kind={given}) does not match the expected API version ({own_version}, Kind={})",
            kind.kind
        )))
    }
}
