//! What the server refuses: each refusal is shown, so that what it lets through is known to be good.

use crate::server::{Answer, Key, Server, heard, signature};
use crate::setting::{KEY_ID, REGION, SECRET, account, begin, group_arn, met};
use aws::http::Request;
use aws::query;
use aws::sigv4::sign;
use aws::{Credentials, Region, Source};
use chrono::TimeDelta;

const URL: &str = "https://elasticloadbalancing.eu-central-1.amazonaws.com/";

fn keys() -> Credentials {
    Credentials {
        access_key_id: KEY_ID.to_owned(),
        secret_access_key: SECRET.to_owned(),
        session_token: None,
        expires: None,
        source: Source::Environment,
    }
}

fn server() -> Server {
    met(account(Vec::new())).0
}

fn action(name: &'static str) -> query::Request {
    query::Request::new(name, "2015-12-01")
}

fn signed(request: &query::Request, credentials: &Credentials) -> Request {
    let mut request = request.to_http(URL.to_owned());
    sign(&mut request, credentials, "elasticloadbalancing", &Region::new(REGION).unwrap(), begin()).unwrap();
    request
}

fn answer(server: &Server, request: &Request) -> Answer {
    server.answer(&heard(request)).unwrap()
}

/// The code of a refusal.
#[track_caller]
fn refused(server: &Server, request: &Request) -> String {
    let answer = answer(server, request);
    assert_ne!(answer.status, 200, "{}", answer.body);
    let (_, rest) = answer.body.split_once("<Code>").unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_good_request_is_answered() {
    assert_eq!(answer(&server(), &signed(&action("DescribeLoadBalancers"), &keys())).status, 200);
}

#[tokio::test]
async fn a_broken_secret_is_seen() {
    let broken = Credentials { secret_access_key: SECRET.to_lowercase(), ..keys() };
    assert_eq!(
        refused(&server(), &signed(&action("DescribeLoadBalancers"), &broken)),
        "SignatureDoesNotMatch"
    );
    let unknown = Credentials { access_key_id: "AKIDOTHER".to_owned(), ..keys() };
    assert_eq!(
        refused(&server(), &signed(&action("DescribeLoadBalancers"), &unknown)),
        "InvalidClientTokenId"
    );
}

#[tokio::test]
async fn what_was_signed_cannot_be_changed() {
    let good = signed(&action("DescribeLoadBalancers").with("PageSize", "10"), &keys());
    let change = |with: &dyn Fn(&mut Request)| {
        let mut changed = good.clone();
        with(&mut changed);
        refused(&server(), &changed)
    };
    assert_eq!(change(&|request| request.body = request.body.replace("10", "11")), "SignatureDoesNotMatch");
    assert_eq!(change(&|request| request.url.push_str("?a=b")), "SignatureDoesNotMatch");
    assert_eq!(change(&|request| request.url = request.url.replace("1.", "1.x.")), "SignatureDoesNotMatch");
    assert_eq!(change(&|request| request.method = "PUT"), "SignatureDoesNotMatch");
    assert_eq!(change(&|request| request.headers[0].1 = "text/plain".to_owned()), "SignatureDoesNotMatch");
    assert_eq!(change(&|request| request.headers.clear()), "MissingAuthenticationToken");
    let unsigned = ("x-amz-target".to_owned(), "x".to_owned());
    assert_eq!(change(&|request| request.headers.push(unsigned.clone())), "SignatureDoesNotMatch");
    let no_date = |request: &mut Request| request.headers.retain(|(name, _)| name != "x-amz-date");
    assert_eq!(change(&no_date), "IncompleteSignature");
}

#[tokio::test]
async fn a_signature_is_good_for_one_region_service_and_time() {
    let mut request = action("DescribeLoadBalancers").to_http(URL.to_owned());
    let bare = request.clone();
    sign(&mut request, &keys(), "elasticloadbalancing", &Region::new("us-east-1").unwrap(), begin()).unwrap();
    assert_eq!(refused(&server(), &request), "SignatureDoesNotMatch");
    request = bare.clone();
    sign(&mut request, &keys(), "sts", &Region::new(REGION).unwrap(), begin()).unwrap();
    assert_eq!(refused(&server(), &request), "SignatureDoesNotMatch");
    for minutes in [-6, 6] {
        request = bare.clone();
        let time = begin() + TimeDelta::minutes(minutes);
        sign(&mut request, &keys(), "elasticloadbalancing", &Region::new(REGION).unwrap(), time).unwrap();
        assert_eq!(refused(&server(), &request), "SignatureDoesNotMatch", "{minutes} minutes");
    }
}

#[tokio::test]
async fn lent_keys_need_their_token_and_expire() {
    let server = server();
    let lent = Key {
        secret: SECRET.to_owned(),
        token: Some("a/b+c==".to_owned()),
        expires: Some(begin() + TimeDelta::hours(1)),
    };
    server.knows("ASIALENT", lent.clone());
    let mut credentials = Credentials { access_key_id: "ASIALENT".to_owned(), ..keys() };
    let ask = action("DescribeLoadBalancers");
    assert_eq!(refused(&server, &signed(&ask, &credentials)), "InvalidClientTokenId");
    credentials.session_token = lent.token.clone();
    assert_eq!(answer(&server, &signed(&ask, &credentials)).status, 200);
    let mut request = signed(&ask, &credentials);
    for (_, value) in request.headers.iter_mut().filter(|(name, _)| name == "authorization") {
        *value = value.replace(";x-amz-security-token", "");
    }
    assert_eq!(refused(&server, &request), "SignatureDoesNotMatch", "the token must be signed");
    server.knows("ASIALENT", Key { expires: Some(begin()), ..lent });
    assert_eq!(refused(&server, &signed(&ask, &credentials)), "ExpiredToken");
}

#[tokio::test]
async fn what_is_not_documented_is_refused() {
    let arns = |count: usize| vec![group_arn("stable"); count];
    for (request, code) in [
        (action("DescribeEverything"), "InvalidAction"),
        (query::Request::new("DescribeLoadBalancers", "2012-06-01"), "NoSuchVersion"),
        (action("DescribeLoadBalancers").with("Sort", "yes"), "ValidationError"),
        (action("DescribeLoadBalancers").with("PageSize", "401"), "ValidationError"),
        (action("DescribeLoadBalancers").with("PageSize", "0"), "ValidationError"),
        (action("DescribeLoadBalancers").with("Marker", "Rules+/=1"), "ValidationError"),
        (action("DescribeTags").with("PageSize", "10"), "ValidationError"),
        (action("DescribeTags"), "ValidationError"),
        (action("DescribeTags").with_list("ResourceArns", &arns(21)), "ValidationError"),
        (action("DescribeTargetHealth").with("TargetGroupArn", "arn:x"), "TargetGroupNotFound"),
    ] {
        assert_eq!(refused(&server(), &signed(&request, &keys())), code, "{request:?}");
    }
    let most = action("DescribeTags").with_list("ResourceArns", &arns(20));
    assert_eq!(answer(&server(), &signed(&most, &keys())).status, 200);
    let mut text = action("DescribeLoadBalancers").to_http(URL.to_owned());
    text.headers[0].1 = "text/plain".to_owned();
    sign(&mut text, &keys(), "elasticloadbalancing", &Region::new(REGION).unwrap(), begin()).unwrap();
    assert_eq!(refused(&server(), &text), "MalformedInput");
}

#[tokio::test]
async fn both_implementations_agree_on_odd_requests() {
    let server = server();
    let lent = Key { secret: "a/+ b".to_owned(), token: Some("t/+==".to_owned()), expires: None };
    server.knows("ASIAODD", lent.clone());
    let credentials = Credentials {
        access_key_id: "ASIAODD".to_owned(),
        secret_access_key: lent.secret,
        session_token: lent.token,
        ..keys()
    };
    let keys = server.state().keys.clone();
    for (method, url, header, body) in [
        ("GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", "x", ""),
        ("GET", "https://example.amazonaws.com", "x", ""),
        ("GET", "https://example.amazonaws.com/a%20b/c~d/?b=2&a=1&a=0&empty=&A=x%2Fy%3D", "  a   b ", ""),
        ("POST", "http://127.0.0.1:8080/x", "a,b", "ä=ö&b=\u{0}"),
        ("PUT", "http://example.com:80/", "\"q  q\"", "body"),
    ] {
        let mut request = action("X").to_http(url.to_owned());
        request.method = method;
        request.headers.push(("X-Odd".to_owned(), header.to_owned()));
        request.body = body.to_owned();
        sign(&mut request, &credentials, "service", &Region::new("us-east-1").unwrap(), begin()).unwrap();
        let checked = signature::check(&heard(&request), &keys, ("service", "us-east-1"), begin());
        assert_eq!(checked, Ok(()), "{method} {url}");
    }
}
