//! [`ClientContext`]: what a program can supply to the clients and hear from them.

use std::fmt;

use crate::error::{BoxError, Error};

/// How grave a log line of a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Needs attention.
    Error,
    /// May need attention.
    Warning,
    /// Normal but notable.
    Info,
    /// Only with the setting `debug`.
    Debug,
}

/// A token for SASL/OAUTHBEARER.
#[derive(Clone, PartialEq, Eq)]
pub struct OAuthToken {
    /// The token itself.
    pub token: String,
    /// The principal that it stands for.
    pub principal: String,
    /// When it expires, ms since the Unix epoch.
    pub expires_at_ms: i64,
    /// SASL extensions: names and values.
    pub extensions: Vec<(String, String)>,
}

impl fmt::Debug for OAuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthToken").field("principal", &self.principal).field("expires_at_ms", &self.expires_at_ms).finish_non_exhaustive()
    }
}

/// Callbacks of the clients. All have defaults; a program implements those that it needs.
///
/// They are called from threads of the client library or from a worker: they return quickly and never call back into a client. A panic
/// is caught and logged.
pub trait ClientContext: Send + Sync + 'static {
    /// A log line of a client; by default it goes to `tracing`, target `kstreams::client`.
    fn log(&self, client: &str, level: LogLevel, facility: &str, message: &str) {
        match level {
            LogLevel::Error => tracing::error!(target: "kstreams::client", client, facility, "{message}"),
            LogLevel::Warning => tracing::warn!(target: "kstreams::client", client, facility, "{message}"),
            LogLevel::Info => tracing::info!(target: "kstreams::client", client, facility, "{message}"),
            LogLevel::Debug => tracing::debug!(target: "kstreams::client", client, facility, "{message}"),
        }
    }

    /// An error that concerns a client as a whole, such as a lost connection. The client goes on by itself.
    fn error(&self, client: &str, error: &Error) {
        tracing::warn!(target: "kstreams::client", client, %error, "client error");
    }

    /// Statistics in librdkafka's JSON, every `statistics.interval.ms` when that is set.
    fn statistics(&self, _client: &str, _json: &str) {}

    /// Supplies a token when `sasl.mechanism` is `OAUTHBEARER`; called again before it expires. `config` is `sasl.oauthbearer.config`.
    /// May block: it has a thread of its own.
    ///
    /// # Errors
    /// The client logs it and asks again after ten seconds.
    fn oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, BoxError> {
        Err("the program supplies no OAuth token; implement `ClientContext::oauth_token`".into())
    }
}

/// Logs to `tracing` and supplies nothing: the context of programs that set none.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingContext;

impl ClientContext for TracingContext {}
