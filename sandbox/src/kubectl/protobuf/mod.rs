//! Bodies in Kubernetes' protobuf form, as JSON. Typed clients, and with them `kubectl create KIND` and `auth can-i`,
//! send no other form, and do not try again after 415. Answers may be JSON.
//!
//! A body is `k8s\0` and an envelope that names the kind and holds its message. Which field has which number is in
//! `data/messages.txt`.

mod table;
mod wire;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use table::{Field, Kind, Message, Shape};
use wire::{Reader, Wire};

/// Value of the header `Content-Type` of such a body.
pub const CONTENT_TYPE: &str = "application/vnd.kubernetes.protobuf";

const MAGIC: &[u8] = b"k8s\0";
/// A PodTemplate inside a CronJob is 15 deep; JSON schemas, which nest without end, are not sent in this form.
const DEPTH_MAX: usize = 64;
/// Numbers and switches that clients always send and JSON leaves out while they are zero. Others may say something by
/// being zero, such as `replicas`.
const ZERO_IS_NOTHING: [&str; 18] = [
    "generation",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPort",
    "healthCheckNodePort",
    "minReadySeconds",
    "nodePort",
    "number",
    "observedGeneration",
    "orphanDependents",
    "paused",
    "port",
    "publishNotReadyAddresses",
    "readOnly",
    "stdin",
    "stdinOnce",
    "tty",
];

/// Why a body cannot be read: answer 400, or 415 for [`Error::UnknownKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The body does not begin as the form says.
    #[error("the body is not in the form {CONTENT_TYPE}: it does not begin with its four letters")]
    NotKubernetes,
    /// The body ends too early, or a part of it is not what its field says.
    #[error("the body is damaged at {0}")]
    Damaged(&'static str),
    /// The kind is not known in this form.
    #[error(
        "{kind} of {api_version} is not read in the form {CONTENT_TYPE}: send it as JSON, for example by `kubectl apply -f`"
    )]
    UnknownKind {
        /// `apiVersion` of the body.
        api_version: String,
        /// `kind` of the body.
        kind: String,
    },
}

/// A refusal in this form: a `Status` with the fields that say something.
#[must_use]
pub fn status(code: u16, reason: &str, message: &str) -> Vec<u8> {
    let of = |fields: &[(u8, &[u8])]| {
        let mut out = Vec::new();
        for (number, content) in fields {
            // The key of a field with a length.
            out.push((number << 3) | 2);
            out.extend(varint(content.len()));
            out.extend_from_slice(content);
        }
        out
    };
    let metadata = of(&[(1, b""), (2, b""), (3, b"")]);
    let texts: [(u8, &[u8]); 4] =
        [(1, &metadata), (2, b"Failure"), (3, message.as_bytes()), (4, reason.as_bytes())];
    let mut status = of(&texts);
    status.push(6 << 3);
    status.extend(varint(usize::from(code)));
    let kind = of(&[(1, b"v1"), (2, b"Status")]);
    let envelope = of(&[(1, &kind), (2, &status), (3, b""), (4, b"")]);
    [MAGIC, envelope.as_slice()].concat()
}

/// A number in groups of seven bits, the lowest first.
fn varint(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let group = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            out.push(group);
            return out;
        }
        out.push(group | 0x80);
    }
}

/// Reads a body: an object with `apiVersion` and `kind`, as its client would have sent it in JSON.
///
/// # Errors
/// When it is damaged, or of a kind that is not known.
pub fn decode(body: &[u8]) -> Result<Value, Error> {
    let envelope = body.strip_prefix(MAGIC).ok_or(Error::NotKubernetes)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    let mut fields = Reader::new(envelope);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Wire::Bytes(of)) => (api_version, kind) = type_of(of)?,
            (2, Wire::Bytes(message)) => raw = message,
            _ => {}
        }
    }
    let Some(message) = table::message_of(&api_version, &kind) else {
        return Err(Error::UnknownKind { api_version, kind });
    };
    let mut object = Map::new();
    fill(&mut object, message, raw, DEPTH_MAX)?;
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(object.into())
}

fn type_of(envelope: &[u8]) -> Result<(String, String), Error> {
    let mut found = (String::new(), String::new());
    let mut fields = Reader::new(envelope);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Wire::Bytes(text)) => found.0 = utf8(text)?,
            (2, Wire::Bytes(text)) => found.1 = utf8(text)?,
            _ => {}
        }
    }
    Ok(found)
}

/// Adds what `bytes` say to the object; fields that the table does not have are passed over.
fn fill(object: &mut Map<String, Value>, message: &Message, bytes: &[u8], depth: usize) -> Result<(), Error> {
    let depth = depth.checked_sub(1).ok_or(Error::Damaged("messages that are nested too deep"))?;
    let mut fields = Reader::new(bytes);
    while let Some((number, value)) = fields.next()? {
        let Some(field) = message.field(number) else { continue };
        match (field.shape, value) {
            (Shape::Inline, Wire::Bytes(inner)) => {
                if let Kind::Message(inline) = &field.kind {
                    fill(object, table::message(inline)?, inner, depth)?;
                }
            }
            (Shape::Map, Wire::Bytes(entry)) => {
                let (key, value) = entry_of(field, entry, depth)?;
                if let Value::Object(entries) = object.entry(field.name.as_str()).or_insert_with(|| json!({}))
                {
                    entries.insert(key, value);
                }
            }
            (Shape::List, value) => {
                let item = read(&field.kind, value, depth)?;
                if let Value::Array(items) = object.entry(field.name.as_str()).or_insert_with(|| json!([])) {
                    items.push(item);
                }
            }
            (_, value) => {
                let value = read(&field.kind, value, depth)?;
                if !says_nothing(field, &value) {
                    object.insert(field.name.clone(), value);
                }
            }
        }
    }
    Ok(())
}

