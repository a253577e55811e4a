//! smoke
use serde_json::json;
use simulation::l2::{House, Settings};
use std::time::Duration;

struct Count(std::sync::Arc<std::sync::atomic::AtomicUsize>, bool);
impl sandbox::Weather for Count {
    fn call(&mut self, call: &sandbox::Call, now: crds::Time) -> sandbox::Fate {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if self.1 { println!("{now} {} {} {} {} {}", call.verb, call.resource, call.name, call.subresource, String::from_utf8_lossy(&call.body).chars().take(150).collect::<String>()); }
        sandbox::Fate::Answered
    }
}

fn rollout(version: &str) -> serde_json::Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"},
        "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": [{"setWeight": 25}, {"pause": {"duration": "30s"}}, {"setWeight": 50}, {"pause": {"duration": "10s"}}]}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": format!("web:{version}"), "readinessProbe": {"httpGet": {"path": "/", "port": 80}}}]}}}
    })
}

async fn run(verbose: bool) -> (usize, Duration) {
    let mut house = House::open(Settings::default());
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    house.cluster.set_weather(Count(count.clone(), verbose));
    house.cluster.create("argoproj.io/v1alpha1", "Rollout", "default", rollout("v1")).unwrap();
    house.start_controller("c1", 0);
    tokio::time::sleep(Duration::from_secs(20)).await;
    if verbose { println!("{}", house.cluster.object("argoproj.io/v1alpha1", "Rollout", "default", "web").unwrap()["status"]); }
    house.cluster.with(|api| {
        let resource = api.resource_of("argoproj.io/v1alpha1", "Rollout").unwrap();
        let at = sandbox::api::At { resource, namespace: "default".into(), name: "web".into() };
        api.change(&at, sandbox::api::Part::Main, false, |old| { let mut new = old.clone(); new["spec"] = rollout("v2")["spec"].clone(); Ok(new) }).unwrap();
    });
    tokio::time::sleep(Duration::from_secs(100)).await;
    if verbose { println!("{}", house.cluster.object("argoproj.io/v1alpha1", "Rollout", "default", "web").unwrap()["status"]); println!("pods {}", house.cluster.objects("v1", "Pod", "default").len()); }
    (count.load(std::sync::atomic::Ordering::Relaxed), house.elapsed())
}

fn main() {
    let n: usize = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(1);
    let begin = std::time::Instant::now();
    let mut last = None;
    for i in 0..n {
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        last = Some(rt.block_on(run(n == 1 && i == 0)));
    }
    println!("{n} runs, last {last:?}, wall {:?}", begin.elapsed());
}
