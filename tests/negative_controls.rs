//! Mistakes of the commit protocol, seeded on purpose: each makes an audit fail that holds without it. So the audits can see.
//!
//! Needs the examples built with the feature `fault-injection`, as `make test` does.

#![cfg(feature = "fault-injection")]

mod harness;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Cluster, Example, PATIENCE, Vocabulary, WordCount, assert_same_counts};

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
#[ignore = "takes long: run with --ignored"]
fn offsets_sent_before_the_changelog_are_noticed() {
    is_noticed("OffsetsBeforeChangelog", |cluster, state, fault| die_and_restart(cluster, state, fault, "BeforeChangelogSend"));
}

#[test]
#[ignore = "takes long: run with --ignored"]
fn a_position_flushed_apart_from_its_rows_is_noticed() {
    is_noticed("PositionApartFromRows", |cluster, state, fault| die_and_restart(cluster, state, fault, "AfterStoreCommit"));
}

#[test]
#[ignore = "takes long: run with --ignored"]
fn an_uncommitted_layer_merged_before_the_commit_is_noticed() {
    if Cluster::start().embedded().is_none() {
        println!("skipped: this cluster's network is not ours to cut");
        return;
    }
    is_noticed("StoreBeforeCommit", |cluster, state, fault| {
        // The broker is away for longer than the transaction lives, but not the session: the commit fails, and the same process does its
        // work again over the same stores.
        let Some(broker) = cluster.embedded() else { panic!("needs a broker of its own") };
        let mut word_count = WordCount::new(cluster, 2);
        let mut vocabulary = Vocabulary::new(300, 5, 52);
        let mut command = seeded(word_count.command(state), fault);
        command.args(["--config", "session.timeout.ms=45000"]);
        let example = Example::spawn(command);
        example.await_running();
        word_count.feed(vocabulary.by_ref().take(2000));
        word_count.await_processed();
        word_count.feed_while(vocabulary.by_ref().take(60_000), || {
            broker.pause_network().expect("the network can be cut");
            std::thread::sleep(Duration::from_secs(10));
            broker.resume_network().expect("the network comes back");
        });
        word_count.feed(vocabulary.by_ref().take(1000));
        word_count.await_processed();
        example.terminate();
        word_count.assert_exactly_once();
    });
}

#[test]
#[ignore = "takes long: run with --ignored"]
fn caches_that_are_not_drained_at_the_end_are_noticed() {
    is_noticed("NoDrainAtRevocation", |cluster, state, fault| {
        let mut word_count = WordCount::new(cluster, 2);
        // With cache, and no commit but the one at the end.
        let start = || {
            let mut command = Example::command("word_count", cluster, word_count.application(), state);
            command.args(["--input-topic", word_count.input(), "--output-topic", word_count.output(), "--commit-interval-ms", "600000"]);
            let example = Example::spawn(seeded(command, fault));
            example.await_running();
            example
        };
        let repartition = format!("{}-counts-repartition", word_count.application());
        let first = start();
        let lines: Vec<String> = Vocabulary::new(2000, 5, 53).take(2000).collect();
        cluster.produce(word_count.input(), lines.iter().map(|line| (None::<&str>, line)));
        let deadline = Instant::now() + PATIENCE;
        while cluster.ends(&repartition).iter().sum::<i64>() < 10_000 {
            assert!(Instant::now() < deadline, "the words do not arrive");
            std::thread::yield_now();
        }
        first.terminate();
        lines.into_iter().for_each(|line| word_count.note(line));
        let mut rest = Example::command("word_count", cluster, word_count.application(), state);
        rest.args(["--input-topic", word_count.input(), "--output-topic", word_count.output(), "--cache-max-bytes", "0"]);
        let rest = Example::spawn(rest);
        rest.await_running();
        word_count.await_processed();
        rest.terminate();
        assert_same_counts(word_count.audit().last(), &word_count.truth());
    });
}

#[test]
#[ignore = "takes long: run with --ignored"]
fn a_restoration_that_reads_uncommitted_records_is_noticed() {
    is_noticed("RestoreUncommitted", |cluster, state, fault| {
        let mut word_count = WordCount::new(cluster, 2);
        let mut vocabulary = Vocabulary::new(300, 5, 54);
        word_count.feed(vocabulary.by_ref().take(1000));
        let first = word_count.start(state);
        word_count.await_processed();
        first.terminate();
        cluster.abort_a_transaction(&word_count.changelog(), 2);
        fs::remove_dir_all(state).expect("the state can be deleted");
        let second = Example::spawn(seeded(word_count.command(state), fault));
        second.await_running();
        word_count.feed(vocabulary.by_ref().take(1000));
        word_count.await_processed();
        second.terminate();
        word_count.assert_exactly_once();
    });
}
