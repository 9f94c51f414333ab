//! The settings that the threads read, taken from the configuration once.

use std::time::Duration;

use crate::config::{EmitIntervals, ProcessingGuarantee, StreamsConfig};
use crate::time::RetryPolicy;
use crate::topology::{AutoOffsetReset, InternalTopicSettings};

/// Plain values; durations are not checked here any more.
#[derive(Clone, Debug)]
pub(crate) struct RuntimeSettings {
    pub(crate) guarantee: ProcessingGuarantee,
    pub(crate) commit_interval: Duration,
    /// How long flush and commit of one transaction may take together.
    pub(crate) commit_timeout: Duration,
    /// How a thing that fails is tried again, and for how long.
    pub(crate) retry: RetryPolicy,
    pub(crate) request_timeout: Duration,
    /// One admin request; shorter than others, because the thread that waits for it has more to do. It is repeated.
    pub(crate) admin_timeout: Duration,
    pub(crate) poll: Duration,
    pub(crate) max_task_idle_ms: i64,
    pub(crate) buffered_records_per_partition: usize,
    pub(crate) cache_bytes_per_worker: usize,
    pub(crate) flush_interval: Duration,
    pub(crate) flush_max_bytes: usize,
    pub(crate) purge_interval: Duration,
    pub(crate) metadata_interval: Duration,
    pub(crate) cleanup_delay: Duration,
    pub(crate) source_topic_timeout: Duration,
    pub(crate) default_reset: AutoOffsetReset,
    pub(crate) replication_factor: i16,
    pub(crate) internal_topics: InternalTopicSettings,
    pub(crate) emit_intervals: EmitIntervals,
    pub(crate) workers: usize,
}

impl RuntimeSettings {
    pub(crate) fn new(config: &StreamsConfig) -> Self {
        let workers = config.num_stream_threads();
        Self {
            guarantee: config.processing_guarantee(),
            commit_interval: config.commit_interval(),
            commit_timeout: config.transaction_timeout(),
            retry: RetryPolicy {
                backoff: config.retry_backoff(),
                longest_backoff: config.retry_backoff_max(),
                timeout: config.task_timeout(),
            },
            request_timeout: config.request_timeout(),
            admin_timeout: config.request_timeout().min(Duration::from_secs(5)),
            poll: config.poll_timeout(),
            max_task_idle_ms: config.max_task_idle_ms(),
            buffered_records_per_partition: config.buffered_records_per_partition(),
            cache_bytes_per_worker: config.cache_max_bytes() / workers.max(1),
            flush_interval: config.state_flush_interval(),
            flush_max_bytes: config.state_flush_max_bytes(),
            purge_interval: config.repartition_purge_interval(),
            metadata_interval: config.metadata_max_age(),
            cleanup_delay: config.state_cleanup_delay(),
            source_topic_timeout: config.source_topic_timeout(),
            default_reset: config.auto_offset_reset(),
            replication_factor: config.replication_factor(),
            internal_topics: InternalTopicSettings {
                additional_retention_ms: config.window_store_additional_retention_ms(),
                topic_configs: config.topic_configs().clone(),
            },
            emit_intervals: config.emit_intervals(),
            workers,
        }
    }
}
