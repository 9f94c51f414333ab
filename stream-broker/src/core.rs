//! The broker as a state machine: requests and the passing of time go in, answers come out.
//!
//! Nothing here performs I/O, starts threads or reads a clock. The time is always a parameter, `now`, in milliseconds since
//! the Unix epoch, so the same code serves a real socket and a simulation. Random ids come from a seeded generator for the
//! same reason.
//!
//! Every request carries a [`Ticket`]. A handler answers it at once, or parks it in the module that knows what the request
//! waits for (a held fetch, a join), which answers it from a later request or from [`Core::tick`].

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use kafka_protocol::messages::{RequestKind, ResponseKind};
use uuid::Uuid;

use crate::api;
use crate::fetch::HeldFetches;
use crate::group::consumer::ConsumerGroupSettings;
use crate::group::{self, Groups};
use crate::mistake::{self, Mistake};
use crate::storage::Storage;
use crate::topic::Topics;
use crate::topic::config::TopicDefaults;
use crate::topic::internal::InternalTopics;
use crate::topic::log_dir::{Identity, LogDir};
use crate::transaction::{self, Transactions};

/// Settings of the core, fixed at start. Names follow the broker configuration of Kafka.
#[derive(Clone, Debug)]
pub(crate) struct CoreConfig {
    /// `node.id` of the only broker.
    pub(crate) node_id: i32,
    /// Host that clients are told to connect to.
    pub(crate) advertised_host: String,
    /// Port that clients are told to connect to.
    pub(crate) advertised_port: u16,
    /// `num.partitions`: partitions of a topic that is created without a count.
    pub(crate) num_partitions: i32,
    /// `auto.create.topics.enable`.
    pub(crate) auto_create_topics: bool,
    /// Defaults of topic configurations.
    pub(crate) topic_defaults: TopicDefaults,
    /// Bytes of all logs together above which produce requests are refused.
    pub(crate) log_memory_bytes: u64,
    /// Settings of `__consumer_offsets` and `__transaction_state`.
    pub(crate) internal_topics: InternalTopics,
    /// `log.retention.check.interval.ms`.
    pub(crate) retention_check_interval_ms: i64,
    /// `log.cleaner.backoff.ms`: how often it is looked whether a log is to be compacted.
    pub(crate) cleaner_backoff_ms: i64,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub(crate) checkpoint_interval_ms: i64,
    /// `log.flush.scheduler.interval.ms`: how often `flush.ms` of the topics is looked at.
    pub(crate) flush_scheduler_interval_ms: i64,
    /// `group.initial.rebalance.delay.ms`.
    pub(crate) initial_rebalance_delay_ms: i64,
    /// `group.min.session.timeout.ms`.
    pub(crate) group_min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub(crate) group_max_session_timeout_ms: i32,
    /// `group.max.size`.
    pub(crate) group_max_size: usize,
    /// The timers of consumer groups (KIP-848).
    pub(crate) consumer_groups: ConsumerGroupSettings,
    /// `offsets.retention.minutes`, in milliseconds.
    pub(crate) offsets_retention_ms: i64,
    /// `offset.metadata.max.bytes`.
    pub(crate) offset_metadata_max_bytes: usize,
    /// `transaction.max.timeout.ms`.
    pub(crate) transaction_max_timeout_ms: i32,
    /// `transactional.id.expiration.ms`.
    pub(crate) transactional_id_expiration_ms: i64,
    /// `producer.id.expiration.ms`: an idle producer's sequence numbers are forgotten after this time.
    pub(crate) producer_id_expiration_ms: i64,
    /// Seed of all generated ids.
    pub(crate) seed: u64,
}

