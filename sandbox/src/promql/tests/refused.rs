//! What is refused, and that nothing panics.

use proptest::prelude::*;

use super::super::{Database, Error, MAX_DEPTH, MAX_QUERY_BYTES, Query};
use super::{ask, labels};

fn refused(query: &str) -> String {
    match Query::parse(query) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{query} is read"),
    }
}

#[test]
fn a_function_outside_the_subset_is_named_with_those_inside() {
    for (name, arguments) in
        [("deriv", "up[5m]"), ("predict_linear", "up[5m], 60"), ("hour", ""), ("nope", "up")]
    {
        let error = refused(&format!("sum({name}({arguments}))"));
        let begin =
            format!("the sandbox's Prometheus does not know the function {name:?}; it knows: abs, absent, ");
        assert!(error.starts_with(&begin), "{error}");
        assert!(error.contains(" rate, ") && error.ends_with(" vector"), "{error}");
    }
}

#[test]
fn other_parts_of_the_language_are_named() {
    for (query, part) in [
        ("count_values('x', up)", "the aggregation \"count_values\"; it knows: avg, bottomk, "),
        ("limitk(1, up)", "the aggregation \"limitk\""),
        ("max_over_time(rate(up[1m])[5m:10s])", "subqueries: use a range"),
        ("up @ 100", "the @ modifier: use `offset`"),
        ("rate(up[1m] @ end())", "the @ modifier"),
        ("up{a='b' or c='d'}", "`or` between the matchers"),
        ("up + on (a) fill (0) up", "the fill modifiers"),
        ("up atan2 up", "the operator atan2: use + - "),
        ("-(abs(vector(scalar(up @ 1))))", "the @ modifier"),
        ("topk(scalar(sum(max_over_time(up[5m:]))), up)", "subqueries"),
    ] {
        let error = refused(query);
        let begin = format!("the sandbox's Prometheus does not know {part}");
        assert!(error.starts_with(&begin), "{query}: {error}");
    }
}

#[test]
fn a_duration_has_a_unit_and_a_bound() {
    for (query, duration) in [
        ("up[5]", "5"),
        ("up[inf]", "inf"),
        ("up[NaN]", "NaN"),
        ("up[ 1e300 ]", "1e300"),
        ("up[.5]", ".5"),
        ("up[0x10]", "0x10"),
        ("up[0s]", "0s"),
        ("up[1s5000000000ms]", "1s5000000000ms"),
        ("up[9999999999999999999s]", "9999999999999999999s"),
        ("up[101y]", "101y"),
        ("up[5m1h]", "5m1h"),
        ("up[5m:inf]", "inf"),
        ("up offset 5", "5"),
        ("up OFFSET - Inf", "Inf"),
        ("up offset.5e300", ".5e300"),
        ("up offset - 1e+300", "1e+300"),
        ("sum(up) # offset 1\n[7]", "7"),
    ] {
        assert_eq!(Query::parse(query), Err(Error::Duration(duration.to_owned())), "{query}");
    }
    // Elsewhere it is an error, unless it stands in a string or a name, or is a number.
    let place = |text: &str| format!("the duration {text} may only stand in brackets and after `offset`");
    assert!(refused("up -30s").contains(&place("30s")));
    assert!(refused("5000000000s * 2").contains(&place("5000000000s")));
    assert!(refused("1e+999").contains("the number 1e+999 is out of range"));
    for query in [
        "up{a='[5] offset 5 9999999999s'}",
        "up5000000000s",
        "0x1e-3 + 1e3 - 1e-3 + 0x1d",
        "up offset -1m30s",
    ] {
        assert!(Query::parse(query).is_ok(), "{query}");
    }
    assert!(refused(r"up{a='\é'}").contains("a backslash may not stand before a letter outside ASCII"));
    assert!(Query::parse(r"up{a='\\é'}").is_ok());
}

