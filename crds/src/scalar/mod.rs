//! Scalars that every kind shares.
pub(crate) mod duration;
pub(crate) mod int_or_string;
pub(crate) mod selector;
pub(crate) mod template;
pub(crate) mod time;
pub(crate) mod zero;
