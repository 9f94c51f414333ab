//! What goes wrong outside: poison records, a broker that is away, topics that are missing or do not match, a full disk.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Audit, Cluster, Example, PATIENCE, Vocabulary, WordCount, size};
use kstreams::prelude::*;

#[test]
fn a_poison_record_stops_the_application_with_its_place_named_and_nothing_lost() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 1);
    word_count.feed(Vocabulary::new(50, 3, 21).take(100));
    cluster.produce(word_count.input(), [(None::<&str>, [0xff_u8, 0xfe])]);
    let mut failing = Example::spawn(word_count.command(state.path()));
    let status = failing.await_end(PATIENCE);
    assert_eq!(status.code(), Some(1));
    let stderr = failing.stderr();
    assert!(stderr.contains(word_count.input()) && stderr.contains("100"), "topic and offset are named: {stderr}");

    word_count.feed(Vocabulary::new(50, 3, 22).take(100));
    let mut command = word_count.command(state.path());
    command.args(["--config", "deserialization.exception.handler=log-and-continue"]);
    let continuing = Example::spawn(command);
    continuing.await_running();
    word_count.await_processed();
    assert_eq!(continuing.terminate().dropped, 1);
    word_count.assert_exactly_once();
}

#[test]
fn a_broker_that_is_away_and_comes_back_loses_nothing() {
    let cluster = Cluster::start();
    let Some(broker) = cluster.embedded() else {
        println!("skipped: this cluster's network is not ours to cut");
        return;
    };
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 3);
    let mut vocabulary = Vocabulary::new(300, 5, 23);
    let example = word_count.start(state.path());
    word_count.feed(vocabulary.by_ref().take(2000));
    word_count.feed_while(vocabulary.by_ref().take(60_000), || {
        broker.pause_network().expect("the network can be cut");
        std::thread::sleep(Duration::from_secs(size("KSTREAMS_TEST_OUTAGE_SECONDS", 20)));
        broker.resume_network().expect("the network comes back");
    });
    word_count.feed(vocabulary.by_ref().take(2000));
    word_count.await_processed();
    example.terminate();
    word_count.assert_exactly_once();
}

#[test]
fn an_application_that_is_closed_while_the_broker_hangs_leaves_its_state_to_the_next_one() {
    let cluster = Cluster::start();
    let Some(broker) = cluster.embedded() else {
        println!("skipped: this cluster's broker is not ours to stop");
        return;
    };
    let (input, output) = (cluster.topic("input", 2, &[]), cluster.topic("output", 2, &[]));
    let state = tempfile::tempdir().expect("a folder");
    let application = cluster.unique("closed");
    let start = || {
        let builder = StreamsBuilder::new();
        builder.stream::<String, String>(input.as_str()).group_by_key().count().to_stream().to(output.as_str());
        let config = StreamsConfig::new(&application, cluster.bootstrap_servers())
            .with_state_dir(state.path())
            .set("processing.guarantee", "exactly_once_v2")
            .and_then(|config| config.set("statestore.cache.max.bytes", "0"))
            .expect("a configuration");
        let streams = KafkaStreams::new(builder.build().expect("a topology"), config).expect("an application");
        streams.start().expect("the state directory is free");
        streams
    };
    let feed = |from: i32| cluster.produce(&input, (from..from + 100).map(|number| (Some("key"), number.to_string())));
    let counted = |count: i64| {
        let mut next = 1;
        cluster.read_until(&output, PATIENCE, |row| {
            assert_eq!(row.value_long(), next, "each record is counted once");
            next += 1;
            next > count
        });
    };
    let first = start();
    feed(0);
    counted(100);
    let hanging = broker.hang().expect("the broker hangs");
    // Its commits, and those of the idle position, wait for answers.
    let asked = Instant::now();
    assert!(first.close(Duration::from_secs(10)), "it is in state {} after {:?}", first.state(), asked.elapsed());
    assert_eq!((first.state(), first.failure()), (State::NotRunning, None));
    drop(hanging);

    let second = start();
    feed(100);
    counted(200);
    assert!(second.close(PATIENCE));
}

#[test]
fn an_example_that_is_told_to_end_while_the_broker_hangs_ends() {
    let cluster = Cluster::start();
    let Some(broker) = cluster.embedded() else {
        println!("skipped: this cluster's broker is not ours to stop");
        return;
    };
    let state = tempfile::tempdir().expect("a folder");
    let lines = state.path().join("lines.txt");
    std::fs::write(&lines, "one two three\n".repeat(1_000)).expect("a file to feed");
    let word_count = WordCount::new(&cluster, 2);
    let mut command = word_count.command(state.path());
    // It feeds, and asks all the time how far it is.
    command.arg("--input").arg(&lines);
    let mut example = Example::spawn(command);
    cluster.read_until(word_count.output(), PATIENCE, |_| true);
    let hanging = broker.hang().expect("the broker hangs");
    example.signal("TERM");
    let asked = Instant::now();
    // What it was doing waits for its own timeout, then the last commit; with a transaction timeout of 6 s that is less than a minute.
    let status = example.await_end(Duration::from_secs(50));
    drop(hanging);
    assert!(status.success(), "after {:?}: {status}\n{}", asked.elapsed(), example.output());
    example.finished();
}

