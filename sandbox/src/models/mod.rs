//! The built-in controllers as step functions: pure, typed, one set for every rung of the tests.
