//! The bare loop: what `pipe` costs with nothing but librdkafka, called in the cheapest way that was found: records are consumed in batches
//! and produced by `rd_kafka_produceva`, reports are asked for failures only. It bounds from below what a library over librdkafka can reach.
//!
//! The one module of the benchmark with `unsafe` code. Every handle belongs to the loop, which uses it on one thread and destroys it last.
#![allow(unsafe_code, reason = "librdkafka is called directly: that is what is measured")]

use std::ffi::{CStr, CString, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka_sys as rd;

use super::command::Job;
use super::figures::{BARE, BARE_STRINGS, Figures};
use super::progress::Progress;
use super::topics::{PARTITIONS, Topics};
use super::usage::Snapshot;
use super::workload::{Mode, Workload, size};
use super::{BenchResult, bootstrap_servers, is_on};

/// Records per call, and how long a call waits for the first, ms.
const BATCH: usize = 1_000;
const WAIT_MS: c_int = 5;
const TIMEOUT_MS: c_int = 30_000;

static DELIVERY_FAILED: AtomicBool = AtomicBool::new(false);

/// Runs the loop over the whole input and prints its figures.
pub fn run(job: Job, owned_strings: bool) -> BenchResult<()> {
    if job.workload != Workload::Pipe {
        return Err("there is a bare loop for `pipe` only".into());
    }
    let n = size()?;
    let servers = bootstrap_servers()?;
    let id = format!("bench-bare-{}-{}", job.mode.name(), SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis());
    let (input, output) = (job.workload.input().topic(n), format!("{id}-out"));
    let topics = Topics::connect(&servers, &id)?;
    topics.create(&output)?;
    let records = u64::try_from(topics.end_offsets(&input)?.iter().sum::<i64>())?;

    let (progress, _) = Progress::new(records);
    let consumer = Client::consumer(&servers, &id)?;
    let producer = Client::producer(&servers, job.mode.is_exactly_once().then_some(&*id))?;
    let mut pipe = Pipe::new(&consumer, &producer, &input, &output, job.mode)?;
    pipe.owned_strings = owned_strings;
    pipe.run(&progress, records)?;
    let end = Snapshot::take();

    let implementation = if owned_strings { BARE_STRINGS } else { BARE };
    let mut figures = Figures::new(implementation, job, records, &progress.marks(), &end, progress.output())?;
    figures.committed = topics.is_committed(&input)?;
    figures.print()?;
    if !is_on("KEEP") {
        topics.delete_with_prefix(&id)?;
    }
    Ok(())
}

struct Client(*mut rd::rd_kafka_t);

impl Client {
    fn consumer(servers: &str, group: &str) -> BenchResult<Self> {
        // As the library sets them: a full queue must not pause its partition for a second, and then small queues will do.
        let client = Self::new(
            rd::rd_kafka_type_t::RD_KAFKA_CONSUMER,
            &[
                ("bootstrap.servers", servers),
                ("group.id", group),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("socket.nagle.disable", "true"),
                ("fetch.queue.backoff.ms", "5"),
                ("queued.min.messages", "10000"),
                ("queued.max.messages.kbytes", "8192"),
            ],
        )?;
        // SAFETY: the client is live.
        unsafe { rd::rd_kafka_poll_set_consumer(client.0) };
        Ok(client)
    }

    fn producer(servers: &str, transactional_id: Option<&str>) -> BenchResult<Self> {
        let mut settings = vec![
            ("bootstrap.servers", servers),
            ("enable.idempotence", "true"),
            ("partitioner", "murmur2_random"),
            ("socket.nagle.disable", "true"),
            ("delivery.report.only.error", "true"),
        ];
        settings.extend(transactional_id.map(|id| ("transactional.id", id)));
        Self::new(rd::rd_kafka_type_t::RD_KAFKA_PRODUCER, &settings)
    }

    fn new(kind: rd::rd_kafka_type_t, settings: &[(&str, &str)]) -> BenchResult<Self> {
        let mut text = [0; 512];
        // SAFETY: the configuration is ours until `rd_kafka_new` takes it over; strings live during the calls; `text` has its length.
        unsafe {
            let configuration = rd::rd_kafka_conf_new();
            for (name, value) in settings {
                let (c_name, c_value) = (CString::new(*name)?, CString::new(*value)?);
                let result = rd::rd_kafka_conf_set(configuration, c_name.as_ptr(), c_value.as_ptr(), text.as_mut_ptr(), text.len());
                if result != rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                    return Err(format!("{name}: {}", CStr::from_ptr(text.as_ptr()).to_string_lossy()).into());
                }
            }
            if kind == rd::rd_kafka_type_t::RD_KAFKA_PRODUCER {
                rd::rd_kafka_conf_set_dr_msg_cb(configuration, Some(on_delivery));
            }
            let client = rd::rd_kafka_new(kind, configuration, text.as_mut_ptr(), text.len());
            if client.is_null() {
                return Err(CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned().into());
            }
            Ok(Self(client))
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once, after what was made from it.
        unsafe { rd::rd_kafka_destroy(self.0) }
    }
}

unsafe extern "C" fn on_delivery(_: *mut rd::rd_kafka_t, message: *const rd::rd_kafka_message_t, _: *mut c_void) {
    // SAFETY: librdkafka gives a live message; the code is read as an integer.
    if unsafe { error_code(message) } != 0 {
        DELIVERY_FAILED.store(true, Ordering::Relaxed);
    }
}

/// The error of a message, as an integer: a broker may send a code that the bindings do not know.
///
/// # Safety
/// `message` is live.
unsafe fn error_code(message: *const rd::rd_kafka_message_t) -> i32 {
    // SAFETY: by contract; the field has the size of a C int.
    unsafe { (&raw const (*message).err).cast::<c_int>().read() }
}

/// Turns librdkafka's error object into ours.
///
/// # Safety
/// `error` is NULL or an error object that is ours.
unsafe fn check(error: *mut rd::rd_kafka_error_t, call: &str) -> BenchResult<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: by contract; the text is copied before the object is destroyed.
    unsafe {
        let text = CStr::from_ptr(rd::rd_kafka_error_string(error)).to_string_lossy().into_owned();
        rd::rd_kafka_error_destroy(error);
        Err(format!("{call}: {text}").into())
    }
}

