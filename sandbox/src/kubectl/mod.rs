//! What `kubectl` needs beyond the objects: discovery, OpenAPI and tables.

pub mod resources;

#[cfg(test)]
mod tests;
