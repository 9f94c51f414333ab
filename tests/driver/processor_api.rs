//! The Processor API beside the DSL, where no case of Kafka Streams reaches: partitioners, read-only stores, dead letters, refused
//! records, nodes below those of the DSL, settings of the topology.

use std::sync::Arc;

use kstreams::core::config::StreamsConfig;
use kstreams::core::handler::{Handlers, LogAndContinue};
use kstreams::core::partition::Partitions;
use kstreams::core::processor::{InitContext, Processor, ProcessorContext};
use kstreams::core::store::StoreName;
use kstreams::core::topology::{Consumed, Produced};
use kstreams::core::{BoxError, Headers, Record, Topology};
use kstreams::dsl::{Grouped, KTable, Materialized, Named, StreamsBuilder};
use kstreams::state::{KeyValueStore, Stores};
use stream_testkit::TopologyTestDriver;

const ROWS: StoreName<KeyValueStore<String, String>> = StoreName::new("rows");

/// Keeps what comes.
#[derive(Default)]
struct Keep {
    rows: Option<KeyValueStore<String, String>>,
}

impl Processor for Keep {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.rows = Some(cx.store(&ROWS)?);
        Ok(())
    }

    fn process(&mut self, record: Record<String, String>, _cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        Ok(self.rows.as_ref().ok_or("not initialised")?.put(&record.key, &record.value)?)
    }
}

/// Looks up what was kept.
#[derive(Default)]
struct LookUp {
    rows: Option<KeyValueStore<String, String>>,
}

impl Processor for LookUp {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.rows = Some(cx.store(&ROWS)?);
        Ok(())
    }

    fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        let row = self.rows.as_ref().ok_or("not initialised")?.get(&record.key)?;
        Ok(cx.forward(record.with_value(row.unwrap_or_else(|| "nothing".to_owned())))?)
    }
}

/// Forwards to a child that the value names, at the time that the key says.
struct Route;

impl Processor for Route {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        let (child, timestamp) = (record.value.clone(), record.key.parse()?);
        // What it returns does not matter: what may not be forwarded is an error of this processor.
        let _ = cx.forward_to(&child, record.with_timestamp(timestamp));
        Ok(())
    }
}

fn rows() -> Arc<dyn kstreams::core::store::StoreFactory> {
    let string = kstreams::core::serdes::Serdes::string;
    Arc::new(Stores::key_value_store_builder(Stores::in_memory_key_value_store("rows"), string(), string()))
}

#[test]
fn a_read_only_store_is_restored_from_its_topic_and_has_no_changelog() {
    let mut topology = Topology::new();
    let consumed = Consumed::<String, String>::default();
    topology.add_read_only_state_store(rows(), "prices", "prices", consumed, "keep", Keep::default).expect("a store");
    let orders = topology.add_source("orders", "orders", Consumed::<String, String>::default()).expect("a source");
    let priced = topology.add_processor("price", &[&orders], LookUp::default).expect("a processor");
    topology.connect("price", &["rows"]).expect("a store");
    topology.add_sink("out", "out", Produced::default(), &[&priced]).expect("a sink");

    let driver = TopologyTestDriver::new(&topology).expect("a driver");
    driver.create_input_topic::<String, String>("prices").pipe_input("apple".into(), "3".into()).expect("a record");
    driver.restart().expect("a restart");
    driver.create_input_topic::<String, String>("orders").pipe_input("apple".into(), String::new()).expect("a record");
    assert_eq!(driver.create_output_topic::<String, String>("out").read_values_to_list().expect("values"), ["3"]);
    assert_eq!(driver.produced_topic_names().into_iter().collect::<Vec<_>>(), ["out"]);
}

#[test]
fn a_partitioner_may_send_to_several_partitions_or_drop_what_then_counts() {
    let builder = StreamsBuilder::new();
    let by_value = |_: &str, _: &String, value: &String, count: i32| -> Result<Partitions, BoxError> {
        Ok(match value.as_str() {
            "all" => Partitions::Only((0..count).collect()),
            "none" => Partitions::Only(Vec::new()),
            _ => Partitions::Only(vec![count]),
        })
    };
    let produced = Produced::default().with_partitioner(by_value);
    builder.stream::<String, String>("in").to_with("out", produced);
    let driver = TopologyTestDriver::new(&builder.build().expect("a topology")).expect("a driver");
    let mut input = driver.create_input_topic::<String, String>("in");
    input.pipe_input("a".into(), "all".into()).expect("a record");
    input.pipe_input("a".into(), "none".into()).expect("a record");
    assert_eq!(driver.create_output_topic::<String, String>("out").queue_size(), 1);
    assert_eq!(driver.dropped_records().len(), 1);
    let error = input.pipe_input("a".into(), "outside".into()).expect_err("no such partition");
    let text = format!("{error:?}{error}");
    assert!(text.contains("partition 1") && text.contains("out"), "{text}");
}