/// Offsets of the input's partitions.
struct Offsets(*mut rd::rd_kafka_topic_partition_list_t);

impl Offsets {
    fn new(topic: &CStr, positions: [i64; PARTITIONS as usize]) -> Self {
        // SAFETY: the list is ours; the name is copied; the entry that was added is live until the list changes.
        unsafe {
            let list = rd::rd_kafka_topic_partition_list_new(PARTITIONS);
            for (partition, position) in (0..).zip(positions) {
                (*rd::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), partition)).offset = position;
            }
            Self(list)
        }
    }
}

impl Drop for Offsets {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_topic_partition_list_destroy(self.0) }
    }
}

/// The filter of `pipe`.
fn is_kept(value: &[u8]) -> bool {
    value.first().is_some_and(|first| *first < b'x')
}

struct Pipe<'a> {
    consumer: &'a Client,
    producer: &'a Client,
    queue: *mut rd::rd_kafka_queue_t,
    input: CString,
    output: *mut rd::rd_kafka_topic_t,
    mode: Mode,
    positions: [i64; PARTITIONS as usize],
    committed_at: Instant,
    owned_strings: bool,
    value: Vec<u8>,
    sent: u64,
}

impl<'a> Pipe<'a> {
    fn new(consumer: &'a Client, producer: &'a Client, input: &str, output: &str, mode: Mode) -> BenchResult<Self> {
        let (input, output) = (CString::new(input)?, CString::new(output)?);
        let positions = [0; PARTITIONS as usize];
        // SAFETY: both clients are live and outlive what is made from them; strings live during the calls.
        unsafe {
            let queue = rd::rd_kafka_queue_get_consumer(consumer.0);
            let topic = rd::rd_kafka_topic_new(producer.0, output.as_ptr(), null_mut());
            if topic.is_null() {
                return Err("the output cannot be a topic".into());
            }
            if mode.is_exactly_once() {
                check(rd::rd_kafka_init_transactions(producer.0, TIMEOUT_MS), "init_transactions")?;
                check(rd::rd_kafka_begin_transaction(producer.0), "begin_transaction")?;
            }
            rd::rd_kafka_assign(consumer.0, Offsets::new(&input, positions).0);
            Ok(Self {
                consumer,
                producer,
                queue,
                input,
                output: topic,
                mode,
                positions,
                committed_at: Instant::now(),
                owned_strings: false,
                value: Vec::new(),
                sent: 0,
            })
        }
    }

    fn run(&mut self, progress: &Progress, records: u64) -> BenchResult<()> {
        let mut batch = [null_mut::<rd::rd_kafka_message_t>(); BATCH];
        let interval = Duration::from_millis(self.mode.commit_interval_ms());
        while progress.processed() < records {
            // SAFETY: the queue is live and the batch has its length.
            let count = unsafe { rd::rd_kafka_consume_batch_queue(self.queue, WAIT_MS, batch.as_mut_ptr(), BATCH) };
            for message in &batch[..usize::try_from(count).unwrap_or(0)] {
                // SAFETY: the message is ours until it is destroyed; key and payload have the stated lengths.
                unsafe {
                    if error_code(*message) == 0 {
                        self.take(*message, progress)?;
                    }
                    rd::rd_kafka_message_destroy(*message);
                }
            }
            if self.committed_at.elapsed() >= interval {
                self.commit(true)?;
            }
        }
        self.commit(false)
    }

