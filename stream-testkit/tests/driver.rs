//! What a test can rely on when it uses a `TopologyTestDriver`.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use stream_core::config::ProcessingGuarantee;
use stream_core::handler::{Handlers, LogAndContinue};
use stream_core::processor::PunctuationType;
use stream_core::serdes::Serdes;
use stream_core::store::StoreName;
use stream_core::{BoxError, ErrorKind, Headers, InitContext, Processor, ProcessorContext, Record, Topology};
use stream_dsl::{Materialized, StreamsBuilder};
use stream_state::TimestampedKeyValueStore;
use stream_testkit::TopologyTestDriver;

const COUNTS: StoreName<TimestampedKeyValueStore<String, i64>> = StoreName::new("counts");

/// Words of lines, counted; a repartition topic lies between.
fn word_count() -> Topology {
    let builder = StreamsBuilder::new();
    let lines = builder.stream::<Option<String>, String>("lines");
    let words = lines.flat_map_values(|line: &String| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    words.group_by(|_, word: &String| word.clone()).count_with(Materialized::named("counts")).to_stream().to("out");
    builder.build().expect("a topology")
}

/// Forwards each record to `out`, and fails at the value `poison` after that.
struct ForwardThenFail;

impl Processor for ForwardThenFail {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        let poison = record.value == "poison";
        cx.forward(record)?;
        if poison { Err("boom".into()) } else { Ok(()) }
    }
}

fn fails_at_poison() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").process(|| ForwardThenFail, &[]).to("out");
    builder.build().expect("a topology")
}

fn pipe(driver: &TopologyTestDriver, topic: &str, value: &str) -> stream_core::Result<()> {
    driver.create_input_topic::<String, String>(topic).pipe_input("k".to_owned(), value.to_owned())
}

#[test]
fn a_record_passes_internal_topics_and_every_topic_can_be_read() {
    let driver = TopologyTestDriver::new(&word_count()).expect("a driver");
    driver.create_input_topic::<Option<String>, String>("lines").pipe_value("a b a".to_owned()).expect("processed");
    let out = driver.create_output_topic::<String, i64>("out");
    let counts = out.read_key_values_to_list().expect("counts");
    assert_eq!(counts, [("a".to_owned(), 1), ("b".to_owned(), 1), ("a".to_owned(), 2)]);
    let repartition = driver.create_output_topic::<String, String>("test-counts-repartition");
    assert_eq!(repartition.queue_size(), 3);
    let names = driver.produced_topic_names();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["out", "test-counts-changelog", "test-counts-repartition"]);
}

#[test]
fn time_advances_by_itself_or_is_given() {
    let driver = TopologyTestDriver::builder(&fails_at_poison()).initial_wall_clock_ms(500).build().expect("a driver");
    let mut input = driver.create_input_topic::<String, String>("in").with_auto_advance(Duration::from_millis(10));
    let record = |value: &str| ("k".to_owned(), value.to_owned());
    input.pipe_key_values([record("a"), record("b")]).expect("processed");
    input.advance_time(Duration::from_secs(1));
    input.pipe_input("k".to_owned(), "c".to_owned()).expect("processed");
    input.pipe_input_at("k".to_owned(), "d".to_owned(), 7).expect("processed");
    let records = driver.create_output_topic::<String, String>("out").read_records_to_list().expect("records");
    assert_eq!(records.iter().map(|record| record.timestamp).collect::<Vec<_>>(), [500, 510, 1_520, 7]);
}

#[test]
fn headers_travel_with_a_record() {
    let driver = TopologyTestDriver::new(&fails_at_poison()).expect("a driver");
    let mut headers = Headers::new();
    headers.add("trace", Some(b"42"));
    let record = Record::new("k".to_owned(), "v".to_owned(), 3).with_headers(headers);
    driver.create_input_topic::<String, String>("in").pipe_record(record.clone()).expect("processed");
    assert_eq!(driver.create_output_topic::<String, String>("out").read_record().expect("a record"), record);
}

#[test]
fn a_topic_that_nobody_reads_is_an_error() {
    let driver = TopologyTestDriver::new(&fails_at_poison()).expect("a driver");
    let error = pipe(&driver, "other", "v").expect_err("no source reads it");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`other`"), "{error}");
    pipe(&driver, "in", "v").expect("a mistake of the test stops nothing");
}

#[test]
fn what_a_failed_step_had_produced_stays_at_least_once_and_goes_exactly_once() {
    for (guarantee, left) in [(ProcessingGuarantee::AtLeastOnce, 2), (ProcessingGuarantee::ExactlyOnceV2, 1)] {
        let driver = TopologyTestDriver::builder(&fails_at_poison()).processing_guarantee(guarantee).build().expect("a driver");
        pipe(&driver, "in", "fine").expect("processed");
        let error = pipe(&driver, "in", "poison").expect_err("it fails");
        assert!(error.to_string().contains("boom"), "{error}");
        assert_eq!(driver.create_output_topic::<String, String>("out").queue_size(), left, "{guarantee:?}");
        let error = pipe(&driver, "in", "fine").expect_err("a failed task does not go on");
        assert!(error.to_string().contains("restart"), "{error}");
    }
}

