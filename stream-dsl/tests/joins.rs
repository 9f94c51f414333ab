//! Joins, where no case of Kafka Streams can show what holds: what it does wrong, and what goes wrong between two tasks.

use std::time::Duration;

use stream_core::topology::Consumed;
use stream_dsl::{Joined, KTable, Materialized, StreamsBuilder};
use stream_state::Stores;
use stream_testkit::TopologyTestDriver;

fn text(text: &str) -> String {
    text.to_owned()
}

/// Joins `in` with the versioned table of `table` after ten milliseconds.
fn waiting_join() -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let history = Materialized::supplied(Stores::persistent_versioned_key_value_store("rows", Duration::from_millis(50)));
    let table = builder.table_with::<String, String>("table", Consumed::default(), history);
    let joined = Joined::default().with_grace_period(Duration::from_millis(10));
    let stream = builder.stream::<Option<String>, String>("in");
    stream.left_join_with(&table, |value, row| format!("{value}+{}", row.map_or("none", |row| row)), joined).to("out");
    TopologyTestDriver::new(&builder.build().expect("a topology")).expect("a driver")
}

fn pipe(driver: &TopologyTestDriver, key: Option<&str>, value: &str, timestamp: i64) {
    let mut input = driver.create_input_topic::<Option<String>, String>("in");
    input.pipe_input_at(key.map(text), text(value), timestamp).expect("processed");
}

fn joined(driver: &TopologyTestDriver) -> Vec<String> {
    driver.create_output_topic::<Option<String>, String>("out").read_values_to_list().expect("values")
}

#[test]
fn t62_a_record_without_a_key_does_not_wait_for_a_row() {
    let driver = waiting_join();
    pipe(&driver, Some("a"), "waits", 1);
    pipe(&driver, None, "alone", 2);
    assert_eq!(joined(&driver), ["alone+none"]);
    driver.create_input_topic::<String, String>("table").pipe_input_at(text("a"), text("late"), 0).expect("processed");
    pipe(&driver, Some("b"), "later", 11);
    assert_eq!(joined(&driver), ["waits+late"], "the row came after the record, with an earlier time");
}

#[test]
fn records_that_wait_for_a_row_outlast_a_restart() {
    let driver = waiting_join();
    pipe(&driver, Some("a"), "one", 5);
    pipe(&driver, Some("a"), "two", 5);
    pipe(&driver, Some("b"), "three", 3);
    driver.restart().expect("a restart");
    assert!(joined(&driver).is_empty());
    pipe(&driver, Some("c"), "four", 15);
    assert_eq!(joined(&driver), ["three+none", "one+none", "two+none"], "by time, and at one time as they came");
    driver.restart().expect("a restart");
    pipe(&driver, Some("c"), "five", 25);
    assert_eq!(joined(&driver), ["four+none"], "each record is joined once");
}

#[test]
fn t82_an_answer_about_an_earlier_value_is_dropped() {
    let builder = StreamsBuilder::new();
    let orders = builder.table::<String, String>("orders");
    let customers = builder.table::<String, String>("customers");
    let bills: KTable<String, String> =
        orders.join_foreign_key(&customers, |_, order| order.clone(), |order, customer| format!("{order}: {customer}"));
    bills.to_stream().to("out");
    let topology = builder.build().expect("a topology");
    let driver = TopologyTestDriver::new(&topology).expect("a driver");
    driver.create_input_topic::<String, String>("orders").pipe_input(text("1"), text("ada")).expect("processed");
    driver.create_input_topic::<String, String>("customers").pipe_input(text("ada"), text("Ada")).expect("processed");

    // The answer, once more as it was, and as it would be if it had been asked for before the order changed.
    let (topic, answer) = {
        let records = driver.records();
        let answer = records.iter().rfind(|record| record.topic.contains("SUBSCRIPTION-RESPONSE")).expect("an answer");
        (answer.topic.to_string(), answer.value.clone().expect("a value"))
    };
    let output = driver.create_output_topic::<String, Option<String>>("out");
    assert_eq!(output.read_values_to_list().expect("values"), [Some(text("ada: Ada"))]);
    let mut answers = driver.create_input_topic::<String, Vec<u8>>(topic.as_str());
    answers.pipe_input(text("1"), answer.clone()).expect("processed");
    assert_eq!(output.read_values_to_list().expect("values"), [Some(text("ada: Ada"))]);
    let mut stale = answer;
    stale[1] ^= 1;
    answers.pipe_input(text("1"), stale).expect("processed");
    assert!(output.is_empty());
    let reasons: Vec<String> = driver.dropped_records().into_iter().map(|dropped| dropped.reason).collect();
    assert_eq!(reasons, ["an answer to an older value"]);
}
