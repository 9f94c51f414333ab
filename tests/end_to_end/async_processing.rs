//! Async processors in whole applications: exactly once across kills, drained before commits, woken by their futures, bounded by the start.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::channel::oneshot;
use kstreams::prelude::*;

use crate::harness::{Cluster, Example, PATIENCE};

/// Records `1`, `2`, `3` … per key, each sent through the example's slow service.
struct Orders<'c> {
    cluster: &'c Cluster,
    application: String,
    input: String,
    output: String,
    sent: BTreeMap<String, u64>,
}

impl<'c> Orders<'c> {
    fn new(cluster: &'c Cluster, partitions: i32) -> Self {
        let [input, output] = ["orders", "enriched"].map(|name| cluster.topic(name, partitions, &[]));
        Self { cluster, application: cluster.unique("enrichment"), input, output, sent: BTreeMap::new() }
    }

    fn command(&self, state: &Path) -> std::process::Command {
        let mut command = Example::command("enrichment", self.cluster, &self.application, state);
        command.args(["--input-topic", &self.input, "--output-topic", &self.output, "--latency-ms", "50", "--in-flight", "100"]);
        command.args(["--processing-guarantee", "exactly_once_v2", "--commit-interval-ms", "100"]);
        for setting in ["session.timeout.ms=6000", "heartbeat.interval.ms=1500", "transaction.timeout.ms=6000"] {
            command.args(["--config", setting]);
        }
        command
    }

    fn start(&self, state: &Path) -> Example {
        let example = Example::spawn(self.command(state));
        example.await_running();
        example
    }

    fn feed(&mut self, records: u64) {
        let mut rows = Vec::new();
        for index in 0..records {
            let key = format!("customer {}", index % 7);
            let number = self.sent.entry(key.clone()).or_default();
            *number += 1;
            rows.push((Some(key), number.to_string()));
        }
        self.cluster.produce(&self.input, rows);
    }

    fn await_enriched(&self, at_least: i64) {
        let deadline = Instant::now() + PATIENCE;
        while self.cluster.ends(&self.output).iter().sum::<i64>() < at_least {
            assert!(Instant::now() < deadline, "{} results did not come", at_least);
            std::thread::yield_now();
        }
    }

    /// Every result once, and those of a key in the order of its records.
    fn assert_exactly_once(&self) {
        self.cluster.await_processed(&self.application, &self.input, PATIENCE);
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.cluster.read_all(&self.output) {
            found.entry(row.key_text()).or_default().push(row.value_text());
        }
        let expected = |count: u64| (1..=count).map(|number| format!("{number} ({})", number.to_string().len())).collect::<Vec<_>>();
        for (key, count) in &self.sent {
            let found = found.remove(key).unwrap_or_default();
            let wrong = found.iter().zip(expected(*count)).position(|(found, expected)| *found != expected);
            assert!(wrong.is_none() && found.len() as u64 == *count, "{key}: {} of {count} results, wrong at {wrong:?}", found.len());
        }
        assert!(found.is_empty(), "results of nobody's records: {found:?}");
    }
}

#[test]
fn every_result_comes_once_and_in_order_whenever_the_process_is_killed() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut orders = Orders::new(&cluster, 2);
    for kill in 1..=4 {
        let mut example = Example::spawn(orders.command(state.path()));
        orders.feed(1_500);
        // In the middle of futures, at another moment of the commit each time.
        orders.await_enriched(1_000 * kill + 37 * kill);
        example.kill();
        cluster.expel_members(&orders.application);
    }
    let example = orders.start(state.path());
    orders.assert_exactly_once();
    example.terminate();
}

