//! Admin requests: each has a queue of its own, on which its one answer comes.

mod groups;
mod offsets;
mod topics;

use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka_sys as rd;

use super::client::{NativeClient, Role};
use super::{Callbacks, ErrorText, NativeError, ffi, string, timeout_ms};
use crate::client::Properties;
use crate::client::context::ClientContext;
use crate::client::error::{Operation, from_native};
use crate::error::{Error, ErrorKind, Result};

/// A client for admin requests.
pub(crate) struct NativeAdmin {
    client: Mutex<Arc<NativeClient>>,
    properties: Properties,
    name: Arc<str>,
    context: Arc<dyn ClientContext>,
    is_over: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

/// How often a request that can be given up looks for that.
const STEP_MS: i32 = 100;

/// What librdkafka allows.
const LONGEST_TIMEOUT_MS: i32 = 3_600_000;

/// The options of one request.
struct Options(NonNull<rd::rd_kafka_AdminOptions_t>);

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_AdminOptions_destroy(self.0.as_ptr()) }
    }
}

/// The queue of one request.
struct AnswerQueue(NonNull<rd::rd_kafka_queue_t>);

impl Drop for AnswerQueue {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once; an answer that comes later is discarded with it.
        unsafe { rd::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

/// The answer to a request; results live in it, and it needs its client.
struct Answer(NonNull<rd::rd_kafka_event_t>, #[expect(dead_code, reason = "held")] Arc<NativeClient>);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

impl NativeAdmin {
    pub(crate) fn new(properties: &Properties, callbacks: Callbacks) -> Result<Self> {
        let (name, context) = (Arc::clone(&callbacks.name), Arc::clone(&callbacks.context));
        let client = NativeClient::new(Role::Producer, properties, callbacks)?;
        Ok(Self { client: Mutex::new(client), properties: properties.clone(), name, context, is_over: None })
    }

    /// Lets requests end as soon as `is_over` says so.
    pub(crate) fn given_up_when(&mut self, is_over: Arc<dyn Fn() -> bool + Send + Sync>) {
        self.is_over = Some(is_over);
    }

    fn is_over(&self) -> bool {
        self.is_over.as_ref().is_some_and(|is_over| is_over())
    }

    /// The answer that comes on a queue within `wait_ms`.
    fn await_answer(&self, queue: &AnswerQueue, wait_ms: i32) -> Option<NonNull<rd::rd_kafka_event_t>> {
        let mut left = wait_ms;
        loop {
            let step = if self.is_over.is_some() { left.min(STEP_MS) } else { left };
            // SAFETY: the queue is live.
            let answer = NonNull::new(unsafe { rd::rd_kafka_queue_poll(queue.0.as_ptr(), step) });
            left -= step;
            if answer.is_some() || left <= 0 || self.is_over() {
                return answer;
            }
        }
    }

    fn client(&self) -> Arc<NativeClient> {
        Arc::clone(&self.client.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets the client go that did not answer, and its requests with it, unless somebody else has done so.
    fn replace(&self, silent: &Arc<NativeClient>) -> Result<()> {
        let client = NativeClient::new(Role::Producer, &self.properties, Callbacks::new(&self.name, &self.context))?;
        let mut current = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, silent) {
            let replaced = std::mem::replace(&mut *current, client);
            drop(current);
            drop(replaced);
        }
        Ok(())
    }

    /// Sends a request and waits for its answer.
    ///
    /// A request for a group's coordinator must not time out in librdkafka while that is not known: its memory would be freed, and used
    /// again when the coordinator comes back, which ends the process (librdkafka's issue 4605). So such a request has more time than we
    /// wait, and ends with its client.
    ///
    /// `configure` sets further options; `send` makes the librdkafka call with client, options and queue.
    ///
    /// # Safety
    /// `send` hands over only live pointers, and librdkafka copies what they point to.
    unsafe fn request(
        &self,
        kind: rd::rd_kafka_admin_op_t,
        timeout: Duration,
        configure: impl FnOnce(*mut rd::rd_kafka_AdminOptions_t) -> Result<(), NativeError>,
        send: impl FnOnce(*mut rd::rd_kafka_t, *const rd::rd_kafka_AdminOptions_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Answer> {
        // Errors and statistics that nobody polls for would pile up.
        let client = self.client();
        client.poll(0);
        let rk = client.rk();
        let milliseconds = timeout_ms(timeout).max(1);
        let asks_coordinator = matches!(
            kind,
            rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS
                | rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS
        );
        // Else librdkafka answers every request, with an error when its timeout is over; a second more is for that answer itself.
        let (limit, wait) = match asks_coordinator {
            true => (milliseconds.saturating_mul(2).saturating_add(10_000).min(LONGEST_TIMEOUT_MS), milliseconds),
            false => (milliseconds, milliseconds.saturating_add(1_000)),
        };
        // SAFETY: the client is live; options and queue live until the answer has come or the wait is over.
        unsafe {
            let options = Options(
                NonNull::new(rd::rd_kafka_AdminOptions_new(rk, kind)).ok_or_else(|| Error::internal("an admin request is not known"))?,
            );
            let mut text = ErrorText::new();
            rd::rd_kafka_AdminOptions_set_request_timeout(options.0.as_ptr(), limit, text.as_mut_ptr(), text.len());
            configure(options.0.as_ptr()).map_err(|native| from_native(native, Operation::Administer))?;
            let queue =
                AnswerQueue(NonNull::new(rd::rd_kafka_queue_new(rk)).ok_or_else(|| Error::internal("no queue for an admin request"))?);
            send(rk, options.0.as_ptr(), queue.0.as_ptr());
            let Some(answer) = self.await_answer(&queue, wait) else {
                drop(queue);
                if self.is_over() {
                    // The request ends with the client.
                    return Err(Error::new(ErrorKind::Closed, "the application is closing"));
                }
                if asks_coordinator {
                    self.replace(&client)?;
                }
                let unanswered =
                    Error::retriable(format!("the cluster did not answer within {timeout:?}; check that the brokers can be reached"));
                return Err(with_last_error(&client, unanswered));
            };
            let answer = Answer(answer, Arc::clone(&client));
            match ffi::rd_kafka_event_error(answer.0.as_ptr()) {
                0 => Ok(answer),
                code => {
                    let native = NativeError::with_reason(code, &string(rd::rd_kafka_event_error_string(answer.0.as_ptr())));
                    Err(with_last_error(&client, from_native(native, Operation::Administer)))
                }
            }
        }
    }
}

/// An error because nobody answered, with what the client said of its connections: a wrong password or a wrong protocol shows only there.
fn with_last_error(client: &NativeClient, error: Error) -> Error {
    client.poll(0);
    match client.callbacks().last_error() {
        Some(last) if error.kind() == ErrorKind::Retriable => error.at(format_args!("the client's last error: {last}")),
        _ => error,
    }
}

/// No further options.
fn plain(_options: *mut rd::rd_kafka_AdminOptions_t) -> Result<(), NativeError> {
    Ok(())
}

/// Lets the controller answer only when the change has reached the brokers.
fn wait_for_change(timeout: Duration) -> impl FnOnce(*mut rd::rd_kafka_AdminOptions_t) -> Result<(), NativeError> {
    move |options| {
        let mut text = ErrorText::new();
        // SAFETY: the options are live and the buffer has the stated length.
        unsafe { rd::rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms(timeout).max(1), text.as_mut_ptr(), text.len()) };
        Ok(())
    }
}

/// The elements of an array that an answer holds.
///
/// # Safety
/// `array` is NULL or has `count` elements that live for `'a`.
unsafe fn elements<'a, T>(array: *const T, count: usize) -> &'a [T] {
    if array.is_null() {
        return &[];
    }
    // SAFETY: by contract.
    unsafe { std::slice::from_raw_parts(array, count) }
}

impl std::fmt::Debug for NativeAdmin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.client().fmt(f)
    }
}
