//! Which pods a Service sends traffic to.

use super::pod::PodPhase;

/// A pod that the Service's selector matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// `status.phase`.
    pub phase: PodPhase,
    /// It has an address.
    pub has_address: bool,
    /// Its `Ready` condition is true.
    pub ready: bool,
    /// It has a deletion timestamp.
    pub deleting: bool,
}

/// Conditions of an endpoint of an `EndpointSlice`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Index of the pod in what was passed in.
    pub pod: usize,
    /// New connections go to it.
    pub ready: bool,
    /// It answers, whether or not it is on its way out.
    pub serving: bool,
    /// It is on its way out.
    pub terminating: bool,
}

/// Endpoints of a Service's pods, in their order. With `publish_not_ready` (`spec.publishNotReadyAddresses`) each
/// one counts as ready.
#[must_use]
pub fn slice(pods: &[Candidate], publish_not_ready: bool) -> Vec<Endpoint> {
    let counted = pods.iter().enumerate().filter(|(_, pod)| pod.has_address && !pod.phase.is_over());
    let endpoint = |(index, pod): (usize, &Candidate)| Endpoint {
        pod: index,
        ready: publish_not_ready || (pod.ready && !pod.deleting),
        serving: pod.ready,
        terminating: pod.deleting,
    };
    counted.map(endpoint).collect()
}

/// The older `Endpoints` object: indexes of the pods in `addresses` and in `notReadyAddresses`. Pods on their way
/// out are in neither, unless addresses are published whether ready or not.
#[must_use]
pub fn addresses(pods: &[Candidate], publish_not_ready: bool) -> (Vec<usize>, Vec<usize>) {
    let all = slice(pods, publish_not_ready).into_iter();
    let kept = all.filter(|endpoint| publish_not_ready || !endpoint.terminating);
    let (ready, waiting): (Vec<_>, Vec<_>) = kept.partition(|endpoint| endpoint.ready);
    let index = |endpoint: Endpoint| endpoint.pod;
    (ready.into_iter().map(index).collect(), waiting.into_iter().map(index).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods() -> [Candidate; 6] {
        let up =
            Candidate { phase: PodPhase::Running, has_address: true, ready: true, ..Candidate::default() };
        [
            up,
            Candidate { ready: false, ..up },
            Candidate { deleting: true, ..up },
            Candidate { deleting: true, ready: false, ..up },
            Candidate { has_address: false, ready: false, phase: PodPhase::Pending, ..up },
            Candidate { phase: PodPhase::Succeeded, ready: false, ..up },
        ]
    }

    fn seen(publish_not_ready: bool) -> Vec<(usize, bool, bool, bool)> {
        let slice = slice(&pods(), publish_not_ready).into_iter();
        slice.map(|end| (end.pod, end.ready, end.serving, end.terminating)).collect()
    }

    #[test]
    fn only_pods_that_are_ready_and_stay_get_new_connections() {
        let expected = [
            (0, true, true, false),
            (1, false, false, false),
            (2, false, true, true),
            (3, false, false, true),
        ];
        assert_eq!(seen(false), expected);
        assert_eq!(addresses(&pods(), false), (vec![0], vec![1]));
    }

    #[test]
    fn addresses_may_be_published_at_once() {
        assert!(seen(true).iter().all(|end| end.1));
        assert_eq!(addresses(&pods(), true), (vec![0, 1, 2, 3], vec![]));
    }
}