#[cfg(feature = "fault-injection")]
#[test]
fn every_result_comes_once_when_the_process_dies_within_a_commit() {
    for point in ["AfterProducerFlush", "AfterOffsetsSent", "AfterCommit"] {
        let cluster = Cluster::start();
        let state = tempfile::tempdir().expect("a folder");
        let mut orders = Orders::new(&cluster, 1);
        orders.feed(1_000);
        let mut command = orders.command(state.path());
        command.env("KSTREAMS_KILL_POINT", format!("{point}:2"));
        let mut example = Example::spawn(command);
        let status = example.await_end(PATIENCE);
        assert!(!status.success() && example.stderr().contains(&format!("killed at {point}")), "{point}: {}", example.output());
        cluster.expel_members(&orders.application);
        let example = orders.start(state.path());
        orders.assert_exactly_once();
        example.terminate();
    }
}

#[cfg(feature = "fault-injection")]
#[test]
fn a_roll_back_cancels_the_futures_and_their_records_come_again() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut orders = Orders::new(&cluster, 1);
    orders.feed(1_000);
    let mut command = orders.command(state.path());
    command.env("KSTREAMS_FAIL_POINT", "RecordTaken:250");
    let example = Example::spawn(command);
    orders.assert_exactly_once();
    assert!(example.stderr().contains("failed at RecordTaken"), "{}", example.output());
    example.terminate();
}

#[test]
fn tasks_that_move_take_no_unfinished_future_with_them() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut orders = Orders::new(&cluster, 4);
    let first = orders.start(&state.path().join("first"));
    orders.feed(3_000);
    orders.await_enriched(300);
    let second = orders.start(&state.path().join("second"));
    orders.feed(2_000);
    first.terminate();
    orders.feed(500);
    orders.assert_exactly_once();
    second.terminate();
}

/// An application of this process.
struct Running {
    streams: KafkaStreams,
    _state: tempfile::TempDir,
}

impl Running {
    fn start(cluster: &Cluster, topology: Topology, settings: &[(&str, &str)]) -> Self {
        let state = tempfile::tempdir().expect("a folder");
        let mut config = StreamsConfig::new(cluster.unique("async"), cluster.bootstrap_servers()).with_state_dir(state.path());
        for (name, value) in settings {
            config = config.set(name, value).expect("a setting");
        }
        let streams = KafkaStreams::new(topology, config).expect("an application");
        streams.start().expect("it starts");
        assert!(streams.wait_for(State::Running, PATIENCE), "{:?}", streams.failure());
        Self { streams, _state: state }
    }
}

fn slow(input: &str, output: &str, latency: Duration, options: AsyncOptions) -> Topology {
    let builder = StreamsBuilder::new();
    let answer = move |_, value: String| async move {
        tokio::time::sleep(latency).await;
        Ok(value)
    };
    builder.stream::<Option<String>, String>(input).map_values_async(options, answer).to(output);
    builder.build().expect("a topology")
}

fn numbers(range: std::ops::Range<u32>) -> impl Iterator<Item = (Option<&'static str>, String)> {
    range.map(|number| (None, number.to_string()))
}

#[test]
fn throughput_is_the_window_over_the_latency_less_the_drains() {
    let cluster = Cluster::start();
    let [input, output] = ["in", "out"].map(|name| cluster.topic(name, 1, &[]));
    let (latency, in_flight) = (Duration::from_millis(50), 100);
    let topology = slow(&input, &output, latency, AsyncOptions::new(in_flight));
    cluster.produce(&input, numbers(0..6_000));
    let settings = [("processing.guarantee", "exactly_once_v2"), ("commit.interval.ms", "100")];
    let running = Running::start(&cluster, topology, &settings);
    // From a moment within full work to the last result.
    let mut begun: Option<(Instant, u32)> = None;
    let mut count = 0;
    cluster.read_until(&output, PATIENCE, |_| {
        count += 1;
        if begun.is_none() && count >= 500 {
            begun = Some((Instant::now(), count));
        }
        count == 6_000
    });
    let (since, at_first) = begun.expect("enough records");
    let rate = f64::from(count - at_first) / since.elapsed().as_secs_f64();
    let bound = in_flight as f64 / latency.as_secs_f64();
    println!(
        "{rate:.0} records/s with {in_flight} futures of 50 ms and commits every 100 ms: {:.2} of n/latency ({bound:.0})",
        rate / bound
    );
    assert!(rate > 0.5 * bound, "{rate:.0} of {bound:.0} records/s");
    running.streams.close(PATIENCE);
}

