//! analysis/providers
