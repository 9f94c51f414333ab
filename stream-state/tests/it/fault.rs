//! The seeded mistake is one: the comparison with a map notices it.

use std::process::Command;

#[test]
fn a_position_on_disk_without_its_rows_is_noticed() {
    let program = std::env::current_exe().expect("the test program");
    let run = Command::new(program)
        .args(["--exact", "conformance::a_persistent_store_behaves_like_a_map"])
        .env("KSTREAMS_SEEDED_FAULT", "PositionApartFromRows")
        .output()
        .expect("the test program runs");
    assert!(!run.status.success(), "the mistake went unnoticed");
}
