//! What a task knows after a restart, and what it does not, as in Kafka Streams.

use std::collections::BTreeMap;
use std::time::Duration;

use kstreams::prelude::*;
use stream_testkit::TopologyTestDriver;

const SIZE: Duration = Duration::from_secs(10);

fn counts(emit: EmitStrategy) -> Topology {
    let builder = StreamsBuilder::new();
    builder
        .stream::<String, String>("in")
        .group_by_key()
        .windowed_by(TimeWindows::of_size_with_no_grace(SIZE))
        .emit_strategy(emit)
        .count_with(Materialized::named("counts").with_retention(Duration::from_secs(3_600)))
        .to_stream()
        .map(|window, count| (format!("{}@{}", window.key, window.window.start_ms()), count.unwrap_or(0)))
        .to("out");
    builder.build().expect("a topology")
}

fn pipe(driver: &TopologyTestDriver, key: &str, timestamp: i64) {
    let mut input = driver.create_input_topic::<String, String>("in");
    input.pipe_input_at(key.to_owned(), "x".to_owned(), timestamp).expect("a record");
}

#[test]
fn t6_an_operator_s_time_begins_anew_so_that_a_record_too_late_before_a_restart_counts_after_it() {
    let driver = TopologyTestDriver::new(&counts(EmitStrategy::OnWindowUpdate)).expect("a driver");
    let output = driver.create_output_topic::<String, i64>("out");
    pipe(&driver, "a", 100_000);
    pipe(&driver, "a", 50_000);
    assert_eq!(output.read_key_values_to_list().expect("counts"), [("a@100000".to_owned(), 1)]);
    assert_eq!(driver.dropped_records().len(), 1, "the window of the second record was closed");
    driver.restart().expect("a restart");
    pipe(&driver, "a", 50_000);
    assert_eq!(output.read_key_values_to_list().expect("counts"), [("a@50000".to_owned(), 1)]);
    assert_eq!(driver.dropped_records().len(), 0);
}

#[test]
fn t24_a_window_that_was_told_before_a_restart_is_not_told_again() {
    let driver = TopologyTestDriver::new(&counts(EmitStrategy::OnWindowClose)).expect("a driver");
    let output = driver.create_output_topic::<String, i64>("out");
    pipe(&driver, "a", 1_000);
    pipe(&driver, "b", 12_000);
    assert_eq!(output.read_key_values_to_map().expect("counts"), BTreeMap::from([("a@0".to_owned(), 1)]));
    driver.restart().expect("a restart");
    pipe(&driver, "b", 13_000);
    pipe(&driver, "b", 25_000);
    assert_eq!(output.read_key_values_to_list().expect("counts"), [("b@10000".to_owned(), 2)]);
}
