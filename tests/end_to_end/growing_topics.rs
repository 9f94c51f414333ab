//! What becomes of a running application when its source topics grow, or new ones appear.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

#[cfg(feature = "fault-injection")]
use crate::harness::Example;
use crate::harness::{Cluster, PATIENCE, send};
use kstreams::core::topology::SourceTopics;
use kstreams::prelude::*;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseRecord, Producer};
use regex::Regex;

/// One process of an application, in this one.
struct Member {
    streams: KafkaStreams,
    _state: tempfile::TempDir,
}

impl Member {
    fn start(cluster: &Cluster, application: &str, topology: Topology) -> Self {
        let state = tempfile::tempdir().expect("a folder");
        let config = [
            ("state.dir", state.path().display().to_string()),
            ("metadata.max.age.ms", "500".to_owned()),
            ("processing.guarantee", "exactly_once_v2".to_owned()),
        ];
        let config = config
            .into_iter()
            .try_fold(StreamsConfig::new(application, cluster.bootstrap_servers()), |config, (name, value)| config.set(name, value))
            .expect("a configuration");
        let streams = KafkaStreams::new(topology, config).expect("a topology that can be built");
        streams.start().expect("it starts");
        Self { streams, _state: state }
    }

    fn close(self) {
        assert!(self.streams.close(PATIENCE), "it is in state {}", self.streams.state());
        assert_eq!(self.streams.failure(), None);
    }
}

fn grow(cluster: &Cluster, topic: &str, partitions: usize) {
    let admin: AdminClient<DefaultClientContext> = cluster.client().create().expect("an admin client");
    let grown = NewPartitions::new(topic, partitions);
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    for result in futures::executor::block_on(admin.create_partitions([&grown], &options)).expect("an answer") {
        result.unwrap_or_else(|(topic, code)| panic!("{topic} did not grow: {code}"));
    }
}

/// Writes `values` into one partition, and waits until they are acknowledged.
fn produce(cluster: &Cluster, topic: &str, partition: i32, values: impl IntoIterator<Item = String>) {
    let producer = cluster.producer(&[]);
    for value in values {
        send(&producer, BaseRecord::<str, str>::to(topic).partition(partition).payload(&value));
    }
    producer.flush(PATIENCE).expect("all records are acknowledged");
}

/// Reads until all of `expected` are there, each once.
fn await_once(cluster: &Cluster, topic: &str, expected: &BTreeSet<String>) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    cluster.read_until(topic, PATIENCE, |row| {
        *seen.entry(row.value_text()).or_default() += 1;
        seen.len() == expected.len()
    });
    assert_eq!(seen.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    assert!(seen.values().all(|times| *times == 1), "some values came more than once: {seen:?}");
}

fn values(name: &str, count: u32) -> impl Iterator<Item = String> + use<> {
    let name = name.to_owned();
    (0..count).map(move |number| format!("{name}-{number}"))
}

fn copy(input: impl Into<SourceTopics>, output: &str) -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream::<Option<String>, String>(input).to(output);
    builder.build().expect("a topology")
}

#[test]
fn partitions_that_are_added_under_a_stateless_application_become_tasks_of_their_own_without_a_restart() {
    let cluster = Cluster::start();
    let (input, output) = (cluster.topic("input", 2, &[]), cluster.topic("output", 1, &[]));
    let application = cluster.unique("growing");
    let members = [
        Member::start(&cluster, &application, copy(input.as_str(), &output)),
        Member::start(&cluster, &application, copy(input.as_str(), &output)),
    ];
    for partition in 0..2 {
        produce(&cluster, &input, partition, values(&format!("before-{partition}"), 50));
    }
    cluster.await_processed(&application, &input, PATIENCE);

    grow(&cluster, &input, 5);
    for partition in 0..5 {
        produce(&cluster, &input, partition, values(&format!("after-{partition}"), 50));
    }
    let before = (0..2).flat_map(|partition| values(&format!("before-{partition}"), 50));
    let after = (0..5).flat_map(|partition| values(&format!("after-{partition}"), 50));
    await_once(&cluster, &output, &before.chain(after).collect());

    let deadline = Instant::now() + PATIENCE;
    loop {
        let tasks: Vec<String> = members.iter().flat_map(|member| member.streams.tasks()).map(|task| task.id.to_string()).collect();
        let distinct: BTreeSet<&String> = tasks.iter().collect();
        assert!(distinct.len() == tasks.len(), "a task runs twice: {tasks:?}");
        if tasks.len() == 5 {
            break;
        }
        assert!(Instant::now() < deadline, "these tasks run: {tasks:?}");
        members[0].streams.wait_for(State::Rebalancing, Duration::from_millis(100));
    }
    members.into_iter().for_each(Member::close);
}

