//! The settings that this library itself reads: one table, with default, meaning and check of each.

use std::str::FromStr;

use super::choice::{BuiltInHandler, Optimization, ProcessingGuarantee, StoreSuppliers};
use super::name::check_name;
use crate::offset::AutoOffsetReset;
use crate::time::{BuiltInTimestampExtractor, parse_iso8601};

/// A setting of the library.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Setting {
    /// Its name, Kafka's unless [`is_own`](Self::is_own).
    pub name: &'static str,
    /// Its value when it is not set; empty when it has none, or when it depends on others (`meaning` says how).
    pub default: &'static str,
    /// What it does, and its unit.
    pub meaning: &'static str,
    /// Whether it exists only here.
    pub is_own: bool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Any text but an empty one.
    Text,
    /// A name by Kafka's rule.
    Name,
    /// A whole number within bounds.
    Number { min: i64, max: i64 },
    /// Read by the type that it chooses.
    Choice(fn(&str) -> Result<(), String>),
}

const fn number(min: i64) -> Kind {
    Kind::Number { min, max: i64::MAX }
}

const fn up_to(min: i64, max: i64) -> Kind {
    Kind::Number { min, max }
}

/// Milliseconds that librdkafka or the broker reads as a 32-bit integer.
const MS: Kind = up_to(1, i32::MAX as i64);
/// The longest session and heartbeat interval that librdkafka takes, ms.
const LONGEST_SESSION: i64 = 3_600_000;
/// The longest `max.poll.interval.ms` that librdkafka takes.
const LONGEST_POLL_INTERVAL: i64 = 86_400_000;

fn parses<T: FromStr<Err = String>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(drop)
}

fn boolean(text: &str) -> Result<(), String> {
    text.parse::<bool>().map(drop).map_err(|_| "expected `true` or `false`".to_owned())
}

