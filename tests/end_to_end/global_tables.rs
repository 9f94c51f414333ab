//! A global table on a cluster: read by all tasks, kept over a restart, and following its topic.

use std::path::Path;

use crate::harness::{Cluster, PATIENCE};
use kstreams::core::app::{KafkaStreams, State};
use kstreams::core::config::StreamsConfig;
use kstreams::core::topology::Consumed;
use kstreams::dsl::{GlobalKTable, Materialized, StoreType, StreamsBuilder};

const ROWS: usize = 500;

struct Topics {
    rates: String,
    prices: String,
    output: String,
}

impl Topics {
    /// Of other partition counts than each other: a global join needs no co-partitioning.
    fn create(cluster: &Cluster) -> Self {
        Self { rates: cluster.topic("rates", 3, &[]), prices: cluster.topic("prices", 4, &[]), output: cluster.topic("output", 1, &[]) }
    }
}

/// Joins each price with the rate of the currency that it names.
fn start(cluster: &Cluster, state: &Path, application: &str, topics: &Topics, store_type: StoreType, guarantee: &str) -> KafkaStreams {
    let builder = StreamsBuilder::new();
    let materialized = Materialized::named("rates").with_store_type(store_type);
    let rates: GlobalKTable<String, String> = builder.global_table_with(&topics.rates, Consumed::default(), materialized);
    builder
        .stream::<String, String>(topics.prices.as_str())
        .left_join_global(&rates, |_, currency| currency.clone(), |currency, rate| format!("{currency}={}", rate.map_or("?", |rate| rate)))
        .to(topics.output.as_str());
    let mut config = StreamsConfig::new(application, cluster.bootstrap_servers());
    let settings = [
        ("state.dir", state.display().to_string()),
        ("processing.guarantee", guarantee.to_owned()),
        ("commit.interval.ms", "50".to_owned()),
        ("num.stream.threads", "2".to_owned()),
    ];
    for (name, value) in settings {
        config = config.set(name, value).expect("a setting");
    }
    let streams = KafkaStreams::new(builder.build().expect("a topology"), config).expect("an application");
    streams.start().expect("it starts");
    assert!(streams.wait_for(State::Running, PATIENCE), "{:?}", streams.failure());
    streams
}

/// Sends a price in each of these currencies; gives what they are joined with.
fn joined(cluster: &Cluster, topics: &Topics, before: usize, currencies: &[String]) -> Vec<String> {
    cluster.produce(&topics.prices, currencies.iter().map(|currency| (Some(currency.as_str()), currency.as_str())));
    let mut rows = Vec::new();
    cluster.read_until(&topics.output, PATIENCE, |row| {
        rows.push(row.value_text());
        rows.len() == before + currencies.len()
    });
    let mut rows = rows.split_off(before);
    rows.sort();
    rows
}

fn currencies() -> Vec<String> {
    let mut currencies: Vec<String> = (0..ROWS).map(|number| format!("c{number:03}")).collect();
    currencies.sort();
    currencies
}

fn write_rates(cluster: &Cluster, topics: &Topics, version: &str) {
    cluster.produce(&topics.rates, currencies().iter().map(|currency| (Some(currency.clone()), format!("{currency}{version}"))));
}

fn a_global_table_is_whole_before_tasks_start_and_after_a_restart(store_type: StoreType, guarantee: &str) {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let topics = Topics::create(&cluster);
    let application = cluster.unique("prices");
    let expected = |version: &str| currencies().iter().map(|currency| format!("{currency}={currency}{version}")).collect::<Vec<_>>();

    write_rates(&cluster, &topics, "-old");
    write_rates(&cluster, &topics, "-new");
    let streams = start(&cluster, state.path(), &application, &topics, store_type, guarantee);
    assert_eq!(joined(&cluster, &topics, 0, &currencies()), expected("-new"), "each row as the topic had it at the start");
    let applied = streams.metrics().consumed - ROWS as u64;
    assert_eq!(applied, 2 * ROWS as u64, "the global thread read the whole topic, once");

    // A record that comes later is seen: no task reads it, so the streams only show that it is there.
    cluster.produce(&topics.rates, [(Some("c000"), "later")]);
    let mut sent = ROWS;
    while joined(&cluster, &topics, sent, &["c000".to_owned()]) != ["c000=later"] {
        sent += 1;
        assert!(sent < ROWS + 100_000, "the later record never showed");
    }
    sent += 1;
    assert!(streams.close(PATIENCE));

    // While the application is away its topic goes on.
    cluster.produce(&topics.rates, [(Some("c001"), "meanwhile")]);
    let streams = start(&cluster, state.path(), &application, &topics, store_type, guarantee);
    let asked = ["c000".to_owned(), "c001".to_owned(), "c002".to_owned(), "none".to_owned()];
    assert_eq!(joined(&cluster, &topics, sent, &asked), ["c000=later", "c001=meanwhile", "c002=c002-new", "none=?"]);
    let applied = streams.metrics().consumed - asked.len() as u64;
    let all = 2 * ROWS as u64 + 2;
    assert_eq!(applied, if store_type == StoreType::Persistent { 1 } else { all }, "a store on disk goes on where it was");
    assert!(streams.close(PATIENCE));
}

#[test]
fn a_global_table_on_disk_is_whole_before_tasks_start_and_after_a_restart() {
    a_global_table_is_whole_before_tasks_start_and_after_a_restart(StoreType::Persistent, "exactly_once_v2");
}

#[test]
fn a_global_table_in_memory_is_whole_before_tasks_start_and_after_a_restart() {
    a_global_table_is_whole_before_tasks_start_and_after_a_restart(StoreType::InMemory, "at_least_once");
}

#[test]
fn a_damaged_file_of_positions_rebuilds_the_table() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let topics = Topics::create(&cluster);
    let application = cluster.unique("prices");
    write_rates(&cluster, &topics, "");
    let streams = start(&cluster, state.path(), &application, &topics, StoreType::Persistent, "at_least_once");
    assert!(streams.close(PATIENCE));
    let positions = state.path().join(&application).join("global").join(".checkpoint");
    assert!(std::fs::read_to_string(&positions).expect("positions").contains(&topics.rates));
    std::fs::write(&positions, "nonsense").expect("written");

    let streams = start(&cluster, state.path(), &application, &topics, StoreType::Persistent, "at_least_once");
    let expected: Vec<String> = currencies().iter().map(|currency| format!("{currency}={currency}")).collect();
    assert_eq!(joined(&cluster, &topics, 0, &currencies()), expected);
    assert_eq!(streams.metrics().consumed, 2 * ROWS as u64, "the topic was read once more");
    assert!(streams.close(PATIENCE));
}

#[test]
fn a_topology_of_a_global_table_alone_runs_and_closes() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let topics = Topics::create(&cluster);
    write_rates(&cluster, &topics, "");
    let builder = StreamsBuilder::new();
    let _rates: GlobalKTable<String, String> = builder.global_table(&topics.rates);
    let config = StreamsConfig::new(cluster.unique("rates"), cluster.bootstrap_servers());
    let config = config.set("state.dir", state.path().display().to_string()).expect("a setting");
    let streams = KafkaStreams::new(builder.build().expect("a topology"), config).expect("an application");
    streams.start().expect("it starts");
    assert!(streams.wait_for(State::Running, PATIENCE), "{:?}", streams.failure());
    assert_eq!(streams.metrics().consumed, ROWS as u64);
    assert!(streams.close(PATIENCE));
}
