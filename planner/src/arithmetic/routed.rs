//! How many pods the new and the stable version get in a canary behind routers: weights are the routers' business, and
//! each version has the pods that its share needs. `[canary.routed-replicas]`

/// Pods for a share of `weight` out of `total`, rounded up.
///
/// Example: 10 replicas, weight 25 of 100: 2.5, so 3.
#[must_use]
pub fn pods_for(replicas: i32, weight: i32, total: i32) -> i32 {
    let total = i64::from(total.max(1));
    let product = i64::from(replicas.max(0)).saturating_mul(i64::from(weight.max(0)));
    i32::try_from(product.saturating_add(total - 1) / total).unwrap_or(i32::MAX)
}

/// The largest weight out of `total` that `pods` of `replicas` can carry, rounded down.
///
/// Example: 3 of 4 pods carry 75 of 100; 1 of 3 carries 33.
#[must_use]
pub fn weight_for(replicas: i32, pods: i32, total: i32) -> i32 {
    if replicas <= 0 {
        return total;
    }
    let pods = if crate::defect!(WeightBeyondTheWhole) { pods } else { pods.clamp(0, replicas) };
    let product = i64::from(total.max(0)).saturating_mul(i64::from(pods));
    i32::try_from(product / i64::from(replicas)).unwrap_or(total)
}

/// `minPodsPerReplicaSet`: a version that has pods at all has at least so many, but no more than all.
///
/// Example: 1 pod is asked for, at least 2, of 10: 2. None is asked for: 0.
#[must_use]
pub fn at_least(pods: i32, least: Option<i32>, replicas: i32) -> i32 {
    if pods <= 0 { 0 } else { pods.max(least.unwrap_or(0).min(replicas)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_so_that_they_are_carried() {
        for (replicas, weight, total, pods) in [
            (10, 25, 100, 3),
            (10, 0, 100, 0),
            (1, 1, 100, 1),
            (4, 50, 100, 2),
            (5, 300, 1000, 2),
            (0, 50, 100, 0),
        ] {
            assert_eq!(pods_for(replicas, weight, total), pods, "{weight} of {total}, {replicas} replicas");
        }
        for (replicas, pods, total, weight) in
            [(4, 3, 100, 75), (3, 1, 100, 33), (4, 9, 100, 100), (0, 0, 100, 100)]
        {
            assert_eq!(weight_for(replicas, pods, total), weight, "{pods} of {replicas} pods");
        }
        for (replicas, pods) in (1..=50).flat_map(|replicas| (0..=replicas).map(move |pods| (replicas, pods)))
        {
            assert!(pods_for(replicas, weight_for(replicas, pods, 100), 100) <= pods, "{pods} of {replicas}");
        }
    }

    #[test]
    fn few_pods_are_raised_to_the_least() {
        let cases = [
            (1, Some(2), 10, 2),
            (0, Some(2), 10, 0),
            (3, Some(2), 10, 3),
            (1, Some(20), 10, 10),
            (1, None, 10, 1),
        ];
        for (pods, least, replicas, expected) in cases {
            assert_eq!(at_least(pods, least, replicas), expected);
        }
    }
}
