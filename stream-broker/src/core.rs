//! The broker as a state machine: requests and the passing of time go in, answers come out.
//!
//! Nothing here performs I/O, starts threads or reads a clock. The time is always a parameter, `now`, in milliseconds since
//! the Unix epoch, so the same code serves a real socket and a simulation. Random ids come from a seeded generator for the
//! same reason.
//!
//! Every request carries a [`Ticket`]. A handler answers it at once, or parks it in the module that knows what the request
//! waits for (a held fetch, a join), which answers it from a later request or from [`Core::tick`].

use std::net::IpAddr;

use kafka_protocol::messages::{RequestKind, ResponseKind};
use uuid::Uuid;

use crate::api;
use crate::fetch::HeldFetches;
use crate::group::Groups;
use crate::topic::Topics;
use crate::topic::config::TopicDefaults;
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
    /// `log.retention.check.interval.ms`.
    pub(crate) retention_check_interval_ms: i64,
    /// `group.initial.rebalance.delay.ms`.
    pub(crate) initial_rebalance_delay_ms: i64,
    /// `group.min.session.timeout.ms`.
    pub(crate) group_min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub(crate) group_max_session_timeout_ms: i32,
    /// `group.max.size`.
    pub(crate) group_max_size: usize,
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
            topic_defaults: TopicDefaults { message_max_bytes: 1_048_588, retention_ms: 7 * 24 * 3_600_000 },
            log_memory_bytes: 8 << 30,
            retention_check_interval_ms: 5_000,
            initial_rebalance_delay_ms: 0,
            group_min_session_timeout_ms: 6_000,
            group_max_session_timeout_ms: 1_800_000,
            group_max_size: usize::MAX,
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

    fn next(&mut self) -> u64 {
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
}

impl Core {
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
            config,
            cluster_id,
            ids,
        }
    }

    /// Takes a request. Its answer is in `out` when this returns, or will be in that of a later call.
    pub(crate) fn handle(&mut self, request: Request<'_>, now: i64, out: &mut Outbox) {
        api::dispatch(self, request, now, out);
    }

    /// Does what is due at `now`: expired waits, sessions, transactions, retention.
    pub(crate) fn tick(&mut self, now: i64, out: &mut Outbox) {
        crate::fetch::expire(self, now, out);
        self.groups.tick(now, out);
        transaction::tick(self, now, out);
        let check = *self.next_retention_check.get_or_insert(now + self.config.retention_check_interval_ms);
        if check <= now {
            self.topics.enforce_retention(now);
            self.next_retention_check = Some(now + self.config.retention_check_interval_ms);
        }
    }

    /// The earliest time at which [`Core::tick`] has something to do; `None` while nothing is pending.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        // Retention alone never wakes an empty broker.
        let retention = if self.topics.is_empty() { None } else { Some(self.next_retention_check.unwrap_or(0)) };
        [self.fetches.next_deadline(), self.groups.next_deadline(), self.transactions.next_deadline(), retention]
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