    /// # Safety
    /// `message` is a live record.
    unsafe fn take(&mut self, message: *mut rd::rd_kafka_message_t, progress: &Progress) -> BenchResult<()> {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: by contract.
        let (key, payload, partition, offset, timestamp) = unsafe {
            let record = &*message;
            (
                std::slice::from_raw_parts(record.key.cast::<u8>(), record.key_len),
                std::slice::from_raw_parts(record.payload.cast::<u8>(), record.len),
                record.partition,
                record.offset,
                rd::rd_kafka_message_timestamp(message, &raw mut kind),
            )
        };
        progress.one();
        self.positions[partition.unsigned_abs() as usize] = offset + 1;
        if self.owned_strings {
            let (key, value) = (String::from_utf8(key.to_vec())?, String::from_utf8(payload.to_vec())?);
            if is_kept(value.as_bytes()) {
                self.value = value.to_uppercase().into_bytes();
                progress.out();
                self.send(key.as_bytes(), timestamp)?;
            }
        } else if is_kept(payload) {
            self.value.clear();
            self.value.extend(payload.iter().map(u8::to_ascii_uppercase));
            progress.out();
            self.send(key, timestamp)?;
        }
        Ok(())
    }

    fn send(&mut self, key: &[u8], timestamp: i64) -> BenchResult<()> {
        use rd::rd_kafka_vtype_t as tag;
        let memory =
            |bytes: &[u8]| rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: bytes.as_ptr().cast_mut().cast(), size: bytes.len() };
        let mut arguments = [const { MaybeUninit::<rd::rd_kafka_vu_t>::uninit() }; 6];
        let mut count = 0;
        // SAFETY: each argument's tag and the field that belongs to it are written before the call; the record is copied.
        unsafe {
            macro_rules! argument {
                ($tag:ident, $field:ident, $value:expr) => {{
                    let argument = arguments[count].as_mut_ptr();
                    (&raw mut (*argument).vtype).write(tag::$tag);
                    (&raw mut (*argument).u.$field).write($value);
                    count += 1;
                }};
            }
            argument!(RD_KAFKA_VTYPE_RKT, rkt, self.output);
            argument!(RD_KAFKA_VTYPE_PARTITION, i32_, -1);
            argument!(RD_KAFKA_VTYPE_MSGFLAGS, i, rd::RD_KAFKA_MSG_F_COPY);
            argument!(RD_KAFKA_VTYPE_KEY, mem, memory(key));
            argument!(RD_KAFKA_VTYPE_VALUE, mem, memory(&self.value));
            argument!(RD_KAFKA_VTYPE_TIMESTAMP, i64_, timestamp);
            loop {
                let error = rd::rd_kafka_produceva(self.producer.0, arguments.as_ptr().cast(), count);
                if error.is_null() {
                    break;
                }
                if rd::rd_kafka_error_code(error) != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL {
                    return check(error, "produceva");
                }
                rd::rd_kafka_error_destroy(error);
                rd::rd_kafka_poll(self.producer.0, 1);
            }
            self.sent += 1;
            if self.sent.is_multiple_of(256) {
                rd::rd_kafka_poll(self.producer.0, 0);
            }
        }
        Ok(())
    }

    fn commit(&mut self, goes_on: bool) -> BenchResult<()> {
        let offsets = Offsets::new(&self.input, self.positions);
        // SAFETY: clients and list are live; the metadata is ours and destroyed once.
        unsafe {
            if self.mode.is_exactly_once() {
                let group = rd::rd_kafka_consumer_group_metadata(self.consumer.0);
                let sent = rd::rd_kafka_send_offsets_to_transaction(self.producer.0, offsets.0, group, TIMEOUT_MS);
                rd::rd_kafka_consumer_group_metadata_destroy(group);
                check(sent, "send_offsets_to_transaction")?;
                check(rd::rd_kafka_commit_transaction(self.producer.0, TIMEOUT_MS), "commit_transaction")?;
                if goes_on {
                    check(rd::rd_kafka_begin_transaction(self.producer.0), "begin_transaction")?;
                }
            } else {
                while rd::rd_kafka_outq_len(self.producer.0) > 0 {
                    rd::rd_kafka_flush(self.producer.0, 1);
                }
                let error = rd::rd_kafka_commit(self.consumer.0, offsets.0, 0);
                if error != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return Err(format!("the commit of the offsets failed: {error:?}").into());
                }
            }
        }
        if DELIVERY_FAILED.load(Ordering::Relaxed) {
            return Err("a record was not delivered".into());
        }
        self.committed_at = Instant::now();
        Ok(())
    }
}

impl Drop for Pipe<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once, before the clients.
        unsafe {
            rd::rd_kafka_topic_destroy(self.output);
            rd::rd_kafka_queue_destroy(self.queue);
        }
    }
}
