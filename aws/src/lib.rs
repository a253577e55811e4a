//! AWS, as far as a router needs it: what Elastic Load Balancing shows ([`elbv2`]).
//!
//! What can be pure is pure: each action of an API is a request as plain data and a parser of its answer. They are
//! exchanged through an [`http::Executor`] that is chosen at the start, so that a simulation can answer instead of the
//! [`network`].

pub mod elbv2;
pub mod http;
mod network;
pub mod query;
mod xml;

pub use network::network;
pub use query::ApiError;
pub use xml::Malformed;
