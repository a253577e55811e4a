//! What in a status is nothing but a count of pods. `[status.pace]`

use super::Phase;
use crds::rollout::RolloutStatus;

/// Whether a status says nothing new but how many pods there are: the counts, and the words for them while the update
/// makes progress.
#[must_use]
pub fn differ_in_counts_only(before: &RolloutStatus, after: &RolloutStatus) -> bool {
    let in_progress = |status: &RolloutStatus| status.phase == Phase::Progressing.as_str();
    let message = if in_progress(before) && in_progress(after) { &after.message } else { &before.message };
    let mut counted = RolloutStatus {
        replicas: after.replicas,
        updated_replicas: after.updated_replicas,
        ready_replicas: after.ready_replicas,
        available_replicas: after.available_replicas,
        hpa_replicas: after.hpa_replicas,
        message: message.clone(),
        ..before.clone()
    };
    let (known, now) = (counted.conditions.as_mut(), after.conditions.as_ref());
    for (known, now) in known.into_iter().flatten().zip(now.into_iter().flatten()) {
        // Each pod more is progress.
        known.last_update_time = now.last_update_time;
    }
    counted == *after
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::Time;
    use crds::rollout::status::RolloutCondition;

    fn status(phase: &str, seconds: i64) -> RolloutStatus {
        let progressing = RolloutCondition {
            kind: "Progressing".to_owned(),
            status: "True".to_owned(),
            last_update_time: Time::from_unix_seconds(seconds).unwrap_or_default(),
            ..RolloutCondition::default()
        };
        RolloutStatus {
            phase: phase.to_owned(),
            replicas: 4,
            available_replicas: 3,
            conditions: Some(vec![progressing]),
            ..RolloutStatus::default()
        }
    }

    #[test]
    fn counts_and_their_words_wait_and_all_else_does_not() {
        let before = status("Progressing", 10);
        let more = RolloutStatus { ready_replicas: 4, message: "m".to_owned(), ..status("Progressing", 20) };
        assert!(differ_in_counts_only(&before, &more));
        let degraded = status("Degraded", 10);
        let why = RolloutStatus { message: "m".to_owned(), ..degraded.clone() };
        assert!(!differ_in_counts_only(&degraded, &why), "why it is Degraded is no count");
        for other in [
            RolloutStatus { phase: "Healthy".to_owned(), ..more.clone() },
            RolloutStatus { current_step_index: Some(1), ..more.clone() },
            RolloutStatus { stable_rs: "h".to_owned(), ..more.clone() },
            RolloutStatus { conditions: None, ..more.clone() },
        ] {
            assert!(!differ_in_counts_only(&before, &other), "{other:?}");
        }
        let mut failed = more;
        failed.conditions.iter_mut().flatten().for_each(|one| one.status = "False".to_owned());
        assert!(!differ_in_counts_only(&before, &failed));
    }
}
