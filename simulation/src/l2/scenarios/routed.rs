//! Canaries behind routers, with clients on the route. Routers are late, and the settle time covers it.

use super::super::scenario::{Deed, End, Scenario, When};
use super::super::weather::{Manners, Mishap};
use super::{AT_FIRST_PAUSE, DONE, NEWEST_AT_FIRST_PAUSE, rollout, secs, service};
use serde_json::{Value, json};
use std::time::Duration;

/// How late routers are where the settle time is the usual one, of five seconds.
const LATE: u8 = 3;
/// How late a very late router is, and the settle time that covers it.
const VERY_LATE: u8 = 30;
const LONG_SETTLE: &str = "35s";

const DEGRADED: End = End::Is("degraded", |web| web.phase() == "Degraded");
const HEALTHY: End = End::Is("healthy", |web| web.is_done());

/// Long enough after a weight that the stable version has given up what it does not need.
const SHRUNK: When = When::After(Duration::from_secs(12));

/// A router: what the Rollout says of it, and its objects.
struct Router {
    routing: Value,
    objects: Vec<Value>,
}

fn object(version: &str, kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec": spec})
}

fn gateway(stable: &str, canary: &str) -> Router {
    let backend = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
    let rules = json!([{"backendRefs": [backend(stable, 100), backend(canary, 0)]}]);
    let spec = json!({"parentRefs": [{"name": "gateway"}], "rules": rules});
    Router {
        routing: json!({"gatewayAPI": {"httpRoute": "web"}}),
        objects: vec![object("gateway.networking.k8s.io/v1", "HTTPRoute", &spec)],
    }
}

const HTTP_ROUTE: (&str, &str) = ("gateway.networking.k8s.io/v1", "HTTPRoute");
/// The label by which routes are found.
const TEAM: (&str, &str) = ("team", "shop");
/// A second route beside `web`.
const SECOND: &str = "second";

/// Routes that are found by their labels: `web`, and a second one where it has the label.
fn labelled(second: bool) -> Router {
    let backend = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
    let route = |name: &str, labels: Value| {
        let rules = json!([{"backendRefs": [backend("stable", 100), backend("canary", 0)]}]);
        json!({"apiVersion": HTTP_ROUTE.0, "kind": HTTP_ROUTE.1, "metadata": {"name": name, "labels": labels},
            "spec": {"parentRefs": [{"name": "gateway"}], "rules": rules}})
    };
    let label = json!({TEAM.0: TEAM.1});
    let beside = if second { label.clone() } else { json!({}) };
    Router {
        routing: json!({"gatewayAPI": {"httpRouteSelector": {"matchLabels": label.clone()}}}),
        objects: vec![route("web", label), route(SECOND, beside)],
    }
}

/// The second route gets the label, or loses it.
fn label_second(has: bool) -> Deed {
    Deed::Label(HTTP_ROUTE.0, HTTP_ROUTE.1, SECOND, (TEAM.0, has.then_some(TEAM.1)))
}

fn traefik() -> Router {
    let entry = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
    let spec = json!({"weighted": {"services": [entry("stable", 100), entry("canary", 0)]}});
    Router {
        routing: json!({"traefik": {"weightedTraefikServiceName": "web"}}),
        objects: vec![object("traefik.io/v1alpha1", "TraefikService", &spec)],
    }
}

fn istio() -> Router {
    let to = |host: &str, weight: u8| json!({"destination": {"host": host}, "weight": weight});
    let http = json!([{"name": "primary", "route": [to("stable", 100), to("canary", 0)]}]);
    let spec = json!({"hosts": ["web.example"], "gateways": ["gateway"], "http": http});
    Router {
        routing: json!({"istio": {"virtualService": {"name": "web", "routes": ["primary"]}}}),
        objects: vec![object("networking.istio.io/v1alpha3", "VirtualService", &spec)],
    }
}

fn nginx() -> Router {
    let backend = json!({"service": {"name": "stable", "port": {"number": 80}}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    let spec =
        json!({"ingressClassName": "nginx", "rules": [{"host": "web.example", "http": {"paths": [path]}}]});
    Router {
        routing: json!({"nginx": {"stableIngress": "web"}}),
        objects: vec![object("networking.k8s.io/v1", "Ingress", &spec)],
    }
}

fn http_route() -> Router {
    gateway("stable", "canary")
}

/// A canary behind a router.
struct Play {
    name: &'static str,
    shows: &'static str,
    router: Router,
    replicas: i64,
    steps: Value,
    /// More fields of the strategy.
    more: Value,
    lag: u8,
}

impl Play {
    fn new(name: &'static str, shows: &'static str, router: Router) -> Self {
        let steps = json!([{"setWeight": 50}, {"pause": {}}]);
        Self { name, shows, router, replicas: 2, steps, more: json!({}), lag: LATE }
    }

    fn with(mut self, more: Value) -> Self {
        self.more = more;
        self
    }

    /// With a second weight and pause.
    fn in_two_steps(mut self) -> Self {
        self.steps = json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]);
        self
    }

    fn of(mut self, replicas: i64) -> Self {
        self.replicas = replicas;
        self
    }

    fn very_late(mut self) -> Self {
        self.lag = VERY_LATE;
        self
    }

    fn scenario(self) -> Scenario {
        let mut strategy = json!({
            "stableService": "stable", "canaryService": "canary", "maxSurge": 1, "maxUnavailable": 0,
            "trafficRouting": self.router.routing, "steps": self.steps,
        });
        if let (Some(map), Some(more)) = (strategy.as_object_mut(), self.more.as_object()) {
            map.extend(more.clone());
            map.retain(|_, value| !value.is_null());
        }
        let mut web = rollout(self.replicas, &json!({"canary": strategy}));
        if self.lag > LATE
            && let Some(metadata) = web.pointer_mut("/metadata").and_then(Value::as_object_mut)
        {
            metadata.insert("annotations".to_owned(), json!({"stepgate.dev/traffic-settle": LONG_SETTLE}));
        }
        let mut objects = vec![service("stable"), service("canary")];
        objects.extend(self.router.objects);
        objects.push(web);
        Scenario::new(self.name, self.shows, objects).amid(Mishap::Routers(self.lag))
    }
}

