//! Each source of credentials, the order of the sources, and the region.

use crate::server::elbv2::Account;
use crate::server::{Agent, Instance, Issuer, Server};
use crate::setting::{DNS_NAME, KEY_ID, REGION, SECRET, Settings, account, begin};
use aws::{Chain, Client, Credentials, Source};
use chrono::TimeDelta;
use std::sync::Arc;

const ROLE: &str = "arn:aws:iam::123456789012:role/stepgate";
const TOKEN_PATH: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";

fn server() -> Server {
    Server::new(begin(), account(Vec::new()))
}

fn issuer() -> Issuer {
    Issuer {
        region: REGION,
        role_arn: ROLE.to_owned(),
        token: "eyJ.a+b/c.d==".to_owned(),
        lends_for: TimeDelta::hours(1),
        faults: [].into(),
    }
}

fn agent() -> Agent {
    let path = "/v1/credentials";
    let token = Some("agent-token".to_owned());
    Agent { host: "169.254.170.23", path, token, lends_for: TimeDelta::hours(6) }
}

fn instance() -> Instance {
    Instance {
        host: "169.254.169.254",
        role: Some("node-role"),
        region: "eu-west-3",
        lends_for: TimeDelta::hours(6),
    }
}

fn web_identity() -> Arc<Settings> {
    let settings = Settings::new(&[
        ("AWS_REGION", REGION),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", TOKEN_PATH),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    settings.write(TOKEN_PATH, "eyJ.a+b/c.d==\n");
    settings
}

async fn load(settings: &Arc<Settings>, server: &Server) -> Result<Credentials, String> {
    let chain = Chain::new(settings.clone(), server.executor());
    chain.credentials(server.now()).await.map_err(|error| error.to_string())
}

/// The credentials are taken by the server, too.
async fn are_taken(settings: &Arc<Settings>, server: &Server) {
    let client = Client::new(settings.clone(), server.executor());
    assert!(client.load_balancer(DNS_NAME, server.now()).await.unwrap().is_some());
}

#[tokio::test]
async fn keys_of_the_environment_stay() {
    let settings = Settings::with_keys();
    let found = load(&settings, &server()).await.unwrap();
    assert_eq!((found.access_key_id.as_str(), found.secret_access_key.as_str()), (KEY_ID, SECRET));
    assert_eq!((found.session_token, found.expires, found.source), (None, None, Source::Environment));
    settings.set("AWS_SESSION_TOKEN", "t");
    let found = load(&settings, &server()).await.unwrap();
    assert_eq!(found.session_token.as_deref(), Some("t"));
    let shown = format!("{found:?}");
    assert!(shown.contains(KEY_ID) && !shown.contains(SECRET) && !shown.contains("\"t\""), "{shown}");
}

#[tokio::test]
async fn a_web_identity_is_exchanged_in_the_region() {
    let (settings, server) = (web_identity(), server());
    server.state().issuer = Some(issuer());
    let found = load(&settings, &server).await.unwrap();
    assert_eq!((found.source, found.access_key_id.as_str()), (Source::WebIdentity, "ASIA1"));
    assert_eq!(found.session_token.as_deref(), Some("token==1"));
    assert_eq!(found.expires.unwrap(), begin() + TimeDelta::hours(1));
    let heard = server.heard("sts.");
    assert_eq!(heard[0].host, "sts.eu-central-1.amazonaws.com");
    assert!(heard[0].body.contains("RoleSessionName=stepgate"), "{}", heard[0].body);
    settings.set("AWS_ROLE_SESSION_NAME", "mine");
    are_taken(&settings, &server).await;
    assert!(server.heard("sts.")[1].body.contains("RoleSessionName=mine"));
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_fails_is_told_and_asked_again_where_that_helps() {
    let (settings, server) = (web_identity(), server());
    let mut failing = issuer();
    failing.faults = [(400, "IDPCommunicationError"), (400, "Throttling"), (500, "InternalFailure")].into();
    server.state().issuer = Some(failing);
    assert!(load(&settings, &server).await.is_ok());
    assert_eq!(server.heard("sts.").len(), 4);

    settings.set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/other");
    let error = load(&settings, &server).await.unwrap_err();
    assert!(
        error.contains(
            "; web identity: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
        ),
        "{error}"
    );
    assert_eq!(server.heard("sts.").len(), 5, "a refusal is asked once");
    settings.write(TOKEN_PATH, "\n");
    let error = load(&settings, &server).await.unwrap_err();
    assert!(error.contains(&format!("{TOKEN_PATH} of AWS_WEB_IDENTITY_TOKEN_FILE is empty")), "{error}");
}

#[tokio::test]
async fn a_web_identity_asks_the_instance_for_the_region() {
    let (settings, server) = (web_identity(), server());
    settings.set("AWS_REGION", "");
    settings.set("AWS_EC2_METADATA_DISABLED", "false");
    server.state().issuer = Some(Issuer { region: "eu-west-3", ..issuer() });
    server.state().instance = Some(instance());
    let found = load(&settings, &server).await.unwrap();
    assert_eq!(found.source, Source::WebIdentity);
    assert_eq!(server.heard("sts.")[0].host, "sts.eu-west-3.amazonaws.com");
}

#[tokio::test]
async fn the_agent_of_pod_identity_lends() {
    let server = server();
    server.state().agent = Some(agent());
    let settings = Settings::new(&[
        ("AWS_REGION", REGION),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"),
        // The file goes first.
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "stale"),
    ]);
    settings.write("/token", "agent-token\n");
    let found = load(&settings, &server).await.unwrap();
    assert_eq!((found.source, found.session_token.as_deref()), (Source::Container, Some("token==1")));
    are_taken(&settings, &server).await;

    settings.write("/token", "another");
    let error = load(&settings, &server).await.unwrap_err();
    assert!(
        error.contains("container: the agent answered 401 AccessDenied the token is not taken"),
        "{error}"
    );
    settings.write("/token", "a\nX-Other: b");
    let error = load(&settings, &server).await.unwrap_err();
    assert!(
        error.contains("/token of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE has more than one line"),
        "{error}"
    );
}

#[tokio::test]
async fn the_agent_of_ecs_lends() {
    let server = server();
    server.state().agent = Some(Agent { host: "169.254.170.2", path: "/v2/1", token: None, ..agent() });
    let settings = Settings::new(&[
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/1"),
        // The relative one goes first.
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
    ]);
    assert_eq!(load(&settings, &server).await.unwrap().source, Source::Container);
    settings.set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ".evil.com/");
    let error = load(&settings, &server).await.unwrap_err();
    assert!(error.contains("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /"), "{error}");
}

#[tokio::test]
async fn no_token_is_sent_to_a_far_host_without_tls() {
    let server = server();
    let settings = Settings::new(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://evil.com/"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent-token"),
    ]);
    let error = load(&settings, &server).await.unwrap_err();
    assert!(
        error.contains("container: AWS_CONTAINER_CREDENTIALS_FULL_URI names evil.com: without TLS"),
        "{error}"
    );
    assert!(server.heard("evil").is_empty());
}

