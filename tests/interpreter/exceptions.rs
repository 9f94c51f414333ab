//! Cases that are not compared, each with its reason. The list stays short, and none is left out silently.

use serde_json::Value;

/// Cases whose mistake Rust's types make impossible to write, and cases in which Kafka Streams' own behaviour is a defect.
const EXCEPTIONS: [(&str, &str); 3] = [
    ("processor/topology-no-source", "a topology that reads nothing has nothing to do: it is refused when it is built"),
    ("random/205", OPTIMIZER),
    ("random/732", OPTIMIZER),
];

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
