//! What librdkafka calls: logs, errors, statistics, OAuth tokens, delivery reports.

use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka_sys as rd;

use super::{NativeError, ffi, string};
use crate::client::context::{ClientContext, LogLevel, OAuthToken};
use crate::client::error::{self, Operation};
use crate::id::TopicPartition;

/// What a client's callbacks need. It has a fixed address for as long as the client lives.
pub(crate) struct Callbacks {
    pub(crate) name: Arc<str>,
    pub(crate) context: Arc<dyn ClientContext>,
    pub(crate) deliveries: Deliveries,
    pub(crate) partition_errors: PartitionErrors,
    last_error: Mutex<Option<String>>,
}

/// Errors of partitions that librdkafka reports beside the messages: a missing topic, a missing right.
#[derive(Default)]
pub(crate) struct PartitionErrors(Mutex<Vec<(TopicPartition, NativeError)>>);

impl PartitionErrors {
    pub(crate) fn take(&self) -> Vec<(TopicPartition, NativeError)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, partition: TopicPartition, error: NativeError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((partition, error));
    }
}

/// What delivery reports tell: the first failure, and per slot the highest acknowledged offset.
#[derive(Default)]
pub(crate) struct Deliveries {
    failure: Mutex<Option<(TopicPartition, NativeError)>>,
    slots: Mutex<Vec<Arc<AtomicI64>>>,
}

/// The value of a slot without an acknowledgement.
pub(super) const NOTHING_ACKNOWLEDGED: i64 = -1;

/// librdkafka's codes for messages that we purged ourselves: an abort, not a failure.
const PURGED: [i32; 2] = [-152, -151];

impl Callbacks {
    pub(crate) fn new(name: &str, context: &Arc<dyn ClientContext>) -> Self {
        Self {
            name: Arc::from(name),
            context: Arc::clone(context),
            deliveries: Deliveries::default(),
            partition_errors: PartitionErrors::default(),
            last_error: Mutex::default(),
        }
    }

    /// What the client last said of its connections: why nobody answers, as a rule.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn guarded(&self, what: &str, call: impl FnOnce(&dyn ClientContext)) {
        if catch_unwind(AssertUnwindSafe(|| call(&*self.context))).is_err() {
            tracing::error!(target: "kstreams::client", client = &*self.name, "the client context panicked in `{what}`");
        }
    }
}

impl Deliveries {
    /// Keeps a slot as long as the client lives.
    pub(crate) fn keep(&self, slot: Arc<AtomicI64>) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
    }

    pub(crate) fn take_failure(&self) -> Option<(TopicPartition, NativeError)> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note_failure(&self, partition: TopicPartition, error: NativeError) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((partition, error));
    }
}

/// The callbacks behind an opaque pointer.
///
/// # Safety
/// `opaque` was set by [`super::client`] and its client is not destroyed yet.
unsafe fn callbacks<'a>(opaque: *mut c_void) -> Option<&'a Callbacks> {
    // SAFETY: invariant 2 of the module.
    unsafe { opaque.cast::<Callbacks>().as_ref() }
}

pub(super) unsafe extern "C" fn on_log(rk: *const rd::rd_kafka_t, level: c_int, facility: *const c_char, line: *const c_char) {
    // SAFETY: `rk` is live; a log line may come while it is being created, with the opaque pointer already set.
    let Some(callbacks) = (unsafe { callbacks(rd::rd_kafka_opaque(rk)) }) else { return };
    // SAFETY: C strings that live during the call.
    let (facility, line) = unsafe { (string(facility), string(line)) };
    let level = match level {
        ..=3 => LogLevel::Error,
        4 => LogLevel::Warning,
        5 | 6 => LogLevel::Info,
        _ => LogLevel::Debug,
    };
    callbacks.guarded("log", |context| context.log(&callbacks.name, level, &facility, &line));
}

pub(super) unsafe extern "C" fn on_error(rk: *mut rd::rd_kafka_t, code: c_int, reason: *const c_char, opaque: *mut c_void) {
    // SAFETY: called from a poll, so the client is live; the text lives during the call.
    let (Some(callbacks), reason) = (unsafe { (callbacks(opaque), string(reason)) }) else { return };
    let mut native = NativeError::with_reason(code, &reason);
    if native.code == error::code::FATAL {
        let mut text = super::ErrorText::new();
        // SAFETY: `rk` is live and the buffer has the stated length.
        native = NativeError::from_code(unsafe { ffi::rd_kafka_fatal_error(rk, text.as_mut_ptr(), text.len()) });
        native.fatal = true;
        native.reason = text.to_string();
    }
    if error::is_of_a_topic(native.code)
        && let Some(partition) = concerned(&native.reason)
    {
        return callbacks.partition_errors.note(partition, native);
    }
    // That all brokers are down is what follows from another error.
    if native.code != error::code::ALL_BROKERS_DOWN {
        *callbacks.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(native.reason.clone());
    }
    let error = error::from_native(native, Operation::Connect);
    callbacks.guarded("error", |context| context.error(&callbacks.name, &error));
}