/// A scenario that begins with a second version, once the first one is there.
fn release(play: Play) -> Scenario {
    play.scenario().then(DONE, Deed::Image("v2"))
}

pub(super) fn all() -> Vec<Scenario> {
    let mut all = ends();
    all.extend(ways_back());
    all.extend(sizes());
    all.extend(found());
    all.extend(exchanged());
    all
}

/// Releases that come to their end, with each router.
fn ends() -> Vec<Scenario> {
    let promoted = |play| release(play).then(AT_FIRST_PAUSE, Deed::Promote).ends(HEALTHY, "v2");
    let took_weights = Deed::Befalls(Mishap::Sync(Manners::Weights, 20));
    vec![
        promoted(Play::new("routed", "a canary behind an HTTPRoute", http_route())),
        promoted(Play::new("routed-late", "a router that is half a minute late", http_route()).very_late()),
        promoted(Play::new("routed-traefik", "a canary behind a TraefikService", traefik())),
        promoted(Play::new("routed-istio", "a canary behind a VirtualService", istio())),
        promoted(Play::new("routed-nginx", "a canary behind an Ingress", nginx())),
        release(
            Play::new(
                "routed-full",
                "a full promotion leaves the weight until the pods are there",
                http_route(),
            )
            .of(3),
        )
        .then(AT_FIRST_PAUSE, Deed::PromoteFull)
        .ends(HEALTHY, "v2"),
        release(Play::new("routed-syncer", "a syncer takes weights back", http_route()))
            .then(AT_FIRST_PAUSE, took_weights)
            .then(secs(8), Deed::Promote)
            .ends(HEALTHY, "v2"),
        release(Play::new(
            "routed-stable-deleted",
            "somebody deletes the ReplicaSet of the stable version in flight",
            istio(),
        ))
        .then(AT_FIRST_PAUSE, Deed::Delete("apps/v1", "ReplicaSet", super::narrow::set_of("v1")))
        .then(secs(20), Deed::Promote)
        .ends(HEALTHY, "v2"),
    ]
}

