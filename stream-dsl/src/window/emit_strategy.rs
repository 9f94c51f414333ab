//! [`EmitStrategy`]: when windows tell their results.

/// When an aggregation over windows tells its results. Mirrors Kafka Streams' `EmitStrategy` (KIP-825).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmitStrategy {
    /// With every update, or, where the store is cached, with every commit.
    #[default]
    OnWindowUpdate,
    /// Once, when the window has closed: when stream time has passed its end by the grace period.
    ///
    /// Results come from the store, so what its retention hides by then is not told: when stream time jumps by more than the retention
    /// allows, or the look for closed windows (every `__emit.interval.ms.kstreams.windowed.aggregation__`, by wall clock) comes too late, as in
    /// Kafka Streams. A retention that is longer than size and grace by the largest jump that occurs keeps every window. Nothing is told
    /// while no record comes, and no old values are told.
    OnWindowClose,
}
