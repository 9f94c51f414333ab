//! A mistake that can be seeded, so that crash tests can show that they would notice (feature `fault-injection`):
//! `KSTREAMS_SEEDED_FAULT=PositionApartFromRows` breaks S4.

use std::sync::OnceLock;

/// Each commit writes its changelog position to disk, but the rows wait for the next flush.
pub(super) const POSITION_APART_FROM_ROWS: &str = "PositionApartFromRows";

static SEEDED: OnceLock<Option<String>> = OnceLock::new();

pub(super) fn is_seeded(fault: &str) -> bool {
    SEEDED.get_or_init(|| std::env::var("KSTREAMS_SEEDED_FAULT").ok()).as_deref() == Some(fault)
}
