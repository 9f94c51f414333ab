//! One table: what a code of librdkafka or a broker means for us.
//!
//! The kinds are reactions (see [`ErrorKind`]), so the same code can mean different things in different [`Operation`]s: a timeout of a
//! metadata request is repeated; a timeout of a commit leaves the outcome unknown, and the producer must be replaced, because a
//! delayed request of the old one could end the *next* transaction (librdkafka has no KIP-890).

use super::native::{NativeError, error::name};
use crate::error::{Error, ErrorKind};

/// What was being done when an error came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Creating a client, or keeping its connections.
    Connect,
    /// Fetching records.
    Consume,
    /// Handing a record to the producer.
    Produce,
    /// Delivering a record that the producer had taken.
    Deliver,
    /// Initialising or beginning transactions: nothing is at stake yet.
    BeginTransaction,
    /// Sending offsets, committing or aborting: after a failure the outcome may be unknown.
    EndTransaction,
    /// Asking about or changing the cluster.
    Administer,
}

/// The codes that the table names.
pub(crate) mod code {
    pub(crate) const DESTROY: i32 = -197;
    pub(crate) const TRANSPORT: i32 = -195;
    pub(crate) const RESOLVE: i32 = -193;
    pub(crate) const MSG_TIMED_OUT: i32 = -192;
    pub(crate) const PARTITION_EOF: i32 = -191;
    pub(crate) const UNKNOWN_PARTITION: i32 = -190;
    pub(crate) const UNKNOWN_TOPIC: i32 = -188;
    pub(crate) const ALL_BROKERS_DOWN: i32 = -187;
    pub(crate) const TIMED_OUT: i32 = -185;
    pub(crate) const QUEUE_FULL: i32 = -184;
    pub(crate) const SSL: i32 = -181;
    pub(crate) const WAIT_COORD: i32 = -180;
    pub(crate) const IN_PROGRESS: i32 = -178;
    pub(crate) const PREV_IN_PROGRESS: i32 = -177;
    pub(crate) const STATE: i32 = -172;
    pub(crate) const AUTHENTICATION: i32 = -169;
    pub(crate) const TIMED_OUT_QUEUE: i32 = -166;
    pub(crate) const UNSUPPORTED_FEATURE: i32 = -165;
    pub(crate) const WAIT_CACHE: i32 = -164;
    pub(crate) const NO_ENTRY: i32 = -156;
    pub(crate) const RETRY: i32 = -153;
    pub(crate) const PURGE_QUEUE: i32 = -152;
    pub(crate) const PURGE_INFLIGHT: i32 = -151;
    pub(crate) const FATAL: i32 = -150;
    pub(crate) const FENCED: i32 = -144;
    pub(crate) const AUTO_OFFSET_RESET: i32 = -140;
    pub(crate) const LOG_TRUNCATION: i32 = -139;
    pub(crate) const UNKNOWN: i32 = -1;
    pub(crate) const OFFSET_OUT_OF_RANGE: i32 = 1;
    pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: i32 = 3;
    pub(crate) const TOPIC_ALREADY_EXISTS: i32 = 36;
    pub(crate) const GROUP_ID_NOT_FOUND: i32 = 69;
    pub(crate) const UNSTABLE_OFFSET_COMMIT: i32 = 88;
    pub(crate) const UNKNOWN_TOPIC_ID: i32 = 100;
}

/// What to do about a code, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// The cluster or the way to it is not ready: asking again helps.
    Passing,
    /// The topic or partition is not there (yet).
    MissingTopic,
    /// The offset lies outside of the log.
    OutOfRange,
    /// Another producer or member has our place.
    Fenced,
    /// The group moved on: our generation is no longer the current one.
    StaleMember,
    /// An access right is missing.
    Denied,
    /// The broker does not know who we are, or we do not trust it.
    Untrusted,
    /// The record cannot be written as it is.
    BadRecord,
    /// The broker or this build is too old for the call.
    Unsupported,
    /// The request contradicts the cluster's rules.
    Refused,
    /// The client is being closed.
    Closed,
    /// Not in the table.
    Other,
}

fn classify(code: i32) -> Class {
    use code::*;
    match code {
        TRANSPORT
        | RESOLVE
        | ALL_BROKERS_DOWN
        | TIMED_OUT
        | TIMED_OUT_QUEUE
        | MSG_TIMED_OUT
        | QUEUE_FULL
        | WAIT_COORD
        | WAIT_CACHE
        | RETRY
        | IN_PROGRESS
        | PREV_IN_PROGRESS
        | 5..=9
        | 11
        | 13..=16
        | 19
        | 20
        | 41
        | 51
        | 56
        | 60
        | 70
        | 71
        | 72
        | 74
        | 75
        | 77
        | 78
        | 80
        | 88
        | 89
        | 129 => Class::Passing,
        // No entry: no leader of the partition is known.
        NO_ENTRY | UNKNOWN_TOPIC | UNKNOWN_PARTITION | UNKNOWN_TOPIC_OR_PARTITION | UNKNOWN_TOPIC_ID => Class::MissingTopic,
        OFFSET_OUT_OF_RANGE | AUTO_OFFSET_RESET | LOG_TRUNCATION => Class::OutOfRange,
        FENCED | 47 | 49 | 52 | 59 | 82 | 90 | 111 => Class::Fenced,
        22 | 25 | 27 | 79 | 110 | 113 => Class::StaleMember,
        29 | 30 | 31 | 53 | 54 | 65 => Class::Denied,
        SSL | AUTHENTICATION | 33 | 34 | 58 => Class::Untrusted,
        2 | 4 | 10 | 18 | 32 | 43 | 76 | 87 => Class::BadRecord,
        UNSUPPORTED_FEATURE | 35 => Class::Unsupported,
        12 | 17 | 21 | 23 | 24 | 26 | 28 | 36..=40 | 42 | 44 | 50 | 68 | 69 | 73 | 81 | 112 => Class::Refused,
        DESTROY | PURGE_QUEUE | PURGE_INFLIGHT => Class::Closed,
        _ => Class::Other,
    }
}

