#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use proptest::prelude::*;

struct Case(i32, i32, (i32, i32), i32, i32, (i32, i32));

/// (replicas, weight, (new, stable) now, max unavailable, max surge, (new, stable) asked for), all pods available.
const CASES: [Case; 6] = [
    Case(10, 10, (0, 10), 1, 1, (1, 9)),
    Case(10, 30, (0, 10), 0, 3, (3, 10)),
    Case(10, 30, (0, 10), 5, 0, (0, 7)),
    // One of eleven (9.1%) is closer to 5% than one of ten.
    Case(10, 5, (0, 10), 1, 1, (1, 10)),
    Case(1, 5, (0, 1), 0, 1, (1, 1)),
    Case(1, 95, (0, 1), 0, 1, (1, 1)),
];

#[test]
fn reference_examples() {
    for Case(replicas, weight, (new, stable), max_unavailable, max_surge, want) in CASES {
        let full = |n| Counts { spec: n, available: n };
        let input = CanaryInput {
            replicas,
            weight,
            max_surge,
            max_unavailable,
            new: full(new),
            stable: Some(full(stable)),
            others_spec: 0,
        };
        let got = canary_replicas(&input);
        assert_eq!((got.new, got.stable), want, "{input:?}");
    }
}

#[test]
fn pair_examples() {
    for (replicas, weight, surge, want) in [
        (5, 20, 2, (1, 4)),
        (5, 40, 2, (2, 3)),
        (3, 50, 1, (2, 2)),
        (0, 50, 1, (0, 0)),
        (2, 1, 0, (1, 1)),
        (2, 75, 0, (1, 1)),
        (1, 50, 0, (1, 0)),
        (4, 100, 1, (4, 0)),
        (4, 0, 1, (0, 4)),
    ] {
        let got = desired_pair(replicas, weight, surge);
        assert_eq!((got.new, got.stable), want, "{replicas} replicas, weight {weight}, surge {surge}");
    }
}

proptest! {
    /// Neither side is ever empty at a partial weight with room for two pods, and the sum stays in bounds.
    #[test]
    fn a_partial_weight_has_both_sides(replicas in 2..200i32, weight in 1..100i32, surge in 0..5i32) {
        let pair = desired_pair(replicas, weight, surge);
        prop_assert!(pair.new > 0 && pair.stable > 0, "{pair:?}");
        prop_assert!((replicas..=replicas + surge.min(1)).contains(&(pair.new + pair.stable)));
    }

    /// Asking for what the arithmetic says never exceeds the surge, and never takes available pods below the bound
    /// when they were above it.
    #[test]
    fn bounds_hold(
        replicas in 1..40i32, weight in 0..=100i32, surge in 0..5i32, unavailable in 0..5i32,
        new in 0..40i32, stable in 0..40i32, new_ready in 0..=100i32, stable_ready in 0..=100i32,
    ) {
        // Both at zero is refused by validation, and then one may be missing.
        let unavailable = if surge == 0 { unavailable.max(1) } else { unavailable };
        let counts = |spec: i32, ready: i32| Counts { spec, available: spec * ready / 100 };
        let (new, stable) = (counts(new, new_ready), counts(stable, stable_ready));
        let input = CanaryInput {
            replicas, weight, max_surge: surge, max_unavailable: unavailable,
            new, stable: Some(stable), others_spec: 0,
        };
        let got = canary_replicas(&input);
        let before = new.spec + stable.spec;
        prop_assert!(got.new + got.stable <= before.max(replicas + surge), "{input:?} -> {got:?}");
        let available = got.new.min(new.available) + got.stable.min(stable.available);
        let was = new.available + stable.available;
        prop_assert!(available >= was.min(replicas - unavailable), "{input:?} -> {got:?}");
    }
}

#[test]
fn pods_that_serve_nobody_give_their_places_up() {
    // An aborted version whose pods never got ready, and one pod of a third version that holds the availability.
    let input = CanaryInput {
        replicas: 3,
        weight: 0,
        max_surge: 0,
        max_unavailable: 1,
        new: Counts { spec: 2, available: 0 },
        stable: Some(Counts::default()),
        others_spec: 1,
    };
    assert_eq!(canary_replicas(&input), CanaryReplicas { new: 0, stable: 0 });
    let next = CanaryInput { new: Counts::default(), ..input };
    assert_eq!(canary_replicas(&next), CanaryReplicas { new: 0, stable: 2 });
}
