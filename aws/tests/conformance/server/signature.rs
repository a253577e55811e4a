//! Signature Version 4 from its specification, by another hand than the one that signs.

use super::{Answer, Heard, Key};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How far the time of a signature may be from the time of the server.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// The parts of an `Authorization` header.
#[derive(Debug)]
pub(crate) struct Authorization {
    pub(crate) key_id: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
}

impl Authorization {
    fn read(header: &str) -> Option<Self> {
        let rest = header.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let fields: BTreeMap<&str, &str> =
            rest.split(',').map(|field| field.trim().split_once('=')).collect::<Option<_>>()?;
        let scope: Vec<&str> = fields.get("Credential")?.split('/').collect();
        let [key_id, date, region, service, "aws4_request"] = scope[..] else { return None };
        Some(Self {
            key_id: key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: fields.get("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: (*fields.get("Signature")?).to_owned(),
        })
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// Percent-decoded text.
pub(crate) fn decoded(text: &str) -> String {
    let (mut out, bytes) = (Vec::new(), text.as_bytes());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap()
}

/// `UriEncode` of the specification; a slash is encoded, too.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Step 1: the canonical request.
pub(crate) fn canonical_request(heard: &Heard, signed_headers: &[String]) -> String {
    // Each segment is encoded once more than it was sent: of all services only S3 does otherwise.
    let path: Vec<String> = heard.path.split('/').map(encoded).collect();
    let path = if heard.path.is_empty() { "/".to_owned() } else { path.join("/") };
    let pairs = heard.query.split('&').filter(|pair| !pair.is_empty());
    let mut query: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encoded(&decoded(name)), encoded(&decoded(value)))
        })
        .collect();
    query.sort();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let headers: String = signed_headers
        .iter()
        .map(|name| {
            let words: Vec<&str> = heard.header(name).unwrap_or_default().split_whitespace().collect();
            format!("{name}:{}\n", words.join(" "))
        })
        .collect();
    let (query, signed) = (query.join("&"), signed_headers.join(";"));
    format!("{}\n{path}\n{query}\n{headers}\n{signed}\n{}", heard.method, hash(&heard.body))
}

/// Steps 2 and 3: the string to sign, and its signature.
fn computed(canonical: &str, authorization: &Authorization, time: &str, secret: &str) -> String {
    let to_sign = format!("{ALGORITHM}\n{time}\n{}\n{}", authorization.scope(), hash(canonical));
    let key = signing_key(secret, authorization);
    hex(&hmac(&key, &to_sign))
}

fn signing_key(secret: &str, authorization: &Authorization) -> Vec<u8> {
    let key = hmac(format!("AWS4{secret}").as_bytes(), &authorization.date);
    let key = hmac(&key, &authorization.region);
    let key = hmac(&key, &authorization.service);
    hmac(&key, "aws4_request")
}

/// Whether a request is signed by a key that is known, for this service and region, and lately.
pub(crate) fn check(
    heard: &Heard,
    keys: &BTreeMap<String, Key>,
    (service, region): (&str, &str),
    now: DateTime<Utc>,
) -> Result<(), Answer> {
    let refused = |code: &str, message: &str| Answer::error(403, code, message);
    let missing = || refused("MissingAuthenticationToken", "Request is missing Authentication Token");
    let incomplete = |message: &str| Answer::error(400, "IncompleteSignature", message);
    let mismatch = |message: &str| refused("SignatureDoesNotMatch", message);
    let header = heard.header("authorization").ok_or_else(missing)?;
    let authorization = Authorization::read(header).ok_or_else(|| incomplete("cannot be read"))?;
    let time = heard.header("x-amz-date").ok_or_else(|| incomplete("no X-Amz-Date"))?;
    let signed_at = NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ")
        .map_err(|_| incomplete("X-Amz-Date is no time"))?
        .and_utc();
    let key = keys.get(&authorization.key_id).ok_or_else(|| {
        refused("InvalidClientTokenId", "The security token included in the request is invalid")
    })?;
    if heard.header("x-amz-security-token") != key.token.as_deref() {
        return Err(refused("InvalidClientTokenId", "The security token included in the request is invalid"));
    }
    if (authorization.service.as_str(), authorization.region.as_str()) != (service, region) {
        return Err(mismatch("Credential should be scoped to a valid region and the correct service"));
    }
    if !time.starts_with(&authorization.date) {
        return Err(mismatch("Date in Credential scope does not match the date of the request"));
    }
    let amazon = heard.headers.iter().map(|(name, _)| name).filter(|name| name.starts_with("x-amz-"));
    let needed = amazon.map(String::as_str).chain(["host", "content-type"]);
    for name in needed.filter(|name| heard.header(name).is_some()) {
        if !authorization.signed_headers.iter().any(|signed| signed == name) {
            return Err(mismatch(&format!("{name} is not signed")));
        }
    }
    if !authorization.signed_headers.is_sorted() {
        return Err(mismatch("SignedHeaders are not sorted"));
    }
    let canonical = canonical_request(heard, &authorization.signed_headers);
    if computed(&canonical, &authorization, time, &key.secret) != authorization.signature {
        return Err(mismatch(
            "The request signature we calculated does not match the signature you provided",
        ));
    }
    if (now - signed_at).abs() > SKEW {
        return Err(mismatch("Signature expired"));
    }
    if key.expires.is_some_and(|expires| expires <= now) {
        return Err(refused("ExpiredToken", "The security token included in the request is expired"));
    }
    Ok(())
}

/// The example of the documentation of Signature Version 4: `ListUsers` of IAM.
#[test]
fn the_published_example_is_computed() {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let heard = Heard {
        method: "GET".to_owned(),
        host: "iam.amazonaws.com".to_owned(),
        path: "/".to_owned(),
        query: "Action=ListUsers&Version=2010-05-08".to_owned(),
        headers: vec![
            header("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            header("host", "iam.amazonaws.com"),
            header("x-amz-date", "20150830T123600Z"),
        ],
        body: String::new(),
        reach: None,
    };
    let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    let authorization = Authorization::read(&format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
    ))
    .unwrap();
    let canonical = canonical_request(&heard, &authorization.signed_headers);
    assert_eq!(hash(&canonical), "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    assert_eq!(
        hex(&signing_key(secret, &authorization)),
        "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
    );
    assert_eq!(computed(&canonical, &authorization, "20150830T123600Z", secret), signature);

    let keys = |secret: &str| {
        let key = Key { secret: secret.to_owned(), token: None, expires: None };
        BTreeMap::from([("AKIDEXAMPLE".to_owned(), key)])
    };
    let mut sent = heard;
    sent.headers.push(header(
        "authorization",
        &format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
        ),
    ));
    let now: DateTime<Utc> = "2015-08-30T12:38:00Z".parse().unwrap();
    assert_eq!(check(&sent, &keys(secret), ("iam", "us-east-1"), now), Ok(()));
    assert!(check(&sent, &keys("another"), ("iam", "us-east-1"), now).is_err());
    assert!(check(&sent, &keys(secret), ("iam", "us-east-1"), now + SKEW).is_err());
}
