//! A load balancer of AWS that hears of pods and weights late, and is asked which pods it knows. At each moment it has a
//! target to send requests to, and no target that is gone. `[traffic.registered]`

use super::balancers::{Balancer, answered, group, provision};
use super::*;
use aws::Client as Aws;
use sandbox::Cluster;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How long the AWS Load Balancer Controller takes to tell the load balancer what has changed, in seconds: longer than
/// the settle time.
const LATE: u64 = 25;
/// How long the first health checks of a target take, in seconds.
const CHECKS: u64 = 15;
/// For how long a target drains, in seconds.
const DRAINS: u64 = 60;
/// The port of the pods.
const PORT: u16 = 8080;

/// A target: since when it is registered, or drains.
#[derive(Clone, Copy, Debug)]
enum Target {
    Registered(u64),
    Draining(u64),
}

/// What the load balancer is to do, as it was told: addresses of pods by target group, and the canary's weight.
type Told = (BTreeMap<String, BTreeSet<String>>, u32);

#[derive(Default)]
struct State {
    second: u64,
    told: VecDeque<Told>,
    groups: BTreeMap<String, BTreeMap<String, Target>>,
    weight: u32,
}

/// The load balancer with its target groups.
struct Elb {
    cluster: Cluster,
    balancer: Balancer,
    state: Mutex<State>,
    fails: AtomicBool,
    asked: AtomicUsize,
}

impl Elb {
    fn over(house: &House) -> Arc<Self> {
        Arc::new(Self {
            cluster: house.cluster.clone(),
            balancer: Balancer::default(),
            state: Mutex::default(),
            fails: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
        })
    }

    fn client(self: &Arc<Self>) -> Arc<Aws> {
        let elb = self.clone();
        answered(move |action, form| elb.answer(action, form))
    }