#[tokio::test]
async fn the_role_of_the_instance_lends() {
    let server = server();
    server.state().instance = Some(instance());
    let settings = Settings::new(&[("AWS_REGION", REGION)]);
    let found = load(&settings, &server).await.unwrap();
    assert_eq!(
        (found.source, found.expires),
        (Source::InstanceMetadata, Some(begin() + TimeDelta::hours(6)))
    );
    assert_eq!(server.heard("169.254.169.254").len(), 3, "a token, the role, its credentials");
    are_taken(&settings, &server).await;

    server.state().instance = Some(Instance { role: None, ..instance() });
    let error = load(&settings, &server).await.unwrap_err();
    assert!(error.contains("security-credentials/ answered 404"), "{error}");
    settings.set("AWS_EC2_METADATA_DISABLED", "TRUE");
    let asked = server.heard("169.254.169.254").len();
    let error = load(&settings, &server).await.unwrap_err();
    assert!(error.ends_with("instance metadata: AWS_EC2_METADATA_DISABLED is true"), "{error}");
    assert_eq!(server.heard("169.254.169.254").len(), asked, "what is switched off is not asked");
}

#[tokio::test]
async fn the_instance_can_be_elsewhere() {
    for (name, value) in [
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://[fd00:ec2::254]/"),
    ] {
        let server = server();
        server.state().instance = Some(Instance { host: "[fd00:ec2::254]", ..instance() });
        let found = load(&Settings::new(&[(name, value)]), &server).await.unwrap();
        assert_eq!(found.source, Source::InstanceMetadata, "{name}");
    }
}

