//! One processor alone: what is forwarded, scheduled, dropped and asked for is seen.

use std::sync::Arc;
use std::time::Duration;

use stream_core::processor::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, PunctuationId, PunctuationType};
use stream_core::record::RecordMetadata;
use stream_core::{BoxError, InitContext, Processor, ProcessorContext, Record};
use stream_testkit::ProcessorTestDriver;

/// Sends even values to `even`, odd ones to all children, drops negative ones, and asks for a commit at 0.
#[derive(Default)]
struct Router {
    tick: Option<PunctuationId>,
}

impl Processor for Router {
    type KeyIn = String;
    type ValueIn = i64;
    type KeyOut = String;
    type ValueOut = i64;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.tick = Some(cx.schedule(Duration::from_millis(10), PunctuationType::StreamTime));
        Ok(())
    }

    fn process(&mut self, record: Record<String, i64>, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
        match record.value {
            0 => cx.commit(),
            99 => return Err("boom".into()),
            value if value < 0 => cx.drop_record("negative"),
            value if value % 2 == 0 => cx.forward_to("even", record)?,
            _ => cx.forward(record)?,
        }
        Ok(())
    }

    fn punctuate(&mut self, id: PunctuationId, at: i64, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
        assert!(cx.record_metadata().is_none());
        if at >= 20 {
            cx.cancel(id);
        }
        cx.forward_to("even", Record::new("tick".to_owned(), at, at))?;
        Ok(())
    }
}

fn record(value: i64, timestamp: i64) -> Record<String, i64> {
    Record::new("k".to_owned(), value, timestamp)
}

fn router() -> ProcessorTestDriver<Router> {
    ProcessorTestDriver::with(Router::default(), &[], &["even", "all"]).expect("a driver")
}

#[test]
fn each_child_receives_what_was_forwarded_to_it() {
    let mut driver = router();
    driver.process(record(1, 1)).expect("processed");
    driver.reset_forwarded();
    driver.process(record(2, 2)).expect("processed");
    driver.process(record(3, 3)).expect("processed");
    assert_eq!(driver.forwarded_to("even").map(|record| record.value).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(driver.forwarded_to("all").map(|record| record.value).collect::<Vec<_>>(), [3]);
}

#[test]
fn schedules_are_seen_and_run_as_time_moves() {
    let mut driver = router();
    assert_eq!(
        driver.schedules().iter().map(|(_, kind, every, _)| (*kind, *every)).collect::<Vec<_>>(),
        [(PunctuationType::StreamTime, 10)]
    );
    for time in [5, 9, 21, 40] {
        driver.process(record(-1, time)).expect("processed");
    }
    assert_eq!(driver.forwarded_to("even").map(|record| record.value).collect::<Vec<_>>(), [5, 21], "cancelled at 21");
    assert!(driver.schedules().is_empty());
}

#[test]
fn drops_commits_and_errors_are_seen() {
    let mut driver = router();
    driver.set_record_metadata(Some(RecordMetadata { topic: Arc::from("in"), partition: 3, offset: 7 }));
    driver.process(record(-5, 0)).expect("processed");
    let dropped = driver.dropped_records();
    assert_eq!((dropped[0].reason.as_str(), dropped[0].metadata.as_ref().map(|from| from.offset)), ("negative", Some(7)));
    assert!(!driver.commit_requested());
    driver.process(record(0, 0)).expect("processed");
    assert!(driver.commit_requested());
    driver.commit().expect("committed");
    assert!(!driver.commit_requested());
    let error = driver.process(record(99, 0)).expect_err("it fails");
    assert!(error.to_string().contains("boom") && error.to_string().contains("in-3 offset 7"), "{error}");
}

#[test]
fn a_forward_to_an_unknown_child_is_an_error_that_names_the_children() {
    let mut driver = ProcessorTestDriver::with(Router::default(), &[], &["other"]).expect("a driver");
    let error = driver.process(record(2, 0)).expect_err("there is no such child");
    assert!(error.to_string().contains("`even`") && error.to_string().contains("other"), "{error}");
}

struct Shout;

impl FixedKeyProcessor for Shout {
    type Key = String;
    type ValueIn = String;
    type ValueOut = String;

    fn process(
        &mut self,
        record: FixedKeyRecord<String, String>,
        cx: &mut FixedKeyContext<'_, '_, String, String>,
    ) -> Result<(), BoxError> {
        let value = record.value().to_uppercase();
        cx.forward(record.with_value(value))?;
        Ok(())
    }
}

#[test]
fn a_processor_that_cannot_change_keys_runs_alone_too() {
    let mut driver = ProcessorTestDriver::fixed_key(Shout, &[]).expect("a driver");
    driver.process(Record::new("k".to_owned(), "hey".to_owned(), 4)).expect("processed");
    assert_eq!(driver.forwarded()[0].record, Record::new("k".to_owned(), "HEY".to_owned(), 4));
}
