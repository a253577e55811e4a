//! "Is it the zero value?": what Go's `omitempty` asks before it writes a field.

pub(crate) fn i32(value: &i32) -> bool {
    *value == 0
}

pub(crate) fn bool(value: &bool) -> bool {
    !*value
}

pub(crate) fn any<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
