//! Settings of a broker.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::core::CoreConfig;
use crate::server::{Clock, Limits};

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
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) core: CoreConfig,
    pub(crate) limits: Limits,
    pub(crate) seed: Option<u64>,
    pub(crate) clock: Clock,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        BrokerConfig {
            listen: "127.0.0.1:0".to_owned(),
            advertised: None,
            data_dir: None,
            core: CoreConfig::default(),
            limits: Limits { request_max_bytes: 100 << 20, unsent_max_bytes: 4 << 20 },
            seed: None,
            clock: Clock::default(),
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

    /// `log.dir`: keeps topics, records, groups and transactions in this folder, which is made if need be and belongs to one broker at
    /// a time. The next broker that is given the folder goes on where this one ended, however it ended; see the README for what
    /// survives what. Default: memory, which ends with the broker.
    ///
    /// ```
    /// use stream_broker::{Broker, BrokerConfig};
    ///
    /// # let folder = std::env::temp_dir().join(format!("stream-broker-example-{}", std::process::id()));
    /// let broker = Broker::start(BrokerConfig::default().data_dir(&folder))?;
    /// broker.create_topic("orders", 1, [])?;
    /// broker.stop();
    ///
    /// let broker = Broker::start(BrokerConfig::default().data_dir(&folder))?;
    /// let exists = broker.create_topic("orders", 1, []).unwrap_err();
    /// assert!(exists.to_string().contains("already exists"));
    /// # broker.stop();
    /// # std::fs::remove_dir_all(folder).ok();
    /// # Ok::<(), stream_broker::BrokerError>(())
    /// ```
    #[must_use]
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// `log.flush.interval.messages`: how many records a partition takes before they are made durable against a loss of power,
    /// before the last of them is acknowledged. The default of a topic's `flush.messages`. Default: none, as in Kafka.
    #[must_use]
    pub fn log_flush_interval_messages(mut self, records: u64) -> Self {
        self.core.topic_defaults.flush_messages = i64::try_from(records.max(1)).unwrap_or(i64::MAX);
        self
    }

    /// `log.flush.interval.ms`: how long records may wait until they are made durable against a loss of power. The default of a
    /// topic's `flush.ms`. Default: for ever, as in Kafka.
    #[must_use]
    pub fn log_flush_interval(mut self, interval: Duration) -> Self {
        self.core.topic_defaults.flush_ms = millis(interval);
        self
    }

    /// `log.flush.offset.checkpoint.interval.ms`: how often closed segments are made durable and noted as such. After a crash the
    /// records behind the last note are checked. Default: 1 minute.
    #[must_use]
    pub fn log_flush_offset_checkpoint_interval(mut self, interval: Duration) -> Self {
        self.core.checkpoint_interval_ms = millis(interval).max(1);
        self
    }

    /// `offsets.topic.num.partitions` and `transaction.state.log.num.partitions`, of topics that are not there yet. Default: 50.
    #[must_use]
    pub fn internal_topic_partitions(mut self, count: u16) -> Self {
        let count = i32::from(count.max(1));
        self.core.internal_topics.offsets_partitions = count;
        self.core.internal_topics.transaction_partitions = count;
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

    /// What all logs in memory together may hold; those in a folder have the room of their disk. A produce request beyond it is answered with `KAFKA_STORAGE_ERROR`, which clients
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

    /// `log.cleaner.backoff.ms`: how often it is looked whether a log is to be compacted. Default: 15 seconds.
    #[must_use]
    pub fn log_cleaner_backoff(mut self, backoff: Duration) -> Self {
        self.core.cleaner_backoff_ms = millis(backoff).max(1);
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

    /// `group.consumer.heartbeat.interval.ms`: how often members of consumer groups (`group.protocol=consumer`) are to be heard of. A
    /// rebalance takes a few heartbeats. Default: 0.5 seconds; Kafka's is 5.
    #[must_use]
    pub fn group_consumer_heartbeat_interval(mut self, interval: Duration) -> Self {
        self.core.consumer_groups.heartbeat_interval_ms = i32::try_from(millis(interval).max(1)).unwrap_or(i32::MAX);
        self
    }

    /// `group.consumer.session.timeout.ms`: a member of a consumer group that is not heard of for so long is taken out. Default: 45
    /// seconds.
    #[must_use]
    pub fn group_consumer_session_timeout(mut self, timeout: Duration) -> Self {
        self.core.consumer_groups.session_timeout_ms = i32::try_from(millis(timeout).max(1)).unwrap_or(i32::MAX);
        self
    }

    /// `group.consumer.assignment.interval.ms`: the least time between two assignments of a consumer group. Default: 0; Kafka's is 1
    /// second.
    #[must_use]
    pub fn group_consumer_assignment_interval(mut self, interval: Duration) -> Self {
        self.core.consumer_groups.assignment_interval_ms = millis(interval);
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

    /// Where all ids that the broker makes up (of the cluster, of topics, of members) and the chances of its faults
    /// ([`Fault::one_in`](crate::fault::Fault::one_in)) come from: the same seed gives the same. Default: another for each broker.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// A clock that shows this time and stands still, except for [`Broker::advance_clock`](crate::Broker::advance_clock): nothing times
    /// out while a test is being debugged, nor because a machine is slow. Fetches of clients that wait for records (`fetch.wait.max.ms`)
    /// are answered when there are some, or the clock moves. Default: the system's clock.
    #[must_use]
    pub fn manual_clock(mut self, now: SystemTime) -> Self {
        self.clock = Clock::standing_at(now);
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