    fn answer(&self, action: &str, form: &str) -> Result<String, &'static str> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.fails.load(Ordering::Relaxed) {
            return Err("AccessDenied");
        }
        if action != "DescribeTargetHealth" {
            return Ok(self.balancer.answer(action));
        }
        let arn = form.split('&').find_map(|pair| pair.strip_prefix("TargetGroupArn=")).unwrap();
        let arn = arn.replace("%3A", ":").replace("%2F", "/");
        let state = self.state.lock().unwrap();
        let (_, targets) =
            state.groups.iter().find(|(name, _)| group(name) == arn).ok_or("TargetGroupNotFound")?;
        let described = targets.iter().map(|(ip, target)| {
            let state = match target {
                Target::Draining(_) => "draining",
                Target::Registered(since) if state.second < since + CHECKS => "initial",
                Target::Registered(_) => "healthy",
            };
            format!(
                "<member><Target><Id>{ip}</Id><Port>{PORT}</Port></Target><TargetHealth><State>{state}</State>\
                 </TargetHealth></member>"
            )
        });
        let described: String = described.collect();
        Ok(format!("<TargetHealthDescriptions>{described}</TargetHealthDescriptions>"))
    }

    /// Ready pods that stay, by address, with their labels.
    fn pods(&self) -> BTreeMap<String, Value> {
        let is_ready = |pod: &Value| {
            let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
                && pod["metadata"]["deletionTimestamp"].is_null()
        };
        let pods = self.cluster.objects("v1", "Pod", NAMESPACE).into_iter().filter(is_ready);
        pods.map(|pod| (pod["status"]["podIP"].as_str().unwrap().to_owned(), pod)).collect()
    }

    /// What the cluster says now.
    fn wanted(&self, pods: &BTreeMap<String, Value>) -> Told {
        let bindings = self.cluster.objects("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", NAMESPACE);
        let of_binding = |binding: &Value| {
            let name = binding["spec"]["serviceRef"]["name"].as_str().unwrap();
            let service = self.cluster.object("v1", "Service", NAMESPACE, name).unwrap();
            let selector = service["spec"]["selector"].as_object().unwrap().clone();
            let is_selected =
                |pod: &Value| selector.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value);
            let selected = pods.iter().filter(|(_, pod)| is_selected(pod)).map(|(ip, _)| ip.clone());
            (name.to_owned(), selected.collect())
        };
        let ingress = self.cluster.object("networking.k8s.io/v1", "Ingress", NAMESPACE, "web").unwrap();
        let action = &ingress["metadata"]["annotations"]["alb.ingress.kubernetes.io/actions.stable"];
        let action: Value = serde_json::from_str(action.as_str().unwrap_or("{}")).unwrap();
        let groups = action["ForwardConfig"]["TargetGroups"].as_array().cloned().unwrap_or_default();
        let canary = groups.iter().find(|group| group["ServiceName"] == "canary");
        let weight = canary.and_then(|group| group["Weight"].as_u64()).unwrap_or(0);
        (bindings.iter().map(of_binding).collect(), u32::try_from(weight).unwrap())
    }

    /// A second passes. Gives what is wrong with what requests meet then.
    fn tick(&self) -> Vec<String> {
        let pods = self.pods();
        let wanted = self.wanted(&pods);
        let mut state = self.state.lock().unwrap();
        state.second += 1;
        state.told.push_back(wanted);
        let second = state.second;
        if state.told.len() > usize::try_from(LATE).unwrap() {
            let (groups, weight) = state.told.pop_front().unwrap();
            state.weight = weight;
            self.balancer.serve(weight);
            for (name, addresses) in groups {
                let targets = state.groups.entry(name).or_default();
                for (ip, target) in targets.iter_mut() {
                    match target {
                        Target::Registered(_) if !addresses.contains(ip) => {
                            *target = Target::Draining(second)
                        }
                        Target::Draining(_) if addresses.contains(ip) => *target = Target::Registered(second),
                        Target::Registered(_) | Target::Draining(_) => {}
                    }
                }
                for ip in addresses {
                    targets.entry(ip).or_insert(Target::Registered(second));
                }
                targets.retain(
                    |_, target| !matches!(target, Target::Draining(since) if second >= *since + DRAINS),
                );
            }
        }
        let weight = |name: &str| if name == "canary" { state.weight } else { 100 - state.weight };
        let served = state.groups.iter().filter(|(name, _)| weight(name) > 0);
        let faults = served.flat_map(|(name, targets)| faults(name, targets, &pods, second));
        faults.collect()
    }

    /// Pods that the target group of a Service has.
    fn registered(&self, service: &str) -> BTreeSet<String> {
        let state = self.state.lock().unwrap();
        let targets = state.groups.get(service).into_iter().flatten();
        targets
            .filter(|(_, target)| matches!(target, Target::Registered(_)))
            .map(|(ip, _)| ip.clone())
            .collect()
    }

    /// Addresses of the ready pods with an image.
    fn of_image(&self, image: &str) -> BTreeSet<String> {
        let pods = self.pods();
        let found = pods.iter().filter(|(_, pod)| pod["spec"]["containers"][0]["image"] == image);
        found.map(|(ip, _)| ip.clone()).collect()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// What is wrong with a target group that requests are sent to.
fn faults(
    name: &str,
    targets: &BTreeMap<String, Target>,
    pods: &BTreeMap<String, Value>,
    second: u64,
) -> Vec<String> {
    let registered = targets.iter().filter_map(|(ip, target)| match target {
        Target::Registered(since) => Some((ip, *since)),
        Target::Draining(_) => None,
    });
    let dead = registered.clone().filter(|(ip, _)| !pods.contains_key(*ip));
    let mut faults: Vec<String> = dead.map(|(ip, _)| format!("{name}: {ip} is gone")).collect();
    if !registered.clone().any(|(_, since)| second >= since + CHECKS) {
        faults.push(format!("{name}: no target is healthy"));
    }
    faults
}

/// What is bound to the target group of a Service.
fn binding(service: &str) -> Value {
    let of = json!({"name": service, "port": 80});
    let spec = json!({"serviceRef": of, "targetGroupARN": group(service), "targetType": "ip"});
    json!({"apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding",
        "metadata": {"name": format!("k8s-{service}")}, "spec": spec})
}

fn service_of_pods(name: &str) -> Value {
    let mut service = service(name);
    service["spec"]["ports"] = json!([{"port": 80, "targetPort": PORT}]);
    service
}

/// Lets time pass, and gives all faults.
async fn watch(elb: &Elb, seconds_long: u64, mut look: impl FnMut()) -> BTreeSet<String> {
    let mut faults = BTreeSet::new();
    for _ in 0..seconds_long {
        seconds(1).await;
        faults.extend(elb.tick());
        look();
    }
    faults
}

/// A cluster with a load balancer for these Services, and the first version of a Rollout, whose pods it knows.
async fn set_up(house: &House, elb: &Elb, services: &[&str], strategy: &Value) {
    provision(house).await;
    for name in services {
        create(house, service_of_pods(name));
        create(house, binding(name));
    }
    let mut first = rollout(&json!({}));
    first["spec"]["strategy"] = strategy.clone();
    create(house, first);
    until(house, "Healthy").await;
    watch(elb, 120, || {}).await;
}

fn canary() -> Value {
    json!({"canary": {"stableService": "stable", "canaryService": "canary", "scaleDownDelaySeconds": 1,
        "trafficRouting": {"alb": {"ingress": "web", "servicePort": 80}},
        "steps": [{"setWeight": 50}, {"pause": {"duration": "30s"}}]}})
}

fn blue_green() -> Value {
    json!({"blueGreen": {"activeService": "active", "scaleDownDelaySeconds": 1}})
}

fn stable(house: &House) -> String {
    let demo = house.cluster.object("argoproj.io/v1alpha1", "Rollout", NAMESPACE, "demo").unwrap();
    demo["status"]["stableRS"].as_str().unwrap().to_owned()
}

/// Reasons of events about target groups.
fn told(house: &House) -> BTreeSet<String> {
    let events = house.cluster.objects("v1", "Event", NAMESPACE);
    let reasons = events.iter().map(|event| event["reason"].as_str().unwrap_or_default().to_owned());
    reasons.filter(|reason| reason.starts_with("TargetGroup")).collect()
}

#[test]
fn a_canary_is_sent_requests_when_its_pods_are_known_and_the_old_version_goes_after_that() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let elb = Elb::over(&house);
        let _live = start_around(&house, "live", &[], std::future::pending(), Some(elb.client()));
        set_up(&house, &elb, &["stable", "canary"], &canary()).await;
        let at_rest = elb.asked();
        watch(&elb, 300, || {}).await;
        assert_eq!(elb.asked(), at_rest, "at rest nothing is asked");

        set_image(&house, "app:2").await;
        assert_eq!(watch(&elb, 900, || {}).await, BTreeSet::new());
        assert_eq!((phase(&house).0.as_str(), elb.of_image("app:1").len()), ("Healthy", 0));
        assert_eq!(elb.registered("stable"), elb.of_image("app:2"));
        assert!(told(&house).contains("TargetGroupVerified"), "{:?}", told(&house));
        let asked = elb.asked();
        assert!(asked < at_rest + 300, "{asked}");
        watch(&elb, 300, || {}).await;
        assert_eq!(elb.asked(), asked, "at rest nothing is asked");
    });
}

