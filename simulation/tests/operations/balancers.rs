//! A load balancer of AWS that is asked what it serves. Its answers are canned; that questions are signed as AWS wants
//! them, and its answers read rightly, is tested where they are made.

use super::*;
use aws::http::{NoAnswer, Request, Response};
use aws::{Client as Aws, Environment};
use sandbox::traffic::definition;
use std::sync::atomic::{AtomicU32, Ordering};

const HOST: &str = "lb-1.eu-central-1.elb.amazonaws.com";
pub(super) const ACCOUNT: &str = "arn:aws:elasticloadbalancing:eu-central-1:1";

/// Keys that anybody may know.
#[derive(Debug)]
struct Settings;

impl Environment for Settings {
    fn var(&self, name: &str) -> Option<String> {
        let value = match name {
            "AWS_ACCESS_KEY_ID" => "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY" => "secret",
            "AWS_REGION" => "eu-central-1",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Err("no such file".to_owned())
    }
}

/// The canary's weight in the only rule, and how often something was asked.
#[derive(Default)]
pub(super) struct Balancer {
    weight: AtomicU32,
    asked: AtomicU32,
}

/// The ARN of the target group of a Service.
pub(super) fn group(name: &str) -> String {
    format!("{ACCOUNT}:targetgroup/{name}/1")
}

impl Balancer {
    pub(super) fn serve(&self, weight: u32) {
        self.weight.store(weight, Ordering::Relaxed);
    }