macro_rules! settings {
    ($($(#[$own:ident])? $name:literal = $default:literal, $kind:expr, $meaning:literal;)*) => {
        &[$(Setting { name: $name, default: $default, meaning: $meaning, is_own: settings!(@own $($own)?), kind: $kind }),*]
    };
    (@own own) => { true };
    (@own) => { false };
}

/// All settings that the library reads itself, by name.
pub const SETTINGS: &[Setting] = settings! {
    "__emit.interval.ms.kstreams.outer.join.spurious.results.fix__" = "1000", number(0), "how often a left or outer join of streams looks for rows that found no partner";
    "__emit.interval.ms.kstreams.windowed.aggregation__" = "1000", number(0), "how often an aggregation that emits on window close looks for closed windows";
    "application.id" = "", Kind::Name, "the group id, and the prefix of internal topics, transactional ids and the state directory";
    "auto.offset.reset" = "earliest", Kind::Choice(parses::<AutoOffsetReset>), "where a source without a committed offset begins: earliest, latest, none, by_duration:P7D";
    "bootstrap.servers" = "", Kind::Text, "some brokers of the cluster, as host:port, separated by commas";
    "buffered.records.per.partition" = "1000", up_to(1, i32::MAX as i64), "records that wait in a task per partition before it is paused";
    "client.id" = "", Kind::Text, "what brokers call the clients of this process; the application id when not set";
    "commit.interval.ms" = "", up_to(0, i32::MAX as i64), "how often results and positions are committed; 30000, or 100 with exactly_once_v2; 0 after every record";
    "default.timestamp.extractor" = "fail-on-invalid", Kind::Choice(parses::<BuiltInTimestampExtractor>), "fail-on-invalid, log-and-skip, use-partition-time or wallclock";
    "deserialization.exception.handler" = "log-and-fail", Kind::Choice(parses::<BuiltInHandler>), "for records that cannot be read: log-and-fail or log-and-continue";
    "dsl.store.suppliers.class" = "rocksdb", Kind::Choice(parses::<StoreSuppliers>), "where the stores of the DSL are whose program says nothing: rocksdb or in-memory";
    "ensure.explicit.internal.resource.naming" = "false", Kind::Choice(boolean), "whether a program whose stores and internal topics have generated names is refused";
    "errors.dead.letter.queue.topic.name" = "", Kind::Text, "where the built-in handlers send the source record of a failure; it must exist; nowhere when not set";
    "group.instance.id" = "", Kind::Name, "makes the process a static member of its group: a restart within the session timeout moves no task";
    "heartbeat.interval.ms" = "500", up_to(1, LONGEST_SESSION), "how often the process tells the group that it lives, and hears whether tasks are to move; Kafka's default, 3000, lets a task that moves stand still for so long";
    "max.poll.interval.ms" = "300000", up_to(1, LONGEST_POLL_INTERVAL), "how long a worker may make no progress before the process leaves the group";
    "max.task.idle.ms" = "0", up_to(-1, i32::MAX as i64), "how long a task waits for an empty partition: 0 for data that the broker has, more for data that may come, -1 never";
    "metadata.max.age.ms" = "300000", MS, "how often the topics of the cluster are looked at anew";
    "num.stream.threads" = "1", up_to(1, 1_024), "worker threads of this process";
    "poll.ms" = "100", up_to(0, i32::MAX as i64), "how long a worker without input waits for some";
    "processing.exception.handler" = "log-and-fail", Kind::Choice(parses::<BuiltInHandler>), "for records whose processing fails: log-and-fail or log-and-continue";
    "processing.guarantee" = "at_least_once", Kind::Choice(parses::<ProcessingGuarantee>), "at_least_once or exactly_once_v2";
    "production.exception.handler" = "log-and-fail", Kind::Choice(parses::<BuiltInHandler>), "for records that cannot be written: log-and-fail or log-and-continue";
    "repartition.purge.interval.ms" = "30000", MS, "how often consumed records of repartition topics are deleted";
    "replication.factor" = "-1", Kind::Choice(replication_factor), "replicas of internal topics; -1 for the broker's default";
    "request.timeout.ms" = "40000", MS, "how long a request to the cluster may take";
    "retry.backoff.max.ms" = "1000", up_to(1, 1_000_000), "the longest wait before something that failed is tried again, by the library and its clients";
    "retry.backoff.ms" = "100", up_to(1, 300_000), "how long to wait before something that failed is tried again; twice as long after each further failure";
    "session.timeout.ms" = "45000", up_to(1, LONGEST_SESSION), "after how long without a heartbeat the group gives the tasks of this process to others";
    #[own] "source.topic.timeout.ms" = "60000", up_to(0, i32::MAX as i64), "how long a start waits for source topics that do not exist";
    "state.cleanup.delay.ms" = "600000", number(0), "how long the state of a task that moved away is kept";
    "state.dir" = "", Kind::Text, "where stores live, one folder per application id; <temporary folder>/kafka-streams when not set";
    #[own] "state.flush.interval.ms" = "30000", MS, "the age at which committed entries of a store are written to disk: bounds what a restart replays";
    #[own] "state.flush.max.bytes" = "16777216", number(1), "the size of committed entries at which a store is written to disk; never above 1/32 of `state.memory.max.bytes` or 1 MiB, whichever is more";
    #[own] "state.memory.max.bytes" = "268435456", number(0), "memory of all stores of the process: their layers, block caches and memtables; 0 for no bound";
    "statestore.cache.max.bytes" = "10485760", number(0), "bytes of changes that tables hold back until a commit; with 0 every update is forwarded";
    "task.timeout.ms" = "300000", up_to(0, i32::MAX as i64), "how long a task may fail to make progress for reasons that pass";
    "topology.optimization" = "none", Kind::Choice(parses::<Optimization>), "none, all, or a list of rewrites";
    "transaction.timeout.ms" = "10000", up_to(1_000, i32::MAX as i64), "after how long the broker aborts a transaction; lowered to session.timeout.ms when not set";
    "windowstore.changelog.additional.retention.ms" = "86400000", number(0), "added to the retention of the changelogs of windowed stores";
};

/// Other names of the same settings: Kafka's deprecated ones, and prefixed ones that mean the same.
const ALIASES: &[(&str, &str)] = &[
    ("cache.max.bytes.buffering", "statestore.cache.max.bytes"),
    ("default.deserialization.exception.handler", "deserialization.exception.handler"),
    ("default.dsl.store", "dsl.store.suppliers.class"),
    ("default.production.exception.handler", "production.exception.handler"),
    ("producer.transaction.timeout.ms", "transaction.timeout.ms"),
];

/// Settings of the group: what consumers have under these names belongs to the whole process.
const OF_THE_MAIN_CONSUMER: &[&str] =
    &["auto.offset.reset", "group.instance.id", "heartbeat.interval.ms", "max.poll.interval.ms", "session.timeout.ms"];

impl Setting {
    /// The setting that a name means.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        let unprefixed = name.strip_prefix("main.consumer.").or_else(|| name.strip_prefix("consumer."));
        let name = match unprefixed {
            Some(unprefixed) if OF_THE_MAIN_CONSUMER.contains(&unprefixed) => unprefixed,
            _ => ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name),
        };
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Why a value is not one of this setting's; the text continues `… is …: `.
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
        match self.kind {
            Kind::Text if value.is_empty() => Err("it must not be empty".to_owned()),
            Kind::Text => Ok(()),
            Kind::Name => check_name(self.name, value).map_err(|error| error.to_string()),
            Kind::Choice(check) => check(value),
            Kind::Number { min, max } => match value.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => Ok(()),
                _ if max == i64::MAX => Err(format!("expected a whole number, at least {min}")),
                _ => {
                    let hint = parse_iso8601(value).map(|duration| format!("; perhaps {}", duration.as_millis())).unwrap_or_default();
                    Err(format!("expected a whole number from {min} to {max}{hint}"))
                }
            },
        }
    }
}

fn replication_factor(text: &str) -> Result<(), String> {
    match text.parse::<i16>() {
        Ok(-1) | Ok(1..) => Ok(()),
        _ => Err("expected -1 (the broker's default) or a number of replicas".to_owned()),
    }
}