fn routed() -> Topology {
    let mut topology = Topology::new();
    let source = topology.add_source("in", "in", Consumed::<String, String>::default()).expect("a source");
    let routed = topology.add_processor("route", &[&source], || Route).expect("a processor");
    topology.add_sink("left", "left-topic", Produced::default(), &[&routed]).expect("a sink");
    topology.add_sink("right", "right-topic", Produced::default(), &[&routed]).expect("a sink");
    topology
}

fn continuing() -> Handlers {
    let mut handlers = Handlers::default();
    handlers.processing = Arc::new(LogAndContinue);
    handlers
}

#[test]
fn what_may_not_be_forwarded_is_an_error_of_the_processor_for_its_handler() {
    let driver = TopologyTestDriver::builder(&routed()).handlers(continuing()).build().expect("a driver");
    let mut input = driver.create_input_topic::<String, String>("in");
    for (time, child) in [("1", "left"), ("-2", "left"), ("3", "middle"), ("4", "right")] {
        input.pipe_input(time.into(), child.into()).expect("the handler goes on");
    }
    assert_eq!(driver.create_output_topic::<String, String>("left-topic").queue_size(), 1);
    assert_eq!(driver.create_output_topic::<String, String>("right-topic").queue_size(), 1);
    assert_eq!(driver.metrics(|metrics| metrics.dropped.get()).expect("metrics"), 2);

    let driver = TopologyTestDriver::new(&routed()).expect("a driver");
    let error = driver.create_input_topic::<String, String>("in").pipe_input("3".into(), "middle".into()).expect_err("no such child");
    let text = format!("{error:?}{error}");
    assert!(text.contains("`middle`") && text.contains("left") && text.contains("right"), "{text}");
}

#[test]
fn t129_a_dead_letter_has_the_source_bytes_and_says_what_failed() {
    let handlers = continuing().with_dead_letter_queue("letters");
    let driver = TopologyTestDriver::builder(&routed()).handlers(handlers).build().expect("a driver");
    let mut headers = Headers::new();
    headers.add("trace", Some(b"7"));
    let record = Record { key: "no number".to_owned(), value: "left".to_owned(), timestamp: 5, headers };
    driver.create_input_topic::<String, String>("in").pipe_record(record).expect("the handler goes on");
    let letter = driver.create_output_topic::<String, String>("letters").read_record().expect("a letter");
    assert_eq!((letter.key.as_str(), letter.value.as_str(), letter.timestamp), ("no number", "left", 5));
    let header = |name: &str| letter.headers.last(name).flatten().map(|value| String::from_utf8_lossy(value).into_owned());
    assert_eq!(header("trace").as_deref(), Some("7"));
    assert_eq!(header("__streams.errors.topic").as_deref(), Some("in"));
    assert_eq!(header("__streams.errors.partition").as_deref(), Some("0"));
    assert_eq!(header("__streams.errors.offset").as_deref(), Some("0"));
    assert!(header("__streams.errors.stacktrace").is_some_and(|text| text.contains("node route")));
    assert!(header("__streams.errors.message").is_some_and(|text| text.contains("invalid digit")));
}

#[test]
fn a_node_is_added_below_one_of_the_dsl_by_name_and_type() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, i64>("in").map_values_named(|_, value| value.to_string(), Named::new("text")).to("out");
    let mut topology = builder.build().expect("a topology");
    let error = topology.node::<String, i64>("text").expect_err("it forwards text");
    assert!(error.to_string().contains("alloc::string::String") && error.to_string().contains("i64"), "{error}");
    assert!(topology.node::<String, String>("KSTREAM-SINK-0000000002").is_err(), "a sink forwards nothing");
    let text = topology.node::<String, String>("text").expect("the node");
    topology.add_sink("copy", "copy", Produced::default(), &[&text]).expect("a sink");
    let driver = TopologyTestDriver::new(&topology).expect("a driver");
    driver.create_input_topic::<String, i64>("in").pipe_input("a".into(), 5).expect("a record");
    assert_eq!(driver.create_output_topic::<String, String>("copy").read_value().expect("a value"), "5");
}

