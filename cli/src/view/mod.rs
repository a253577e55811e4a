//! What people see, made from objects alone.

pub(crate) mod style;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod tree;
