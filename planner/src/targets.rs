//! What target groups of load balancers say of the pods of a Service. `[traffic.registered]`

use crate::defect;

/// Whether the load balancers that send requests to a Service know the pods that it selects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Targets {
    /// Nobody has said.
    #[default]
    Unknown,
    /// No target group is bound to the Service: no load balancer has to know its pods.
    Unbound,
    /// The target groups that are bound to it have said this.
    Bound(Registered),
    /// They were asked, and there is no answer: why.
    Silent(String),
}

/// How many pods of a Service are targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// The target groups, as people know them.
    pub groups: Vec<String>,
    /// Ready pods that the Service selects.
    pub pods: usize,
    /// Those of them that every target group has.
    pub registered: usize,
    /// Those of them whose first health checks are over, too: until then no request is sent to them.
    pub checked: usize,
}

impl Targets {
    /// Whether every load balancer that has to know the pods does. A Service that selects none is not known to anybody.
    #[must_use]
    pub fn are_registered(&self) -> bool {
        match self {
            Self::Unbound => true,
            Self::Bound(targets) => targets.pods > 0 && targets.registered >= targets.pods,
            Self::Unknown | Self::Silent(_) => defect!(SilenceIsConsent),
        }
    }

    /// Whether they know, too, which of the pods requests can be sent to.
    #[must_use]
    pub fn are_checked(&self) -> bool {
        let checked = match self {
            Self::Bound(targets) => targets.checked >= targets.pods,
            Self::Unbound | Self::Unknown | Self::Silent(_) => true,
        };
        checked && self.are_registered()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(pods: usize, registered: usize, checked: usize) -> Targets {
        Targets::Bound(Registered { groups: Vec::new(), pods, registered, checked })
    }

    #[test]
    fn all_pods_are_to_be_known_and_there_is_to_be_one() {
        let said = |targets: Targets| (targets.are_registered(), targets.are_checked());
        assert_eq!(said(bound(2, 1, 1)), (false, false));
        assert_eq!(said(bound(2, 2, 1)), (true, false));
        assert_eq!(said(bound(2, 2, 2)), (true, true));
        assert_eq!(said(bound(0, 0, 0)), (false, false));
        assert_eq!(said(Targets::Unbound), (true, true));
        assert_eq!(said(Targets::Unknown), (false, false));
        assert_eq!(said(Targets::Silent("down".to_owned())), (false, false));
    }
}
