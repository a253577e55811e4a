//! Promotions beside each other and beside a controller that writes, at random moments.

use super::*;
use std::cell::{Cell, RefCell};

const INTERLEAVINGS: u64 = 1000;
const STEPS: i32 = 8;

/// One Rollout of pauses, with a precondition on each write, and a controller that goes on as soon as it may.
struct Small {
    rollout: RefCell<Value>,
    version: Cell<u64>,
    random: Cell<u64>,
    /// Steps at which a promotion was taken.
    promoted_at: RefCell<Vec<i32>>,
}

impl Small {
    fn new(seed: u64) -> Self {
        let steps = vec![json!({"pause": {}}); usize::try_from(STEPS).unwrap()];
        let rollout = json!({
            "metadata": {"name": "web", "resourceVersion": "1"},
            "spec": {"strategy": {"canary": {"steps": steps}}},
            "status": {"currentStepIndex": 0, "currentPodHash": "b", "stableRS": "a", "controllerPause": true,
                "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]},
        });
        let version = Cell::new(1);
        Self {
            rollout: RefCell::new(rollout),
            version,
            random: Cell::new(seed),
            promoted_at: RefCell::default(),
        }
    }

    fn below(&self, limit: u64) -> u64 {
        let next =
            self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random.set(next);
        (next >> 33) % limit
    }

    /// Lets the others go on for a while.
    async fn network(&self) {
        for _ in 0..self.below(6) {
            tokio::task::yield_now().await;
        }
    }

    fn step(&self) -> i32 {
        i32::try_from(self.rollout.borrow()["status"]["currentStepIndex"].as_i64().unwrap()).unwrap()
    }

    fn is_paused(&self) -> bool {
        self.rollout.borrow()["status"]["pauseConditions"].is_array()
    }

    fn merge(&self, patch: &Value) {
        fn into(target: &mut Value, patch: &Value) {
            for (key, value) in patch.as_object().unwrap() {
                match value {
                    Value::Null => drop(target.as_object_mut().unwrap().remove(key)),
                    Value::Object(_) if target[key].is_object() => into(&mut target[key], value),
                    other => target[key] = other.clone(),
                }
            }
        }
        let mut rollout = self.rollout.borrow_mut();
        into(&mut rollout, patch);
        self.version.set(self.version.get() + 1);
        rollout["metadata"]["resourceVersion"] = json!(self.version.get().to_string());
    }

    /// One pass: where nothing pauses the step, it is done and the next one pauses; else the status changes in a way
    /// that means nothing, as replicas come and go.
    fn controller_pass(&self) {
        if self.is_paused() {
            self.merge(&json!({"status": {"readyReplicas": self.below(9)}}));
            return;
        }
        let next = self.step() + 1;
        self.merge(&json!({"status": {"currentStepIndex": next, "controllerPause": true,
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]}}));
    }
}

/// One who promotes, and the step at which it first saw the Rollout.
struct Caller<'s> {
    small: &'s Small,
    first: Cell<Option<i32>>,
}

impl<'s> Caller<'s> {
    fn of(small: &'s Small) -> Self {
        Self { small, first: Cell::new(None) }
    }
}

impl Store for Caller<'_> {
    async fn read(&self, _name: &str) -> anyhow::Result<Rollout> {
        self.small.network().await;
        let read = serde_json::from_value(self.small.rollout.borrow().clone())?;
        self.first.set(self.first.get().or(Some(self.small.step())));
        self.small.network().await;
        Ok(read)
    }

    async fn write_status(&self, _name: &str, patch: &Value) -> kube::Result<()> {
        let small = self.small;
        small.network().await;
        let wanted = patch["metadata"]["resourceVersion"].as_str().expect("a promotion has a precondition");
        if wanted != small.version.get().to_string() {
            let conflict = kube::core::Status::failure("changed", "Conflict").with_code(409);
            return Err(kube::Error::Api(Box::new(conflict)));
        }
        assert_eq!(self.first.get(), Some(small.step()), "another step than the one that the person saw");
        small.promoted_at.borrow_mut().push(small.step());
        small.merge(&json!({"status": patch["status"]}));
        small.network().await;
        Ok(())
    }

    async fn write(&self, _name: &str, _patch: &Value) -> kube::Result<()> {
        panic!("the spec is not paused");
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn of_a_thousand_interleavings_none_is_lost_and_none_skips_two_steps() {
    let (mut alone, mut both) = (0, 0);
    for seed in 0..INTERLEAVINGS {
        let small = Small::new(seed);
        let work = async {
            let first = Caller::of(&small);
            let passes = async {
                for _ in 0..small.below(24) {
                    tokio::task::yield_now().await;
                    small.controller_pass();
                }
            };
            let later = async {
                for _ in 0..small.below(24) {
                    tokio::task::yield_now().await;
                }
                promote(&Caller::of(&small), "web", false, None).await
            };
            let (one, two, ()) = tokio::join!(promote(&first, "web", false, None), later, passes);
            [one, two]
        };
        let told = block_on(work);
        let promoted_at = small.promoted_at.borrow().clone();
        // Each that was done was taken, and no step was promoted twice.
        let done = told.iter().filter(|told| matches!(told, Ok(Promoted::Done))).count();
        assert_eq!(promoted_at.len(), done, "seed {seed}: {promoted_at:?}");
        assert!(promoted_at.windows(2).all(|pair| pair[0] < pair[1]), "seed {seed}: {promoted_at:?}");
        alone += usize::from(done == 1);
        both += usize::from(done == 2);
        // The controller ends what the promotions began: as many steps as were promoted.
        while !small.is_paused() {
            small.controller_pass();
        }
        assert_eq!(small.step(), i32::try_from(done).unwrap(), "seed {seed}");
    }
    // Both kinds of end occurred, or the moments were not random.
    assert!(alone > 50 && both > 50 && alone + both == 1000, "{alone} times one was done, {both} times both");
}

#[test]
fn a_promotion_at_a_step_is_done_once() {
    let small = Small::new(1);
    assert_eq!(block_on(promote(&Caller::of(&small), "web", false, Some(0))).unwrap(), Promoted::Done);
    small.controller_pass();
    assert_eq!(block_on(promote(&Caller::of(&small), "web", false, Some(0))).unwrap(), Promoted::Past(1));
    assert_eq!(*small.promoted_at.borrow(), [0]);
    let early = block_on(promote(&Caller::of(&small), "web", false, Some(3))).unwrap_err().to_string();
    assert_eq!(early, "rollout 'web' is at step 1, not yet at step 3: promote it when it is there");
}