fn says_nothing(field: &Field, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Bool(false) => ZERO_IS_NOTHING.contains(&field.name.as_str()),
        Value::Number(number) => number.as_i64() == Some(0) && ZERO_IS_NOTHING.contains(&field.name.as_str()),
        _ => false,
    }
}

/// An entry of a map is a message of a key (1) and a value (2).
fn entry_of(field: &Field, bytes: &[u8], depth: usize) -> Result<(String, Value), Error> {
    let (mut key, mut value) = (String::new(), None);
    let mut fields = Reader::new(bytes);
    while let Some((number, part)) = fields.next()? {
        match (number, part) {
            (1, Wire::Bytes(text)) => key = utf8(text)?,
            (2, part) => value = Some(read(&field.kind, part, depth)?),
            _ => {}
        }
    }
    Ok((key, value.unwrap_or_else(|| "".into())))
}

fn read(kind: &Kind, value: Wire<'_>, depth: usize) -> Result<Value, Error> {
    match (kind, value) {
        (Kind::Text, Wire::Bytes(text)) => utf8(text).map(Value::from),
        (Kind::Integer, Wire::Number(number)) => Ok(number.cast_signed().into()),
        (Kind::Boolean, Wire::Number(number)) => Ok((number != 0).into()),
        (Kind::Bytes, Wire::Bytes(bytes)) => Ok(base64(bytes).into()),
        (Kind::Quantity, Wire::Bytes(message)) => quantity(message),
        (Kind::Time { micros }, Wire::Bytes(message)) => time(message, *micros),
        (Kind::IntOrString, Wire::Bytes(message)) => int_or_string(message),
        (Kind::Raw, Wire::Bytes(message)) => raw(message),
        (Kind::Message(name), Wire::Bytes(message)) => {
            let mut object = Map::new();
            fill(&mut object, table::message(name)?, message, depth)?;
            Ok(object.into())
        }
        _ => Err(Error::Damaged("a field of another type")),
    }
}

fn utf8(bytes: &[u8]) -> Result<String, Error> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::Damaged("a text that is not UTF-8"))
}

/// The text of a quantity is its first field.
fn quantity(message: &[u8]) -> Result<Value, Error> {
    match Reader::new(message).next()? {
        Some((1, Wire::Bytes(text))) => utf8(text).map(Value::from),
        _ => Ok("0".into()),
    }
}

/// Seconds since 1970 (1) and nanoseconds (2); an empty message is no time.
fn time(message: &[u8], micros: bool) -> Result<Value, Error> {
    let (mut seconds, mut nanos) = (None, 0);
    let mut fields = Reader::new(message);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Wire::Number(number)) => seconds = Some(number.cast_signed()),
            (2, Wire::Number(number)) => nanos = u32::try_from(number).unwrap_or(0),
            _ => {}
        }
    }
    let Some(seconds) = seconds else { return Ok(Value::Null) };
    let time = DateTime::from_timestamp(seconds, nanos).ok_or(Error::Damaged("a time"))?;
    let format = if micros { SecondsFormat::Micros } else { SecondsFormat::Secs };
    Ok(time.to_rfc3339_opts(format, true).into())
}

/// Which of the two it is (1), the number (2), the text (3).
fn int_or_string(message: &[u8]) -> Result<Value, Error> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    let mut fields = Reader::new(message);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Wire::Number(kind)) => is_text = kind == 1,
            (2, Wire::Number(found)) => number = found.cast_signed(),
            (3, Wire::Bytes(found)) => text = utf8(found)?,
            _ => {}
        }
    }
    Ok(if is_text { text.into() } else { number.into() })
}

/// JSON inside the message.
fn raw(message: &[u8]) -> Result<Value, Error> {
    match Reader::new(message).next()? {
        Some((1, Wire::Bytes(json))) => {
            serde_json::from_slice(json).map_err(|_| Error::Damaged("JSON inside it"))
        }
        _ => Ok(Value::Null),
    }
}

/// Base64 with padding, as JSON has bytes.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let [one, two, three] = [0, 1, 2].map(|at| u32::from(chunk.get(at).copied().unwrap_or(0)));
        let group = one << 16 | two << 8 | three;
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = usize::try_from(group >> shift & 63).ok().and_then(|index| LETTERS.get(index));
            // Three bytes are four letters, two are three, one is two.
            let letter = letter.copied().filter(|_| at <= chunk.len()).unwrap_or(b'=');
            text.push(char::from(letter));
        }
    }
    text
}
