//! [`NativeProducer`]: records in, transactions, metadata.

use std::cell::RefCell;
use std::ffi::{CString, c_void};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rdkafka_sys as rd;

use super::callbacks::NOTHING_ACKNOWLEDGED;
use super::client::{NativeClient, Role};
use super::{Callbacks, NativeError, PartitionList, c_string, ffi};
use crate::client::error::code;
use crate::client::{FencingToken, Properties};
use crate::error::{Error, Result};
use crate::record::{Headers, OutgoingRecord};

/// The partition that lets librdkafka's partitioner choose.
const BY_PARTITIONER: i32 = -1;

/// How often a call that waits for the coordinator looks whether it may wait on.
const OFFSETS_STEP: Duration = Duration::from_millis(100);

type Topic = NonNull<rd::rd_kafka_topic_t>;

/// A producer with its topics and slots. Used by one thread at a time.
pub(crate) struct NativeProducer {
    // Topics before the client (see `drop`). A report may name a slot for as long as the client lives, so its callbacks keep them, too.
    topics: RefCell<Vec<(Arc<str>, Topic)>>,
    client: Arc<NativeClient>,
    slots: RefCell<Vec<Arc<AtomicI64>>>,
}

// SAFETY: topics are handles of the thread-safe client; the cells are reached through `&self` of a type that is not `Sync`.
unsafe impl Send for NativeProducer {}

/// The address of a slot, as a record carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotAddress(*mut c_void);

impl SlotAddress {
    pub(crate) const NONE: Self = Self(std::ptr::null_mut());
}

impl NativeProducer {
    pub(crate) fn new(properties: &Properties, callbacks: Callbacks) -> Result<Self> {
        let client = NativeClient::new(Role::Producer, properties, callbacks)?;
        Ok(Self { topics: RefCell::default(), client, slots: RefCell::default() })
    }

    pub(crate) fn client(&self) -> &NativeClient {
        &self.client
    }

    /// A new slot; its number.
    pub(crate) fn add_slot(&self) -> usize {
        let mut slots = self.slots.borrow_mut();
        let slot = Arc::new(AtomicI64::new(NOTHING_ACKNOWLEDGED));
        self.client.callbacks().deliveries.keep(Arc::clone(&slot));
        slots.push(slot);
        slots.len() - 1
    }

    pub(crate) fn slot_address(&self, slot: usize) -> SlotAddress {
        self.slots.borrow().get(slot).map_or(SlotAddress::NONE, |slot| SlotAddress(Arc::as_ptr(slot).cast_mut().cast()))
    }

    pub(crate) fn acknowledged(&self, slot: usize) -> Option<i64> {
        let offset = self.slots.borrow().get(slot)?.load(Ordering::Relaxed);
        (offset != NOTHING_ACKNOWLEDGED).then_some(offset)
    }

    pub(crate) fn reset_slot(&self, slot: usize) {
        if let Some(slot) = self.slots.borrow().get(slot) {
            slot.store(NOTHING_ACKNOWLEDGED, Ordering::Relaxed);
        }
    }

    /// The handle of a topic, made at its first record. Names are compared by address first: a sink passes the same `Arc` each time.
    fn topic(&self, name: &Arc<str>) -> Result<Topic> {
        let mut topics = self.topics.borrow_mut();
        if let Some((_, topic)) = topics.iter().find(|(known, _)| Arc::ptr_eq(known, name)) {
            return Ok(*topic);
        }
        if let Some((_, topic)) = topics.iter().find(|(known, _)| known == name) {
            return Ok(*topic);
        }
        let c_name = c_string(name, "a topic name")?;
        // SAFETY: the client is live; without a configuration of its own the topic has the client's defaults.
        let topic = unsafe { rd::rd_kafka_topic_new(self.client.rk(), c_name.as_ptr(), std::ptr::null_mut()) };
        let topic =
            NonNull::new(topic).ok_or_else(|| Error::invalid(format!("`{name}` cannot be a topic; its name is empty or too long")))?;
        topics.push((Arc::clone(name), topic));
        Ok(topic)
    }

