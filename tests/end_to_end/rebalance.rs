//! Processes come and go: tasks move, those that stay go on, also while others are restored.
//!
//! `KSTREAMS_TEST_RESTORE_RECORDS` (1,000,000 unless it says so) is the size of the restored state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::harness::{Audit, Cluster, PATIENCE, Row, assert_same_counts, send, size};
use kstreams::prelude::*;
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

/// How long the records of each key were on their way, by output partition: from the moment at which the broker took the input until it
/// took the result, and when that moment was. Only of inputs that came in while `of_interest`, which is given partition and time.
fn delays(inputs: &[Row], outputs: &[Row], of_interest: impl Fn(i32, i64) -> bool) -> BTreeMap<i32, Vec<(i64, i64)>> {
    let mut taken: BTreeMap<&[u8], Vec<i64>> = BTreeMap::new();
    for row in inputs {
        taken.entry(row.key.as_deref().unwrap_or_default()).or_default().push(row.timestamp);
    }
    let mut delays: BTreeMap<i32, Vec<(i64, i64)>> = BTreeMap::new();
    for row in outputs.iter().filter(|row| row.key_text().starts_with('k')) {
        // The n-th record of a key has the result n.
        let times = &taken[row.key.as_deref().unwrap_or_default()];
        let at = times[usize::try_from(row.value_long()).expect("a count") - 1];
        if of_interest(row.partition, at) {
            delays.entry(row.partition).or_default().push((row.timestamp - at, at));
        }
    }
    delays
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("a time")
}

fn partitions(streams: &KafkaStreams) -> BTreeSet<i32> {
    streams.tasks().iter().map(|task| task.id.partition).collect()
}

/// A pause is measured where the results are: how long a record took from log to log. Neither the test's own threads nor the moments at
/// which it looks count. What a cluster takes for its commits while nothing happens is no pause.
#[test]
fn no_task_pauses_for_a_second_while_others_move_and_a_million_records_are_restored() {
    let cluster = Cluster::start_alone();
    let state = tempfile::tempdir().expect("a folder");
    let stamped = [("message.timestamp.type", "LogAppendTime")];
    let [input, output] = ["in", "out"].map(|name| cluster.topic(name, PARTITIONS, &stamped));
    let application = cluster.unique("rebalance");
    let changelog = cluster.topic("rebalance-counts-changelog", PARTITIONS, &[("cleanup.policy", "compact")]);
    // The state of one task, as an earlier run would have left it.
    let records = size("KSTREAMS_TEST_RESTORE_RECORDS", 1_000_000);
    let producer = cluster.producer(&[("queue.buffering.max.messages", "1000000"), ("compression.type", "lz4")]);
    for key in 0..records {
        send(&producer, BaseRecord::to(&changelog).partition(0).key(&format!("x{key}")).payload(&41_i64.to_be_bytes()));
    }
    producer.flush(PATIENCE).expect("the changelog is written");
    let first = start(&cluster, &state.path().join("first"), &application, &input, &output);
    assert!(first.wait_for(State::Running, PATIENCE));
    assert_eq!(first.metrics().restored, records);

    let stop = Arc::new(AtomicBool::new(false));
    let feeder = feed_steadily(&cluster, &input, &stop);
    cluster.read_until(&output, PATIENCE, |row| row.key_text().starts_with('k'));
    let calm_since = now_ms();
    std::thread::sleep(Duration::from_secs(2));
    let joins = (Instant::now(), now_ms());
    let second = start(&cluster, &state.path().join("second"), &application, &input, &output);
    // When each task ran in the second process; it restores the first one in the order of partitions, and that is the large one.
    let mut moved: BTreeMap<i32, i64> = BTreeMap::new();
    while moved.len() as i32 != PARTITIONS / 2 {
        assert!(joins.0.elapsed() < PATIENCE, "the second process has {:?}", partitions(&second));
        for partition in partitions(&second) {
            moved.entry(partition).or_insert_with(now_ms);
        }
        // The handle tells states, not assignments.
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = joins.0.elapsed();
    std::thread::sleep(Duration::from_secs(1));
    let stayed = partitions(&first);
    stop.store(true, Ordering::Relaxed);
    let rounds = feeder.join().expect("the feeder ends");
    assert!(stayed.iter().all(|partition| !moved.contains_key(partition)), "each task has one owner: {stayed:?}, {moved:?}");
    assert_eq!(stayed.len() + moved.len(), PARTITIONS as usize);
    let restored = second.metrics().restored;
    assert!(restored >= records, "the large task moved: {restored} records were restored");
    cluster.await_processed(&application, &input, PATIENCE);

    let (inputs, outputs) = (cluster.read_all(&input), cluster.read_all(&output));
    let calm = delays(&inputs, &outputs, |_, at| (calm_since..joins.1 - 500).contains(&at));
    let calm = calm.values().flatten().map(|(delay, _)| *delay).max().expect("records before the join");
    let moving = delays(&inputs, &outputs, |partition, at| at >= joins.1 && moved.contains_key(&partition));
    let still: Vec<String> =
        moving.iter().filter_map(|(partition, delays)| Some(format!("0_{partition}: {} ms", delays.iter().max()?.0))).collect();
    println!("longest delays of the tasks that moved, with the move: {}", still.join(", "));
    // A task that moved counts from when it ran again.
    let since = |partition| moved.get(&partition).copied().unwrap_or(joins.1);
    let delays = delays(&inputs, &outputs, |partition, at| at >= since(partition));
    let longest: BTreeMap<i32, (i64, i64)> =
        delays.iter().filter_map(|(partition, delays)| Some((*partition, delays.iter().max().copied()?))).collect();
    let shown: Vec<String> =
        longest.iter().map(|(partition, (delay, at))| format!("0_{partition}: {delay} ms at {} ms", at - joins.1)).collect();
    println!("{} tasks moved and restored {restored} records within {took:?}", moved.len());
    println!("longest delays: {}; {calm} ms before", shown.join(", "));
    assert_eq!(longest.len(), PARTITIONS as usize, "every task was measured");
    assert!(longest.values().all(|(delay, _)| *delay < calm + 1000), "tasks paused: {}; {calm} ms before", shown.join(", "));

    assert!(first.close(PATIENCE), "the first process ends");
    // Everything is with the second now, also what was restored.
    cluster.produce(&input, (0..60).map(|key| (Some(format!("k{key}")), "x")));
    for key in 0..100 {
        send(&producer, BaseRecord::to(&input).partition(0).key(&format!("x{key}")).payload("x"));
    }
    producer.flush(PATIENCE).expect("all records are acknowledged");
    cluster.await_processed(&application, &input, PATIENCE);
    assert!(second.close(PATIENCE), "the second process ends");
    let (mut audit, mut continued) = (Audit::new(), BTreeMap::new());
    for row in cluster.read_all(&output) {
        if row.key_text().starts_with('x') {
            continued.insert(row.key_text(), row.value_long());
        } else {
            audit.take(&row);
        }
    }
    audit.assert_exactly_once(&(0..60).map(|key| (format!("k{key}"), rounds + 1)).collect());
    assert_same_counts(&continued, &(0..100).map(|key| (format!("x{key}"), 42)).collect());
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
