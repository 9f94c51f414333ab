//! The properties of each client: our defaults, then the program's settings, the more specific ones last, then what must be as it is.

use std::time::Duration;

use super::StreamsConfig;
use crate::client::{Properties, PropertyScope};

/// What a client of the application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientRole {
    /// Fetches the source partitions of a worker's tasks.
    Main,
    /// Fetches changelogs.
    Restore,
    /// Fetches the topics of global stores.
    Global,
    /// Is the member of the group; fetches nothing.
    Membership,
    /// Writes results and changelogs.
    Producer,
    /// Asks about and changes the cluster.
    Admin,
}

/// Which clients a setting is for, by its prefix. In order of precedence, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ClientScope {
    All,
    Consumers,
    MainConsumer,
    RestoreConsumer,
    GlobalConsumer,
    Producer,
    Admin,
}

use ClientScope as Scope;

impl ClientScope {
    /// The scope that a name has by its prefix, and the rest of the name.
    pub(super) fn split(name: &str) -> (Self, &str) {
        let prefixed = [Self::MainConsumer, Self::RestoreConsumer, Self::GlobalConsumer, Self::Consumers, Self::Producer, Self::Admin];
        let found = prefixed.into_iter().find_map(|scope| Some((scope, name.strip_prefix(scope.prefix())?)));
        found.unwrap_or((Self::All, name))
    }

    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Consumers => "consumer.",
            Self::MainConsumer => "main.consumer.",
            Self::RestoreConsumer => "restore.consumer.",
            Self::GlobalConsumer => "global.consumer.",
            Self::Producer => "producer.",
            Self::Admin => "admin.",
        }
    }

    /// Whether a property of that kind means something to the clients of this scope.
    pub(super) fn check(self, property: &str, kind: Option<PropertyScope>) -> Result<(), String> {
        if property == "client.id" && self != Self::All {
            return Err("the clients of one application share `client.id`; set it without a prefix".to_owned());
        }
        match (self, kind) {
            (Self::Producer | Self::Admin, Some(PropertyScope::Consumer)) => Err(format!("`{property}` is a property of consumers")),
            (Self::Admin, Some(PropertyScope::Producer)) => Err(format!("`{property}` is a property of producers")),
            (Self::Consumers | Self::MainConsumer | Self::RestoreConsumer | Self::GlobalConsumer, Some(PropertyScope::Producer)) => {
                Err(format!("`{property}` is a property of producers"))
            }
            (Self::RestoreConsumer | Self::GlobalConsumer, _) if property == "auto.offset.reset" => {
                Err("restores begin where the store ends, and global stores at the first record".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl ClientRole {
    fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Main | Self::Membership => &[Scope::All, Scope::Consumers, Scope::MainConsumer],
            Self::Restore => &[Scope::All, Scope::Consumers, Scope::RestoreConsumer],
            Self::Global => &[Scope::All, Scope::Consumers, Scope::GlobalConsumer],
            Self::Producer => &[Scope::All, Scope::Producer],
            Self::Admin => &[Scope::All, Scope::Admin],
        }
    }

    fn takes(self, kind: Option<PropertyScope>) -> bool {
        match kind {
            None | Some(PropertyScope::Both) => true,
            Some(PropertyScope::Producer) => self == Self::Producer,
            Some(PropertyScope::Consumer) => !matches!(self, Self::Producer | Self::Admin),
        }
    }
}

/// The longest interval between looks at known topics that librdkafka takes; Kafka has no bound.
const LONGEST_REFRESH_INTERVAL: Duration = Duration::from_secs(3_600);

impl StreamsConfig {
    /// The properties of a client, by librdkafka's names.
    ///
    /// A data consumer gets no `group.instance.id` and no session: it is not a member of the group.
    pub fn client_properties(&self, role: ClientRole) -> Properties {
        let mut properties = Properties::new();
        let mut put = |name: &str, value: &str| drop(properties.insert(name.to_owned(), value.to_owned()));
        self.put_defaults(role, &mut put);
        for scope in role.scopes() {
            for (name, value) in self.clients.get(scope).into_iter().flatten() {
                if role.takes(self.known.get(name).copied()) {
                    put(name, value);
                }
            }
        }
        self.put_fixed(role, &mut put);
        properties
    }

    fn put_defaults(&self, role: ClientRole, put: &mut impl FnMut(&str, &str)) {
        // Idle connections that brokers close are normal.
        put("log.connection.close", "false");
        // Requests are small and waited for: Nagle's algorithm would hold them back until the last is acknowledged.
        put("socket.nagle.disable", "true");
        if self.values.contains_key("metadata.max.age.ms") {
            put("topic.metadata.refresh.interval.ms", &self.metadata_max_age().min(LONGEST_REFRESH_INTERVAL).as_millis().to_string());
        }
        for name in ["retry.backoff.ms", "retry.backoff.max.ms"] {
            if let Some(backoff) = self.values.get(name) {
                put(name, backoff);
            }
        }
        let committed = if self.processing_guarantee().is_exactly_once() { "read_committed" } else { "read_uncommitted" };
        match role {
            ClientRole::Main | ClientRole::Global => {
                put_fetching(put);
                // One fetch at a time goes to each broker, and a partition that is assigned while one waits for records of others is not in
                // it: this is the longest that a task which moved here waits for its first record.
                put("fetch.wait.max.ms", "100");
                put("isolation.level", committed);
            }
            ClientRole::Restore => {
                put_fetching(put);
                // A changelog ends in a commit marker, so only a fetch that finds nothing tells that its end is reached, and the broker
                // answers that when this time is over. With the default, half a second, a task waits longer for that than for its records.
                put("fetch.wait.max.ms", "20");
            }
            ClientRole::Membership => {
                for (name, duration) in [
                    ("session.timeout.ms", self.session_timeout()),
                    ("heartbeat.interval.ms", self.heartbeat_interval()),
                    ("max.poll.interval.ms", self.max_poll_interval()),
                ] {
                    put(name, &duration.as_millis().to_string());
                }
                if let Some(instance) = self.values.get("group.instance.id") {
                    put("group.instance.id", instance);
                }
            }
            ClientRole::Producer | ClientRole::Admin => {}
        }
    }

    fn put_fixed(&self, role: ClientRole, put: &mut impl FnMut(&str, &str)) {
        put("bootstrap.servers", self.text("bootstrap.servers"));
        put("client.id", self.client_id());
        match role {
            ClientRole::Main | ClientRole::Restore | ClientRole::Global => {
                put("group.id", self.application_id());
                put("group.protocol", "classic");
                put("enable.auto.commit", "false");
                put("enable.auto.offset.store", "false");
                put("enable.partition.eof", "true");
                put("allow.auto.create.topics", "false");
                // Every position is explicit; one that does not exist is an event, not a jump.
                put("auto.offset.reset", "error");
                // A changelog may hold aborted records, also of an earlier run under another guarantee.
                if role == ClientRole::Restore || self.processing_guarantee().is_exactly_once() {
                    put("isolation.level", "read_committed");
                }
            }
            ClientRole::Membership => {
                put("group.id", self.application_id());
                put("group.protocol", "classic");
                put("partition.assignment.strategy", "cooperative-sticky");
                put("enable.auto.commit", "false");
                put("enable.auto.offset.store", "false");
                put("allow.auto.create.topics", "false");
                // Committed offsets are read as stable ones.
                put("isolation.level", "read_committed");
            }
            ClientRole::Producer => {
                put("enable.idempotence", "true");
                // As Java's default partitioner, so that joins with topics of Java programs work.
                put("partitioner", "murmur2_random");
                if self.processing_guarantee().is_exactly_once() {
                    put("transaction.timeout.ms", &self.transaction_timeout().as_millis().to_string());
                }
            }
            ClientRole::Admin => {}
        }
    }
}

/// What the measured cost of fetching asks for: with librdkafka's default, a full queue pauses its partition for a second, which costs
/// two thirds of the throughput; with a short pause, small queues cost nothing and save memory. So does a smaller answer per partition: what
/// was fetched becomes one object of about half a kilobyte per record, 20 times the size of a small record.
fn put_fetching(put: &mut impl FnMut(&str, &str)) {
    put("fetch.message.max.bytes", "524288");
    put("fetch.queue.backoff.ms", "5");
    put("queued.min.messages", "10000");
    put("queued.max.messages.kbytes", "8192");
}
