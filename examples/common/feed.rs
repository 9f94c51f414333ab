//! Feeds lines into a topic: in batches, with a bounded queue, never more than a few megabytes in memory.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientContext, Message};

use super::lines::{Lines, parts};
use super::{BoxError, Cluster, Input, follow};

/// How long the producer is waited for before a signal is heard of.
const STEP: Duration = Duration::from_millis(100);

/// Remembers the first failed delivery.
#[derive(Default)]
struct Deliveries(Arc<Mutex<Option<String>>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, record)) = result {
            let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| format!("a line was not delivered to {}: {error}", record.topic()));
        }
    }
}

/// Feeds every line of `input`, until its end or `stop`; with `follow`, the end of a file is not the end. Returns how many records
/// were delivered.
pub fn feed(cluster: &Cluster, input: &Input, topic: &str, follow: bool, stop: &AtomicBool) -> Result<u64, BoxError> {
    let feeder = Feeder::new(cluster, topic, stop)?;
    // A source of type String takes valid UTF-8 only; log files do not always hold it.
    let mut send = |line: &[u8]| parts(&String::from_utf8_lossy(line)).try_for_each(|part| feeder.send(part));
    match input {
        Input::Stdin => to_end(stdin().lock(), stop, &mut send)?,
        Input::File(path) if follow => follow::follow(path, stop, &mut send)?,
        Input::File(path) => to_end(BufReader::with_capacity(1 << 20, open(path)?), stop, &mut send)?,
    }
    feeder.finish()
}

fn open(path: &Path) -> Result<File, BoxError> {
    File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}

fn to_end(reader: impl BufRead, stop: &AtomicBool, send: &mut impl FnMut(&[u8]) -> Result<(), BoxError>) -> Result<(), BoxError> {
    let mut lines = Lines::new(reader);
    lines.read(stop, send)?;
    if stop.load(Ordering::Relaxed) { Ok(()) } else { lines.end(send) }
}

/// A producer of lines.
struct Feeder<'a> {
    producer: BaseProducer<Deliveries>,
    failed: Arc<Mutex<Option<String>>>,
    topic: &'a str,
    stop: &'a AtomicBool,
    sent: Cell<u64>,
}

impl<'a> Feeder<'a> {
    fn new(cluster: &Cluster, topic: &'a str, stop: &'a AtomicBool) -> Result<Self, BoxError> {
        let failed = Arc::default();
        let producer = cluster
            .client_config()
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            .set("queue.buffering.max.kbytes", "16384")
            .set("queue.buffering.max.messages", "100000")
            .create_with_context(Deliveries(Arc::clone(&failed)))?;
        Ok(Self { producer, failed, topic, stop, sent: Cell::new(0) })
    }

    /// Puts a record into the producer's queue, when there is room.
    fn send(&self, line: &str) -> Result<(), BoxError> {
        let mut record = BaseRecord::<(), str>::to(self.topic).payload(line);
        while let Err((error, rejected)) = self.producer.send(record) {
            match error {
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
                    self.producer.poll(STEP);
                    record = rejected;
                }
                error => return Err(format!("a line cannot be sent to {}: {error}", self.topic).into()),
            }
            self.check()?;
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
        self.sent.set(self.sent.get() + 1);
        if self.sent.get().is_multiple_of(1024) {
            self.producer.poll(Duration::ZERO);
            self.check()?;
        }
        Ok(())
    }

    /// Fails when a delivery has failed: the lines behind it would be in the topic and it would not.
    fn check(&self) -> Result<(), BoxError> {
        match self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(failure) => Err(failure.into()),
            None => Ok(()),
        }
    }

    /// Waits until everything is delivered, for as long as the producer tries (`delivery.timeout.ms`), or until `stop`.
    fn finish(self) -> Result<u64, BoxError> {
        while !self.stop.load(Ordering::Relaxed) {
            match self.producer.flush(STEP) {
                Ok(()) => break,
                Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) => {}
                Err(error) => return Err(format!("lines cannot be delivered to {}: {error}", self.topic).into()),
            }
        }
        self.check()?;
        Ok(self.sent.get())
    }
}
