//! What holds for async processors in a task, shown without a broker.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use stream_core::config::ProcessingGuarantee;
use stream_core::handler::{FailureContext, Handlers, LogAndContinue, ProcessingHandler, Response};
use stream_core::processor::{AsyncContext, AsyncOptions, AsyncOrder, AsyncProcessor, AsyncStep, async_trait};
use stream_core::{BoxError, Headers, Record, RecordMetadata, Topology};
use stream_dsl::StreamsBuilder;
use stream_testkit::{ProcessorTestDriver, TopologyTestDriver};

/// Doors that futures wait at, by name. A door that is opened stays open.
#[derive(Default)]
struct Doors(Mutex<HashMap<String, (Option<oneshot::Sender<()>>, Option<oneshot::Receiver<()>>)>>);

impl Doors {
    fn door<T>(&self, name: &str, take: impl FnOnce(&mut (Option<oneshot::Sender<()>>, Option<oneshot::Receiver<()>>)) -> T) -> T {
        let mut doors = self.0.lock().expect("unpoisoned");
        take(doors.entry(name.to_owned()).or_insert_with(|| {
            let (sender, receiver) = oneshot::channel();
            (Some(sender), Some(receiver))
        }))
    }

    fn open(&self, name: &str) {
        if let Some(sender) = self.door(name, |door| door.0.take()) {
            let _ = sender.send(());
        }
    }

    async fn pass(&self, name: &str) {
        let waiting = self.door(name, |door| door.1.take()).expect("one future waits at a door");
        waiting.await.expect("the door is opened");
    }
}

/// Answers with the value; one that ends in `after X` when the record `X` was answered.
#[derive(Clone, Default)]
struct Answers {
    doors: Arc<Doors>,
    /// How many run, and the most so far.
    running: Arc<(AtomicUsize, AtomicUsize)>,
}

#[async_trait]
impl AsyncProcessor for Answers {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    async fn process(&self, record: Record<String, String>, cx: AsyncContext) -> Result<Vec<Record<String, String>>, BoxError> {
        let (running, most) = &*self.running;
        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        if let Some((_, other)) = record.value.split_once(" after ") {
            self.doors.pass(other).await;
        }
        running.fetch_sub(1, Ordering::SeqCst);
        self.doors.open(record.value.split(' ').next().unwrap_or_default());
        match record.value.as_str() {
            "where" => Ok(vec![record.with_value(format!("{:?}", cx.metadata.map(|metadata| metadata.offset)))]),
            "refused" => Err("the service refused".into()),
            "panics" => panic!("a bug"),
            "hangs" => pending().await,
            "twice" => Ok(vec![record.clone(), record]),
            "negative" => Ok(vec![record.with_timestamp(-5)]),
            _ => Ok(vec![record]),
        }
    }
}

fn record(key: &str, value: &str) -> Record<String, String> {
    Record::new(key.to_owned(), value.to_owned(), 7)
}

/// Gives all records to one processor before the first commit; returns what came of them.
fn results(options: AsyncOptions, records: &[(&str, &str)]) -> Vec<String> {
    let mut driver = ProcessorTestDriver::new(AsyncStep::new(Answers::default(), options)).expect("a driver");
    for (key, value) in records {
        driver.process(record(key, value)).expect("accepted");
    }
    assert!(driver.forwarded().is_empty(), "nothing is forwarded within `process`");
    driver.commit().expect("all futures end");
    driver.forwarded().iter().map(|forwarded| forwarded.record.value.split(' ').next().unwrap_or_default().to_owned()).collect()
}

/// A topology over a topic of lists: each word of a value becomes a record, with the part before `:` as key.
fn topology(answers: &Answers, options: AsyncOptions) -> Topology {
    let builder = StreamsBuilder::new();
    let answers = answers.clone();
    builder
        .stream::<String, String>("in")
        .flat_map_values(|list: &String| list.split(',').map(str::to_owned).collect::<Vec<_>>())
        .process_async(options, move || answers.clone())
        .to("out");
    builder.build().expect("a topology")
}

fn driver_with(handlers: Handlers, options: AsyncOptions) -> TopologyTestDriver {
    let topology = topology(&Answers::default(), options);
    TopologyTestDriver::builder(&topology).handlers(handlers).build().expect("a driver")
}

fn pipe(driver: &TopologyTestDriver, values: &str) -> stream_core::Result<()> {
    driver.create_input_topic::<String, String>("in").pipe_input("k".to_owned(), values.to_owned())
}