#[test]
fn a_handler_that_continues_leaves_the_record_out_with_its_reason() {
    let mut handlers = Handlers::default();
    handlers.processing = Arc::new(LogAndContinue);
    handlers.deserialization = Arc::new(LogAndContinue);
    let driver = TopologyTestDriver::builder(&fails_at_poison()).handlers(handlers).build().expect("a driver");
    pipe(&driver, "in", "poison").expect("left out");
    let mut bytes = driver.create_input_topic_with("in", Serdes::string(), Serdes::byte_array());
    bytes.pipe_input("k".to_owned(), vec![0xff]).expect("left out");
    let dropped = driver.dropped_records();
    assert_eq!(dropped.len(), 2, "{dropped:?}");
    assert!(dropped[0].reason.contains("boom") && dropped[0].node.starts_with("KSTREAM-PROCESSOR"), "{dropped:?}");
    assert!(dropped[1].node.starts_with("KSTREAM-SOURCE"), "{dropped:?}");
    assert_eq!(driver.metrics(|metrics| metrics.dropped.get()).expect("metrics"), 2);
}

#[test]
fn a_store_can_be_filled_before_the_first_record() {
    let driver = TopologyTestDriver::new(&word_count()).expect("a driver");
    let counts = driver.state_store(&COUNTS).expect("the store");
    counts.put(&"a".to_owned(), stream_state::ValueAndTimestamp::new(&41, 0)).expect("written");
    driver.create_input_topic::<Option<String>, String>("lines").pipe_value("a".to_owned()).expect("processed");
    let counts = driver.create_output_topic::<String, i64>("out").read_values_to_list().expect("counts");
    assert_eq!(counts, [41, 42], "what the test wrote is a change of the table, too");
    let rows = driver.store_rows("counts").expect("rows");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].key.as_slice(), rows[0].value.as_deref()), (&b"a"[..], Some(&42_i64.to_be_bytes()[..])));
}

#[test]
fn a_restart_keeps_what_was_committed_and_reads_the_rest_again() {
    for flush in [false, true] {
        let driver = TopologyTestDriver::new(&word_count()).expect("a driver");
        let mut lines = driver.create_input_topic::<Option<String>, String>("lines");
        lines.pipe_value("a b a".to_owned()).expect("processed");
        if flush {
            driver.flush_stores().expect("flushed");
        }
        driver.restart().expect("restarted");
        let restored = driver.metrics(|metrics| metrics.restored.get()).expect("metrics");
        assert_eq!(restored, if flush { 0 } else { 3 }, "only what the disk does not have is read from the changelog");
        lines.pipe_value("a".to_owned()).expect("processed");
        let counts = driver.create_output_topic::<String, i64>("out").read_key_values_to_map().expect("counts");
        assert_eq!(counts["a"], 3);
    }
}

/// Counts its calls in time.
struct Ticks;

impl Processor for Ticks {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = i64;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        cx.schedule(Duration::from_secs(10), PunctuationType::WallClockTime);
        Ok(())
    }

    fn process(&mut self, _: Record<String, String>, _: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
        Ok(())
    }

    fn punctuate(
        &mut self,
        _: stream_core::processor::PunctuationId,
        at: i64,
        cx: &mut ProcessorContext<'_, String, i64>,
    ) -> Result<(), BoxError> {
        cx.forward(Record::new("tick".to_owned(), at, at))?;
        Ok(())
    }
}

#[test]
fn the_wall_clock_moves_by_hand_and_calls_what_is_due_once() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").process(|| Ticks, &[]).to("out");
    let driver = TopologyTestDriver::new(&builder.build().expect("a topology")).expect("a driver");
    pipe(&driver, "in", "v").expect("processed");
    driver.advance_wall_clock_time(Duration::from_secs(9)).expect("nothing is due");
    driver.advance_wall_clock_time(Duration::from_secs(1)).expect("due");
    driver.advance_wall_clock_time(Duration::from_secs(35)).expect("three slots are one call");
    assert_eq!(driver.create_output_topic::<String, i64>("out").read_values_to_list().expect("ticks"), [10_000, 45_000]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// A driver for each case: the last count of each word is how often it came.
    #[test]
    fn counts_equal_those_of_a_map(lines in prop::collection::vec(prop::collection::vec("[abc]", 1..5), 0..8)) {
        let driver = TopologyTestDriver::new(&word_count()).expect("a driver");
        let mut input = driver.create_input_topic::<Option<String>, String>("lines");
        let mut expected = std::collections::BTreeMap::<String, i64>::new();
        for line in &lines {
            line.iter().for_each(|word| *expected.entry(word.clone()).or_default() += 1);
            input.pipe_value(line.join(" ")).expect("processed");
        }
        let counts = driver.create_output_topic::<String, i64>("out").read_key_values_to_map().expect("counts");
        prop_assert_eq!(counts, expected);
    }
}
