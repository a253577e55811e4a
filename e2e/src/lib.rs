//! The real thing: images, the cluster, load, and what users saw.

pub mod build;
pub mod cluster;
pub mod forward;
pub mod image;
pub mod load;
mod node;
mod pki;
mod process;
pub mod registry;
pub mod requirements;
mod teardown;

pub use cluster::Cluster;
