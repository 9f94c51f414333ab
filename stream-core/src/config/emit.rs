//! [`EmitIntervals`]: how often operators look for results whose time has come.

/// How often operators look for results that become final as stream time passes. Wall clock, ms; 0 looks at every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmitIntervals {
    /// `__emit.interval.ms.kstreams.windowed.aggregation__`: closed windows of aggregations that emit on window close.
    pub windowed_aggregation_ms: i64,
    /// `__emit.interval.ms.kstreams.outer.join.spurious.results.fix__`: rows of left and outer joins that found no partner.
    pub outer_join_ms: i64,
}

impl EmitIntervals {
    /// At every record, as the test driver of Kafka Streams does.
    pub const ALWAYS: Self = Self { windowed_aggregation_ms: 0, outer_join_ms: 0 };
}
