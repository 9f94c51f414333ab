//! Mistakes of the commit protocol, seeded on purpose: each makes an audit fail that holds without it. So the audits can see.
//!
//! Needs the examples built with the feature `fault-injection`, as `make test` does.

#![cfg(feature = "fault-injection")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Cluster, Example, PATIENCE, Vocabulary, WordCount, assert_same_counts, send};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const PARTITIONS: i32 = 2;

/// What a process logs so that a test can follow it.
const INFO: &str = "warn,rdkafka=off,librdkafka=off,stream_core=info";

type Fault<'a> = Option<&'a str>;

/// Runs a scenario without and with the mistake, side by side: the audit must fail with it, and only with it.
fn is_noticed(fault: &str, scenario: impl Fn(&Cluster, &Path, Fault<'_>) + Sync) {
    let run = |fault: Fault<'_>| {
        let cluster = Cluster::start();
        let state = tempfile::tempdir().expect("a folder");
        scenario(&cluster, state.path(), fault);
    };
    let (sound, broken) = std::thread::scope(|scope| {
        let (sound, broken) = (scope.spawn(|| run(None)), scope.spawn(|| run(Some(fault))));
        (sound.join(), broken.join())
    });
    assert!(sound.is_ok(), "the scenario fails without {fault}, too");
    let failure = broken.expect_err(&format!("{fault} was seeded, and nobody noticed"));
    let reason = failure.downcast_ref::<String>().map_or("", String::as_str);
    assert!(
        reason.contains("counts with a gap") || reason.contains("wrong counts"),
        "{fault} was not noticed by the audit, but so: {reason}"
    );
}

/// A process of word count, with variables of the environment.
fn command(word_count: &WordCount<'_>, state: &Path, fault: Fault<'_>, variables: &[(&str, String)]) -> Command {
    let mut command = word_count.command(state);
    command.args(["--config", "heartbeat.interval.ms=500"]);
    if let Some(fault) = fault {
        command.env("KSTREAMS_SEEDED_FAULT", fault);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
}

fn start(word_count: &WordCount<'_>, state: &Path, fault: Fault<'_>) -> Example {
    let example = Example::spawn(command(word_count, state, fault, &[]));
    example.await_running();
    example
}

/// Feeds lines, a few at a time, until something has happened.
fn feed_until(word_count: &mut WordCount<'_>, vocabulary: &mut Vocabulary, mut has_happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !has_happened() {
        assert!(Instant::now() < deadline, "what the lines were fed for did not happen");
        word_count.feed(vocabulary.by_ref().take(50));
    }
}

fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: that did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Processes what is left, ends, and looks at the counts.
fn finish(word_count: &WordCount<'_>, example: Example) {
    word_count.await_processed();
    example.terminate();
    word_count.assert_exactly_once();
}

/// Dies at a kill point with lines in flight, and starts again without one.
fn die_and_restart(cluster: &Cluster, state: &Path, fault: Fault<'_>, point: &str) {
    let mut word_count = WordCount::new(cluster, PARTITIONS);
    let mut vocabulary = Vocabulary::new(300, 5, 51);
    word_count.feed(vocabulary.by_ref().take(300));
    let mut dying = Example::spawn(command(&word_count, state, fault, &[("KSTREAMS_KILL_POINT", format!("{point}:3"))]));
    feed_until(&mut word_count, &mut vocabulary, || !dying.is_alive());
    assert!(dying.stderr().contains("killed at"), "{}", dying.output());
    cluster.expel_members(word_count.application());
    let example = start(&word_count, state, fault);
    word_count.feed(vocabulary.by_ref().take(300));
    finish(&word_count, example);
}

#[test]
fn offsets_sent_before_the_changelog_are_noticed() {
    is_noticed("OffsetsBeforeChangelog", |cluster, state, fault| die_and_restart(cluster, state, fault, "BeforeChangelogSend"));
}

#[test]
fn a_position_flushed_apart_from_its_rows_is_noticed() {
    is_noticed("PositionApartFromRows", |cluster, state, fault| die_and_restart(cluster, state, fault, "AfterStoreCommit"));
}

/// A step fails once with lines in flight; the same process does its work again over the same stores.
fn fail_and_go_on(cluster: &Cluster, state: &Path, fault: Fault<'_>, point: &str) {
    let mut word_count = WordCount::new(cluster, PARTITIONS);
    let mut vocabulary = Vocabulary::new(300, 5, 52);
    word_count.feed(vocabulary.by_ref().take(300));
    let example = Example::spawn(command(&word_count, state, fault, &[("KSTREAMS_FAIL_POINT", point.to_owned())]));
    feed_until(&mut word_count, &mut vocabulary, || example.stderr().contains("failed at"));
    word_count.feed(vocabulary.by_ref().take(300));
    finish(&word_count, example);
}