/// Updates that are not carried through.
fn ways_back() -> Vec<Scenario> {
    let aborted = |play| release(play).then(AT_FIRST_PAUSE, Deed::Abort).ends(DEGRADED, "v1");
    vec![
        aborted(
            Play::new("routed-aborted", "an abort takes the weight back before the pods go", http_route())
                .of(4),
        ),
        aborted(
            Play::new("routed-abort-delay", "an aborted version keeps its pods for its delay", nginx())
                .with(json!({"abortScaleDownDelaySeconds": 5})),
        ),
        release(Play::new("routed-superseded", "a third version while the second has weight", http_route()))
            .then(AT_FIRST_PAUSE, Deed::Image("v3"))
            .then(NEWEST_AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(HEALTHY, "v3"),
        release(Play::new(
            "routed-rolled-back",
            "back to the stable version while the new one has weight",
            traefik(),
        ))
        .then(AT_FIRST_PAUSE, Deed::Image("v1"))
        .ends(HEALTHY, "v1"),
    ]
}

/// Behind a route between two Services that take turns, and behind a service mesh between two others.
fn two_pairs(name: &'static str, shows: &'static str) -> Scenario {
    let (mut both, named) = (gateway("pong", "ping"), istio());
    if let (Some(routing), Some(more)) = (both.routing.as_object_mut(), named.routing.as_object()) {
        routing.extend(more.clone());
    }
    both.objects.extend(named.objects);
    let more =
        json!({"pingPong": {"pingService": "ping", "pongService": "pong"}, "dynamicStableScale": true});
    let mut scenario = release(Play::new(name, shows, both).of(4).with(more));
    scenario.objects.splice(0..0, [service("ping"), service("pong")]);
    scenario
}

/// Versions that shrink and grow with their weights, and Services that take turns.
fn sizes() -> Vec<Scenario> {
    let shrinking =
        |name, shows| Play::new(name, shows, http_route()).of(4).with(json!({"dynamicStableScale": true}));
    let pair = json!({
        "pingPong": {"pingService": "ping", "pongService": "pong"}, "stableService": null, "canaryService": null,
    });
    let mut turns =
        release(Play::new("routed-ping-pong", "two Services take turns", gateway("pong", "ping")).with(pair));
    for (name, object) in ["ping", "pong"].into_iter().zip(turns.objects.iter_mut()) {
        *object = service(name);
    }
    vec![
        two_pairs("routed-two-pairs", "two Services take turns, and two others are named")
            .then(AT_FIRST_PAUSE, Deed::Image("v3"))
            .then(NEWEST_AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(HEALTHY, "v3"),
        two_pairs("routed-two-pairs-again", "a third version as soon as the second is stable by both pairs")
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .then(When::Is("v2 is stable", |web| web.is_done() && web.is_newest()), Deed::Image("v3"))
            .then(NEWEST_AT_FIRST_PAUSE, Deed::Promote)
            .ends(HEALTHY, "v3"),
        release(shrinking("routed-dynamic", "the stable version shrinks as its weight does").in_two_steps())
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .then(When::Is("half way", |web| web.is_paused_at(3)), Deed::Promote)
            .ends(HEALTHY, "v2"),
        release(shrinking("routed-dynamic-aborted", "a stable version that has shrunk comes back"))
            .then(AT_FIRST_PAUSE, Deed::Nature(|_| {}))
            .then(SHRUNK, Deed::Abort)
            .ends(DEGRADED, "v1"),
        release(shrinking("routed-dynamic-superseded", "a third version while the stable one has shrunk"))
            .then(AT_FIRST_PAUSE, Deed::Nature(|_| {}))
            .then(SHRUNK, Deed::Image("v3"))
            .then(NEWEST_AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(HEALTHY, "v3"),
        release(
            Play::new("routed-scaled", "the scale changes while two versions have weight", istio()).of(4),
        )
        .then(AT_FIRST_PAUSE, Deed::Scale(2))
        .then(secs(10), Deed::Scale(3))
        .then(secs(10), Deed::Promote)
        .ends(HEALTHY, "v2"),
        turns
            .then(AT_FIRST_PAUSE, Deed::Promote)
            .then(When::Is("v2 is stable", |web| web.is_done() && web.is_newest()), Deed::Image("v3"))
            .then(NEWEST_AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(HEALTHY, "v3"),
    ]
}

/// Routes that are found by their labels, and one that has them for a part of an update only.
fn found() -> Vec<Scenario> {
    let joins = |name, shows| release(Play::new(name, shows, labelled(false)));
    let leaves = |name, shows| release(Play::new(name, shows, labelled(true)));
    vec![
        joins("routed-labels-join", "a route gets the labels while two versions have weight")
            .then(AT_FIRST_PAUSE, label_second(true))
            .then(secs(10), Deed::Promote)
            .ends(HEALTHY, "v2"),
        joins("routed-labels-join-aborted", "a route gets the labels in the moment of an abort")
            .then(AT_FIRST_PAUSE, label_second(true))
            .then(secs(1), Deed::Abort)
            .ends(DEGRADED, "v1"),
        leaves("routed-labels-leave", "a route loses the labels while two versions have weight")
            .then(AT_FIRST_PAUSE, label_second(false))
            .then(secs(10), Deed::Promote)
            .ends(HEALTHY, "v2"),
        leaves("routed-labels-leave-aborted", "a route loses the labels in the moment of an abort")
            .then(AT_FIRST_PAUSE, label_second(false))
            .then(secs(1), Deed::Abort)
            .ends(DEGRADED, "v1"),
        leaves(
            "routed-labels-come-back",
            "a route loses the labels and gets them again, with a third version",
        )
        .then(AT_FIRST_PAUSE, label_second(false))
        .then(secs(2), Deed::Image("v3"))
        .then(NEWEST_AT_FIRST_PAUSE, label_second(true))
        .then(secs(5), Deed::PromoteFull)
        .ends(HEALTHY, "v3"),
    ]
}

/// A router that is exchanged for another while two versions have weight. `[traffic.left]`
fn exchanged() -> Vec<Scenario> {
    let exchanged = |name, shows| {
        let mut play = Play::new(name, shows, traefik());
        play.router.objects.extend(http_route().objects);
        release(play).then(AT_FIRST_PAUSE, Deed::Routing(http_route().routing))
    };
    vec![
        exchanged("routed-exchanged", "another router takes over while two versions have weight")
            .then(secs(12), Deed::Promote)
            .ends(HEALTHY, "v2"),
        exchanged("routed-exchanged-aborted", "another router takes over in the moment of an abort")
            .then(secs(1), Deed::Abort)
            .ends(DEGRADED, "v1"),
        exchanged("routed-exchanged-back", "a router is exchanged and comes back, with a third version")
            .then(secs(1), Deed::Routing(traefik().routing))
            .then(secs(1), Deed::Image("v3"))
            .then(NEWEST_AT_FIRST_PAUSE, Deed::PromoteFull)
            .ends(HEALTHY, "v3"),
    ]
}
