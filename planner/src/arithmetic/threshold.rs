//! How many pods of a version are enough to go on. `[canary.threshold]`

/// A `replicaProgressThreshold` that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// A share of the pods that are wanted, in percent.
    Percent(i32),
    /// A number of pods.
    Pods(i32),
}

impl Threshold {
    /// Reads a threshold; `None` for a negative value or another unit: then all pods are waited for.
    #[must_use]
    pub fn of(unit: &str, value: i32) -> Option<Self> {
        match unit {
            _ if value < 0 => None,
            "Percent" => Some(Self::Percent(value)),
            "Pods" => Some(Self::Pods(value)),
            _ => None,
        }
    }
}

/// Whether `available` of `wanted` pods are enough; all of them always are.
///
/// DIFFERS: where Argo Rollouts asks for more pods than are wanted, or for more than 100 percent of them, a step is never
/// done.
///
/// Example: 3 of 5 pods are 60 percent: enough for `Percent(60)` and `Pods(3)`, not for `Percent(61)`.
#[must_use]
pub fn reaches(threshold: Threshold, available: i32, wanted: i32) -> bool {
    let (available, wanted) = (i64::from(available), i64::from(wanted));
    available >= wanted
        || match threshold {
            Threshold::Percent(percent) => available * 100 >= i64::from(percent) * wanted,
            Threshold::Pods(pods) => available >= i64::from(pods),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds() {
        let enough = |unit, value, available, wanted| {
            Threshold::of(unit, value).map(|threshold| reaches(threshold, available, wanted))
        };
        for (unit, value, available, wanted, expected) in [
            ("Percent", 60, 3, 5, Some(true)),
            ("Percent", 61, 3, 5, Some(false)),
            ("Percent", 33, 1, 3, Some(true)),
            ("Percent", 34, 1, 3, Some(false)),
            ("Percent", 0, 0, 5, Some(true)),
            ("Percent", 100, 4, 5, Some(false)),
            ("Percent", 101, 5, 5, Some(true)),
            ("Percent", 50, 0, 0, Some(true)),
            ("Pods", 3, 3, 5, Some(true)),
            ("Pods", 3, 2, 5, Some(false)),
            ("Pods", 3, 1, 1, Some(true)),
            ("Pods", 0, 0, 5, Some(true)),
            ("Percent", -1, 0, 5, None),
            ("Other", 50, 5, 5, None),
        ] {
            assert_eq!(
                enough(unit, value, available, wanted),
                expected,
                "{unit} {value}: {available}/{wanted}"
            );
        }
    }
}
