//! The real thing: images, the cluster, load, and what users saw.

pub mod audit;
pub mod build;
pub mod cluster;
pub mod forward;
pub mod image;
pub mod install;
pub mod load;
mod node;
mod pki;
mod process;
pub mod registry;
pub mod requirements;
pub mod stage;
pub mod suite;
mod teardown;

pub use cluster::Cluster;