    pub(super) fn answer(&self, action: &str) -> String {
        let of_groups = |text: &dyn Fn(&str) -> String| ["canary", "stable"].map(text).concat();
        match action {
            "DescribeLoadBalancers" => format!(
                "<LoadBalancers><member><LoadBalancerArn>{ACCOUNT}:loadbalancer/app/lb/1</LoadBalancerArn>\
                 <LoadBalancerName>lb</LoadBalancerName><DNSName>{HOST}</DNSName></member></LoadBalancers>"
            ),
            "DescribeTargetGroups" => {
                let one = |name: &str| {
                    let (arn, port) = (group(name), 80);
                    format!(
                        "<member><TargetGroupArn>{arn}</TargetGroupArn><TargetGroupName>{name}</TargetGroupName>\
                         <Port>{port}</Port><TargetType>ip</TargetType></member>"
                    )
                };
                format!("<TargetGroups>{}</TargetGroups>", of_groups(&one))
            }
            "DescribeTags" => {
                let one = |name: &str| {
                    format!(
                        "<member><ResourceArn>{}</ResourceArn><Tags><member><Key>ingress.k8s.aws/resource</Key>\
                         <Value>{NAMESPACE}/web-{name}:80</Value></member></Tags></member>",
                        group(name)
                    )
                };
                format!("<TagDescriptions>{}</TagDescriptions>", of_groups(&one))
            }
            "DescribeListeners" => format!(
                "<Listeners><member><ListenerArn>{ACCOUNT}:listener/app/lb/1/1</ListenerArn></member></Listeners>"
            ),
            "DescribeRules" => {
                let canary = self.weight.load(Ordering::Relaxed);
                let one = |name: &str| {
                    let weight = if name == "canary" { canary } else { 100 - canary };
                    format!(
                        "<member><TargetGroupArn>{}</TargetGroupArn><Weight>{weight}</Weight></member>",
                        group(name)
                    )
                };
                format!(
                    "<Rules><member><RuleArn>{ACCOUNT}:listener-rule/app/lb/1/1/1</RuleArn><Priority>1</Priority>\
                     <Actions><member><Type>forward</Type><ForwardConfig><TargetGroups>{}</TargetGroups></ForwardConfig>\
                     </member></Actions></member></Rules>",
                    of_groups(&one)
                )
            }
            other => panic!("{other}"),
        }
    }
}

const XMLNS: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

fn client(balancer: Arc<Balancer>) -> Arc<Aws> {
    answered(move |action, _| {
        balancer.asked.fetch_add(1, Ordering::Relaxed);
        Ok(balancer.answer(action))
    })
}

/// Elastic Load Balancing that answers each action, with its form, by what is in the result, or by an error's code.
pub(super) fn answered(
    answer: impl Fn(&str, &str) -> Result<String, &'static str> + Clone + Send + Sync + 'static,
) -> Arc<Aws> {
    let service = tower::service_fn(move |request: Request| {
        let action = request.body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap();
        let (status, text) = match answer(action, &request.body) {
            Ok(result) => (
                200,
                format!(
                    "<{action}Response xmlns=\"{XMLNS}\"><{action}Result>{result}</{action}Result></{action}Response>"
                ),
            ),
            Err(code) => {
                let error =
                    format!("<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>");
                (400, format!("<ErrorResponse xmlns=\"{XMLNS}\">{error}</ErrorResponse>"))
            }
        };
        std::future::ready(Ok::<_, NoAnswer>(Response { status, body: text.into_bytes() }))
    });
    Arc::new(Aws::new(Arc::new(Settings), aws::http::Executor::new(service)))
}

/// An Ingress whose load balancer is there, in a cluster that knows what is bound to target groups.
pub(super) async fn provision(house: &House) {
    create(house, definition("elbv2.k8s.aws", &["v1beta1"], "TargetGroupBinding", "targetgroupbindings"));
    create(house, routes::ingress());
    let client = Client::new(house.cluster.client("user"), NAMESPACE);
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("networking.k8s.io", "v1", "Ingress"));
    let api: Api<DynamicObject> = Api::namespaced_with(client, NAMESPACE, &kind);
    let status = json!({"status": {"loadBalancer": {"ingress": [{"hostname": HOST}]}}});
    api.patch_status("web", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

fn status(house: &House) -> Value {
    house.cluster.object("argoproj.io/v1alpha1", "Rollout", NAMESPACE, "demo").unwrap()["status"].clone()
}

fn pods_of_canary(house: &House) -> usize {
    let pods = house.cluster.objects("v1", "Pod", NAMESPACE);
    pods.iter().filter(|pod| pod["spec"]["containers"][0]["image"] == "app:2").count()
}

#[test]
fn a_step_waits_for_the_load_balancer_and_pods_go_after_it() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let balancer = Arc::new(Balancer::default());
        let _live = start_around(&house, "live", &[], std::future::pending(), Some(client(balancer.clone())));
        provision(&house).await;
        ["stable", "canary"].into_iter().for_each(|name| create(&house, service(name)));
        create(
            &house,
            rollout(&json!({"stableService": "stable", "canaryService": "canary",
                "trafficRouting": {"alb": {"ingress": "web", "servicePort": 80}},
                "abortScaleDownDelaySeconds": 5, "steps": [{"setWeight": 50}, {"pause": {}}]})),
        );
        until(&house, "Healthy").await;
        seconds(60).await;
        let at_rest = balancer.asked.load(Ordering::Relaxed);
        seconds(3600).await;
        assert_eq!(balancer.asked.load(Ordering::Relaxed), at_rest, "at rest nothing is asked");

        set_image(&house, "app:2").await;
        seconds(60).await;
        let waits = status(&house);
        assert_eq!(
            (&waits["currentStepIndex"], &waits["canary"]["weights"]["verified"]),
            (&json!(0), &json!(false))
        );
        balancer.serve(50);
        seconds(15).await;
        assert_eq!(phase(&house).0, "Paused");
        let paused = status(&house);
        assert_eq!(paused["canary"]["weights"]["verified"], true);
        assert_eq!(paused["alb"]["ingress"], "web");
        assert_eq!(paused["alb"]["loadBalancer"]["fullName"], "app/lb/1");
        assert_eq!(paused["alb"]["canaryTargetGroup"]["fullName"], "targetgroup/canary/1");
        let asked = balancer.asked.load(Ordering::Relaxed);
        seconds(600).await;
        assert_eq!(balancer.asked.load(Ordering::Relaxed), asked, "what is right is not asked again");

        let abort = Patch::Merge(json!({"status": {"abort": true}}));
        rollouts(&house).patch_status("demo", &PatchParams::default(), &abort).await.unwrap();
        seconds(120).await;
        assert_eq!(pods_of_canary(&house), 1, "they are still sent requests");
        balancer.serve(0);
        seconds(30).await;
        assert_eq!(pods_of_canary(&house), 0);
    });
}
