//! The bodies of the HTTP API.

use serde_json::{Value as Json, json};

use super::super::{Database, answer};
use super::labels;

const NOW_MS: i64 = 1_700_000_060_000;

fn database() -> Database {
    let mut database = Database::default();
    for (time_ms, value) in [(NOW_MS - 60_000, 10.0), (NOW_MS - 30_000, 25.0), (NOW_MS - 500, 25.25)] {
        database.append(&labels("requests", &[("app", "web")]), time_ms, value).unwrap();
    }
    database
}

fn get(path: &str, parameters: &[(&str, &str)]) -> (u16, Json) {
    let parameters: Vec<(String, String)> =
        parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    answer(&database(), path, &parameters, NOW_MS)
}

fn query(query: &str) -> (u16, Json) {
    get("/api/v1/query", &[("query", query)])
}

fn success(kind: &str, result: &Json) -> (u16, Json) {
    (200, json!({"status": "success", "data": {"resultType": kind, "result": result}}))
}

#[test]
fn each_type_has_its_form() {
    let metric = json!({"__name__": "requests", "app": "web"});
    let vector = json!([{"metric": metric, "value": [1_700_000_060, "25.25"]}]);
    assert_eq!(query("requests"), success("vector", &vector));
    assert_eq!(query("missing"), success("vector", &json!([])));
    let points = json!([[1_700_000_030, "25"], [1_700_000_059.5, "25.25"]]);
    assert_eq!(query("requests[30s]"), success("matrix", &json!([{"metric": metric, "values": points}])));
    assert_eq!(query("1 / 4"), success("scalar", &json!([1_700_000_060, "0.25"])));
    assert_eq!(query("'a'"), success("string", &json!([1_700_000_060, "a"])));
    let matrix = json!([{"metric": {}, "values": [[1_700_000_000, "10"], [1_700_000_030, "25"]]}]);
    let range = [
        ("query", "sum(requests)"),
        ("start", "1700000000"),
        ("end", "2023-11-14T22:13:59.9Z"),
        ("step", "30s"),
    ];
    assert_eq!(get("/api/v1/query_range", &range), success("matrix", &matrix));
}

#[test]
fn numbers_are_written_as_go_writes_them() {
    for (query_text, written) in [
        ("0.25", "0.25"),
        ("1e-7", "0.0000001"),
        ("NaN", "NaN"),
        ("Inf", "+Inf"),
        ("-Inf", "-Inf"),
        ("1e21", "1000000000000000000000"),
    ] {
        assert_eq!(query(query_text).1["data"]["result"][1], json!(written), "{query_text}");
    }
    for (query_text, written) in [
        ("vector(0.25)", "0.25"),
        ("vector(1e-7)", "1e-07"),
        ("vector(-1.5e-107)", "-1.5e-107"),
        ("vector(NaN)", "NaN"),
        ("vector(Inf)", "+Inf"),
        ("vector(1e20)", "100000000000000000000"),
        ("vector(1.25e21)", "1.25e+21"),
    ] {
        assert_eq!(query(query_text).1["data"]["result"][0]["value"][1], json!(written), "{query_text}");
    }
}

#[test]
fn a_time_is_a_number_or_a_date() {
    let at = |time: &str| get("/api/v1/query", &[("query", "requests"), ("time", time)]).1["data"].clone();
    let value = |time: &str| at(time)["result"][0]["value"].clone();
    assert_eq!(value("1700000030"), json!([1_700_000_030, "25"]));
    assert_eq!(value("1700000029.999"), json!([1_700_000_029.999, "10"]));
    assert_eq!(value("1.70000003e9"), json!([1_700_000_030, "25"]));
    assert_eq!(value("2023-11-14T22:13:50Z"), json!([1_700_000_030, "25"]));
    assert_eq!(value("2023-11-15T00:13:49.5+02:00"), json!([1_700_000_029.5, "10"]));
    assert_eq!(value(""), json!([1_700_000_060, "25.25"]), "now");
}

#[test]
fn the_first_of_a_parameter_counts() {
    let (_, body) = get("/api/v1/query", &[("query", "1"), ("query", "2"), ("timeout", "1m30s")]);
    assert_eq!(body["data"]["result"][1], "1");
}

#[test]
fn a_bad_parameter_is_named() {
    let range = |changed: &str, to: &str| {
        let given = [("query", "up"), ("start", "10"), ("end", "20"), ("step", "1")];
        get(
            "/api/v1/query_range",
            &given.map(|(name, value)| (name, if name == changed { to } else { value })),
        )
    };
    for ((status, body), error) in [
        (
            get("/api/v1/query", &[("query", "up"), ("time", "noon")]),
            r#"invalid parameter "time": cannot parse "noon" to a valid timestamp"#,
        ),
        (
            get("/api/v1/query", &[("query", "up"), ("time", "NaN")]),
            r#"invalid parameter "time": cannot parse "NaN" to a valid timestamp"#,
        ),
        (
            get("/api/v1/query", &[("query", "up"), ("timeout", "long")]),
            r#"invalid parameter "timeout": cannot parse "long" to a valid duration"#,
        ),
        (
            get("/api/v1/query", &[]),
            r#"invalid parameter "query": parse error: no expression found in input in """#,
        ),
        (range("start", ""), r#"invalid parameter "start": cannot parse "" to a valid timestamp"#),
        (range("end", "9"), r#"invalid parameter "end": end timestamp must not be before start time"#),
        (range("step", "1s1m"), r#"invalid parameter "step": cannot parse "1s1m" to a valid duration"#),
        (
            range("step", "0"),
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. \
             Try a positive integer",
        ),
        (
            range("end", "11011"),
            "exceeded maximum resolution of 11000 points per timeseries. Try decreasing the query resolution \
             (?step=XX)",
        ),
        (
            range("query", "up[1m]"),
            "invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or \
             instant Vector",
        ),
    ] {
        let expected = json!({"status": "error", "errorType": "bad_data", "error": error});
        assert_eq!((status, body), (400, expected));
    }
    assert_eq!(range("end", "11010").0, 200, "11000 steps");
}

#[test]
fn data_that_do_not_fit_are_an_execution_error() {
    let (status, body) = query("label_replace(requests, '1', 'a', 'b', '')");
    assert_eq!((status, &body["errorType"]), (422, &json!("execution")));
    assert_eq!(body["error"], "invalid destination label name in label_replace(): 1");
}

#[test]
fn another_path_is_not_known() {
    let (status, body) = get("/api/v1/series", &[]);
    assert_eq!((status, &body["errorType"]), (404, &json!("not_found")));
    assert_eq!(
        body["error"],
        "the sandbox's Prometheus does not know \"/api/v1/series\"; it knows /api/v1/query and /api/v1/query_range"
    );
}
