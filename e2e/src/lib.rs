//! The real thing: images, the cluster, load, and what users saw.

pub mod accepted;
pub mod audit;
mod beside_syncer;
pub mod build;
pub mod cluster;
pub mod forward;
pub mod git;
pub mod image;
pub mod install;
mod interleavings;
pub mod load;
mod node;
mod pki;
mod process;
pub mod registry;
pub mod requirements;
pub mod stage;
pub mod suite;
pub mod syncer;
mod teardown;

pub use cluster::Cluster;
