//! Cached tables: which there are, and in what order they tell what they held back.

use std::time::Duration;

use kstreams::prelude::*;
use kstreams::state::Stores;
use stream_testkit::TopologyTestDriver;

#[test]
fn t43_tables_are_drained_from_the_source_on_since_one_may_write_into_the_next() {
    let builder = StreamsBuilder::new();
    let first = builder.table_with::<String, String>("in", Consumed::default(), Materialized::named("first"));
    let second = first
        .map_values_with(|_, value: &String| format!("{value}{value}"), Materialized::named("second").with_value_serde(Serdes::string()));
    let third =
        second.map_values_with(|_, value: &String| format!("<{value}>"), Materialized::named("third").with_value_serde(Serdes::string()));
    third.to_stream().to("out");
    let driver = TopologyTestDriver::new(&builder.build().expect("a topology")).expect("a driver");
    driver.create_input_topic::<String, String>("in").pipe_input("k".into(), "v".into()).expect("a record");
    // One record, one commit: what the last table tells has come through all.
    assert_eq!(driver.create_output_topic::<String, String>("out").read_values_to_list().expect("values"), ["<vv>"]);
    for store in ["first", "second", "third"] {
        assert_eq!(driver.store_rows(store).expect("rows").len(), 1, "{store}");
    }
}

/// How many counts go out when one record adds two to the same key.
fn told(materialized: Materialized<String, i64>) -> usize {
    let builder = StreamsBuilder::new();
    let twice = builder.stream::<String, String>("in").flat_map_values(|value: &String| vec![value.clone(), value.clone()]);
    twice.group_by_key().count_with(materialized).to_stream().to("out");
    let driver = TopologyTestDriver::new(&builder.build().expect("a topology")).expect("a driver");
    driver.create_input_topic::<String, String>("in").pipe_input("k".into(), "v".into()).expect("a record");
    driver.create_output_topic::<String, i64>("out").queue_size()
}

#[test]
fn t44_tables_are_cached_unless_the_program_says_no_and_versioned_ones_never() {
    assert_eq!(told(Materialized::named("counts")), 1);
    assert_eq!(told(Materialized::named("counts").with_store_type(StoreType::InMemory)), 1);
    assert_eq!(told(Materialized::named("counts").with_caching_disabled()), 2);
    let versioned = Stores::persistent_versioned_key_value_store("counts", Duration::from_secs(60));
    assert_eq!(told(Materialized::supplied(versioned)), 2);
}
