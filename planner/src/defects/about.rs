//! What is known of a seeded defect.

/// Where a defect shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// A play of the museum of outages has been made for it: the invariants of such a defect are names of pieces.
    Museum,
    /// The planner against models.
    L1,
    /// The whole controller over the cluster in memory.
    L2,
}

/// What is known of a defect.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name.
    pub name: &'static str,
    /// The place in the source.
    pub place: &'static str,
    /// What is wrong with it on.
    pub what: &'static str,
    /// Where it shows.
    pub rung: Rung,
    /// The invariants that may catch it.
    pub invariants: &'static [&'static str],
    /// Most runs until it is caught; 0 when no invariant is known to see it.
    pub bound: u64,
    /// Scenarios of L2 that are tried first.
    pub hints: &'static [&'static str],
}