#[test]
fn an_uncommitted_layer_merged_before_the_commit_is_noticed() {
    is_noticed("StoreBeforeCommit", |cluster, state, fault| fail_and_go_on(cluster, state, fault, "AfterProducerFlush:3"));
}

#[test]
fn a_commit_past_a_record_that_failed_half_way_is_noticed() {
    is_noticed("CommitPastFailedRecord", |cluster, state, fault| fail_and_go_on(cluster, state, fault, "RecordTaken:500"));
}

/// A worker is held in its commit while the group gives up its process and an heir does the work. When the group knows the process again,
/// under a new membership, the worker goes on with the commit of the old one.
fn commit_of_an_earlier_membership(cluster: &Cluster, state: &Path, fault: Fault<'_>, comes_back: bool) {
    let mut word_count = WordCount::new(cluster, PARTITIONS);
    let mut vocabulary = Vocabulary::new(300, 5, 55);
    word_count.feed(vocabulary.by_ref().take(300));
    let hold = state.join("hold");
    fs::write(&hold, "").expect("a file");
    let variables = [
        ("KSTREAMS_HOLD_POINT", format!("BeforeChangelogSend:10:{}", hold.display())),
        ("RUST_LOG", "warn,rdkafka=off,librdkafka=off,stream_core=info".into()),
    ];
    let mut zombie = command(&word_count, &state.join("zombie"), fault, &variables);
    // What it holds open must outlive all that follows.
    zombie.args(["--config", "session.timeout.ms=90000", "--config", "transaction.timeout.ms=90000"]);
    let zombie = Example::spawn(zombie);
    feed_until(&mut word_count, &mut vocabulary, || zombie.stderr().contains("held at"));
    zombie.signal("STOP");
    cluster.expel_members(word_count.application());
    let heir = Example::spawn(command(&word_count, &state.join("heir"), None, &[]));
    let tasks = 2 * usize::try_from(PARTITIONS).expect("a count");
    await_that("the heir has all tasks", || heir.tasks().len() == tasks);
    // In either sub-topology: whatever the commit that is held has in it, the heir does once more.
    word_count.feed(vocabulary.by_ref().take(100));
    word_count.await_processed();
    zombie.signal("CONT");
    let assigned = |count: usize| {
        let stderr = zombie.stderr();
        let (_, after) = stderr.split_once("the group gave this process's tasks to others").unwrap_or_default();
        let tasks = after.lines().filter_map(|line| line.split_once("assigned tasks=")).map(|(_, tasks)| tasks.matches('_').count());
        tasks.into_iter().any(|tasks| tasks >= count)
    };
    let heir = if comes_back {
        heir.terminate();
        await_that("the zombie gets all tasks back", || assigned(tasks));
        None
    } else {
        await_that("the zombie is a member again", || assigned(1));
        Some(heir)
    };
    fs::remove_file(&hold).expect("the file is there");
    // What comes afterwards is fed when its commit is over: one that passed has set positions back, which more lines bring to light.
    await_that("the worker that was held runs tasks again", || {
        zombie.stderr().split_once("held at").is_some_and(|(_, after)| after.contains("running task="))
    });
    word_count.feed(vocabulary.by_ref().take(300));
    word_count.await_processed();
    zombie.terminate();
    if let Some(heir) = heir {
        heir.terminate();
    }
    word_count.assert_exactly_once();
}

#[test]
fn the_newest_token_in_place_of_the_owned_one_is_noticed() {
    is_noticed("NewestToken", |cluster, state, fault| commit_of_an_earlier_membership(cluster, state, fault, false));
}

#[test]
fn a_commit_of_tasks_that_were_lost_and_came_back_is_noticed() {
    is_noticed("EarlierMembership", |cluster, state, fault| commit_of_an_earlier_membership(cluster, state, fault, true));
}

#[test]
fn a_transaction_left_open_at_a_revocation_is_noticed() {
    is_noticed("OpenTransactionAtRevocation", |cluster, state, fault| {
        let mut word_count = WordCount::new(cluster, PARTITIONS);
        let mut vocabulary = Vocabulary::new(300, 5, 56);
        let mut first = command(&word_count, &state.join("first"), fault, &[("KSTREAMS_FAIL_POINT", "RevokeBeforeCommit".into())]);
        // Few commits, so that the revocation meets an open transaction.
        first.args(["--config", "session.timeout.ms=60000", "--config", "transaction.timeout.ms=60000", "--commit-interval-ms", "3000"]);
        let first = Example::spawn(first);
        first.await_running();
        // Both sub-topologies have something in the open transaction when the second process asks for its share.
        let output = word_count.output().to_owned();
        feed_until(&mut word_count, &mut vocabulary, || cluster.ends(&output).iter().sum::<i64>() > 0);
        let second = Example::spawn(command(&word_count, &state.join("second"), None, &[]));
        feed_until(&mut word_count, &mut vocabulary, || first.stderr().contains("failed at"));
        second.await_running();
        word_count.await_processed();
        first.terminate();
        finish(&word_count, second);
    });
}

