//! Mistakes of a program that are exceptions in Kafka Streams: each is an error at the same moment, whose text names both sides and says what
//! to do. Where a type makes the mistake impossible, the book says so (`docs/src/mistakes.md`).

use std::sync::Arc;
use std::time::Duration;

use kstreams::core::config::StreamsConfig;
use kstreams::core::processor::{AsyncOptions, InitContext, Processor, ProcessorContext, PunctuationType};
use kstreams::core::serdes::Serdes;
use kstreams::core::store::{StoreFactory, StoreName};
use kstreams::core::topology::{AutoOffsetReset, Consumed, Produced, Regex};
use kstreams::core::{BoxError, Record, Topology, TopologyError};
use kstreams::dsl::{
    EmitStrategy, Grouped, JoinWindows, Joined, KTable, Materialized, Named, Repartitioned, SessionWindows, SlidingWindows, StreamJoined,
    StreamsBuilder, Suppressed, TimeWindows, UnlimitedWindows,
};
use kstreams::state::{KeyValueStore, Stores, TimestampedKeyValueStore};
use stream_testkit::TopologyTestDriver;

const MINUTE: Duration = Duration::from_secs(60);

/// The program is refused when it is built, with all of these words.
#[track_caller]
fn refused(words: &[&str], program: impl FnOnce(&StreamsBuilder)) {
    let builder = StreamsBuilder::new();
    program(&builder);
    says(text(builder.build().and_then(|topology| topology.build("app").map(drop))), words);
}

#[track_caller]
fn says(result: Result<(), String>, words: &[&str]) {
    let error = result.expect_err("the mistake is an error");
    for word in words {
        assert!(error.contains(word), "`{word}` is missing in: {error}");
    }
}

fn text(result: Result<(), TopologyError>) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}

fn store(name: &str) -> Arc<dyn StoreFactory> {
    Arc::new(Stores::key_value_store_builder(Stores::in_memory_key_value_store(name), Serdes::string(), Serdes::string()))
}

/// Passes records on.
struct Pass;

impl Processor for Pass {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        Ok(cx.forward(record)?)
    }
}

#[test]
fn a_topic_has_one_reader_with_one_policy_and_one_pair_of_types() {
    refused(&["`b`", "KSTREAM-SOURCE-0000000000", "KSTREAM-SOURCE-0000000001", "one source for both"], |builder| {
        builder.stream::<String, String>(["a", "b"]);
        builder.stream::<String, String>(["b", "c"]);
    });
    refused(&["topic a", "Earliest", "Latest", "give both the same"], |builder| {
        builder.stream_with("a", Consumed::<String, String>::default().with_offset_reset(AutoOffsetReset::Earliest));
        builder.stream_with("a", Consumed::<String, String>::default().with_offset_reset(AutoOffsetReset::Latest));
    });
    refused(&["topic a", "String", "i64", "same types"], |builder| {
        builder.stream::<String, String>("a");
        builder.stream::<String, i64>("a");
    });
    refused(&["orders-eu", "one source for both"], |builder| {
        builder.stream::<String, String>("orders-eu");
        builder.stream::<String, String>(Regex::new("orders-.*").expect("a pattern"));
    });
    refused(&["reads no topic"], |_| {});
}

#[test]
fn windows_have_a_size_and_an_advance_that_fits() {
    let windows = |windows: TimeWindows| {
        move |builder: &StreamsBuilder| {
            builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count();
        }
    };
    refused(&["0 ms", "1 ms"], windows(TimeWindows::of_size_with_no_grace(Duration::ZERO)));
    refused(&["60000 ms", "61000 ms"], windows(TimeWindows::of_size_with_no_grace(MINUTE).advance_by(Duration::from_secs(61))));
    refused(&["0 ms", "60000 ms"], windows(TimeWindows::of_size_with_no_grace(MINUTE).advance_by(Duration::ZERO)));
    refused(&["0 ms", "1 ms"], |builder| {
        let sessions = SessionWindows::of_inactivity_gap_with_no_grace(Duration::ZERO);
        builder.stream::<String, String>("in").group_by_key().windowed_by(sessions).count();
    });
    refused(&["never close", "on update"], |builder| {
        let windowed = builder.stream::<String, String>("in").group_by_key().windowed_by(UnlimitedWindows::new());
        windowed.emit_strategy(EmitStrategy::OnWindowClose).count();
    });
    let joined = |builder: &StreamsBuilder, windows: JoinWindows, joined: StreamJoined<String, String, String>| {
        let (left, right) = (builder.stream::<String, String>("l"), builder.stream::<String, String>("r"));
        left.join_stream_with(&right, |l: &String, r: &String| format!("{l}{r}"), windows, joined);
    };
    refused(&["-20000"], |builder| {
        joined(builder, JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10)).before_ms(-20_000), StreamJoined::default());
    });
}

