//! One leader after another. `[lease.release]` `[lease.reads]`

use super::{
    Running, create, house_under, open, paused, rollout, rollouts, seconds, service, set_image, start,
    start_until,
};
use crds::Time;
use kube::api::{Patch, PatchParams};
use sandbox::{Call, Delivery, Fate, News, Weather};
use serde_json::{Value, json};
use simulation::l2::{House, NAMESPACE};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

#[test]
fn who_ends_gives_the_lease_back() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let first = start_until(&house, "first", &[], async move { drop(ended.await) });
        seconds(5).await;
        let _second = start(&house, "second", &[]);
        seconds(5).await;
        end.send(()).unwrap();
        first.task.await.unwrap();
        // Much less than the 15 s for which a Lease holds.
        seconds(3).await;
        let leases = house.cluster.objects("coordination.k8s.io/v1", "Lease", NAMESPACE);
        let holder = leases[0]["spec"]["holderIdentity"].as_str().unwrap_or_default();
        assert!(holder.starts_with("second_"), "{leases:?}");
    });
}

/// The first controller may not list Services.
struct NoServices;

impl Weather for NoServices {
    fn call(&mut self, call: &Call, _: Time) -> Fate {
        if call.client == "first" && call.verb != "get" && call.resource == "services" {
            let message = "services is forbidden".to_owned();
            return Fate::Refused { applied: false, code: 403, reason: "Forbidden", message };
        }
        Fate::Answered
    }
}

#[test]
fn who_cannot_see_all_keeps_the_lease_from_nobody() {
    paused(async {
        let house = house_under(NoServices);
        let _first = start(&house, "first", &[]);
        seconds(30).await;
        assert!(house.cluster.objects("coordination.k8s.io/v1", "Lease", NAMESPACE).is_empty());
        let _second = start(&house, "second", &[]);
        seconds(5).await;
        let leases = house.cluster.objects("coordination.k8s.io/v1", "Lease", NAMESPACE);
        let holder = leases[0]["spec"]["holderIdentity"].as_str().unwrap_or_default();
        assert!(holder.starts_with("second_"), "{leases:?}");
    });
}

/// News of Rollouts reach the second controller only from this time on.
type LateUntil = Arc<Mutex<Option<Time>>>;

struct LateNews {
    until: LateUntil,
    refused: Arc<Mutex<u32>>,
}

impl Weather for LateNews {
    fn call(&mut self, call: &Call, _: Time) -> Fate {
        let mut refused = self.refused.lock().unwrap();
        if call.client == "second" && call.verb == "list" && call.resource == "rollouts" && *refused > 0 {
            *refused -= 1;
            let message = "not now".to_owned();
            return Fate::Refused { applied: false, code: 500, reason: "InternalError", message };
        }
        Fate::Answered
    }

    fn news(&mut self, news: &News<'_>, _: Time) -> Delivery {
        let until = *self.until.lock().unwrap();
        match until.filter(|_| news.client == "second" && news.resource == "rollouts") {
            Some(until) => Delivery::Until(until),
            None => Delivery::Delivered,
        }
    }
}

/// What the Service selects, and the sizes of the ReplicaSets by their images.
fn state(house: &House) -> (Value, Vec<(String, i64)>) {
    let service = house.cluster.object("v1", "Service", NAMESPACE, "stable").unwrap();
    let sets = house.cluster.objects("apps/v1", "ReplicaSet", NAMESPACE);
    let size = |set: &Value| {
        let image = set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap();
        (image.to_owned(), set["spec"]["replicas"].as_i64().unwrap())
    };
    let mut sizes: Vec<_> = sets.iter().map(size).collect();
    sizes.sort();
    (service["spec"]["selector"]["rollouts-pod-template-hash"].clone(), sizes)
}

/// An update that the first controller brings to its end while the second hears nothing of the Rollout; then the second
/// leads.
async fn succeeded(house: &House, until: &LateUntil) -> (Running, (Value, Vec<(String, i64)>)) {
    create(house, service("stable"));
    create(house, rollout(&json!({"stableService": "stable", "steps": [{"setWeight": 50}, {"pause": {}}]})));
    let (end, ended) = oneshot::channel::<()>();
    let first = start_until(house, "first", &[], async move { drop(ended.await) });
    super::until(house, "Healthy").await;
    let second = start(house, "second", &[]);
    set_image(house, "app:2").await;
    super::until(house, "Paused").await;
    seconds(60).await;
    // What it knows from here on: the first version is stable, and the second one has its half.
    *until.lock().unwrap() = Some(house.now().plus_seconds(300));
    let promote = json!({"status": {"pauseConditions": null}});
    rollouts(house).patch_status("demo", &PatchParams::default(), &Patch::Merge(promote)).await.unwrap();
    seconds(5).await;
    super::until(house, "Healthy").await;
    seconds(60).await;
    let before = state(house);
    assert_eq!(before.1, [("app:1".to_owned(), 0), ("app:2".to_owned(), 2)]);
    end.send(()).unwrap();
    first.task.await.unwrap();
    (second, before)
}

#[test]
fn a_new_leader_knows_what_the_one_before_has_recorded() {
    paused(async {
        let (until, refused) = (LateUntil::default(), Arc::new(Mutex::new(0)));
        let house = house_under(LateNews { until: until.clone(), refused: refused.clone() });
        let (_second, before) = succeeded(&house, &until).await;
        for _ in 0..120 {
            seconds(1).await;
            assert_eq!(state(&house), before);
        }
        // It does lead.
        set_image(&house, "app:3").await;
        seconds(200).await;
        assert_eq!(state(&house).1.last(), Some(&("app:3".to_owned(), 1)));
    });
}

#[test]
fn a_new_leader_decides_nothing_before_it_has_read() {
    paused(async {
        let (until, refused) = (LateUntil::default(), Arc::new(Mutex::new(0)));
        let house = house_under(LateNews { until: until.clone(), refused: refused.clone() });
        let (_second, before) = succeeded(&house, &until).await;
        *refused.lock().unwrap() = 20;
        set_image(&house, "app:3").await;
        seconds(5).await;
        assert_eq!(state(&house), before, "nothing is made yet");
        // Its watch still says nothing.
        seconds(60).await;
        assert_eq!(*refused.lock().unwrap(), 0);
        assert_eq!(state(&house).1.last(), Some(&("app:3".to_owned(), 1)));
    });
}