#[cfg(feature = "fault-injection")]
#[test]
fn a_passing_error_while_the_topics_change_is_tried_again() {
    let cluster = Cluster::start();
    let (input, output) = (cluster.topic("input", 1, &[]), cluster.topic("output", 1, &[]));
    let state = tempfile::tempdir().expect("a folder");
    let mut command = Example::command("pipe", &cluster, &cluster.unique("replanning"), state.path());
    command.args(["--input-topic", &input, "--output-topic", &output, "--config", "metadata.max.age.ms=500"]);
    command.env("KSTREAMS_FAIL_POINT", "NewPlan");
    let example = Example::spawn(command);
    example.await_running();
    grow(&cluster, &input, 3);
    for partition in 0..3 {
        produce(&cluster, &input, partition, values(&format!("after-{partition}"), 20));
    }
    // The example writes them in upper case.
    await_once(&cluster, &output, &(0..3).flat_map(|partition| values(&format!("AFTER-{partition}"), 20)).collect());
    let stderr = example.stderr();
    example.terminate();
    assert!(stderr.contains("failed at NewPlan"), "the point was passed: {stderr}");
}

#[test]
fn a_stateful_application_stops_when_its_source_grows_and_names_topic_and_counts() {
    let cluster = Cluster::start();
    let (input, output) = (cluster.topic("input", 2, &[]), cluster.topic("output", 1, &[]));
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>(input.as_str()).group_by_key().count().to_stream().to(output.as_str());
    let member = Member::start(&cluster, &cluster.unique("stateful"), builder.build().expect("a topology"));
    assert!(member.streams.wait_for(State::Running, PATIENCE));

    grow(&cluster, &input, 7);
    assert!(member.streams.wait_for(State::Error, PATIENCE), "it is in state {}", member.streams.state());
    let failure = member.streams.failure().expect("a reason");
    for expected in [input.as_str(), "2", "7"] {
        assert!(failure.contains(expected), "`{expected}` is missing in: {failure}");
    }
}

#[test]
fn a_topic_that_appears_later_is_read_by_the_pattern_that_it_matches() {
    let cluster = Cluster::start();
    let (first, output) = (cluster.topic("orders-eu", 1, &[]), cluster.topic("results", 1, &[]));
    let pattern = Regex::new(&format!("{}-.*", regex::escape(&cluster.unique("orders")))).expect("a pattern");
    let member = Member::start(&cluster, &cluster.unique("pattern"), copy(pattern, &output));
    produce(&cluster, &first, 0, values("eu", 20));
    await_once(&cluster, &output, &values("eu", 20).collect());

    // With more partitions than the first has: the tasks grow with it.
    let second = cluster.topic("orders-us", 3, &[]);
    for partition in 0..3 {
        produce(&cluster, &second, partition, values(&format!("us-{partition}"), 20));
    }
    let late = (0..3).flat_map(|partition| values(&format!("us-{partition}"), 20));
    await_once(&cluster, &output, &values("eu", 20).chain(late).collect());
    member.close();
}

#[test]
fn a_shutdown_of_the_application_that_one_process_asks_for_ends_all_of_them() {
    let cluster = Cluster::start();
    let (input, output) = (cluster.topic("input", 4, &[]), cluster.topic("output", 1, &[]));
    let application = cluster.unique("shutdown");
    let state = tempfile::tempdir().expect("a folder");
    let builder = StreamsBuilder::new();
    builder.stream::<Option<String>, i64>(input.as_str()).to(output.as_str());
    let config = StreamsConfig::new(&application, cluster.bootstrap_servers()).set("state.dir", state.path().display()).expect("a setting");
    let failing = KafkaStreams::builder(builder.build().expect("a topology"), config)
        .uncaught_error_handler(|_| UncaughtResponse::ShutdownApplication)
        .build()
        .expect("an application");
    failing.start().expect("it starts");
    assert!(failing.wait_for(State::Running, PATIENCE));

    let builder = StreamsBuilder::new();
    builder.stream::<Option<String>, i64>(input.as_str()).to(output.as_str());
    let other = Member::start(&cluster, &application, builder.build().expect("a topology"));
    assert!(other.streams.wait_for(State::Running, PATIENCE));
    let deadline = Instant::now() + PATIENCE;
    let poisoned = loop {
        if let Some(task) = failing.tasks().first() {
            break task.id.partition;
        }
        assert!(Instant::now() < deadline, "the first process has no task");
        failing.wait_for(State::Rebalancing, Duration::from_millis(100));
    };
    produce(&cluster, &input, poisoned, ["no eight bytes".to_owned()]);

    assert!(failing.wait_for(State::Error, PATIENCE), "it is in state {}", failing.state());
    let ended = other.streams.wait_for(State::Error, PATIENCE) || other.streams.state() == State::NotRunning;
    assert!(ended, "the other process is in state {}", other.streams.state());
    assert!(failing.close(PATIENCE));
}