/// The partition at the beginning of `topic [partition]: …`: librdkafka says it in no other way.
fn concerned(reason: &str) -> Option<TopicPartition> {
    let (place, _) = reason.split_once("]: ")?;
    let (topic, number) = place.rsplit_once(" [")?;
    Some(TopicPartition::new(topic, number.parse().ok()?))
}

pub(super) unsafe extern "C" fn on_statistics(_rk: *mut rd::rd_kafka_t, json: *mut c_char, size: usize, opaque: *mut c_void) -> c_int {
    // SAFETY: called from a poll; `json` has `size` bytes and stays librdkafka's, since 0 is returned.
    let (Some(callbacks), json) = (unsafe { (callbacks(opaque), std::slice::from_raw_parts(json.cast::<u8>(), size)) }) else { return 0 };
    callbacks.guarded("statistics", |context| context.statistics(&callbacks.name, &String::from_utf8_lossy(json)));
    0
}

pub(super) unsafe extern "C" fn on_token_refresh(rk: *mut rd::rd_kafka_t, config: *const c_char, opaque: *mut c_void) {
    // SAFETY: called from the client's background thread, which ends before the client does.
    let Some(callbacks) = (unsafe { callbacks(opaque) }) else { return };
    // SAFETY: NULL or a C string that lives during the call.
    let config = (!config.is_null()).then(|| unsafe { string(config) });
    let answer = catch_unwind(AssertUnwindSafe(|| callbacks.context.oauth_token(config.as_deref())));
    let set = match answer {
        // SAFETY: `rk` is live.
        Ok(Ok(token)) => unsafe { set_token(rk, &token) },
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the client context panicked in `oauth_token`".to_owned()),
    };
    if let Err(reason) = set {
        tracing::error!(target: "kstreams::client", client = &*callbacks.name, reason, "no OAuth token");
        let reason = CString::new(reason).unwrap_or_default();
        // SAFETY: `rk` is live; the text is copied.
        unsafe { rd::rd_kafka_oauthbearer_set_token_failure(rk, reason.as_ptr()) };
    }
}

/// Hands a token to the client.
///
/// # Safety
/// `rk` is live.
unsafe fn set_token(rk: *mut rd::rd_kafka_t, token: &OAuthToken) -> Result<(), String> {
    let c = |text: &str| CString::new(text).map_err(|_| "the OAuth token contains a NUL character".to_owned());
    let (value, principal) = (c(&token.token)?, c(&token.principal)?);
    let extensions = token.extensions.iter().flat_map(|(name, value)| [c(name), c(value)]).collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<*const c_char> = extensions.iter().map(|text| text.as_ptr()).collect();
    let mut text = super::ErrorText::new();
    // SAFETY: all strings live during the call and are copied.
    let result = unsafe {
        rd::rd_kafka_oauthbearer_set_token(
            rk,
            value.as_ptr(),
            token.expires_at_ms,
            principal.as_ptr(),
            pointers.as_mut_ptr(),
            pointers.len(),
            text.as_mut_ptr(),
            text.len(),
        )
    };
    if result == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(text.to_string()) }
}

/// A delivery report. Its opaque is the slot of the record: an [`AtomicI64`] that lives as long as the client, or NULL.
pub(super) unsafe extern "C" fn on_delivery(_rk: *mut rd::rd_kafka_t, message: *const rd::rd_kafka_message_t, opaque: *mut c_void) {
    // SAFETY: called from a poll or flush; the message is live during the call.
    unsafe {
        let code = ffi::code(&raw const (*message).err);
        if code == 0 {
            if let Some(slot) = (*message)._private.cast::<AtomicI64>().as_ref() {
                slot.fetch_max((*message).offset, Ordering::Relaxed);
            }
        } else if !PURGED.contains(&code)
            && let Some(callbacks) = callbacks(opaque)
        {
            let partition = TopicPartition::new(string(rd::rd_kafka_topic_name((*message).rkt)), (*message).partition);
            callbacks.deliveries.note_failure(partition, NativeError::with_reason(code, &string(rd::rd_kafka_message_errstr(message))));
        }
    }
}