#[tokio::test]
async fn all_sources_are_named_where_none_gives() {
    let error = load(&Settings::new(&[]), &server()).await.unwrap_err();
    assert_eq!(
        error,
        "no AWS credentials: environment: AWS_ACCESS_KEY_ID is not set; \
         web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set; \
         container: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set; \
         instance metadata: no route to host"
    );
    let half = Settings::new(&[("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")]);
    let chain = Chain::new(half, server().executor());
    let errors = chain.credentials(begin()).await.unwrap_err().0;
    assert_eq!(errors[0].to_string(), "environment: AWS_SECRET_ACCESS_KEY is not set");
    assert_eq!(errors[1].to_string(), "web identity: AWS_ROLE_ARN is not set");
    let set_up: Vec<bool> = errors.iter().map(|error| error.is_set_up).collect();
    assert_eq!(set_up, [true, true, false, true]);
}

#[tokio::test]
async fn the_first_source_that_gives_counts() {
    let (settings, server) = (web_identity(), server());
    settings.set("AWS_EC2_METADATA_DISABLED", "false");
    settings.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials");
    settings.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent-token");
    server.state().instance = Some(instance());
    let mut order = Vec::new();
    order.push(load(&settings, &server).await.unwrap().source);
    server.state().agent = Some(agent());
    order.push(load(&settings, &server).await.unwrap().source);
    server.state().issuer = Some(issuer());
    order.push(load(&settings, &server).await.unwrap().source);
    settings.set("AWS_ACCESS_KEY_ID", KEY_ID);
    settings.set("AWS_SECRET_ACCESS_KEY", SECRET);
    order.push(load(&settings, &server).await.unwrap().source);
    assert_eq!(
        order,
        [Source::InstanceMetadata, Source::Container, Source::WebIdentity, Source::Environment]
    );
}

#[tokio::test]
async fn the_region_comes_from_the_environment_else_from_the_instance() {
    let server = Server::new(begin(), Account::default());
    let settings = Settings::new(&[("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_REGION", "us-east-2")]);
    let chain = Chain::new(settings.clone(), server.executor());
    assert_eq!(chain.region().await.unwrap().name(), "us-east-1");
    settings.set("AWS_REGION", " ");
    assert_eq!(chain.region().await.unwrap().name(), "us-east-2");
    settings.set("AWS_DEFAULT_REGION", "us.evil.com/");
    let error = chain.region().await.unwrap_err().to_string();
    assert_eq!(error, "no AWS region: set AWS_REGION (\"us.evil.com/\" is not the name of a region)");
    settings.set("AWS_DEFAULT_REGION", "");
    let error = chain.region().await.unwrap_err().to_string();
    assert_eq!(error, "no AWS region: set AWS_REGION (instance metadata: no route to host)");
    server.state().instance = Some(instance());
    assert_eq!(chain.region().await.unwrap().name(), "eu-west-3");
    assert_eq!(chain.region().await.unwrap().name(), "eu-west-3");
    assert_eq!(
        server.heard("169.254.169.254").len(),
        3,
        "one that failed, then a token and the region, once"
    );
}