    /// Hands over one record; key, value and headers are copied.
    #[inline]
    pub(crate) fn produce(&self, record: &OutgoingRecord<'_>, slot: SlotAddress) -> Result<Result<(), NativeError>> {
        let topic = self.topic(record.topic)?;
        let headers = if record.headers.is_empty() { None } else { Some(NativeHeaders::new(record.headers)?) };
        // librdkafka takes 0 for 'now'. One millisecond off is nearer to what the record says.
        let timestamp = record.timestamp.max(1);
        let mut arguments: [MaybeUninit<rd::rd_kafka_vu_t>; 8] = [const { MaybeUninit::uninit() }; 8];
        let mut count = 0;
        // SAFETY: each argument's tag and the union field that belongs to it are written before librdkafka reads them; the pointers live
        // during the call, and the record is copied. A header list is taken over only when the call succeeds.
        unsafe {
            use rd::rd_kafka_vtype_t::*;
            macro_rules! argument {
                ($tag:ident, $field:ident, $value:expr) => {{
                    let argument = arguments[count].as_mut_ptr();
                    (&raw mut (*argument).vtype).write($tag);
                    (&raw mut (*argument).u.$field).write($value);
                    count += 1;
                }};
            }
            argument!(RD_KAFKA_VTYPE_RKT, rkt, topic.as_ptr());
            argument!(RD_KAFKA_VTYPE_PARTITION, i32_, record.partition.unwrap_or(BY_PARTITIONER));
            argument!(RD_KAFKA_VTYPE_MSGFLAGS, i, rd::RD_KAFKA_MSG_F_COPY);
            argument!(RD_KAFKA_VTYPE_KEY, mem, memory(record.key));
            argument!(RD_KAFKA_VTYPE_VALUE, mem, memory(record.value));
            argument!(RD_KAFKA_VTYPE_TIMESTAMP, i64_, timestamp);
            argument!(RD_KAFKA_VTYPE_OPAQUE, ptr, slot.0);
            if let Some(headers) = &headers {
                argument!(RD_KAFKA_VTYPE_HEADERS, headers, headers.0);
            }
            let taken = NativeError::check(rd::rd_kafka_produceva(self.client.rk(), arguments.as_ptr().cast(), count));
            if taken.is_ok() {
                std::mem::forget(headers);
            }
            Ok(taken)
        }
    }

    /// How many records wait for their delivery or their report.
    pub(crate) fn outstanding(&self) -> usize {
        // SAFETY: the client is live.
        usize::try_from(unsafe { rd::rd_kafka_outq_len(self.client.rk()) }).unwrap_or(0)
    }

    /// Sends what is buffered without waiting for `linger.ms`, and serves reports for at most `timeout_ms`.
    pub(crate) fn flush(&self, timeout_ms: i32) {
        // SAFETY: the client is live. Its answer only says whether something is outstanding still.
        unsafe { ffi::rd_kafka_flush(self.client.rk(), timeout_ms) };
    }

    pub(crate) fn purge(&self) {
        // SAFETY: the client is live.
        unsafe { ffi::rd_kafka_purge(self.client.rk(), rd::RD_KAFKA_PURGE_F_QUEUE | rd::RD_KAFKA_PURGE_F_INFLIGHT) };
    }

    pub(crate) fn init_transactions(&self, timeout_ms: i32) -> Result<(), NativeError> {
        // SAFETY: the client is live.
        unsafe { NativeError::check(rd::rd_kafka_init_transactions(self.client.rk(), timeout_ms)) }
    }

    pub(crate) fn begin_transaction(&self) -> Result<(), NativeError> {
        // SAFETY: the client is live.
        unsafe { NativeError::check(rd::rd_kafka_begin_transaction(self.client.rk())) }
    }

    pub(crate) fn commit_transaction(&self, timeout_ms: i32) -> Result<(), NativeError> {
        // SAFETY: the client is live.
        unsafe { NativeError::check(rd::rd_kafka_commit_transaction(self.client.rk(), timeout_ms)) }
    }

    pub(crate) fn abort_transaction(&self, timeout_ms: i32) -> Result<(), NativeError> {
        // SAFETY: the client is live.
        unsafe { NativeError::check(rd::rd_kafka_abort_transaction(self.client.rk(), timeout_ms)) }
    }