/// Word count with a cache, and no commit but the one when it gives its tasks up: to another process, or at its end.
fn give_up_with_a_full_cache(cluster: &Cluster, state: &Path, fault: Fault<'_>, to_another: bool) {
    let mut word_count = WordCount::new(cluster, PARTITIONS);
    let cached = |name: &str, fault: Fault<'_>| {
        let mut command = Example::command("word_count", cluster, word_count.application(), &state.join(name));
        command.args(["--input-topic", word_count.input(), "--output-topic", word_count.output(), "--commit-interval-ms", "600000"]);
        command.args(["--config", "heartbeat.interval.ms=500"]);
        if let Some(fault) = fault {
            command.env("KSTREAMS_SEEDED_FAULT", fault);
        }
        let example = Example::spawn(command);
        example.await_running();
        example
    };
    let first = cached("first", fault);
    let lines: Vec<String> = Vocabulary::new(500, 5, 53).take(500).collect();
    cluster.produce(word_count.input(), lines.iter().map(|line| (None::<&str>, line)));
    let repartition = format!("{}-counts-repartition", word_count.application());
    await_that("the words arrive", || cluster.ends(&repartition).iter().sum::<i64>() >= 2500);
    let second = to_another.then(|| cached("second", None));
    first.terminate();
    if let Some(second) = second {
        second.terminate();
    }
    lines.into_iter().for_each(|line| word_count.note(line));
    let mut rest = Example::command("word_count", cluster, word_count.application(), &state.join("rest"));
    rest.args(["--input-topic", word_count.input(), "--output-topic", word_count.output(), "--cache-max-bytes", "0"]);
    let rest = Example::spawn(rest);
    word_count.await_processed();
    rest.terminate();
    assert_same_counts(word_count.audit().last(), &word_count.truth());
}

#[test]
fn caches_that_are_not_drained_at_a_revocation_are_noticed() {
    is_noticed("NoDrainAtRevocation", |cluster, state, fault| give_up_with_a_full_cache(cluster, state, fault, true));
}

#[test]
fn caches_that_are_not_drained_at_the_end_are_noticed() {
    is_noticed("NoDrainAtClose", |cluster, state, fault| give_up_with_a_full_cache(cluster, state, fault, false));
}

#[test]
fn a_restoration_that_reads_uncommitted_records_is_noticed() {
    is_noticed("RestoreUncommitted", |cluster, state, fault| {
        let mut word_count = WordCount::new(cluster, PARTITIONS);
        let mut vocabulary = Vocabulary::new(300, 5, 54);
        word_count.feed(vocabulary.by_ref().take(300));
        let first = start(&word_count, state, None);
        word_count.await_processed();
        first.terminate();
        cluster.abort_a_transaction(&word_count.changelog(), PARTITIONS);
        fs::remove_dir_all(state).expect("the state can be deleted");
        let second = start(&word_count, state, fault);
        word_count.feed(vocabulary.by_ref().take(300));
        finish(&word_count, second);
    });
}

#[test]
fn a_restoration_that_ends_at_the_last_stable_offset_is_noticed() {
    is_noticed("RestoreToStable", |cluster, state, fault| {
        let mut word_count = WordCount::new(cluster, PARTITIONS);
        let mut vocabulary = Vocabulary::new(300, 5, 57);
        word_count.feed(vocabulary.by_ref().take(300));
        let first = start(&word_count, state, None);
        word_count.await_processed();
        // A zombie's transaction, open in the changelog. What is committed from here on lies behind the last stable offset.
        let hanging: BaseProducer =
            cluster.producer(&[("transactional.id", &cluster.unique("hangs")), ("transaction.timeout.ms", "120000")]);
        hanging.init_transactions(PATIENCE).expect("transactions");
        hanging.begin_transaction().expect("a transaction");
        let changelog = word_count.changelog();
        for partition in 0..PARTITIONS {
            send(&hanging, BaseRecord::<str, [u8]>::to(&changelog).partition(partition).key("hangs").payload(&[0; 8]));
        }
        hanging.flush(PATIENCE).expect("records are written");
        word_count.feed(vocabulary.by_ref().take(300));
        word_count.await_processed();
        first.terminate();
        fs::remove_dir_all(state).expect("the state can be deleted");

        let second = Example::spawn(command(&word_count, state, fault, &[("RUST_LOG", INFO.into())]));
        let changelogs = usize::try_from(PARTITIONS).expect("a count");
        await_that("restoration begins", || second.stderr().matches("restoring").count() >= changelogs);
        if fault.is_some() {
            // It does not wait for the end of that transaction.
            second.await_running();
        }
        hanging.abort_transaction(PATIENCE).expect("it ends");
        second.await_running();
        word_count.feed(vocabulary.by_ref().take(300));
        finish(&word_count, second);
    });
}