/// Whether a code says something about a topic or partition, not about the whole client.
pub(super) fn is_of_a_topic(code: i32) -> bool {
    matches!(classify(code), Class::MissingTopic | Class::Denied | Class::Refused | Class::OutOfRange)
}

fn kind(error: &NativeError, operation: Operation) -> ErrorKind {
    let class = classify(error.code);
    match class {
        Class::Denied | Class::Untrusted | Class::Unsupported | Class::Refused | Class::BadRecord => ErrorKind::Invalid,
        Class::Closed => ErrorKind::Closed,
        Class::Fenced => ErrorKind::Fenced,
        // A producer that librdkafka declares dead never works again, whatever the code.
        _ if error.fatal => ErrorKind::Fenced,
        Class::OutOfRange => ErrorKind::Corrupted,
        Class::StaleMember => ErrorKind::Abortable,
        _ if error.requires_abort => ErrorKind::Abortable,
        // The transaction failed in the background, as when the process slept past `delivery.timeout.ms`: the next record is refused
        // with just this, before its report is served.
        _ if error.code == code::STATE && operation == Operation::Produce => ErrorKind::Abortable,
        _ => match operation {
            // A record that the producer took is lost: the same call cannot be made again.
            Operation::Deliver => ErrorKind::Abortable,
            Operation::EndTransaction if error.retriable => ErrorKind::Retriable,
            Operation::EndTransaction => ErrorKind::Fenced,
            _ if error.retriable => ErrorKind::Retriable,
            _ if matches!(class, Class::Passing | Class::MissingTopic) || error.code == code::UNKNOWN => ErrorKind::Retriable,
            Operation::BeginTransaction => ErrorKind::Fenced,
            _ => ErrorKind::Internal,
        },
    }
}

fn advice(code: i32, class: Class, kind: ErrorKind, operation: Operation) -> &'static str {
    if code == code::UNSTABLE_OFFSET_COMMIT {
        return "a transaction is still to decide about these offsets; ask again";
    }
    match (class, operation) {
        (_, Operation::Produce) if code == code::STATE => {
            "the transaction has failed already, as the client's log says; the tasks start from what was committed"
        }
        (Class::Passing | Class::Other, Operation::EndTransaction) if kind == ErrorKind::Fenced => {
            "whether the transaction was committed is unknown; the producer is replaced and the tasks start from what was committed"
        }
        (Class::Passing, _) => "check that the brokers of `bootstrap.servers` run and can be reached from here",
        (Class::MissingTopic, _) => "create the topic, or correct its name",
        (Class::OutOfRange, _) => "the records at that position were deleted by the topic's retention, or the topic was created anew",
        (Class::Fenced, _) => {
            "another process or a newer producer took over; two processes must not share a state directory or a `group.instance.id`"
        }
        (Class::StaleMember, _) => "the group was rebalanced; the tasks start from what was committed, in this process or another",
        (Class::Denied, _) => {
            "grant this principal Read and Describe on source topics, Write on sink topics, All on resources prefixed by the application id"
        }
        (Class::Untrusted, _) => "check `security.protocol`, the `sasl.*` and the `ssl.*` settings against the broker's listener",
        (Class::BadRecord, _) => "compare the record's size and timestamp with the topic's `max.message.bytes` and `message.timestamp.*`",
        (Class::Unsupported, _) => {
            "exactly-once needs brokers of version 2.5 or later, and TLS, SASL and zstd need the cargo feature of that name"
        }
        (Class::Closed, _) => "the client was closed",
        (Class::Refused | Class::Other, _) => "",
    }
}

/// The error of the library for an error of librdkafka.
pub(crate) fn from_native(native: NativeError, operation: Operation) -> Error {
    let class = classify(native.code);
    let kind = kind(&native, operation);
    let doing = match operation {
        Operation::Connect => "connection to the cluster",
        Operation::Consume => "consuming",
        Operation::Produce => "producing",
        Operation::Deliver => "delivery of a record",
        Operation::BeginTransaction => "beginning of a transaction",
        Operation::EndTransaction => "commit or abort of a transaction",
        Operation::Administer => "request to the cluster",
    };
    let advice = advice(native.code, class, kind, operation);
    let separator = if advice.is_empty() { "" } else { "; " };
    Error::new(kind, format!("{doing} failed: {} ({}){separator}{advice}", native.reason, name(native.code)))
}

#[cfg(test)]
mod tests;