fn config(name: &str, value: &str) -> StreamsConfig {
    StreamsConfig::new("app", "localhost:9092").set(name, value).expect("a setting")
}

#[test]
fn explicit_naming_refuses_generated_names_of_what_is_really_made() {
    let naming = config("ensure.explicit.internal.resource.naming", "true");
    let counted = |grouped: Grouped<String, String>, materialized: Materialized<String, i64>| {
        let builder = StreamsBuilder::new();
        let grouped = builder.stream::<String, String>("in").group_by_with(|_, value| value.clone(), grouped);
        grouped.count_with(materialized).to_stream().to("out");
        builder.build_with(&naming)
    };
    let error = counted(Grouped::default(), Materialized::default()).expect_err("two generated names").to_string();
    assert!(error.contains("KSTREAM-AGGREGATE-STATE-STORE-0000000003"), "{error}");
    assert!(error.contains("repartition topics") && error.contains("Materialized::named"), "{error}");
    let error = counted(Grouped::named("words"), Materialized::default()).expect_err("the store has a generated name").to_string();
    assert!(!error.contains("repartition topics"), "{error}");
    counted(Grouped::named("words"), Materialized::named("counts")).expect("all have names");
    // A table that nobody looks up has no store: the name that it took is nobody's.
    let builder = StreamsBuilder::new();
    let table: KTable<String, String> = builder.table("in");
    table.to_stream().to("out");
    builder.build_with(&naming).expect("no store is made");
}

#[test]
fn t103_a_source_topic_serves_as_changelog_only_where_the_setting_says_so() {
    let topology = |optimization: &str| {
        let builder = StreamsBuilder::new();
        let table: KTable<String, String> = builder.table_with("in", Consumed::default(), Materialized::named("rows"));
        table.to_stream().to("out");
        builder.build_with(&config("topology.optimization", optimization)).expect("a topology")
    };
    for (optimization, changelog) in
        [("none", true), ("merge.repartition.topics", true), ("reuse.ktable.source.topics", false), ("all", false)]
    {
        let driver = TopologyTestDriver::new(&topology(optimization)).expect("a driver");
        driver.create_input_topic::<String, String>("in").pipe_input("a".into(), "x".into()).expect("a record");
        let topics = driver.produced_topic_names();
        assert_eq!(topics.iter().any(|topic| topic.ends_with("rows-changelog")), changelog, "{optimization}: {topics:?}");
        let before = driver.store_rows("rows").expect("rows").len();
        driver.restart().expect("a restart");
        assert_eq!((before, driver.store_rows("rows").expect("rows").len()), (1, 1), "{optimization}");
    }
}

#[test]
fn t94_repartition_topics_below_one_key_change_are_merged_and_results_stay() {
    let run = |optimization: &str| {
        let builder = StreamsBuilder::new();
        let words = builder.stream::<String, String>("in").select_key(|_, value| value.clone());
        words.group_by_key().count().to_stream().to("counts");
        let long = words.filter(|_, word| word.len() > 2);
        long.group_by_key().reduce(|one, two| format!("{one}+{two}")).to_stream().to("long");
        words.map_values(|word| word.len() as i64).group_by_key().count().to_stream().to("lengths");
        let topology = builder.build_with(&config("topology.optimization", optimization)).expect("a topology");
        let driver = TopologyTestDriver::new(&topology).expect("a driver");
        let mut input = driver.create_input_topic::<String, String>("in");
        for word in ["one", "two", "one", "a", "one"] {
            input.pipe_input("k".into(), word.into()).expect("a record");
        }
        let counts = driver.create_output_topic::<String, i64>("counts").read_key_values_to_map().expect("counts");
        let long = driver.create_output_topic::<String, String>("long").read_key_values_to_map().expect("long words");
        let topics = driver.produced_topic_names().into_iter().filter(|topic| topic.ends_with("-repartition")).count();
        (counts, long, topics)
    };
    let (counts, long, topics) = run("none");
    assert_eq!((counts.get("one"), topics), (Some(&3), 3));
    // The one behind a change of values stays: it holds other records.
    assert_eq!(run("all"), (counts, long, 2));
}
