//! A full disk: nothing is lost, and the store goes on when there is room again.
//!
//! The limit on the size of files (`ulimit -f`) plays the full disk: a write fails in the operating system in the same place. It holds
//! for a whole process, so the test runs itself once more in one of its own.

use std::process::Command;

use stream_core::ErrorKind;

use super::{counts, key, open, persistent};

const WITHIN: &str = "STREAM_STATE_FULL_DISK";

#[test]
fn a_flush_to_a_full_disk_loses_nothing_and_a_later_one_succeeds() {
    if std::env::var_os(WITHIN).is_some() {
        return with_a_full_disk();
    }
    let program = std::env::current_exe().expect("the test program");
    let name = "full_disk::a_flush_to_a_full_disk_loses_nothing_and_a_later_one_succeeds";
    let script = format!("trap '' XFSZ; ulimit -S -f 200; exec '{}' --exact {name} --nocapture", program.display());
    let status = Command::new("sh").args(["-c", &script]).env(WITHIN, "1").status().expect("a shell");
    assert!(status.success());
}

fn with_a_full_disk() {
    let factory = counts(persistent());
    let name = factory.store_name();
    let mut bench = open(factory);
    let store = bench.handle(&name);
    store.put(&key("first"), &1).expect("a put");
    bench.store().commit(Some(1)).expect("a commit");
    bench.store().flush(1).expect("a flush that fits");
    bench.store().evict(usize::MAX);

    for number in 0..20_000_i64 {
        store.put(&number.to_be_bytes().to_vec(), &number).expect("a put");
    }
    bench.store().commit(Some(20_001)).expect("a commit");
    let unflushed = bench.store().unflushed();
    for _ in 0..2 {
        let error = bench.store().flush(2).expect_err("the disk is full");
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(error.to_string().contains(&bench.directory().display().to_string()), "{error}");
        assert_eq!(bench.store().unflushed(), unflushed, "everything stays unflushed");
        assert_eq!(store.get(&key("first")).expect("a get from disk"), Some(1));
        assert_eq!(store.get(&7_i64.to_be_bytes().to_vec()).expect("a get"), Some(7));
    }

    let me = std::process::id().to_string();
    let lifted = Command::new("prlimit").args(["--pid", &me, "--fsize=unlimited:unlimited"]).status().expect("prlimit of util-linux");
    assert!(lifted.success());
    bench.store().flush(3).expect("there is room again");
    drop(store);
    bench.kill();
    assert_eq!(bench.store().changelog_position(), Some(20_001));
    assert_eq!(bench.handle(&name).get(&7_i64.to_be_bytes().to_vec()).expect("a get"), Some(7));
    assert_eq!(bench.handle(&name).get(&key("first")).expect("a get"), Some(1));
}
