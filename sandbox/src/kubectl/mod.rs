//! What `kubectl` needs beyond the objects: discovery, OpenAPI and tables.

pub mod discovery;
pub mod openapi;
pub mod resources;

#[cfg(test)]
mod tests;
