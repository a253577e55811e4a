//! AWS, as far as a router needs it: credentials are found as the AWS SDKs find them ([`Chain`]), requests are signed
//! ([`sigv4`]), and Elastic Load Balancing is asked what it shows ([`elbv2`]). On top stand two questions: which weights
//! a load balancer forwards ([`verify`]), and which targets a target group has ([`registration`]).
//!
//! What can be pure is pure: each action of an API is a request as plain data and a parser of its answer. Only
//! [`Client`] and [`Chain`] exchange anything, through an [`http::Executor`] that is chosen at the start, so that a
//! simulation can answer instead of the [`network`]. The time is passed in: it goes on with tokio's clock from there.

mod client;
mod credentials;
pub mod elbv2;
mod endpoint;
mod environment;
mod error;
pub mod http;
mod json;
mod network;
pub mod query;
mod region;
mod retry;
pub mod sigv4;
mod targets;
mod time;
mod verify;
mod xml;

pub use client::Client;
pub use credentials::{Chain, ChainError, Credentials, Source, SourceError};
pub use environment::{Environment, Process};
pub use error::Error;
pub use network::network;
pub use query::ApiError;
pub use region::{Region, RegionError};
pub use targets::{Registration, registration};
pub use verify::{DEFAULT_TAG_KEY, Question, ResourceId, Verified, VerifiedGroup, verify};
pub use xml::Malformed;
