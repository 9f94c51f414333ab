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