#[test]
fn a_store_keeps_rows_for_as_long_as_its_operator_needs_them() {
    let short = || Materialized::named("short").with_retention(Duration::from_secs(10));
    refused(&["`short`", "10000 ms", "60000 ms", "at least that long"], |builder| {
        let grouped = builder.stream::<String, String>("in").group_by_key();
        grouped.windowed_by(TimeWindows::of_size_with_no_grace(MINUTE)).count_with(short());
    });
    refused(&["`short`", "10000 ms", "120000 ms"], |builder| {
        let grouped = builder.stream::<String, String>("in").group_by_key();
        grouped.windowed_by(SlidingWindows::of_time_difference_with_no_grace(MINUTE)).count_with(short());
    });
    refused(&["`short`", "10000 ms", "60000 ms"], |builder| {
        let grouped = builder.stream::<String, String>("in").group_by_key();
        grouped.windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(MINUTE)).count_with(short());
    });
    refused(&["`rows`", "windows", "KeyValue"], |builder| {
        let grouped = builder.stream::<String, String>("in").group_by_key();
        let wrong = Materialized::supplied(Stores::in_memory_key_value_store("rows"));
        grouped.windowed_by(TimeWindows::of_size_with_no_grace(MINUTE)).count_with(wrong);
    });
    let error = Stores::in_memory_window_store("rows", Duration::from_secs(1), MINUTE, false).map(drop);
    says(error.map_err(|error| error.to_string()), &["`rows`", "1000", "60000"]);
}

#[test]
fn stores_of_a_join_of_streams_fit_its_windows() {
    let join = |stores: [(&'static str, u64, u64, bool); 2]| {
        move |builder: &StreamsBuilder| {
            let (left, right) = (builder.stream::<String, String>("l"), builder.stream::<String, String>("r"));
            let supplier = |(name, retention, size, duplicates): (&'static str, u64, u64, bool)| {
                let (retention, size) = (Duration::from_secs(retention), Duration::from_secs(size));
                Stores::in_memory_window_store(name, retention, size, duplicates).expect("a supplier")
            };
            let joined: StreamJoined<String, String, String> =
                StreamJoined::default().with_this_store_supplier(supplier(stores[0])).with_other_store_supplier(supplier(stores[1]));
            let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(5));
            left.join_stream_with(&right, |l: &String, r: &String| format!("{l}{r}"), windows, joined);
        }
    };
    refused(&["`one`", "one row per key and time", "retains duplicates"], join([("one", 10, 10, false), ("two", 10, 10, true)]));
    refused(&["`two`", "10000", "20000"], join([("one", 10, 10, true), ("two", 20, 20, true)]));
    refused(&["`one`"], join([("one", 10, 10, true), ("one", 10, 10, true)]));
}

#[test]
fn a_grace_period_of_a_join_with_a_table_needs_its_history() {
    let join = |table: Materialized<String, String>| {
        move |builder: &StreamsBuilder| {
            let prices = builder.table_with("prices", Consumed::default(), table);
            let joined = Joined::default().with_grace_period(MINUTE);
            builder.stream::<String, String>("orders").join_with(&prices, |order, price| format!("{order}{price}"), joined).to("out");
        }
    };
    refused(&["with_grace_period", "versioned store"], join(Materialized::named("prices")));
    let history = Stores::in_memory_versioned_key_value_store("prices", Duration::from_secs(1));
    refused(&["60000 ms", "`prices`", "1000 ms", "lengthen"], join(Materialized::supplied(history)));
}

#[test]
fn suppress_needs_a_table_that_it_can_hold_back() {
    refused(&["versioned table", "suppress a table without versions"], |builder| {
        let versions = Stores::in_memory_versioned_key_value_store("rows", MINUTE);
        let table: KTable<String, String> = builder.table_with("in", Consumed::default(), Materialized::supplied(versions));
        table.suppress(Suppressed::until_time_limit(MINUTE, kstreams::dsl::BufferConfig::unbounded()));
    });
}

