//! The real thing: images, the cluster, load, and what users saw.

pub mod image;
pub mod load;