#[test]
fn a_process_whose_producer_is_full_still_gives_tasks_up() {
    let cluster = Cluster::start();
    let (input, output) = (cluster.topic("input", 2, &[]), cluster.topic("output", 1, &[]));
    let application = cluster.unique("full");
    let states = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let start = |index: usize| {
        let builder = StreamsBuilder::new();
        builder.stream::<Option<String>, String>(input.as_str()).to(output.as_str());
        let settings = [
            ("commit.interval.ms", "60000"),
            // Nothing is sent before the queue is full, nor for long after.
            ("producer.queue.buffering.max.messages", "1000"),
            ("producer.batch.num.messages", "10000"),
            ("producer.linger.ms", "40000"),
            ("producer.delivery.timeout.ms", "80000"),
        ];
        let config = StreamsConfig::new(&application, cluster.bootstrap_servers()).with_state_dir(states[index].path());
        let config = settings.iter().try_fold(config, |config, (name, value)| config.set(name, value)).expect("a configuration");
        let streams = KafkaStreams::new(builder.build().expect("a topology"), config).expect("an application");
        streams.start().expect("it starts");
        streams
    };
    let first = start(0);
    assert!(first.wait_for(State::Running, PATIENCE));
    let records = 4_000;
    cluster.produce(&input, (0..records).map(|number| (None::<&str>, number.to_string())));
    let deadline = Instant::now() + PATIENCE;
    while first.metrics().consumed < 900 {
        assert!(Instant::now() < deadline, "{:?}", first.metrics());
        std::thread::yield_now();
    }
    let started = Instant::now();
    let second = start(1);
    // Half of the tasks move, after a commit that sends what waits.
    while second.tasks().len() != 1 {
        assert!(started.elapsed() < Duration::from_secs(30), "{:?} have {:?} and {:?}", started.elapsed(), first.tasks(), second.tasks());
        second.wait_for(State::Rebalancing, Duration::from_millis(50));
    }
    assert!(first.close(PATIENCE) && second.close(PATIENCE));
    assert_eq!((first.failure(), second.failure()), (None, None));
    let read: std::collections::BTreeSet<String> = cluster.read_all(&output).iter().map(crate::harness::Row::value_text).collect();
    let processed = first.metrics().produced + second.metrics().produced;
    assert!(processed >= 900 && read.len() as u64 == processed, "{} of {processed} records were written", read.len());
}

#[cfg(feature = "fault-injection")]
#[test]
fn an_application_whose_transactions_are_always_aborted_ends_after_the_task_timeout_and_counts_nothing_twice() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 1);
    let first = word_count.start(state.path());
    word_count.feed(Vocabulary::new(50, 3, 26).take(200));
    word_count.await_processed();
    first.terminate();

    let mut command = word_count.command(state.path());
    command.args(["--config", "task.timeout.ms=3000"]).env("KSTREAMS_FAIL_POINT", "AfterProducerFlush:*");
    let mut aborting = Example::spawn(command);
    word_count.feed(Vocabulary::new(50, 3, 27).take(200));
    assert_eq!(aborting.await_end(PATIENCE).code(), Some(1), "{}", aborting.output());
    let stderr = aborting.stderr();
    assert!(stderr.matches("failed at AfterProducerFlush").count() >= 3, "it was tried again: {stderr}");
    let reason = stderr.lines().last().unwrap_or_default();
    for part in ["error: ", "no progress for 3000 ms (`task.timeout.ms`)", "tasks 0_0 1_0", "a test lets AfterProducerFlush fail"] {
        assert!(reason.contains(part), "`{part}` is missing in: {reason}");
    }

    let last = word_count.start(state.path());
    word_count.await_processed();
    last.terminate();
    word_count.assert_exactly_once();
}

/// Word count that has processed a topic, which was then deleted and made anew with fewer records than it had; the committed offset of the
/// old one is still there, as when a process commits while the topic is being deleted.
fn with_a_topic_made_anew<'c>(cluster: &'c Cluster, state: &Path) -> WordCount<'c> {
    let mut word_count = WordCount::new(cluster, 1);
    let first = word_count.start(state);
    word_count.feed(Vocabulary::new(50, 3, 24).take(500));
    word_count.await_processed();
    first.terminate();
    cluster.delete_topic(word_count.input());
    cluster.create_topic(word_count.input(), 1, &[]);
    word_count.feed(Vocabulary::new(50, 3, 25).take(100));
    cluster.commit(word_count.application(), word_count.input(), 0, 500);
    word_count
}

