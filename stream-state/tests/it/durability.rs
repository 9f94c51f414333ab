//! What survives a crash, and what becomes of directories that cannot be used.

use std::path::Path;

use rocksdb::{DB, Options};
use stream_core::ErrorKind;
use stream_state::conformance::Bench;

use super::{counts, in_memory, key, open, persistent, restore, timestamped};

fn with_one_row() -> Bench {
    let factory = counts(persistent());
    let name = factory.store_name();
    let bench = open(factory);
    bench.handle(&name).put(&key("a"), &1).expect("a put");
    bench.store().commit(Some(1)).expect("a commit");
    bench.store().flush(1).expect("a flush");
    bench
}

fn set_aside(directory: &Path) -> Vec<String> {
    let files = std::fs::read_dir(directory.parent().expect("a parent")).expect("a directory");
    files.flatten().filter_map(|file| file.file_name().into_string().ok()).filter(|name| name.contains(".corrupt-")).collect()
}

#[test]
fn rocksdb_is_not_opened_before_there_is_something_to_keep() {
    let factory = counts(persistent());
    let name = factory.store_name();
    let bench = open(factory);
    bench.store().flush(1).expect("a flush");
    bench.handle(&name).put(&key("a"), &1).expect("a put");
    bench.store().flush(1).expect("a flush");
    assert!(!bench.directory().exists(), "an uncommitted write is nothing to keep");
    bench.store().commit(Some(1)).expect("a commit");
    bench.store().flush(1).expect("a flush");
    assert!(bench.directory().join("CURRENT").exists());
}

#[test]
fn an_in_memory_store_leaves_no_files() {
    let factory = counts(in_memory());
    let name = factory.store_name();
    let bench = open(factory);
    bench.handle(&name).put(&key("a"), &1).expect("a put");
    bench.store().commit(Some(1)).expect("a commit");
    bench.store().flush(1).expect("a flush");
    assert!(!bench.directory().exists());
    assert_eq!(bench.store().unflushed().entries, 0, "a flush would not save it from a restart");
}

#[test]
fn an_uncommitted_write_never_reaches_the_disk() {
    let mut bench = with_one_row();
    let name = counts(persistent()).store_name();
    bench.handle(&name).put(&key("a"), &2).expect("a put");
    bench.handle(&name).put(&key("b"), &2).expect("a put");
    bench.store().flush(2).expect("a flush");
    bench.kill();
    assert_eq!(bench.handle(&name).get(&key("a")).expect("a get"), Some(1));
    assert_eq!(bench.handle(&name).get(&key("b")).expect("a get"), None);
    assert_eq!(bench.store().changelog_position(), Some(1));
}

#[test]
fn a_position_is_flushed_without_rows_so_that_a_clean_restart_replays_nothing() {
    let mut bench = with_one_row();
    restore(&**bench.store(), &[], 40).expect("a restore of markers");
    bench.store().flush(2).expect("a flush");
    bench.close();
    bench.open();
    assert_eq!(bench.store().changelog_position(), Some(40));
}

#[test]
fn the_time_of_the_last_flush_is_kept_and_renewed() {
    let mut bench = with_one_row();
    bench.store().flush(10).expect("a flush without changes");
    bench.close();
    assert_eq!(bench.try_open().expect("an opened store").flushed_at_ms, Some(1));
    bench.open();
    bench.store().flush(100_000).expect("a flush without changes");
    bench.close();
    assert_eq!(bench.try_open().expect("an opened store").flushed_at_ms, Some(100_000));
}

#[test]
fn damaged_files_are_set_aside_with_the_reason_and_the_store_starts_empty() {
    let mut bench = with_one_row();
    bench.close();
    for file in std::fs::read_dir(bench.directory()).expect("a directory").flatten() {
        if file.file_name().to_string_lossy().starts_with("MANIFEST") {
            std::fs::write(file.path(), b"not a manifest").expect("a write");
        }
    }
    let reason = bench.open().expect("a reason");
    assert!(!reason.is_empty());
    assert_eq!(bench.store().changelog_position(), None);
    assert_eq!(set_aside(bench.directory()).len(), 1);
}

#[test]
fn a_missing_file_and_a_directory_without_database_are_set_aside() {
    let mut bench = with_one_row();
    bench.close();
    std::fs::remove_file(bench.directory().join("CURRENT")).expect("a removal");
    assert!(bench.open().expect("a reason").contains("no database"));
    let name = counts(persistent()).store_name();
    assert_eq!(bench.handle(&name).get(&key("a")).expect("a get"), None);
}

#[test]
fn rows_of_another_format_are_set_aside() {
    let mut bench = with_one_row();
    bench.close();
    let other = open(timestamped(persistent()));
    let directory = other.directory().to_owned();
    std::fs::rename(bench.directory(), &directory).expect("a rename");
    let opened = other.try_open().expect("an opened store");
    let reason = opened.quarantined.expect("a reason");
    assert!(reason.contains("plain values") && reason.contains("timestamped values"), "{reason}");
    assert_eq!(set_aside(&directory).len(), 1);
}

#[test]
fn a_directory_of_a_newer_release_is_refused_and_left_alone() {
    let mut bench = with_one_row();
    bench.close();
    let mut options = Options::default();
    options.set_atomic_flush(true);
    let db = DB::open_cf(&options, bench.directory(), ["default", "offsets"]).expect("the database");
    db.put_cf(db.cf_handle("offsets").expect("a column family"), b"format", 99_u32.to_be_bytes()).expect("a put");
    drop(db);
    let error = bench.try_open().err().expect("a newer format");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("format 99"), "{error}");
    assert!(set_aside(bench.directory()).is_empty());
}

#[test]
fn a_directory_that_is_in_use_is_an_error_of_the_disk_and_left_alone() {
    let bench = with_one_row();
    let error = bench.try_open().err().expect("the lock is held");
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(set_aside(bench.directory()).is_empty());
}

#[test]
fn a_reset_store_is_empty_and_can_be_filled_again() {
    let mut bench = with_one_row();
    let name = counts(persistent()).store_name();
    bench.store().reset("its offset lies below the log", 5).expect("a reset");
    assert_eq!(bench.handle(&name).get(&key("a")).expect("a get"), None);
    assert_eq!(bench.store().changelog_position(), None);
    assert_eq!(set_aside(bench.directory()), ["0.corrupt-5"]);
    restore(&**bench.store(), &[(b"a", Some(&3_i64.to_be_bytes()), 0)], 1).expect("a restore");
    bench.store().flush(1).expect("a flush");
    bench.kill();
    assert_eq!(bench.handle(&name).get(&key("a")).expect("a get"), Some(3));
}

#[test]
fn rows_of_another_program_are_set_aside() {
    let mut bench = open(counts(persistent()));
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let db = DB::open_cf(&options, bench.directory(), ["default", "offsets"]).expect("a database");
    db.put(b"a", b"b").expect("a put");
    drop(db);
    bench.close();
    assert!(bench.open().expect("a reason").contains("not written by this library"));
}
