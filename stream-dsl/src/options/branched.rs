//! [`Branched`].

/// The name of a branch; without one it is numbered. Mirrors Kafka Streams' `Branched`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branched {
    pub(crate) name: Option<String>,
}

impl Branched {
    /// This name behind the prefix of the split.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()) }
    }
}
