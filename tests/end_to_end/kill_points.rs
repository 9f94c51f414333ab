//! The process is stopped at every step of a commit, a flush, a restoration and a revocation; the same audit holds each time.
//!
//! Needs the examples built with the feature `fault-injection`, as `make test` does.

#![cfg(feature = "fault-injection")]

use std::fs;

use crate::harness::{Cluster, Example, PATIENCE, Vocabulary, WordCount};

/// Arms a kill point for its `hit`-th occurrence.
fn armed(word_count: &WordCount<'_>, state: &std::path::Path, point: &str, hit: u32, settings: &[&str]) -> Example {
    let mut command = word_count.command(state);
    command.env("KSTREAMS_KILL_POINT", format!("{point}:{hit}"));
    for setting in settings {
        command.args(["--config", setting]);
    }
    Example::spawn(command)
}

fn assert_killed(example: &mut Example, point: &str) {
    let status = example.await_end(PATIENCE);
    assert!(!status.success() && example.stderr().contains(&format!("killed at {point}")), "{point}: {status}\n{}", example.output());
}

/// Dies at the `hit`-th occurrence of a point of the commit or the flush, with lines in flight; starts again.
fn audit_holds_after_death_at(point: &str, hits: &[u32], settings: &[&str]) {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 2);
    let mut vocabulary = Vocabulary::new(400, 5, 41);
    word_count.feed(vocabulary.by_ref().take(2000));
    for hit in hits {
        let mut example = armed(&word_count, state.path(), point, *hit, settings);
        word_count.feed(vocabulary.by_ref().take(2000));
        while example.is_alive() {
            word_count.feed(vocabulary.by_ref().take(50));
        }
        assert_killed(&mut example, point);
    }
    let example = word_count.start(state.path());
    word_count.feed(vocabulary.by_ref().take(200));
    word_count.await_processed();
    let restored = example.terminate().restored;
    // Dirty keys are logged once a commit: the changelog holds less than one record a word.
    assert!(restored <= word_count.words(), "{point}: {restored} records were replayed of {} words", word_count.words());
    word_count.assert_exactly_once();
}

macro_rules! commit_points {
    ($($name:ident: $point:literal, $hits:expr, $settings:expr;)*) => {$(
        #[test]
        fn $name() {
            audit_holds_after_death_at($point, &$hits, &$settings);
        }
    )*};
}

commit_points! {
    death_before_the_changelog_is_sent_loses_nothing: "BeforeChangelogSend", [1, 4], [];
    death_after_the_changelog_is_sent_loses_nothing: "AfterChangelogSend", [1, 4], [];
    death_after_the_producer_is_flushed_loses_nothing: "AfterProducerFlush", [1, 4], [];
    death_after_the_offsets_are_sent_loses_nothing: "AfterOffsetsSent", [1, 4], [];
    death_after_the_commit_loses_nothing: "AfterCommit", [1, 4], [];
    death_after_the_stores_have_taken_the_commit_loses_nothing: "AfterStoreCommit", [1, 4], [];
    death_before_a_flush_loses_nothing: "BeforeStoreFlush", [1, 3], ["state.flush.interval.ms=200"];
    death_after_a_flush_loses_nothing: "AfterStoreFlush", [1, 3], ["state.flush.interval.ms=200"];
}

#[test]
fn death_while_state_is_restored_loses_nothing() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 2);
    let mut vocabulary = Vocabulary::new(3000, 5, 42);
    word_count.feed(vocabulary.by_ref().take(4000));
    let example = word_count.start(state.path());
    word_count.await_processed();
    example.terminate();
    for point in ["RestoreHalfway", "RestoreComplete"] {
        fs::remove_dir_all(state.path()).expect("the state can be deleted");
        assert_killed(&mut armed(&word_count, state.path(), point, 1, &[]), point);
        let example = word_count.start(state.path());
        word_count.feed(vocabulary.by_ref().take(200));
        word_count.await_processed();
        example.terminate();
        word_count.assert_exactly_once();
    }
}

#[test]
fn death_while_tasks_are_given_up_loses_nothing() {
    for point in ["RevokeBeforeCommit", "RevokeAfterCommit"] {
        let cluster = Cluster::start();
        let state = tempfile::tempdir().expect("a folder");
        let mut word_count = WordCount::new(&cluster, 4);
        let mut vocabulary = Vocabulary::new(400, 5, 43);
        let mut dying = armed(&word_count, &state.path().join("dying"), point, 1, &[]);
        dying.await_running();
        word_count.feed(vocabulary.by_ref().take(2000));
        let heir = Example::spawn(word_count.command(&state.path().join("heir")));
        while dying.is_alive() {
            word_count.feed(vocabulary.by_ref().take(50));
        }
        assert_killed(&mut dying, point);
        word_count.feed(vocabulary.by_ref().take(500));
        word_count.await_processed();
        heir.terminate();
        word_count.assert_exactly_once();
    }
}