#[test]
fn blue_green_ends_when_the_load_balancer_knows_the_new_pods() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let elb = Elb::over(&house);
        let _live = start_around(&house, "live", &[], std::future::pending(), Some(elb.client()));
        set_up(&house, &elb, &["active"], &blue_green()).await;
        assert_eq!(elb.asked(), 0, "nothing has moved yet");
        let first = stable(&house);
        set_image(&house, "app:2").await;
        let mut moved = false;
        let faults = watch(&elb, 300, || {
            let known = elb.registered("active").is_superset(&elb.of_image("app:2"));
            let both = elb.of_image("app:1").len() == 2;
            moved |= !known;
            assert!(both || (moved && known), "pods go that the load balancer sends requests to");
            assert!(stable(&house) == first || known, "promoted before the load balancer knows");
        })
        .await;
        // Between the two versions the target group itself has no target that is checked: only two Services would help.
        assert!(faults.iter().all(|fault| fault == "active: no target is healthy"), "{faults:?}");
        assert_eq!((phase(&house).0.as_str(), elb.of_image("app:1").len()), ("Healthy", 0));
        let both = ["TargetGroupUnverified", "TargetGroupVerified"].map(str::to_owned);
        assert_eq!(told(&house), BTreeSet::from(both));
    });
}

#[test]
fn without_an_answer_nothing_goes_and_that_is_told() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let elb = Elb::over(&house);
        let _live = start_around(&house, "live", &[], std::future::pending(), Some(elb.client()));
        set_up(&house, &elb, &["active"], &blue_green()).await;
        let first = stable(&house);
        elb.fails.store(true, Ordering::Relaxed);
        set_image(&house, "app:2").await;
        watch(&elb, 500, || {}).await;
        assert_eq!((elb.of_image("app:1").len(), stable(&house)), (2, first));
        assert_eq!(phase(&house).1, "waiting for post-promotion verification to complete");
        assert_eq!(told(&house), BTreeSet::from(["TargetGroupVerifyError".to_owned()]));
        let asked = elb.asked();
        assert!((40..=52).contains(&asked), "{asked} questions in 500 s");
        elb.fails.store(false, Ordering::Relaxed);
        watch(&elb, 30, || {}).await;
        assert_eq!((phase(&house).0.as_str(), elb.of_image("app:1").len()), ("Healthy", 0));
    });
}

/// Notes who asks for what is bound to target groups.
struct Curious(Arc<AtomicUsize>);

impl Weather for Curious {
    fn call(&mut self, call: &Call, _: Time) -> Fate {
        let is_it = call.client == "live" && call.resource == "targetgroupbindings";
        self.0.fetch_add(usize::from(is_it), Ordering::Relaxed);
        Fate::Answered
    }
}

#[test]
fn without_the_flag_nothing_is_asked_and_the_settle_time_is_too_short() {
    paused(async {
        let asked = Arc::new(AtomicUsize::new(0));
        let house = house_under(Curious(asked.clone()));
        let elb = Elb::over(&house);
        let _live = start_around(&house, "live", &[], std::future::pending(), None);
        set_up(&house, &elb, &["stable", "canary"], &canary()).await;
        set_image(&house, "app:2").await;
        let faults = watch(&elb, 900, || {}).await;
        assert!(faults.contains("canary: no target is healthy"), "{faults:?}");
        assert_eq!((phase(&house).0.as_str(), told(&house)), ("Healthy", BTreeSet::new()));
        assert_eq!((elb.asked(), asked.load(Ordering::Relaxed)), (0, 0));
    });
}