impl Default for CoreConfig {
    fn default() -> Self {
        CoreConfig {
            node_id: 1,
            advertised_host: "127.0.0.1".to_owned(),
            advertised_port: 9092,
            num_partitions: 1,
            auto_create_topics: true,
            topic_defaults: TopicDefaults {
                message_max_bytes: 1_048_588,
                retention_ms: 7 * 24 * 3_600_000,
                flush_messages: i64::MAX,
                flush_ms: i64::MAX,
            },
            log_memory_bytes: 8 << 30,
            internal_topics: InternalTopics { offsets_partitions: 50, transaction_partitions: 50, segment_bytes: 1 << 20 },
            retention_check_interval_ms: 300_000,
            cleaner_backoff_ms: 15_000,
            checkpoint_interval_ms: 60_000,
            flush_scheduler_interval_ms: 1_000,
            initial_rebalance_delay_ms: 0,
            group_min_session_timeout_ms: 6_000,
            group_max_session_timeout_ms: 1_800_000,
            group_max_size: usize::MAX,
            consumer_groups: ConsumerGroupSettings { session_timeout_ms: 45_000, heartbeat_interval_ms: 500, assignment_interval_ms: 0 },
            offsets_retention_ms: 7 * 24 * 3_600_000,
            offset_metadata_max_bytes: 4096,
            transaction_max_timeout_ms: 900_000,
            transactional_id_expiration_ms: 7 * 24 * 3_600_000,
            producer_id_expiration_ms: 24 * 3_600_000,
            seed: 0,
        }
    }
}

/// Where an answer goes. Every request gets exactly one end: an answer, silence (`acks=0`) or a closed connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket {
    /// The connection that the request came from.
    pub(crate) connection: u64,
    /// Unique within the connection.
    pub(crate) request: u64,
}

/// A decoded request and where it came from.
pub(crate) struct Request<'a> {
    pub(crate) ticket: Ticket,
    pub(crate) version: i16,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) client_host: IpAddr,
    pub(crate) body: RequestKind,
}

/// What the core wants done with a ticket.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "almost all outcomes are answers, and each is moved once")]
pub(crate) enum Outcome {
    /// Send this response.
    Answer(ResponseKind),
    /// The request has no response (`acks=0`); the connection goes on with its next request.
    Silence,
    /// Close the connection without a response: all that Kafka can do about a failed `acks=0` request.
    Close,
}

/// Outcomes that a call into the core produced, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    outcomes: Vec<(Ticket, Outcome)>,
}

impl Outbox {
    /// Answers a request.
    pub(crate) fn answer(&mut self, ticket: Ticket, response: impl Into<ResponseKind>) {
        self.outcomes.push((ticket, Outcome::Answer(response.into())));
    }

    /// Ends a request that has no response.
    pub(crate) fn silence(&mut self, ticket: Ticket) {
        self.outcomes.push((ticket, Outcome::Silence));
    }

    /// Ends a request by closing its connection.
    pub(crate) fn close(&mut self, ticket: Ticket) {
        self.outcomes.push((ticket, Outcome::Close));
    }

    /// Puts an outcome in that was taken out before.
    pub(crate) fn put(&mut self, ticket: Ticket, outcome: Outcome) {
        self.outcomes.push((ticket, outcome));
    }

    /// Takes everything that was put in.
    pub(crate) fn drain(&mut self) -> std::vec::Drain<'_, (Ticket, Outcome)> {
        self.outcomes.drain(..)
    }
}

/// Source of topic ids, member ids and the cluster id: splitmix64 over a seed, so that a simulation repeats exactly.
#[derive(Debug)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Ids { state: seed }
    }

    /// 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A random (version 4) UUID.
    pub(crate) fn uuid(&mut self) -> Uuid {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        let version = (bits & !(0xf_u128 << 76)) | (4_u128 << 76);
        Uuid::from_u128((version & !(0b11_u128 << 62)) | (0b10_u128 << 62))
    }
}

/// The whole state of the broker.
pub(crate) struct Core {
    pub(crate) config: CoreConfig,
    pub(crate) cluster_id: String,
    pub(crate) ids: Ids,
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    pub(crate) fetches: HeldFetches,
    next_retention_check: Option<i64>,
    next_checkpoint: Option<i64>,
    next_flush_check: Option<i64>,
    next_cleaning: Option<i64>,
}

impl Core {
    /// A broker whose logs are in memory.
    pub(crate) fn new(config: CoreConfig) -> Self {
        let mut ids = Ids::new(config.seed);
        // Kafka prints its cluster id as 22 characters of base64url; any opaque text is one.
        let cluster_id = ids.uuid().simple().to_string()[..22].to_owned();
        Core {
            topics: Topics::new(&config),
            groups: Groups::new(&config),
            transactions: Transactions::new(&config),
            fetches: HeldFetches::default(),
            next_retention_check: None,
            next_checkpoint: None,
            next_flush_check: None,
            next_cleaning: None,
            config,
            cluster_id,
            ids,
        }
    }

