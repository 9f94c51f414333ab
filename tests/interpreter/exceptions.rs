//! Cases that are not compared, each with its reason. The list stays short, and none is left out silently.

/// Cases whose mistake Rust's types make impossible to write, and cases in which Kafka Streams' own behaviour is a defect.
const EXCEPTIONS: [(&str, &str); 1] = [(
    "null-handling/grace-left-join-null-key",
    "Kafka Streams lets a null key into a left join with grace, and its buffer then throws; here it is joined at once without a match (trap T62)",
)];

/// Why a case is not compared.
pub fn reason(case: &str) -> Option<&'static str> {
    EXCEPTIONS.iter().find(|(name, _)| *name == case).map(|(_, reason)| *reason)
}

/// The names in the list.
pub fn names() -> impl Iterator<Item = &'static str> {
    EXCEPTIONS.iter().map(|(name, _)| *name)
}
