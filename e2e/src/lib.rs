//! The real thing: images, the cluster, load, and what users saw.

pub mod accepted;
pub mod audit;
mod beside_syncer;
pub mod build;
mod cache;
pub mod clean;
pub mod cluster;
pub mod conformance;
mod debian;
mod dns;
mod fleet;
pub mod forward;
pub mod git;
mod golang;
pub mod guard;
pub mod image;
pub mod install;
mod interleavings;
pub mod load;
pub mod memory;
mod node;
mod pki;
mod process;
pub mod prometheus;
pub mod recorded;
pub mod registry;
pub mod requirements;
pub mod rights;
pub mod shadow;
pub mod stage;
pub mod suite;
pub mod syncer;
mod teardown;
pub mod traefik;
pub mod traffic;

pub use cluster::Cluster;