#[test]
fn names_are_unique_and_legal() {
    let twice = |builder: &StreamsBuilder| {
        let stream = builder.stream::<String, String>("in");
        stream.filter_named(|_, _| true, Named::new("same"));
        stream.filter_named(|_, _| true, Named::new("same"));
    };
    refused(&["node `same`", "another name"], twice);
    refused(&["store `same`", "another name"], |builder| {
        let grouped = builder.stream::<String, String>("in").group_by_key();
        grouped.count_with(Materialized::named("same"));
        grouped.count_with(Materialized::named("same"));
    });
    for name in ["", "a/b", ".", &"x".repeat(250)] {
        let shown = format!("`{name}`");
        refused(&[shown.as_str(), "not a valid name"], |builder| {
            builder.stream::<String, String>("in").filter_named(|_, _| true, Named::new(name));
        });
    }
    refused(&["same-repartition", "another name"], |builder| {
        let stream = builder.stream::<String, String>("in");
        stream.group_by_with(|_, value: &String| value.clone(), Grouped::named("same")).count();
        stream.group_by_with(|_, value: &String| format!("{value}!"), Grouped::named("same")).count();
    });
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").group_by(|_, value: &String| value.clone()).count();
    let config = StreamsConfig::new("app", "localhost:9092").set("ensure.explicit.internal.resource.naming", true).expect("a setting");
    says(text(builder.build_with(&config).map(drop)), &["KSTREAM-AGGREGATE-STATE-STORE-"]);
}

#[test]
fn partition_counts_are_positive_and_equal_where_topics_are_joined() {
    let repartitioned = |partitions| Repartitioned::default().with_name("by-user").with_number_of_partitions(partitions);
    refused(&["by-user-repartition", "0 partitions", "at least 1"], |builder| {
        builder.stream::<String, String>("in").repartition_with(repartitioned(0)).to("out");
    });
    let builder = StreamsBuilder::new();
    let left = builder.stream::<String, String>("l").repartition_with(repartitioned(3));
    let right =
        builder.stream::<String, String>("r").repartition_with(Repartitioned::default().with_name("other").with_number_of_partitions(4));
    let windows = JoinWindows::of_time_difference_with_no_grace(MINUTE);
    left.join_stream(&right, |l: &String, r: &String| format!("{l}{r}"), windows).to("out");
    let error = builder.build().and_then(|topology| topology.build("app").map(drop));
    says(text(error), &["by-user-repartition", "3 partitions", "other-repartition", "4 partitions", "same count"]);
}

#[test]
fn a_graph_is_built_from_sources_to_sinks() {
    let mut topology = Topology::new();
    let source = topology.add_source("source", "in", Consumed::<String, String>::default()).expect("a source");
    topology.add_sink("sink", "out", Produced::default(), &[&source]).expect("a sink");
    says(text(topology.node::<String, String>("sink").map(drop)), &["`sink`", "forwards nothing"]);
    says(text(topology.node::<String, i64>("source").map(drop)), &["`source`", "String", "i64"]);
    says(text(topology.add_processor("alone", &[], || Pass).map(drop)), &["`alone`", "no parent"]);
    let elsewhere = Topology::new().add_source("elsewhere", "in", Consumed::<String, String>::default()).expect("a source");
    says(text(topology.add_processor("child", &[&elsewhere], || Pass).map(drop)), &["`child`", "`elsewhere`", "parents before children"]);
    says(text(topology.add_processor("source", &[&source], || Pass).map(drop)), &["`source`", "another name"]);
    says(text(topology.add_source("none", Vec::<String>::new(), Consumed::<String, String>::default()).map(drop)), &["`none`", "no topic"]);
    says(text(topology.add_source("again", "in", Consumed::<String, String>::default()).map(drop)), &["`in`", "`source`", "`again`"]);
    let none = topology.add_async_processor("async", &[&source], AsyncOptions::new(0), || NoFuture).map(drop);
    says(text(none), &["`async`", "at least one future"]);
}

/// Never called.
struct NoFuture;

#[kstreams::core::processor::async_trait]
impl kstreams::core::processor::AsyncProcessor for NoFuture {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    async fn process(
        &self,
        record: Record<String, String>,
        _cx: kstreams::core::processor::AsyncContext,
    ) -> Result<Vec<Record<String, String>>, BoxError> {
        Ok(vec![record])
    }
}