#[test]
fn a_committed_offset_behind_the_end_of_a_topic_made_anew_is_reset_with_a_warning() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let word_count = with_a_topic_made_anew(&cluster, state.path());
    let second = word_count.start(state.path());
    // The old position is above the new end: that everything is committed says nothing, only what is counted does.
    let mut audit = Audit::new();
    cluster.read_until(word_count.output(), PATIENCE, |row| {
        audit.take(&row);
        audit.has_counted(word_count.words())
    });
    let stderr = second.stderr();
    second.terminate();
    let warning = stderr.lines().find(|line| line.contains("is not in the log")).unwrap_or_else(|| panic!("no warning: {stderr}"));
    for part in [word_count.input(), "partition=0", "committed=500", "end=100", "Earliest"] {
        assert!(warning.contains(part), "`{part}` is missing in: {warning}");
    }
    word_count.assert_exactly_once();
}

#[test]
fn a_committed_offset_behind_the_end_is_an_error_where_the_program_wants_no_reset() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let word_count = with_a_topic_made_anew(&cluster, state.path());
    let mut command = word_count.command(state.path());
    command.args(["--config", "auto.offset.reset=none"]);
    let mut refusing = Example::spawn(command);
    assert_eq!(refusing.await_end(PATIENCE).code(), Some(1));
    let stderr = refusing.stderr();
    for part in [&format!("{}-0", word_count.input()), "500", "100", "`none`"] {
        assert!(stderr.contains(part), "`{part}` is missing in: {stderr}");
    }
}

/// Runs a topology that cannot run; returns why it ended.
fn failure(cluster: &Cluster, name: &str, topology: Topology) -> String {
    let state = tempfile::tempdir().expect("a folder");
    let config = StreamsConfig::new(cluster.unique(name), cluster.bootstrap_servers())
        .set("state.dir", state.path().display())
        .and_then(|config| config.set("source.topic.timeout.ms", "2000"))
        .expect("a configuration");
    let started = Instant::now();
    let streams = KafkaStreams::new(topology, config).expect("a topology that can be built");
    streams.start().expect("it starts");
    assert!(streams.wait_for(State::Error, Duration::from_secs(60)), "it is in state {}", streams.state());
    assert!(started.elapsed() < Duration::from_secs(40), "it took {:?}", started.elapsed());
    assert!(streams.close(Duration::from_secs(10)));
    streams.failure().expect("a reason")
}

#[test]
fn a_source_topic_that_stays_missing_is_an_error_that_names_it() {
    let cluster = Cluster::start();
    let missing = cluster.unique("missing");
    let builder = StreamsBuilder::new();
    builder.stream::<Option<String>, String>(missing.as_str()).for_each(|_, _| {});
    let failure = failure(&cluster, "missing-topic", builder.build().expect("a topology"));
    assert!(failure.contains(&missing), "{failure}");
}

#[test]
fn a_join_of_topics_with_different_partition_counts_is_refused() {
    let cluster = Cluster::start();
    let (orders, owners) = (cluster.topic("orders", 3, &[]), cluster.topic("owners", 2, &[]));
    let results = cluster.topic("results", 3, &[]);
    let builder = StreamsBuilder::new();
    let table = builder.table::<String, String>(&owners);
    builder.stream::<String, String>(orders.as_str()).join(&table, |order, owner| format!("{order} {owner}")).to(results.as_str());
    let failure = failure(&cluster, "copartition", builder.build().expect("a topology"));
    for expected in [orders.as_str(), owners.as_str(), "3", "2"] {
        assert!(failure.contains(expected), "`{expected}` is missing in: {failure}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_takes_no_more_stops_the_application_and_loses_nothing() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 1);
    let words = 60_000;
    word_count.feed((0..words / 10).map(|line| (0..10).map(|word| format!("word{}", line * 10 + word)).collect::<Vec<_>>().join(" ")));
    // A limit of 256 KiB for each file stands for a disk that is full: writes beyond it fail.
    let limited = word_count.command(state.path());
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$0\" \"$@\""]).arg(limited.get_program()).args(limited.get_args());
    command.args(["--config", "state.flush.interval.ms=100"]);
    let mut full = Example::spawn(command);
    let status = full.await_end(PATIENCE);
    assert!(!status.success(), "{}", full.output());
    assert!(full.stderr().contains(&state.path().display().to_string()), "the error names the place: {}", full.stderr());

    let example = word_count.start(state.path());
    word_count.await_processed();
    example.terminate();
    word_count.assert_exactly_once();
}
