//! What `kubectl` needs beyond the objects: discovery, OpenAPI and tables.
