//! What the tests of the broker have for a disk.

pub(crate) mod simulated;
