//! The AnalysisRun engine: what to measure next, what a measurement means, when a run is over.
//!
//! Everything here is pure: the time is passed in, answers of providers are passed in, and what is to be done is
//! handed back as values. Nothing is remembered between two calls but what stands in the AnalysisRun itself.

pub mod arguments;
pub mod assess;
pub mod compose;
pub mod condition;
pub mod jsonpath;
pub mod provider;
pub mod reference;
pub mod validate;

pub use arguments::{Redactor, Secrets, arguments_of_rollout};
pub use assess::{Answer, Assessment, Notice, RunView, Task, TaskKind, assess, record};
pub use compose::{Composed, Templates, collect, compose, new_run_spec};
