//! [`Change`].

/// What became of a key of a table. Mirrors Kafka Streams' class of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<V> {
    /// The value before, as far as it is known.
    pub old: Option<V>,
    /// The value now; `None`: the key was deleted.
    pub new: Option<V>,
}
