//! [`BridgedContext`]: a [`ClientContext`] for clients made through the crate `rdkafka`, such as the membership consumer.

use std::sync::Arc;

use super::context::{ClientContext, LogLevel};
use super::error::{Operation, from_native};
use super::native::NativeError;

/// Hands logs, errors and OAuth requests of an `rdkafka` client on to a [`ClientContext`].
#[derive(Clone)]
pub struct BridgedContext {
    name: Arc<str>,
    context: Arc<dyn ClientContext>,
}

impl BridgedContext {
    /// For a client of that name.
    pub fn new(name: &str, context: &Arc<dyn ClientContext>) -> Self {
        Self { name: Arc::from(name), context: Arc::clone(context) }
    }

    /// The client's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl rdkafka::ClientContext for BridgedContext {
    // Set for all clients: it takes effect only with OAUTHBEARER, and without a token of the program that mechanism cannot work anyway.
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        use rdkafka::config::RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
        let level = match level {
            Emerg | Alert | Critical | Error => LogLevel::Error,
            Warning => LogLevel::Warning,
            Notice | Info => LogLevel::Info,
            Debug => LogLevel::Debug,
        };
        self.context.log(&self.name, level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.context.statistics(&self.name, &String::from_utf8_lossy(statistics));
    }

    fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().map_or(super::error::code::UNKNOWN, |code| code as i32);
        self.context.error(&self.name, &from_native(NativeError::with_reason(code, reason), Operation::Connect));
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<rdkafka::client::OAuthToken, Box<dyn std::error::Error>> {
        let token = self.context.oauth_token(config).map_err(|error| -> Box<dyn std::error::Error> { error })?;
        Ok(rdkafka::client::OAuthToken { token: token.token, principal_name: token.principal, lifetime_ms: token.expires_at_ms })
    }
}

impl rdkafka::consumer::ConsumerContext for BridgedContext {}

impl std::fmt::Debug for BridgedContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BridgedContext({})", self.name)
    }
}