#[test]
fn an_error_of_syntax_shows_the_query() {
    assert_eq!(refused("sum(up"), r#"parse error: unclosed left parenthesis in "sum(up""#);
    assert_eq!(refused("up up"), r#"parse error: invalid promql query in "up up""#);
}

#[test]
fn long_and_deep_queries_are_refused() {
    let bytes = MAX_QUERY_BYTES + 1;
    assert_eq!(Query::parse(&"1".repeat(bytes)), Err(Error::TooLong { bytes, most: MAX_QUERY_BYTES }));
    let deep = Err(Error::TooDeep { most: MAX_DEPTH });
    let nested = |levels: usize| format!("{}up{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Query::parse(&nested(MAX_DEPTH - 1)).is_ok());
    assert_eq!(Query::parse(&nested(MAX_DEPTH)), deep);
    assert_eq!(Query::parse(&nested(MAX_QUERY_BYTES / 2 - 1)), deep);
    assert_eq!(Query::parse(&format!("{}up", "-".repeat(MAX_QUERY_BYTES - 2))), deep);
    assert_eq!(Query::parse(&format!("1{}", "+1".repeat(MAX_QUERY_BYTES / 2 - 1))), deep);
    assert_eq!(Query::parse(&format!("{}up{}", "sum(".repeat(800), ")".repeat(800))), deep);
}

#[test]
fn an_error_of_matching_names_the_samples() {
    let mut database = Database::default();
    for pod in ["a", "b"] {
        database.append(&labels("up", &[("app", "web"), ("pod", pod)]), 1_000, 1.0).unwrap();
    }
    database.append(&labels("limit", &[("app", "web")]), 1_000, 1.0).unwrap();
    let error = |query: &str| Query::parse(query).unwrap().at(&database, 1_000).unwrap_err().to_string();
    assert_eq!(
        error("limit / on (app) up"),
        "found duplicate series for the match group {app=\"web\"} on the right hand-side of the operation: \
         [{__name__=\"up\", app=\"web\", pod=\"b\"}, {__name__=\"up\", app=\"web\", pod=\"a\"}];\
         many-to-many matching not allowed: matching labels must be unique on one side"
    );
    assert_eq!(error("up / on (app) limit"), Error::ManyToOne.to_string());
    assert_eq!(error("up * on (app) group_left (pod) limit"), Error::Grouping.to_string());
    assert_eq!(
        error("label_replace(up, 'pod', 'x', '', '')"),
        "vector cannot contain metrics with the same labelset: {__name__=\"up\", app=\"web\", pod=\"x\"} occurs twice"
    );
    assert!(error("topk(NaN, up)").starts_with("scalar value NaN overflows int64"));
}

#[test]
fn the_queries_of_releases_are_answered() {
    let mut database = Database::default();
    for second in 0..=10 {
        let time_ms = 1_000 * second;
        for (code, each) in [("200", 9), ("503", 1)] {
            let value = f64::from(i32::try_from(second * each).unwrap());
            let requests = [("app", "web"), ("hash", "abc"), ("code", code)];
            database.append(&labels("http_requests_total", &requests), time_ms, value).unwrap();
            let class = [
                ("app", "wrk-tester"),
                ("envoy_cluster_name", "web"),
                ("envoy_response_code_class", code.get(..1).unwrap()),
            ];
            database.append(&labels("envoy_cluster_upstream_rq_xx", &class), time_ms, value).unwrap();
        }
    }
    let errors = r#"(sum(rate(http_requests_total{app="web",hash="abc",code=~"5.."}[5s])) or vector(0)) / sum(rate(http_requests_total{app="web",hash="abc"}[5s]))"#;
    let near = |values: &[f64], expected: f64| values.len() == 1 && (values[0] - expected).abs() < 1e-12;
    assert!(near(&ask(&database, errors, 10_000), 0.1));
    let success = "sum(irate(envoy_cluster_upstream_rq_xx{app=\"wrk-tester\",envoy_cluster_name=\"web\",\
                   envoy_response_code_class!~\"5.*\"}[5m])) /\n\
                   sum(irate(envoy_cluster_upstream_rq_xx{app=\"wrk-tester\",envoy_cluster_name=\"web\"}[5m]))\n";
    assert!(near(&ask(&database, success, 10_000), 0.9));
}

/// Pieces of queries, so that random ones get past the lexer.
const PIECES: [&str; 64] = [
    "up",
    "limit",
    "rate",
    "sum",
    "topk",
    "quantile",
    "histogram_quantile",
    "label_replace",
    "clamp",
    "absent",
    "time",
    "scalar",
    "vector",
    "(",
    ")",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "[5m]",
    "[5m:1s]",
    "[5m:]",
    "{a=\"b\"}",
    "{a=~\".*\"}",
    ",",
    ",",
    "=",
    "=~",
    "!~",
    "!=",
    "==",
    "<",
    "bool",
    "on",
    "ignoring",
    "group_left",
    "by",
    "without",
    "offset",
    "@",
    "and",
    "or",
    "unless",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "1",
    "0",
    "1e300",
    "Inf",
    "NaN",
    "5m",
    "1ms",
    "\"a\"",
    "'\\é'",
    "`",
    "#",
    "é",
    "0x",
];

proptest! {
    #[test]
    fn nothing_panics(pieces in prop::collection::vec((prop::sample::select(&PIECES[..]), any::<bool>()), 0..14)) {
        let mut database = Database::default();
        database.append(&labels("up", &[("a", "b")]), 1_000, 1.0).unwrap();
        let text: String = pieces.iter().map(|(piece, space)| format!("{piece}{}", if *space { " " } else { "" })).collect();
        if let Ok(query) = Query::parse(&text) {
            let _ = query.at(&database, 1_000);
            let _ = query.over(&database, 0, 2_000, 1_000);
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = Query::parse(&text);
        let _ = Query::parse(&format!("up{{a=\"{text}\"}}"));
        let _ = Query::parse(&format!("up[{text}]"));
    }
}
