//! Feeds lines into a topic: in batches, with a bounded queue, never more than a few megabytes in memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, stdin};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientContext, Message};

use super::{BoxError, Cluster, Input};

/// Longer lines are cut there: Kafka's default limit of a record is 1 MiB.
const MAX_LINE_BYTES: u64 = 1_000_000;

/// How often a followed file is asked for more; a file gives no event of its own that is the same on every system.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);

/// Remembers the first failed delivery.
#[derive(Default)]
struct Deliveries(Arc<std::sync::Mutex<Option<String>>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, record)) = result {
            let mut first = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            first.get_or_insert_with(|| format!("a line was not delivered to {}: {error}", record.topic()));
        }
    }
}

/// Feeds every line of `input`, until its end or `stop`; with `follow`, the end of a file is not the end. Returns how many lines
/// were delivered.
pub fn feed(cluster: &Cluster, input: &Input, topic: &str, follow: bool, stop: &AtomicBool) -> Result<u64, BoxError> {
    let failed = Arc::default();
    let producer: BaseProducer<Deliveries> = cluster
        .client_config()
        .set("enable.idempotence", "true")
        .set("linger.ms", "20")
        .set("queue.buffering.max.kbytes", "16384")
        .set("queue.buffering.max.messages", "100000")
        .create_with_context(Deliveries(Arc::clone(&failed)))?;
    let mut lines = 0;
    let mut send = |line: &[u8]| -> Result<(), BoxError> {
        // A source of type String takes valid UTF-8 only; log files do not always hold it.
        let line = String::from_utf8_lossy(line);
        let mut record = BaseRecord::<(), str>::to(topic).payload(&line);
        while let Err((error, rejected)) = producer.send(record) {
            match error {
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
                    producer.poll(Duration::from_millis(100));
                    record = rejected;
                }
                error => return Err(error.into()),
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
        lines += 1;
        if lines % 1024 == 0 {
            producer.poll(Duration::ZERO);
        }
        Ok(())
    };
    match input {
        Input::Stdin => each_line(&mut stdin().lock(), stop, &mut send)?,
        Input::File(path) if follow => follow_file(path, stop, &mut send)?,
        Input::File(path) => each_line(&mut BufReader::with_capacity(1 << 20, open(path)?), stop, &mut send)?,
    }
    producer.flush(Duration::from_secs(60))?;
    match failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
        Some(failure) => Err(failure.into()),
        None => Ok(lines),
    }
}

fn open(path: &Path) -> Result<File, BoxError> {
    File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}

fn each_line(reader: &mut impl BufRead, stop: &AtomicBool, send: &mut impl FnMut(&[u8]) -> Result<(), BoxError>) -> Result<(), BoxError> {
    let mut line = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        line.clear();
        if reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        send(without_line_end(&line))?;
    }
    Ok(())
}

/// As `tail -F`: goes on when the file grows, and begins anew when it was replaced or cut.
fn follow_file(path: &Path, stop: &AtomicBool, send: &mut impl FnMut(&[u8]) -> Result<(), BoxError>) -> Result<(), BoxError> {
    let mut reader = BufReader::new(open(path)?);
    let mut line = Vec::new();
    let mut position = 0;
    while !stop.load(Ordering::Relaxed) {
        let read = reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
        position += read as u64;
        if line.ends_with(b"\n") || line.len() as u64 >= MAX_LINE_BYTES {
            send(without_line_end(&line))?;
            line.clear();
            continue;
        }
        std::thread::sleep(FOLLOW_INTERVAL);
        if let Ok(present) = std::fs::metadata(path) {
            if present.len() < position {
                reader = BufReader::new(open(path)?);
                position = 0;
                line.clear();
            } else if is_other_file(&present, reader.get_ref()) {
                // The old file may have got its last lines after our last read.
                reader.seek(SeekFrom::Start(position))?;
                each_line(&mut reader, stop, send)?;
                reader = BufReader::new(open(path)?);
                position = 0;
                line.clear();
            }
        }
    }
    Ok(())
}

#[cfg(unix)]
fn is_other_file(present: &std::fs::Metadata, open: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    open.metadata().is_ok_and(|open| (open.dev(), open.ino()) != (present.dev(), present.ino()))
}

#[cfg(not(unix))]
fn is_other_file(_: &std::fs::Metadata, _: &File) -> bool {
    false
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