#[test]
fn a_future_that_is_done_wakes_its_task_at_once() {
    let cluster = Cluster::start();
    let [input, output] = ["in", "out"].map(|name| cluster.topic(name, 1, &[]));
    let topology = slow(&input, &output, Duration::from_millis(20), AsyncOptions::new(10));
    // Nothing else would end the wait for input within these times.
    let settings = [("poll.ms", "600000"), ("commit.interval.ms", "600000")];
    let running = Running::start(&cluster, topology, &settings);
    cluster.produce(&input, numbers(0..100));
    let mut values = Vec::new();
    cluster.read_until(&output, Duration::from_secs(60), |row| {
        values.push(row.value_text());
        values.len() == 100
    });
    assert_eq!(values, numbers(0..100).map(|(_, value)| value).collect::<Vec<_>>(), "records without key are of one key");
    running.streams.close(PATIENCE);
}

#[test]
fn a_full_window_stops_the_input_of_its_task_and_no_other_task_of_the_thread() {
    let cluster = Cluster::start();
    let [stuck, other, stuck_out, other_out] = ["stuck", "other", "stuck-out", "other-out"].map(|name| cluster.topic(name, 1, &[]));
    let (open, door) = oneshot::channel::<()>();
    let door = door.shared();
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let builder = StreamsBuilder::new();
    let counted = Arc::clone(&calls);
    let options = AsyncOptions::new(5).with_deadline(Duration::from_secs(120));
    builder
        .stream::<Option<String>, String>(stuck.as_str())
        .map_values_async(options, move |_, value: String| {
            counted.fetch_add(1, Ordering::SeqCst);
            let door = door.clone();
            async move {
                door.await?;
                Ok(value)
            }
        })
        .to(stuck_out.as_str());
    builder.stream::<Option<String>, String>(other.as_str()).to(other_out.as_str());
    let topology = builder.build().expect("a topology");
    // No commit comes in between, which would wait for the futures.
    let running = Running::start(&cluster, topology, &[("commit.interval.ms", "600000")]);
    cluster.produce(&stuck, numbers(0..50));
    cluster.read_until(&other_out, PATIENCE, {
        let is_fed = AtomicBool::new(false);
        cluster.produce(&other, numbers(0..1_000));
        let mut count = 0;
        move |_| {
            is_fed.store(true, Ordering::SeqCst);
            count += 1;
            count == 1_000
        }
    });
    assert!(calls.load(Ordering::SeqCst) <= 5, "no more futures than the window has places");
    open.send(()).expect("futures wait");
    let mut count = 0;
    cluster.read_until(&stuck_out, PATIENCE, |_| {
        count += 1;
        count == 50
    });
    running.streams.close(PATIENCE);
}

#[test]
fn a_future_that_misses_its_deadline_stops_the_application_unless_a_handler_goes_on() {
    let cluster = Cluster::start();
    let [input, output] = ["in", "out"].map(|name| cluster.topic(name, 1, &[]));
    let options = AsyncOptions::new(10).with_deadline(Duration::from_millis(200));
    let topology = slow(&input, &output, Duration::from_secs(600), options);
    let running = Running::start(&cluster, topology, &[("processing.guarantee", "exactly_once_v2")]);
    cluster.produce(&input, numbers(0..1));
    assert!(running.streams.wait_for(State::Error, PATIENCE));
    let failure = running.streams.failure().expect("a failure");
    assert!(failure.contains("200 ms") && failure.contains("KSTREAM-MAPVALUESASYNC-0000000001"), "{failure}");
    assert_eq!(cluster.read_all(&output).len(), 0);
}

