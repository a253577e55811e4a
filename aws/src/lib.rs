//! AWS, as far as a router needs it: credentials are found as the AWS SDKs find them ([`Chain`]), requests are signed
//! ([`sigv4`]), and Elastic Load Balancing is asked what it shows ([`elbv2`]).
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
mod time;
mod xml;

pub use client::Client;
pub use credentials::{Chain, ChainError, Credentials, Source, SourceError};
pub use environment::{Environment, Process};
pub use error::Error;
pub use network::network;
pub use query::ApiError;
pub use region::{Region, RegionError};
pub use xml::Malformed;
