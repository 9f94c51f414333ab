//! What is measured: topologies as a user would write them, over keys and values of eight bytes.

use std::time::Duration;

use kstreams::prelude::*;

/// Keys that occur.
const KEYS: u64 = 100_000;
/// Keys of windows.
const WINDOW_KEYS: u64 = 10_000;
const WINDOW: Duration = Duration::from_secs(60);
/// Records between two commits. At a million records per second the default of at-least-once is thirty times as many, that of exactly-once
/// a tenth of it.
const SECOND: u64 = 1_000_000;
const TENTH: u64 = SECOND / 10;

/// A record: key, value, timestamp in ms.
type Bytes = (Option<Vec<u8>>, Option<Vec<u8>>, i64);

/// One line of the table.
pub struct Workload {
    pub name: &'static str,
    /// Records per second of CPU that it must reach.
    pub mark: f64,
    pub allocates_nothing: bool,
    pub caching: bool,
    /// Records between two commits.
    pub commit: u64,
    /// Records take turns at these.
    pub topics: &'static [&'static str],
    pub topology: fn() -> Result<Topology, TopologyError>,
    pub record: fn(u64) -> Bytes,
}

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "map-filter",
        mark: 10e6,
        allocates_nothing: true,
        caching: true,
        commit: SECOND,
        topics: &["in"],
        topology: map_filter,
        record: keyed,
    },
    Workload {
        name: "count-in-memory",
        mark: 3e6,
        allocates_nothing: false,
        caching: true,
        commit: SECOND,
        topics: &["in"],
        topology: || count(StoreType::InMemory),
        record: keyed,
    },
    Workload {
        name: "count-rocksdb",
        mark: 1e6,
        allocates_nothing: false,
        caching: true,
        commit: SECOND,
        topics: &["in"],
        topology: || count(StoreType::Persistent),
        record: keyed,
    },
    Workload {
        name: "count-rocksdb-no-cache",
        mark: 1e6,
        allocates_nothing: false,
        caching: false,
        commit: SECOND,
        topics: &["in"],
        topology: || count(StoreType::Persistent),
        record: keyed,
    },
    Workload {
        name: "count-rocksdb-commit-100ms",
        mark: 1e6,
        allocates_nothing: false,
        caching: true,
        commit: TENTH,
        topics: &["in"],
        topology: || count(StoreType::Persistent),
        record: keyed,
    },
    Workload {
        name: "tumbling-count-rocksdb",
        mark: 700e3,
        allocates_nothing: false,
        caching: true,
        commit: SECOND,
        topics: &["in"],
        topology: tumbling_count,
        record: windowed,
    },
    Workload {
        name: "stream-stream-join",
        mark: 400e3,
        allocates_nothing: false,
        caching: true,
        commit: SECOND,
        topics: &["left", "right"],
        topology: join,
        record: joined,
    },
];

fn map_filter() -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    builder.stream::<i64, i64>(["in"]).filter(|_, value| value % 10 != 0).map(|key, value| (key, value + 1)).to("out");
    builder.build()
}

fn count(store: StoreType) -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    let materialized = Materialized::named("counts").with_store_type(store);
    builder.stream::<i64, i64>(["in"]).group_by_key().count_with(materialized).to_stream().to("out");
    builder.build()
}

fn tumbling_count() -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    let windowed = Produced::with(std::sync::Arc::new(TimeWindowedSerde::new(Serdes::long(), WINDOW)), Serdes::nullable(Serdes::long()));
    builder
        .stream::<i64, i64>(["in"])
        .group_by_key()
        .windowed_by(TimeWindows::of_size_with_no_grace(WINDOW))
        .count_with(Materialized::named("counts"))
        .to_stream()
        .to_with("out", windowed);
    builder.build()
}

fn join() -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    let windows = JoinWindows::of_time_difference_and_grace(Duration::from_secs(5), Duration::from_secs(5));
    let (left, right) = (builder.stream::<i64, i64>(["left"]), builder.stream::<i64, i64>(["right"]));
    left.join_stream(&right, |left: &i64, right: &i64| left + right, windows).to("out");
    builder.build()
}

/// A number that looks random, from its place (SplitMix64).
fn scattered(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn record(key: u64, value: u64, timestamp_ms: u64) -> Bytes {
    (Some(key.to_be_bytes().to_vec()), Some(value.to_be_bytes().to_vec()), i64::try_from(timestamp_ms).unwrap_or(0))
}

fn keyed(number: u64) -> Bytes {
    record(scattered(number) % KEYS, number, 1 + number / 100)
}

/// A minute holds 200,000 records: every window has all keys, about twenty times each.
fn windowed(number: u64) -> Bytes {
    record(scattered(number) % WINDOW_KEYS, number, 1 + number * 3 / 10)
}

/// Left and right by turns, with the same key; a thousand in a second, so that one side has 5,000 in the windows of a record. Each pair has a key
/// of its own for a long time.
fn joined(number: u64) -> Bytes {
    record(scattered(number / 2) % 10_000_000, number, 1 + number)
}
