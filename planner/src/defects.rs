//! Seeded defects: a check that the checks can fail. With the feature `defects` each place that is marked with
//! [`defect!`](crate::defect) can be broken at will, and `simulate --defects` proves that an invariant sees it.
//! Without the feature the macro is the constant `false`, and nothing of this is in the binary.

/// Whether a seeded defect is switched on: constantly `false` without the feature `defects`.
#[cfg(feature = "defects")]
#[macro_export]
macro_rules! defect {
    ($name:ident) => {
        $crate::defects::Defect::$name.is_on()
    };
}

/// Whether a seeded defect is switched on: constantly `false` without the feature `defects`.
#[cfg(not(feature = "defects"))]
#[macro_export]
macro_rules! defect {
    ($name:ident) => {
        $crate::defects::off(stringify!($name))
    };
}

/// Every defect is off, always. A function, and not the literal, so that lints do not take the marks for constants.
#[cfg(not(feature = "defects"))]
#[inline(always)]
#[must_use]
pub const fn off(_: &str) -> bool {
    false
}

#[cfg(feature = "defects")]
mod about;
#[cfg(feature = "defects")]
mod list;

#[cfg(feature = "defects")]
pub use about::{About, Rung};
#[cfg(feature = "defects")]
pub use list::{Defect, MARKER};
