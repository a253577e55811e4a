use crate::kubectl::protobuf::{Error, decode};
use serde_json::Value;

/// The recorded bodies are in base64.
fn bytes(text: &str) -> Vec<u8> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_usize, 0);
    for letter in text.trim_end_matches('=').chars() {
        bits = bits << 6 | letters.find(letter).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// Bodies, and the objects in them without their status, which nobody creates.
fn recorded() -> Vec<(Vec<u8>, Value)> {
    let all: Value = serde_json::from_str(include_str!("../../../data/vectors/protobuf.json")).unwrap();
    let one = |one: &Value| (bytes(one["body"].as_str().unwrap()), one["object"].clone());
    all.as_array().unwrap().iter().map(one).collect()
}

/// Bodies that kubectl sent, and the same objects as it prints them.
#[test]
fn bodies_of_kubectl_are_read() {
    let recorded = recorded();
    assert!(recorded.len() > 25);
    let differ: Vec<String> = recorded
        .iter()
        .map(|(body, object)| (decode(body).unwrap(), object))
        .filter(|(read, object)| read != *object)
        .map(|(read, object)| format!("kubectl {object}\nsandbox {read}"))
        .collect();
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn damaged_bodies_are_refused() {
    let (body, object) = recorded().swap_remove(0);
    // Cut between two fields of the envelope it is whole, or nothing but its kind; cut elsewhere it is refused.
    let mut refused = 0;
    for end in 0..body.len() {
        match decode(&body[..end]) {
            Ok(read) => assert!(read == object || read.as_object().unwrap().len() == 2, "{end}: {read}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > body.len() - 8);
    assert_eq!(decode(b"{\"kind\": \"Pod\"}"), Err(Error::NotKubernetes));
    let endless = [b"k8s\0".as_slice(), &[0xff; 12]].concat();
    assert_eq!(decode(&endless), Err(Error::Damaged("a number that does not end")));
}

#[test]
fn unknown_kinds_are_named() {
    let body = b"k8s\0\x0a\x18\x0a\x0eexample.com/v1\x12\x06Widget";
    let error = decode(body).unwrap_err();
    assert_eq!(error, Error::UnknownKind { api_version: "example.com/v1".into(), kind: "Widget".into() });
    assert!(error.to_string().contains("kubectl apply -f"));
}
