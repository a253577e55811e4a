//! All sizes up to 50, not a sample of them.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const LARGEST: i32 = 50;

/// How far a share is from the weight, times `100 * total` so that it stays a whole number.
fn error(pair: CanaryReplicas, weight: i32) -> (i64, i64) {
    let total = i64::from(pair.new + pair.stable);
    ((i64::from(pair.new) * 100 - i64::from(weight) * total).abs(), total)
}

#[test]
fn every_pair_is_the_nearest_that_is_allowed() {
    for replicas in 0..=LARGEST {
        for surge in [0, 1, 2, LARGEST] {
            let mut before = CanaryReplicas { new: 0, stable: replicas.max(1) };
            for weight in 0..=100 {
                let pair = desired_pair(replicas, weight, surge);
                let total = pair.new + pair.stable;
                let at = format!("{replicas} pods, weight {weight}, surge {surge}: {pair:?}");
                assert!(total == replicas || (total == replicas + 1 && surge > 0), "{at}");
                match weight {
                    0 => assert_eq!(pair, CanaryReplicas { new: 0, stable: replicas }, "{at}"),
                    100 => assert_eq!(pair, CanaryReplicas { new: replicas, stable: 0 }, "{at}"),
                    _ if replicas > 1 => assert!(pair.new > 0 && pair.stable > 0, "{at}"),
                    _ => {}
                }
                if replicas > 1 && (1..100).contains(&weight) {
                    let (have, of) = error(pair, weight);
                    for total in [replicas, replicas + 1].into_iter().take(if surge > 0 { 2 } else { 1 }) {
                        for new in 1..total {
                            let (best, best_of) = error(CanaryReplicas { new, stable: total - new }, weight);
                            assert!(have * best_of <= best * of, "{at}: {new} of {total} is nearer");
                        }
                    }
                }
                let falls = pair.new * (before.new + before.stable) < before.new * total;
                assert!(!falls, "{at}: less than with a lower weight, {before:?}");
                before = pair;
            }
        }
    }
}

/// Moves from one weight to another, every pod available as soon as the next move.
fn moves(replicas: i32, from: i32, to: i32, surge: i32, unavailable: i32) {
    let pods = |spec: i32| Counts { spec, available: spec };
    let start = desired_pair(replicas, from, surge);
    let goal = desired_pair(replicas, to, surge);
    let (mut new, mut stable) = (start.new, start.stable);
    let at = format!("{replicas} pods, weight {from} to {to}, surge {surge}, unavailable {unavailable}");
    // A pod at a time, and one move more.
    for _ in 0..=2 * (replicas + 1) {
        let input = CanaryInput {
            replicas,
            weight: to,
            max_surge: surge,
            max_unavailable: unavailable,
            new: pods(new),
            stable: Some(pods(stable)),
            others_spec: 0,
        };
        let next = canary_replicas(&input);
        let available = next.new.min(new) + next.stable.min(stable);
        assert!(
            next.new + next.stable <= (replicas + surge).max(new + stable),
            "{at}: {input:?} -> {next:?}"
        );
        assert!(available >= (replicas - unavailable).min(new + stable), "{at}: {input:?} -> {next:?}");
        if (next.new, next.stable) == (new, stable) {
            break;
        }
        (new, stable) = (next.new, next.stable);
    }
    assert_eq!(CanaryReplicas { new, stable }, goal, "{at}: it comes to an end elsewhere");
}

#[test]
fn each_move_keeps_the_bounds_and_the_last_one_is_the_pair() {
    for replicas in 1..=LARGEST {
        for surge in [0, 1, 3, replicas / 4, replicas] {
            for unavailable in [0, 1, 2, replicas / 4, replicas] {
                if surge == 0 && unavailable == 0 {
                    continue;
                }
                for (from, to) in [
                    (0, 1),
                    (0, 20),
                    (0, 50),
                    (20, 40),
                    (33, 66),
                    (40, 20),
                    (50, 100),
                    (99, 0),
                    (100, 0),
                    (0, 100),
                ] {
                    moves(replicas, from, to, surge, unavailable);
                }
            }
        }
    }
}
