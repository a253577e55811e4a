//! Structural schemas of custom resources: what is pruned, defaulted and refused.
