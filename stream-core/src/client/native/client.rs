//! [`NativeClient`]: one `rd_kafka_t` and its life.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use rdkafka_sys as rd;

use super::callbacks::{on_delivery, on_error, on_log, on_statistics, on_token_refresh};
use super::{Callbacks, ErrorText, NativeError, c_string, ffi};
use crate::client::Properties;
use crate::client::error::{Operation, from_native};
use crate::error::{Error, Result};

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Consumer,
    Producer,
}

/// A client of librdkafka. Dropping it stops its threads; it never waits for the cluster.
pub(crate) struct NativeClient {
    rk: NonNull<rd::rd_kafka_t>,
    role: Role,
    // Boxed: librdkafka holds its address. Declared after `rk` and freed after `drop` has destroyed the client.
    callbacks: Box<Callbacks>,
}

// SAFETY: librdkafka's client handle is made to be used from several threads at once, and `Callbacks` is `Sync`.
unsafe impl Send for NativeClient {}
// SAFETY: as above.
unsafe impl Sync for NativeClient {}

/// A configuration that has not become a client yet.
struct Conf(*mut rd::rd_kafka_conf_t);

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: NULL, or ours and not handed over.
        unsafe {
            if !self.0.is_null() {
                rd::rd_kafka_conf_destroy(self.0);
            }
        }
    }
}

impl NativeClient {
    /// Creates a client. Connections are made in the background: an unreachable cluster is no error here.
    pub(crate) fn new(role: Role, properties: &Properties, callbacks: Callbacks) -> Result<Arc<Self>> {
        let callbacks = Box::new(callbacks);
        // SAFETY: no precondition.
        let mut conf = Conf(unsafe { rd::rd_kafka_conf_new() });
        for (name, value) in properties {
            set(conf.0, name, value)?;
        }
        let supplies_token = needs_token(properties);
        // SAFETY: the configuration is ours; the callbacks' address is fixed and outlives the client.
        unsafe {
            rd::rd_kafka_conf_set_opaque(conf.0, std::ptr::from_ref::<Callbacks>(&callbacks).cast_mut().cast::<c_void>());
            rd::rd_kafka_conf_set_log_cb(conf.0, Some(on_log));
            rd::rd_kafka_conf_set_error_cb(conf.0, Some(on_error));
            if properties.get("statistics.interval.ms").is_some_and(|interval| interval != "0") {
                rd::rd_kafka_conf_set_stats_cb(conf.0, Some(on_statistics));
            }
            if role == Role::Producer {
                rd::rd_kafka_conf_set_dr_msg_cb(conf.0, Some(on_delivery));
            }
            if supplies_token {
                rd::rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf.0, Some(on_token_refresh));
                // Own queue and, below, own thread: a token must come also while the caller blocks in `init_transactions`.
                rd::rd_kafka_conf_enable_sasl_queue(conf.0, 1);
            }
        }
        let mut text = ErrorText::new();
        let kind = match role {
            Role::Consumer => rd::rd_kafka_type_t::RD_KAFKA_CONSUMER,
            Role::Producer => rd::rd_kafka_type_t::RD_KAFKA_PRODUCER,
        };
        // SAFETY: on success the client takes the configuration over; on failure it stays ours and `conf` destroys it.
        let rk = unsafe { rd::rd_kafka_new(kind, conf.0, text.as_mut_ptr(), text.len()) };
        let Some(rk) = NonNull::new(rk) else {
            return Err(Error::invalid(format!(
                "client {} cannot be created: {}",
                callbacks.name,
                super::properties::with_missing_feature(&text.to_string())
            )));
        };
        conf.0 = std::ptr::null_mut();
        let client = Self { rk, role, callbacks };
        if supplies_token {
            // SAFETY: the client is live and its SASL queue is enabled.
            unsafe { NativeError::check(rd::rd_kafka_sasl_background_callbacks_enable(rk.as_ptr())) }
                .map_err(|native| from_native(native, Operation::Connect))?;
        }
        Ok(Arc::new(client))
    }

    pub(super) fn rk(&self) -> *mut rd::rd_kafka_t {
        self.rk.as_ptr()
    }

    pub(crate) fn callbacks(&self) -> &Callbacks {
        &self.callbacks
    }

    /// Serves callbacks that wait, for at most `timeout_ms`; returns how many there were. Producers only: a consumer's come with its poll.
    pub(crate) fn poll(&self, timeout_ms: i32) -> i32 {
        // SAFETY: the client is live.
        unsafe { rd::rd_kafka_poll(self.rk(), timeout_ms) }
    }

    /// The error that made the client unusable, if one did.
    pub(crate) fn fatal_error(&self) -> Option<NativeError> {
        let mut text = ErrorText::new();
        // SAFETY: the client is live and the buffer has the stated length.
        let code = unsafe { ffi::rd_kafka_fatal_error(self.rk(), text.as_mut_ptr(), text.len()) };
        (code != 0).then(|| NativeError { fatal: true, ..NativeError::with_reason(code, &text.to_string()) })
    }

    /// Replaces librdkafka's 'there was a fatal error' by that error.
    pub(crate) fn with_fatal_cause(&self, native: NativeError) -> NativeError {
        match self.fatal_error() {
            Some(fatal) if native.code == crate::client::error::code::FATAL || native.fatal => fatal,
            _ => native,
        }
    }
}

impl Drop for NativeClient {
    fn drop(&mut self) {
        // SAFETY: nothing else refers to the client (invariant 1), and it is destroyed once. An assign-only consumer has no group to leave;
        // a producer's undelivered records are given up first, so that nothing waits for a cluster that is away.
        unsafe {
            if self.role == Role::Producer {
                ffi::rd_kafka_purge(
                    self.rk(),
                    rd::RD_KAFKA_PURGE_F_QUEUE | rd::RD_KAFKA_PURGE_F_INFLIGHT | rd::RD_KAFKA_PURGE_F_NON_BLOCKING,
                );
            }
            rd::rd_kafka_destroy_flags(self.rk(), rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        }
    }
}

/// Whether the program must supply OAuth tokens, because neither OIDC nor the unsecured test tokens are configured.
fn needs_token(properties: &Properties) -> bool {
    let is = |name: &str, value: &str| properties.get(name).is_some_and(|set| set.eq_ignore_ascii_case(value));
    (is("sasl.mechanism", "OAUTHBEARER") || is("sasl.mechanisms", "OAUTHBEARER"))
        && !is("sasl.oauthbearer.method", "oidc")
        && !is("enable.sasl.oauthbearer.unsecure.jwt", "true")
}

/// Sets a property; an error names it and, unless it is a secret, its value.
fn set(conf: *mut rd::rd_kafka_conf_t, name: &str, value: &str) -> Result<()> {
    let (c_name, c_value) = (c_string(name, "the name of a setting")?, c_string(value, &format!("the value of `{name}`"))?);
    let mut text = ErrorText::new();
    // SAFETY: the configuration is live; both strings live during the call and are copied.
    let result = unsafe { rd::rd_kafka_conf_set(conf, c_name.as_ptr(), c_value.as_ptr(), text.as_mut_ptr(), text.len()) };
    match result {
        rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
        _ => Err(super::properties::not_accepted(name, &text.to_string())),
    }
}

impl std::fmt::Debug for NativeClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NativeClient").field("name", &self.callbacks.name).field("role", &self.role).finish_non_exhaustive()
    }
}