    /// Sends offsets; waits for the answer until `is_over`. Then the producer is good for nothing but to be dropped.
    ///
    /// librdkafka waits for a coordinator that holds the connection as long as a request may take, whatever timeout it is given. So the call
    /// has a thread of its own, which keeps the client until it returns.
    pub(crate) fn send_offsets(
        &self,
        offsets: PartitionList,
        token: &FencingToken,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Result<(), NativeError>> {
        let group = c_string(&token.group, "the group id")?;
        let member = c_string(&token.member, "the member id")?;
        let instance: Option<CString> = token.instance.as_ref().map(|instance| c_string(instance, "`group.instance.id`")).transpose()?;
        let (client, generation) = (Arc::clone(&self.client), token.generation);
        let send = move || {
            // SAFETY: the strings are copied into the metadata object, which is ours and destroyed once; the list is copied; the client is live.
            unsafe {
                let metadata = rd::rd_kafka_consumer_group_metadata_new_with_genid(
                    group.as_ptr(),
                    generation,
                    member.as_ptr(),
                    instance.as_ref().map_or(std::ptr::null(), |instance| instance.as_ptr()),
                );
                // -1: as long as the transaction may take.
                let sent = NativeError::check(rd::rd_kafka_send_offsets_to_transaction(client.rk(), offsets.as_ptr(), metadata, -1));
                rd::rd_kafka_consumer_group_metadata_destroy(metadata);
                // Before the answer: the client ends where its producer does.
                drop(client);
                sent
            }
        };
        let (answer, answered) = channel();
        std::thread::Builder::new()
            .name("kstreams-offsets".to_owned())
            .spawn(move || {
                // Nobody listens when it was given up.
                answer.send(send()).ok();
            })
            .map_err(|error| Error::retriable("the operating system gave no thread for the offsets of a transaction").with_source(error))?;
        loop {
            match answered.recv_timeout(OFFSETS_STEP) {
                Ok(sent) => return Ok(sent),
                Err(RecvTimeoutError::Timeout) if is_over() => return Ok(Err(NativeError::from_code(code::TIMED_OUT))),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Error::internal("the thread that sends offsets has ended")),
            }
        }
    }

    /// Asks the cluster how many partitions a topic has.
    pub(crate) fn partition_count(&self, topic: &Arc<str>, timeout_ms: i32) -> Result<Result<i32, NativeError>> {
        let topic = self.topic(topic)?;
        let mut metadata: *const rd::rd_kafka_metadata = std::ptr::null();
        // SAFETY: client and topic are live; the metadata is ours, read within its counts, and destroyed once.
        unsafe {
            let code = ffi::rd_kafka_metadata(self.client.rk(), 0, topic.as_ptr(), &raw mut metadata, timeout_ms);
            if code != 0 {
                return Ok(Err(NativeError::from_code(code)));
            }
            let answer = if (*metadata).topic_cnt == 1 {
                let topic = (*metadata).topics;
                match ffi::code(&raw const (*topic).err) {
                    0 => Ok((*topic).partition_cnt),
                    code => Err(NativeError::from_code(code)),
                }
            } else {
                Err(NativeError::from_code(crate::client::error::code::UNKNOWN_TOPIC))
            };
            rd::rd_kafka_metadata_destroy(metadata);
            Ok(answer)
        }
    }
}

impl Drop for NativeProducer {
    fn drop(&mut self) {
        for (_, topic) in self.topics.get_mut().drain(..) {
            // SAFETY: ours, destroyed once, before the client.
            unsafe { rd::rd_kafka_topic_destroy(topic.as_ptr()) }
        }
    }
}

/// Bytes that may be null. An empty slice's pointer is not NULL, so that empty stays empty.
fn memory(bytes: Option<&[u8]>) -> rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
        ptr: bytes.map_or(std::ptr::null_mut(), |bytes| bytes.as_ptr().cast_mut().cast()),
        size: bytes.map_or(0, <[u8]>::len),
    }
}

/// A header list that is ours until a producer takes it.
struct NativeHeaders(*mut rd::rd_kafka_headers_t);

impl NativeHeaders {
    fn new(headers: &Headers) -> Result<Self> {
        // SAFETY: the list is ours; name and value are copied with their lengths.
        unsafe {
            let list = Self(rd::rd_kafka_headers_new(headers.len()));
            for header in headers {
                let value = header.value.as_deref();
                let code = ffi::rd_kafka_header_add(
                    list.0,
                    header.key.as_ptr().cast(),
                    header.key.len().cast_signed(),
                    value.map_or(std::ptr::null(), |value| value.as_ptr().cast()),
                    value.map_or(0, <[u8]>::len).cast_signed(),
                );
                if code != 0 {
                    return Err(Error::invalid(format!("the header `{}` cannot be written", header.key)));
                }
            }
            Ok(list)
        }
    }
}

impl Drop for NativeHeaders {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_headers_destroy(self.0) }
    }
}