    /// A broker whose logs are in files, as the last broker there left them.
    ///
    /// # Errors
    /// The disk; the files are of another broker, or are none of a broker.
    pub(crate) fn open(config: CoreConfig, storage: Arc<dyn Storage>, now: i64) -> io::Result<Self> {
        let mut core = Core::new(config);
        let own = Identity { cluster_id: core.cluster_id.clone(), node_id: core.config.node_id, directory_id: core.ids.uuid() };
        let (log_dir, identity) = LogDir::open(storage, own)?;
        core.cluster_id = identity.cluster_id;
        core.topics = Topics::open(&core.config, log_dir, now)?;
        core.groups.load(&core.topics, now)?;
        core.transactions.load(&core.topics)?;
        // What was decided is carried out, before any client asks.
        if !mistake::is_made(Mistake::MarkersForgotten) {
            core.transactions.end_all_decided(now);
        }
        transaction::tick(&mut core, now, &mut Outbox::default());
        core.next_checkpoint = Some(now.saturating_add(core.config.checkpoint_interval_ms));
        Ok(core)
    }

    /// Makes everything durable, so that the next start need not look at the logs.
    ///
    /// # Errors
    /// The disk; the next start looks at what was not durable before.
    pub(crate) fn close(&mut self, now: i64) -> io::Result<()> {
        group::save(self, now);
        self.topics.close()
    }

    /// Takes a request. Its answer is in `out` when this returns, or will be in that of a later call.
    pub(crate) fn handle(&mut self, request: Request<'_>, now: i64, out: &mut Outbox) {
        api::dispatch(self, request, now, out);
        self.save_groups(now);
    }

    /// Writes changes of groups down before the answers of this call go out.
    fn save_groups(&mut self, now: i64) {
        if self.groups.has_changes() {
            group::save(self, now);
        }
    }

    /// Does what is due at `now`: expired waits, sessions, transactions, retention.
    pub(crate) fn tick(&mut self, now: i64, out: &mut Outbox) {
        crate::fetch::expire(self, now, out);
        self.groups.tick(now, out);
        self.save_groups(now);
        transaction::tick(self, now, out);
        let check = *self.next_retention_check.get_or_insert(now + self.config.retention_check_interval_ms);
        if check <= now {
            self.topics.enforce_retention(now);
            self.next_retention_check = Some(now + self.config.retention_check_interval_ms);
        }
        if self.next_cleaning.is_none_or(|due| due <= now) {
            // While there is more to clean, requests come in between, and no backoff.
            let backoff = if self.topics.clean_dirtiest(now) { 0 } else { self.config.cleaner_backoff_ms };
            self.next_cleaning = Some(now.saturating_add(backoff.max(1)));
        }
        if self.next_checkpoint.is_some_and(|due| due <= now) {
            self.topics.save_recovery_points();
            self.next_checkpoint = Some(now.saturating_add(self.config.checkpoint_interval_ms));
        }
        if self.topics.log_dir().is_some() && self.next_flush_check.is_none_or(|due| due <= now) {
            self.topics.flush_due(now);
            self.next_flush_check = Some(now.saturating_add(self.config.flush_scheduler_interval_ms));
        }
    }

    /// The earliest time at which [`Core::tick`] has something to do; `None` while nothing is pending.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        // Upkeep alone never wakes an empty broker.
        let upkeep = |next: Option<i64>| if self.topics.is_empty() { None } else { Some(next.unwrap_or(0)) };
        let retention = upkeep(self.next_retention_check);
        let cleaning = upkeep(self.next_cleaning);
        [
            self.fetches.next_deadline(),
            self.groups.next_deadline(),
            self.transactions.next_deadline(),
            self.next_checkpoint,
            self.next_flush_check,
            cleaning,
            retention,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Forgets what a closed connection waited for. Nothing is answered on its tickets any more.
    pub(crate) fn disconnected(&mut self, connection: u64) {
        self.fetches.disconnected(connection);
        self.groups.disconnected(connection);
    }

    /// Re-examines the fetches held on a partition, after an append, a marker or a moved log start.
    pub(crate) fn wake_fetches(&mut self, topic: &str, partition: i32, _now: i64, out: &mut Outbox) {
        crate::fetch::wake(self, topic, partition, out);
    }
}

#[cfg(test)]
mod tests;