#[test]
fn closing_waits_for_the_futures_and_commits_their_results() {
    let cluster = Cluster::start();
    let [input, output] = ["in", "out"].map(|name| cluster.topic(name, 1, &[]));
    let topology = slow(&input, &output, Duration::from_millis(700), AsyncOptions::new(10));
    let settings = [("processing.guarantee", "exactly_once_v2"), ("commit.interval.ms", "5000")];
    let running = Running::start(&cluster, topology, &settings);
    cluster.produce(&input, numbers(0..10));
    while running.streams.metrics().consumed < 10 {
        std::thread::yield_now();
    }
    assert!(running.streams.close(PATIENCE));
    assert_eq!(cluster.read_all(&output).len(), 10);
}

#[test]
fn futures_run_on_the_runtime_that_the_program_gives() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("of-the-program").enable_time().build();
    let runtime = runtime.expect("a runtime");
    let cluster = Cluster::start();
    let [input, output] = ["in", "out"].map(|name| cluster.topic(name, 1, &[]));
    let builder = StreamsBuilder::new();
    let name = |_, _: String| async { Ok(std::thread::current().name().unwrap_or_default().to_owned()) };
    builder.stream::<Option<String>, String>(input.as_str()).map_values_async(AsyncOptions::new(1), name).to(output.as_str());
    let state = tempfile::tempdir().expect("a folder");
    let config = StreamsConfig::new(cluster.unique("given"), cluster.bootstrap_servers()).with_state_dir(state.path());
    let topology = builder.build().expect("a topology");
    let streams = KafkaStreams::builder(topology, config).async_runtime(runtime.handle().clone()).build().expect("an application");
    streams.start().expect("it starts");
    cluster.produce(&input, numbers(0..1));
    cluster.read_until(&output, PATIENCE, |row| {
        assert_eq!(row.value_text(), "of-the-program");
        true
    });
    streams.close(PATIENCE);
}

#[test]
fn deadlines_that_no_transaction_can_wait_for_are_refused_at_the_start() {
    let of = |seconds| AsyncOptions::new(10).with_deadline(Duration::from_secs(seconds));
    let topology = |options: &[AsyncOptions]| {
        let builder = StreamsBuilder::new();
        let mut stream = builder.stream::<String, String>("in");
        for options in options {
            stream = stream.map_values_async(*options, |_, value: String| async move { Ok(value) });
        }
        stream.to("out");
        builder.build().expect("a topology")
    };
    let config = |guarantee: &str| {
        let config = StreamsConfig::new("deadlines", "localhost:9").set("transaction.timeout.ms", 10_000).expect("a setting");
        config.set("processing.guarantee", guarantee).expect("a guarantee")
    };
    let build = |options: &[AsyncOptions], guarantee| KafkaStreams::new(topology(options), config(guarantee)).map(drop);
    for (options, names) in [(&[of(10)][..], 1), (&[of(6), of(6)], 2)] {
        let refused = build(options, "exactly_once_v2").expect_err("too long for a transaction").to_string();
        let named = (1..=names).all(|number| refused.contains(&format!("KSTREAM-MAPVALUESASYNC-000000000{number}")));
        let settings = ["transaction.timeout.ms` (10000 ms)", "commit.interval.ms` (100 ms)", "with_deadline"];
        assert!(named && settings.iter().all(|setting| refused.contains(setting)), "{refused}");
        build(options, "at_least_once").expect("nothing expires at least once");
    }
    // The default leaves room, however many follow one another.
    build(&[AsyncOptions::new(10); 5], "exactly_once_v2").expect("the default is shared");
    build(&[of(4), of(4)], "exactly_once_v2").expect("together below the timeout");
    let refused = build(&[of(400)], "at_least_once").expect_err("longer than the group waits").to_string();
    assert!(refused.contains("max.poll.interval.ms` (300000 ms)"), "{refused}");
}
