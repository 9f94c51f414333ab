//! Mistakes of the commit protocol, seeded on purpose: each makes an audit fail that holds without it. So the audits can see.
//!
//! Needs the examples built with the feature `fault-injection`, as `make test` does.

#![cfg(feature = "fault-injection")]

mod harness;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::{Cluster, Example, Vocabulary, WordCount, assert_same_counts};

/// Runs a scenario with and without the mistake: it must fail with it, and only with it.
fn is_noticed(fault: &str, scenario: impl Fn(&Cluster, &Path, Option<&str>)) {
    let run = |fault: Option<&str>| {
        let cluster = Cluster::start();
        let state = tempfile::tempdir().expect("a folder");
        scenario(&cluster, state.path(), fault);
    };
    run(None);
    let noticed = catch_unwind(AssertUnwindSafe(|| run(Some(fault)))).is_err();
    assert!(noticed, "{fault} was seeded, and nobody noticed");
}

fn seeded(mut command: Command, fault: Option<&str>) -> Command {
    if let Some(fault) = fault {
        command.env("KSTREAMS_SEEDED_FAULT", fault);
    }
    command
}

/// Dies at a kill point with lines in flight, and starts again without one.
fn die_and_restart(cluster: &Cluster, state: &Path, fault: Option<&str>, point: &str) {
    let mut word_count = WordCount::new(cluster, 2);
    let mut vocabulary = Vocabulary::new(300, 5, 51);
    word_count.feed(vocabulary.by_ref().take(1000));
    let mut command = seeded(word_count.command(state), fault);
    command.env("KSTREAMS_KILL_POINT", format!("{point}:3"));
    let mut dying = Example::spawn(command);
    while dying.is_alive() {
        word_count.feed(vocabulary.by_ref().take(50));
    }
    assert!(dying.stderr().contains("killed at"), "{}", dying.output());
    let example = Example::spawn(seeded(word_count.command(state), fault));
    example.await_running();
    word_count.feed(vocabulary.by_ref().take(1000));
    word_count.await_processed();
    example.terminate();
    word_count.assert_exactly_once();
}

#[test]
fn offsets_sent_before_the_changelog_are_noticed() {
    is_noticed("OffsetsBeforeChangelog", |cluster, state, fault| die_and_restart(cluster, state, fault, "BeforeChangelogSend"));
}

#[test]
fn a_position_flushed_apart_from_its_rows_is_noticed() {
    is_noticed("PositionApartFromRows", |cluster, state, fault| die_and_restart(cluster, state, fault, "AfterStoreCommit"));
}

#[test]
fn an_uncommitted_layer_merged_before_the_commit_is_noticed() {
    is_noticed("StoreBeforeCommit", |cluster, state, fault| {
        // The broker is away for longer than the transaction lives: the commit fails, and its work is done again by the same process.
        let Some(broker) = cluster.embedded() else { panic!("needs a broker of its own") };
        let mut word_count = WordCount::new(cluster, 2);
        let mut vocabulary = Vocabulary::new(300, 5, 52);
        let example = Example::spawn(seeded(word_count.command(state), fault));
        example.await_running();
        word_count.feed(vocabulary.by_ref().take(2000));
        word_count.await_processed();
        word_count.feed(vocabulary.by_ref().take(20_000));
        broker.pause_network().expect("the network can be cut");
        std::thread::sleep(Duration::from_secs(10));
        broker.resume_network().expect("the network comes back");
        word_count.feed(vocabulary.by_ref().take(1000));
        word_count.await_processed();
        example.terminate();
        word_count.assert_exactly_once();
    });
}

#[test]
fn caches_that_are_not_drained_at_revocation_are_noticed() {
    is_noticed("NoDrainAtRevocation", |cluster, state, fault| {
        let mut word_count = WordCount::new(cluster, 4);
        // With cache, and no commit but the one at the revocation.
        let command = |folder: &str| {
            let mut command = seeded(word_count.command(&state.join(folder)), fault);
            command.args(["--config", "statestore.cache.max.bytes=10000000", "--config", "commit.interval.ms=5000"]);
            command
        };
        let (first, second) = (command("first"), command("second"));
        let first = Example::spawn(first);
        first.await_running();
        word_count.feed(Vocabulary::new(2000, 5, 53).take(2000));
        let second = Example::spawn(second);
        second.await_running();
        word_count.await_processed();
        first.terminate();
        second.terminate();
        assert_same_counts(word_count.audit().last(), &word_count.truth());
    });
}

#[test]
fn the_newest_token_instead_of_the_owned_one_is_noticed() {
    is_noticed("NewestToken", |cluster, state, fault| {
        let mut word_count = WordCount::new(cluster, 4);
        let mut vocabulary = Vocabulary::new(300, 5, 54);
        let zombie = Example::spawn(seeded(word_count.command(&state.join("zombie")), fault));
        zombie.await_running();
        word_count.feed(vocabulary.by_ref().take(2000));
        word_count.await_processed();
        word_count.feed(vocabulary.by_ref().take(20_000));
        zombie.signal("STOP");
        let heir = Example::spawn(seeded(word_count.command(&state.join("heir")), fault));
        heir.await_running();
        word_count.await_processed();
        zombie.signal("CONT");
        word_count.feed(vocabulary.by_ref().take(1000));
        word_count.await_processed();
        zombie.terminate();
        heir.terminate();
        word_count.assert_exactly_once();
    });
}
