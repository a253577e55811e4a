//! Records the answers of a real Prometheus.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value as Json, json};

use super::{Labels, Series, Vectors, read};

/// The NaN that ends a series.
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

#[test]
#[ignore = "needs a real Prometheus; how to start it stands at the top of vectors.rs"]
fn record() {
    let address = std::env::var("PROMETHEUS").unwrap();
    let mut vectors = read();
    let headers = "Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n\
                   X-Prometheus-Remote-Write-Version: 0.1.0\r\n";
    let (status, body) = post(&address, "/api/v1/write", headers, &snappy(&write_request(&vectors)));
    assert!(status < 300, "{status} {body}");
    for case in &mut vectors.cases {
        let (path, parameters) = case.request(vectors.start_ms);
        let pairs: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        let (status, body) = post(&address, path, headers, pairs.join("&").as_bytes());
        let body: Json = serde_json::from_str(&body).unwrap();
        case.answer = case.essence(vectors.start_ms, status, &body);
        case.status = status;
    }
    let lines = |lines: Vec<String>| lines.join(",\n");
    let data = lines(vectors.data.iter().map(|one| serde_json::to_string(one).unwrap()).collect());
    let cases = lines(vectors.cases.iter().map(|one| serde_json::to_string(one).unwrap()).collect());
    let text = format!(
        "{{\"start_ms\": {},\n\"data\": [\n{data}\n],\n\"cases\": [\n{cases}\n]}}\n",
        json!(vectors.start_ms)
    );
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/promql/vectors.json");
    std::fs::write(file, text).unwrap();
}

/// A request over HTTP 1.0, whose answer ends with the connection.
fn post(address: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("POST {path} HTTP/1.0\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A form's value: each byte that is not a letter or a digit as its number.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(byte).collect()
}

/// The message of Prometheus's remote write: series (1) of labels (1: name 1, value 2) and samples (2: value 1 as a
/// double, time 2 as a number).
fn write_request(vectors: &Vectors) -> Vec<u8> {
    vectors.data.iter().flat_map(|one| field(1, &series(one, vectors.start_ms))).collect()
}

fn series(series: &Series, start_ms: i64) -> Vec<u8> {
    let labels: Labels = series.labels();
    let label = |(name, value): (&String, &String)| {
        field(1, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat())
    };
    let sample = |(time_ms, value): (i64, Option<f64>)| {
        let bits = value.map_or(STALE_BITS, f64::to_bits);
        let value = [&[1 << 3 | 1][..], &bits.to_le_bytes()].concat();
        field(2, &[value, vec![2 << 3], number(u64::try_from(time_ms).unwrap())].concat())
    };
    let samples = series.samples(start_ms).into_iter().flat_map(sample);
    labels.iter().flat_map(label).chain(samples).collect()
}

/// A field whose content is bytes.
fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    [vec![tag << 3 | 2], number(u64::try_from(content.len()).unwrap()), content.to_vec()].concat()
}

/// A number in as many bytes as it needs, seven bits in each.
fn number(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Snappy's format without any compression: the length, then literals of at most 2^16 bytes.
fn snappy(content: &[u8]) -> Vec<u8> {
    let mut bytes = number(u64::try_from(content.len()).unwrap());
    for chunk in content.chunks(1 << 16) {
        bytes.push(61 << 2);
        bytes.extend(u16::try_from(chunk.len() - 1).unwrap().to_le_bytes());
        bytes.extend(chunk);
    }
    bytes
}
