//! The lint of plans.
