//! The built-in controllers as step functions: pure, typed, one set for every rung of the tests.
//!
//! Each model looks at views (plain data, made by the caller from JSON objects or from another model) and answers
//! what its controller would do now, which status it would write, and when it wants to look again. Nothing here
//! knows JSON, a runtime or a clock: time is a [`crds::Time`] that is passed in, indexes point into the slices that
//! were passed in. What Kubernetes does is that of 1.33 to 1.35 with its default feature gates.

pub mod condition;
pub mod deployment;
pub mod endpoints;
pub mod eviction;
pub mod garbage;
pub mod job;
pub mod kubelet;
pub mod pod;
pub mod replica_set;