fn values(driver: &TopologyTestDriver) -> Vec<String> {
    driver.create_output_topic::<String, String>("out").read_values_to_list().expect("values")
}

fn goes_on() -> Handlers {
    let mut handlers = Handlers::default();
    handlers.processing = Arc::new(LogAndContinue);
    handlers
}

#[test]
fn results_of_one_key_come_in_the_order_of_their_records() {
    // The first future ends after the second: the second result waits.
    let records = [("a", "1 after 2"), ("a", "2")];
    assert_eq!(results(AsyncOptions::new(10), &records), ["1", "2"]);
}

#[test]
fn a_slow_result_holds_back_no_other_key() {
    let records = [("a", "1 after 3"), ("b", "2"), ("b", "3 after 2")];
    assert_eq!(results(AsyncOptions::new(10), &records), ["2", "3", "1"]);
}

#[test]
fn in_total_order_results_come_as_their_records_did() {
    let records = [("a", "1 after 3"), ("b", "2 after 1"), ("c", "3")];
    assert_eq!(results(AsyncOptions::new(10).with_order(AsyncOrder::Total), &records), ["1", "2", "3"]);
}

#[test]
fn unordered_results_come_as_they_are_ready() {
    let records = [("a", "1 after 2"), ("a", "2 after 3"), ("a", "3")];
    assert_eq!(results(AsyncOptions::new(10).with_order(AsyncOrder::Unordered), &records), ["3", "2", "1"]);
}

#[test]
fn no_more_futures_run_at_a_time_than_were_allowed() {
    let answers = Answers::default();
    let driver = TopologyTestDriver::new(&topology(&answers, AsyncOptions::new(3))).expect("a driver");
    let list: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    pipe(&driver, &list.join(",")).expect("processed");
    assert_eq!(values(&driver), list, "all are answered, in order, also those that had to wait for a place");
    assert!((1..=3).contains(&answers.running.1.load(Ordering::SeqCst)));
}

#[test]
fn a_result_has_timestamp_headers_and_source_of_its_record() {
    let mut driver = ProcessorTestDriver::new(AsyncStep::new(Answers::default(), AsyncOptions::new(2))).expect("a driver");
    let mut headers = Headers::new();
    headers.add("trace", Some(b"42"));
    for (offset, timestamp) in [(11, 100), (12, 50)] {
        driver.set_record_metadata(Some(RecordMetadata { topic: Arc::from("in"), partition: 0, offset }));
        driver.process(record("k", "where").with_timestamp(timestamp).with_headers(headers.clone())).expect("accepted");
    }
    driver.commit().expect("all futures end");
    let forwarded: Vec<_> = driver.forwarded().iter().map(|forwarded| forwarded.record.clone()).collect();
    let expected = |timestamp, offset: i64| Record::new("k".to_owned(), format!("Some({offset})"), timestamp).with_headers(headers.clone());
    assert_eq!(forwarded, [expected(100, 11), expected(50, 12)]);
}

#[test]
fn a_commit_waits_for_all_futures_so_no_record_is_committed_without_its_result() {
    let answers = Answers::default();
    let topology = topology(&answers, AsyncOptions::new(10));
    let builder = TopologyTestDriver::builder(&topology).processing_guarantee(ProcessingGuarantee::ExactlyOnceV2);
    let driver = builder.build().expect("a driver");
    pipe(&driver, "1,2,3").expect("processed");
    driver.restart().expect("it starts again");
    assert_eq!(values(&driver), ["1", "2", "3"], "the committed step is complete, and is not repeated");
}

#[test]
fn an_error_a_panic_and_a_missed_deadline_are_failures_of_their_record_alone() {
    // Long enough for the trace of the panic, which holds up the thread of the futures.
    let options = AsyncOptions::new(10).with_deadline(Duration::from_millis(1_500));
    let driver = driver_with(goes_on(), options);
    pipe(&driver, "1,refused,2,panics,3,hangs,4,negative,5,twice").expect("the handler goes on");
    assert_eq!(values(&driver), ["1", "2", "3", "4", "5", "twice", "twice"]);
    let reasons: Vec<String> = driver.dropped_records().into_iter().map(|dropped| dropped.reason).collect();
    let expected = ["the service refused", "user code panicked: a bug", "deadline of 1500 ms", "negative timestamp"];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for text in expected {
        assert!(reasons.iter().any(|reason| reason.contains(text)), "{text}: {reasons:?}");
    }
}