#[test]
fn stores_are_connected_to_processors_that_exist() {
    let mut topology = Topology::new();
    let source = topology.add_source("source", "in", Consumed::<String, String>::default()).expect("a source");
    topology.add_processor("pass", &[&source], || Pass).expect("a processor");
    says(text(topology.add_state_store(store("rows"), &["nobody"])), &["`nobody`", "does not exist"]);
    says(text(topology.add_state_store(store("rows"), &[])), &["store `rows`", "another name"]);
    says(text(topology.connect("pass", &["none"])), &["`pass`", "`none`", "add the store first"]);
    says(text(topology.connect("source", &["rows"])), &["`source`", "only processors have stores"]);
    topology.add_global_store(store("rates"), "read-rates", "rates", Consumed::default(), "keep", || Pass).expect("a global store");
    says(text(topology.connect("pass", &["rates"])), &["`pass`", "`rates`", "leave the connection out"]);
}

/// Does one thing in `init` and one for each record.
struct Does {
    init: fn(&mut InitContext<'_>) -> Result<(), BoxError>,
    process: fn(Record<String, String>, &mut ProcessorContext<'_, String, String>),
}

impl Processor for Does {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        (self.init)(cx)
    }

    fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        (self.process)(record, cx);
        Ok(())
    }
}

const ROWS: StoreName<KeyValueStore<String, String>> = StoreName::new("rows");
const ROWS_OF_ANOTHER_TYPE: StoreName<TimestampedKeyValueStore<String, String>> = StoreName::new("rows");

fn started(stores: &[&str], init: fn(&mut InitContext<'_>) -> Result<(), BoxError>) -> Result<(), String> {
    let builder = StreamsBuilder::new();
    builder.add_shared_state_store(store("rows"));
    builder.stream::<String, String>("in").process_named(move || Does { init, process: |_, _| {} }, Named::new("does"), stores);
    TopologyTestDriver::new(&builder.build().expect("a topology")).map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_processor_that_asks_for_what_it_cannot_have_does_not_start() {
    says(started(&[], |cx| cx.store(&ROWS).map(drop).map_err(Into::into)), &["`does`", "`rows`", "not connected", "connect"]);
    let other = started(&["rows"], |cx| cx.store(&ROWS_OF_ANOTHER_TYPE).map(drop).map_err(Into::into));
    says(other, &["`does`", "`rows`", "Timestamped", "Plain"]);
    let often = started(&[], |cx| {
        cx.schedule(Duration::from_micros(10), PunctuationType::WallClockTime);
        Ok(())
    });
    says(often, &["`does`", "10µs", "at least 1 ms"]);
}

fn processed(process: fn(Record<String, String>, &mut ProcessorContext<'_, String, String>)) -> Result<(), String> {
    let builder = StreamsBuilder::new();
    let done = builder.stream::<String, String>("in").process_named(move || Does { init: |_| Ok(()), process }, Named::new("does"), &[]);
    done.to("out");
    let driver = TopologyTestDriver::new(&builder.build().expect("a topology")).expect("a driver");
    let piped = driver.create_input_topic::<String, String>("in").pipe_input("k".to_owned(), "v".to_owned());
    piped.map_err(|error| error.to_string())
}

#[test]
fn a_processor_that_forwards_what_it_may_not_fails_whatever_it_returns() {
    let negative = processed(|record, cx| {
        let _ = cx.forward(record.with_timestamp(-1));
    });
    says(negative, &["`does`", "negative timestamp -1", "in-0 offset 0"]);
    let unknown = processed(|record, cx| {
        let _ = cx.forward_to("nobody", record);
    });
    says(unknown, &["`does`", "`nobody`", "KSTREAM-SINK-"]);
    let often = processed(|_, cx| {
        cx.schedule(Duration::ZERO, PunctuationType::StreamTime);
    });
    says(often, &["`does`", "0ns", "at least 1 ms"]);
}

#[test]
fn a_buffer_that_is_full_and_must_not_tell_early_stops_the_task() {
    let builder = StreamsBuilder::new();
    let counts = builder.stream::<String, String>("in").group_by_key().count();
    let buffer = kstreams::dsl::BufferConfig::max_records(1).shut_down_when_full();
    counts.suppress(Suppressed::until_time_limit(MINUTE, buffer).with_name("hold")).to_stream().to("out");
    let driver = TopologyTestDriver::new(&builder.build().expect("a topology")).expect("a driver");
    let mut input = driver.create_input_topic::<String, String>("in");
    input.pipe_input("a".to_owned(), String::new()).expect("room for one");
    says(input.pipe_input("b".to_owned(), String::new()).map_err(|error| error.to_string()), &["hold", "1"]);
}
