//! Settings of a broker.

use std::time::Duration;

use crate::core::CoreConfig;
use crate::server::Limits;

/// How a broker is started. Names follow Kafka's broker configuration; the defaults suit tests: the loopback interface, a
/// free port, topics created at their first mention, groups that do not wait for further members.
///
/// ```
/// use stream_broker::BrokerConfig;
///
/// let config = BrokerConfig::default()
///     .listen("127.0.0.1:0")
///     .num_partitions(4)
///     .auto_create_topics(false);
/// # let _ = config;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BrokerConfig {
    pub(crate) listen: String,
    pub(crate) advertised: Option<String>,
    pub(crate) core: CoreConfig,
    pub(crate) limits: Limits,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        BrokerConfig {
            listen: "127.0.0.1:0".to_owned(),
            advertised: None,
            core: CoreConfig::default(),
            limits: Limits { request_max_bytes: 100 << 20, unsent_max_bytes: 4 << 20 },
        }
    }
}

impl BrokerConfig {
    /// The address to listen on, `host:port`. Port 0 takes a free one. Default: `127.0.0.1:0`.
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// The address that clients are told to connect to (`advertised.listeners`), `host:port`. Default: the one listened on;
    /// `localhost` if that is all interfaces.
    #[must_use]
    pub fn advertised(mut self, address: impl Into<String>) -> Self {
        self.advertised = Some(address.into());
        self
    }

    /// `node.id`. Default: 1.
    #[must_use]
    pub fn node_id(mut self, id: i32) -> Self {
        self.core.node_id = id;
        self
    }

    /// `num.partitions`: partitions of a topic that is created without a count. Default: 1.
    #[must_use]
    pub fn num_partitions(mut self, count: i32) -> Self {
        self.core.num_partitions = count;
        self
    }

    /// `auto.create.topics.enable`: whether asking for the metadata of a topic creates it. Default: true.
    #[must_use]
    pub fn auto_create_topics(mut self, enable: bool) -> Self {
        self.core.auto_create_topics = enable;
        self
    }

    /// `message.max.bytes`: the default of a topic's `max.message.bytes`. Default: 1,048,588.
    #[must_use]
    pub fn message_max_bytes(mut self, bytes: u32) -> Self {
        self.core.topic_defaults.message_max_bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        self
    }

    /// `log.retention.ms`: the default of a topic's `retention.ms`; `None` keeps records until their topic is deleted. Default: 7
    /// days, as in Kafka: test data with timestamps of long ago may vanish at the next check.
    #[must_use]
    pub fn log_retention(mut self, retention: Option<Duration>) -> Self {
        self.core.topic_defaults.retention_ms = retention.map_or(-1, millis);
        self
    }

    /// What all logs together may hold. A produce request beyond it is answered with `KAFKA_STORAGE_ERROR`, which clients
    /// retry, after retention has freed what it can. Default: 8 GiB.
    #[must_use]
    pub fn log_memory_bytes(mut self, bytes: u64) -> Self {
        self.core.log_memory_bytes = bytes;
        self
    }

    /// `log.retention.check.interval.ms`: how often `retention.ms` and `retention.bytes` are applied. Default: 5 minutes.
    #[must_use]
    pub fn retention_check_interval(mut self, interval: Duration) -> Self {
        self.core.retention_check_interval_ms = millis(interval).max(1);
        self
    }

    /// `group.initial.rebalance.delay.ms`: how long an empty group waits for further members before its first assignment.
    /// Default: 0.
    #[must_use]
    pub fn initial_rebalance_delay(mut self, delay: Duration) -> Self {
        self.core.initial_rebalance_delay_ms = millis(delay);
        self
    }

    /// `group.min.session.timeout.ms`: shorter session timeouts are refused. Default: 6 seconds.
    #[must_use]
    pub fn group_min_session_timeout(mut self, timeout: Duration) -> Self {
        self.core.group_min_session_timeout_ms = i32::try_from(millis(timeout)).unwrap_or(i32::MAX);
        self
    }

    /// `group.max.session.timeout.ms`: longer session timeouts are refused. Default: 30 minutes.
    #[must_use]
    pub fn group_max_session_timeout(mut self, timeout: Duration) -> Self {
        self.core.group_max_session_timeout_ms = i32::try_from(millis(timeout)).unwrap_or(i32::MAX);
        self
    }

    /// `offsets.retention.minutes`: offsets of a group without members are kept this long. Default: 7 days.
    #[must_use]
    pub fn offsets_retention(mut self, retention: Duration) -> Self {
        self.core.offsets_retention_ms = millis(retention);
        self
    }

    /// `transaction.max.timeout.ms`: producers that ask for longer transactions are refused. Default: 15 minutes.
    #[must_use]
    pub fn transaction_max_timeout(mut self, timeout: Duration) -> Self {
        self.core.transaction_max_timeout_ms = i32::try_from(millis(timeout)).unwrap_or(i32::MAX);
        self
    }

    /// `producer.id.expiration.ms`: sequence numbers of a producer that does not write are kept this long. Default: 1 day.
    #[must_use]
    pub fn producer_id_expiration(mut self, expiration: Duration) -> Self {
        self.core.producer_id_expiration_ms = millis(expiration);
        self
    }

    /// `socket.request.max.bytes`: a larger request closes its connection. Default: 100 MiB.
    #[must_use]
    pub fn request_max_bytes(mut self, bytes: usize) -> Self {
        self.limits.request_max_bytes = bytes;
        self
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