#[test]
fn without_a_handler_a_failure_stops_the_task_and_leaves_nothing_uncommitted() {
    // A future that fails at once must not miss its deadline first, however slow the machine is.
    let failures = [("refused", "the service refused", 5_000), ("panics", "a bug", 5_000), ("hangs", "AsyncOptions::with_deadline", 50)];
    for (value, text, deadline_ms) in failures {
        let options = AsyncOptions::new(10).with_deadline(Duration::from_millis(deadline_ms));
        let topology = topology(&Answers::default(), options);
        let builder = TopologyTestDriver::builder(&topology).processing_guarantee(ProcessingGuarantee::ExactlyOnceV2);
        let driver = builder.build().expect("a driver");
        let error = pipe(&driver, &format!("1,{value}")).expect_err("the default handler stops").to_string();
        assert!(error.contains(text) && error.contains("KSTREAM-PROCESSASYNC-0000000002"), "{error}");
        assert!(values(&driver).is_empty(), "the step was not committed");
    }
}

#[test]
fn a_future_that_blocks_its_thread_cannot_hold_a_commit_beyond_the_deadline() {
    let builder = StreamsBuilder::new();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Mutex::new(blocked);
    let options = AsyncOptions::new(1).with_deadline(Duration::from_millis(100));
    let blocked = Arc::new(blocked);
    builder
        .stream::<String, String>("in")
        .map_values_async(options, move |_, value| {
            let blocked = Arc::clone(&blocked);
            async move {
                // What a future must never do.
                let _ = blocked.lock().expect("unpoisoned").recv();
                Ok(value)
            }
        })
        .to("out");
    let driver = TopologyTestDriver::builder(&builder.build().expect("a topology")).handlers(goes_on()).build().expect("a driver");
    let started = Instant::now();
    pipe(&driver, "1").expect("the handler goes on");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(driver.dropped_records().len(), 1);
    drop(release);
}

/// Notes what it is asked about.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl ProcessingHandler for Notes {
    fn handle(&self, failure: &FailureContext<'_>, _error: &BoxError) -> Response {
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        let offset = failure.metadata.map(|metadata| metadata.offset);
        self.0.lock().expect("unpoisoned").push(format!(
            "offset {offset:?}, at {}, {} headers, {}={}",
            failure.timestamp,
            failure.headers.len(),
            text(failure.source_key),
            text(failure.source_value)
        ));
        Response::resume()
    }
}

struct SharedNotes(Arc<Notes>);

impl ProcessingHandler for SharedNotes {
    fn handle(&self, failure: &FailureContext<'_>, error: &BoxError) -> Response {
        self.0.handle(failure, error)
    }
}

#[test]
fn the_processing_handler_sees_the_source_record_of_a_future_that_failed() {
    let notes = Arc::new(Notes::default());
    let mut handlers = Handlers::default();
    handlers.processing = Arc::new(SharedNotes(Arc::clone(&notes)));
    let driver = driver_with(handlers, AsyncOptions::new(10));
    let mut headers = Headers::new();
    headers.add("trace", None);
    let mut input = driver.create_input_topic::<String, String>("in");
    input.pipe_record(record("k", "1,refused").with_timestamp(99).with_headers(headers)).expect("the handler goes on");
    assert_eq!(*notes.0.lock().expect("unpoisoned"), ["offset Some(0), at 99, 1 headers, k=1,refused"]);
}

#[test]
fn async_processors_can_follow_one_another() {
    let builder = StreamsBuilder::new();
    let options = AsyncOptions::new(4);
    builder
        .stream::<String, String>("in")
        .flat_map_values(|list: &String| list.split(',').map(str::to_owned).collect::<Vec<_>>())
        .map_async(options, |key, value: String| async move { Ok((format!("{key}{value}"), value.len() as i64)) })
        .map_values_async(options.with_order(AsyncOrder::Total), |key, length| async move { Ok(format!("{key}:{length}")) })
        .to("out");
    let driver = TopologyTestDriver::new(&builder.build().expect("a topology")).expect("a driver");
    pipe(&driver, "a,bb,ccc").expect("processed");
    let mut found = values(&driver);
    found.sort();
    assert_eq!(found, ["ka:1", "kbb:2", "kccc:3"]);
}
