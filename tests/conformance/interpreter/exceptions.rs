//! Cases that are not compared, each with its reason. The list stays short, and none is left out silently.

use serde_json::Value;

/// Cases whose mistake Rust's types make impossible to write, and cases in which Kafka Streams' own behaviour is a defect.
const EXCEPTIONS: [(&str, &str); 23] = [
    ("processor/topology-no-source", "a topology that reads nothing has nothing to do: it is refused when it is built"),
    ("null-handling/grace-left-join-null-key", NULL_KEY_WITH_GRACE),
    ("random/372", NULL_KEY_WITH_GRACE),
    ("table/transform-values-with-store-cannot-be-read-by-a-join", "Kafka Streams fails to read a transformed table; here it is read"),
    ("random/205", OPTIMIZER),
    ("random/732", OPTIMIZER),
    ("random/61", MOVED_PROCESS),
    ("random/472", MOVED_PROCESS),
    ("random/673", MOVED_PROCESS),
    ("random/123", LOST_SOURCE),
    ("random/179", LOST_SOURCE),
    ("random/577", LOST_SOURCE),
    ("random/640", LOST_SOURCE),
    ("random/167", LOST_SOURCE),
    ("random/583", "Kafka Streams does not unite groups of co-partitioned topics that a later demand connects"),
    (
        "random/841",
        "Kafka Streams' versioned store forgets a deletion at the time of the only version, so that an older version comes back",
    ),
    ("window-tumbling/negative-grace", "a `Duration` is never negative"),
    ("random/105", NO_SERDE),
    ("random/946", NO_SERDE),
    ("random/975", NO_SERDE),
    ("random/346", NULL_AGGREGATE),
    ("random/874", NULL_AGGREGATE),
    (
        "random/797",
        "Kafka Streams shows a session twice: its record cache and its in-memory store order the sessions that end together differently",
    ),
];

const NULL_KEY_WITH_GRACE: &str =
    "Kafka Streams lets a null key into a left join with grace, and its buffer then throws; here it is joined at once without a match";

/// `process` may give new keys, which would then be in the wrong partition.
const MOVED_PROCESS: &str = "Kafka Streams' optimizer moves a processor that may change keys behind the repartition topic (KAFKA-19668)";

/// Where a source or repartition node stands for two, the groups know the name of the one that is not there.
const LOST_SOURCE: &str = "Kafka Streams does not check that these topics have equal partition counts: it has lost the name of a source";

/// The case could not name a serde, and the oracle's default one does not fit the type: the record is dropped by the handler.
const NO_SERDE: &str =
    "Kafka Streams' DSL cannot take a serde for the results of this foreign-key join; here they have the one of their type";

/// An aggregate is a value of its type, and `None` deletes it.
const NULL_AGGREGATE: &str = "an initializer gives a value here, never null";

/// Two repartition topics below one child of the operator that changes keys: merged like any others here.
const OPTIMIZER: &str = "Kafka Streams' optimizer fails on its own graph";

/// A header that a processor adds in place is seen by siblings that receive the same record; here a record that is changed is a copy.
const IN_PLACE: &str = "a header added in place reaches siblings in Kafka Streams; here it does not (trap T142)";

/// Why a case is not compared.
pub fn reason(case: &str) -> Option<&'static str> {
    EXCEPTIONS.iter().find(|(name, _)| *name == case).map(|(_, reason)| *reason)
}

/// The names in the list.
pub fn names() -> impl Iterator<Item = &'static str> {
    EXCEPTIONS.iter().map(|(name, _)| *name)
}

/// Why a case that differs in headers only may do so.
pub fn reason_for_headers(case: &Value) -> Option<&'static str> {
    let mut statements = case["topology"].as_array().into_iter().flatten();
    let in_place = |statement: &Value| statement["processor"]["kind"] == "add-header" && statement["processor"]["copy"] != true;
    statements.any(in_place).then_some(IN_PLACE)
}
