//! Typed access to the settings: what a program sets in code, and what the runtime reads.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::choice::{BuiltInHandler, Optimization, ProcessingGuarantee, StoreSuppliers};
use super::emit::EmitIntervals;
use super::setting::SETTINGS;
use super::streams::StreamsConfig;
use crate::handler::{Handlers, LogAndContinue, LogAndFail};
use crate::offset::AutoOffsetReset;
use crate::time::BuiltInTimestampExtractor;

/// What one store's block cache and memtables may take, at least and at most.
const PERSISTENT_BYTES: std::ops::RangeInclusive<usize> = 2 << 20..=16 << 20;

/// What a program sets in code.
impl StreamsConfig {
    /// `processing.guarantee`.
    #[must_use]
    pub fn with_processing_guarantee(self, guarantee: ProcessingGuarantee) -> Self {
        self.with("processing.guarantee", guarantee.as_str())
    }

    /// `commit.interval.ms`.
    #[must_use]
    pub fn with_commit_interval(self, interval: Duration) -> Self {
        self.with("commit.interval.ms", milliseconds(interval).min(i64::from(i32::MAX)))
    }

    /// `num.stream.threads`.
    #[must_use]
    pub fn with_num_stream_threads(self, threads: usize) -> Self {
        self.with("num.stream.threads", threads.clamp(1, 1_024))
    }

    /// `state.dir`.
    #[must_use]
    pub fn with_state_dir(self, directory: impl AsRef<Path>) -> Self {
        // As a path beside the text: a folder's name need not be UTF-8.
        let mut config = self.with("state.dir", directory.as_ref().to_string_lossy());
        config.state_dir = directory.as_ref().to_owned();
        config
    }

    /// `statestore.cache.max.bytes`.
    #[must_use]
    pub fn with_cache_max_bytes(self, bytes: usize) -> Self {
        self.with("statestore.cache.max.bytes", bytes)
    }

    /// `state.memory.max.bytes`.
    #[must_use]
    pub fn with_state_memory_max_bytes(self, bytes: usize) -> Self {
        self.with("state.memory.max.bytes", bytes)
    }

    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.insert(name, value.to_string());
        self
    }
}

/// What the runtime reads.
impl StreamsConfig {
    /// `application.id`.
    pub fn application_id(&self) -> &str {
        self.text("application.id")
    }

    /// `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> &str {
        self.text("bootstrap.servers")
    }

    /// `client.id`; the application id when it is not set.
    pub fn client_id(&self) -> &str {
        self.values.get("client.id").map_or_else(|| self.application_id(), String::as_str)
    }

    /// `processing.guarantee`.
    pub fn processing_guarantee(&self) -> ProcessingGuarantee {
        self.choice("processing.guarantee")
    }

    /// `commit.interval.ms`: 30 s, or 100 ms with exactly-once.
    pub fn commit_interval(&self) -> Duration {
        match self.values.get("commit.interval.ms") {
            Some(_) => self.duration("commit.interval.ms"),
            None if self.processing_guarantee().is_exactly_once() => Duration::from_millis(100),
            None => Duration::from_secs(30),
        }
    }

    /// `transaction.timeout.ms`: when it is not set, 10 s, but never above the session timeout.
    pub fn transaction_timeout(&self) -> Duration {
        let timeout = self.duration("transaction.timeout.ms");
        if self.values.contains_key("transaction.timeout.ms") { timeout } else { timeout.min(self.session_timeout()) }
    }

    /// `session.timeout.ms`.
    pub fn session_timeout(&self) -> Duration {
        self.duration("session.timeout.ms")
    }

    /// `heartbeat.interval.ms`; a third of the session timeout, when it is not set and that is less.
    pub fn heartbeat_interval(&self) -> Duration {
        let interval = self.duration("heartbeat.interval.ms");
        if self.values.contains_key("heartbeat.interval.ms") { interval } else { interval.min(self.session_timeout() / 3).max(Duration::from_millis(1)) }
    }

    /// `max.poll.interval.ms`.
    pub fn max_poll_interval(&self) -> Duration {
        self.duration("max.poll.interval.ms")
    }

    /// `group.instance.id`.
    pub fn group_instance_id(&self) -> Option<&str> {
        self.values.get("group.instance.id").map(String::as_str)
    }

    /// `num.stream.threads`.
    pub fn num_stream_threads(&self) -> usize {
        self.count("num.stream.threads")
    }

    /// `state.dir`.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// `state.cleanup.delay.ms`.
    pub fn state_cleanup_delay(&self) -> Duration {
        self.duration("state.cleanup.delay.ms")
    }

    /// `state.flush.interval.ms`.
    pub fn state_flush_interval(&self) -> Duration {
        self.duration("state.flush.interval.ms")
    }

    /// `state.flush.max.bytes`; at most a thirty-second of `state.memory.max.bytes`, or 1 MiB if that is more: a flush takes memory of its own,
    /// a few times what it writes.
    pub fn state_flush_max_bytes(&self) -> usize {
        let wanted = self.count("state.flush.max.bytes");
        match self.state_memory_max_bytes() {
            0 => wanted,
            bytes => wanted.min((bytes / 32).max(1 << 20)),
        }
    }

    /// `state.memory.max.bytes`; 0 is no bound.
    pub fn state_memory_max_bytes(&self) -> usize {
        self.count("state.memory.max.bytes")
    }

    /// What of `state.memory.max.bytes` is for the layers of the stores, 0 is no bound: three quarters. The rest is for block caches and
    /// memtables.
    pub fn layers_max_bytes(&self) -> usize {
        self.state_memory_max_bytes() / 4 * 3
    }

    /// What block cache and memtables of one store may take, bytes: a sixteenth of `state.memory.max.bytes`, between 2 and 16 MiB.
    pub fn persistent_memory_bytes(&self) -> usize {
        match self.state_memory_max_bytes() {
            0 => *PERSISTENT_BYTES.end(),
            bytes => (bytes / 16).clamp(*PERSISTENT_BYTES.start(), *PERSISTENT_BYTES.end()),
        }
    }

    /// `statestore.cache.max.bytes`.
    pub fn cache_max_bytes(&self) -> usize {
        self.count("statestore.cache.max.bytes")
    }

    /// `max.task.idle.ms`: 0 waits only for data that the broker is known to have, more waits as long for data that may come, -1 never waits.
    pub fn max_task_idle_ms(&self) -> i64 {
        self.number("max.task.idle.ms")
    }

    /// `task.timeout.ms`.
    pub fn task_timeout(&self) -> Duration {
        self.duration("task.timeout.ms")
    }

    /// `retry.backoff.ms`.
    pub fn retry_backoff(&self) -> Duration {
        self.duration("retry.backoff.ms")
    }

    /// `retry.backoff.max.ms`.
    pub fn retry_backoff_max(&self) -> Duration {
        self.duration("retry.backoff.max.ms")
    }

    /// `poll.ms`.
    pub fn poll_timeout(&self) -> Duration {
        self.duration("poll.ms")
    }

    /// `buffered.records.per.partition`.
    pub fn buffered_records_per_partition(&self) -> usize {
        self.count("buffered.records.per.partition")
    }

    /// `repartition.purge.interval.ms`.
    pub fn repartition_purge_interval(&self) -> Duration {
        self.duration("repartition.purge.interval.ms")
    }

    /// `metadata.max.age.ms`.
    pub fn metadata_max_age(&self) -> Duration {
        self.duration("metadata.max.age.ms")
    }

    /// `request.timeout.ms`.
    pub fn request_timeout(&self) -> Duration {
        self.duration("request.timeout.ms")
    }

    /// `source.topic.timeout.ms`.
    pub fn source_topic_timeout(&self) -> Duration {
        self.duration("source.topic.timeout.ms")
    }

    /// `auto.offset.reset`.
    pub fn auto_offset_reset(&self) -> AutoOffsetReset {
        self.values.get("auto.offset.reset").and_then(|text| text.parse().ok()).unwrap_or(AutoOffsetReset::Earliest)
    }

    /// `replication.factor`; -1 is the broker's default.
    pub fn replication_factor(&self) -> i16 {
        i16::try_from(self.number("replication.factor")).unwrap_or(-1)
    }

    /// The settings with the prefix `topic.`, without it.
    pub fn topic_configs(&self) -> &BTreeMap<String, String> {
        &self.topics
    }

    /// `windowstore.changelog.additional.retention.ms`.
    pub fn window_store_additional_retention_ms(&self) -> i64 {
        self.number("windowstore.changelog.additional.retention.ms")
    }

    /// `__emit.interval.ms.kstreams.windowed.aggregation__` and `__emit.interval.ms.kstreams.outer.join.spurious.results.fix__`.
    pub fn emit_intervals(&self) -> EmitIntervals {
        EmitIntervals {
            windowed_aggregation_ms: self.number("__emit.interval.ms.kstreams.windowed.aggregation__"),
            outer_join_ms: self.number("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__"),
        }
    }

    /// `topology.optimization`.
    pub fn topology_optimization(&self) -> Optimization {
        self.choice("topology.optimization")
    }

    /// `dsl.store.suppliers.class`.
    pub fn dsl_store_suppliers(&self) -> StoreSuppliers {
        self.choice("dsl.store.suppliers.class")
    }

    /// `default.timestamp.extractor`.
    pub fn default_timestamp_extractor(&self) -> BuiltInTimestampExtractor {
        self.choice("default.timestamp.extractor")
    }

    /// The handlers that `deserialization.exception.handler`, `processing.exception.handler` and `production.exception.handler` name, with
    /// `default.timestamp.extractor`.
    pub fn handlers(&self) -> Handlers {
        let continues = |name| self.choice::<BuiltInHandler>(name) == BuiltInHandler::LogAndContinue;
        let handlers = Handlers {
            deserialization: if continues("deserialization.exception.handler") { Arc::new(LogAndContinue) } else { Arc::new(LogAndFail) },
            processing: if continues("processing.exception.handler") { Arc::new(LogAndContinue) } else { Arc::new(LogAndFail) },
            production: if continues("production.exception.handler") { Arc::new(LogAndContinue) } else { Arc::new(LogAndFail) },
            default_timestamp_extractor: self.default_timestamp_extractor(),
        };
        match self.dead_letter_queue_topic() {
            Some(topic) => handlers.with_dead_letter_queue(topic),
            None => handlers,
        }
    }

    /// `errors.dead.letter.queue.topic.name`.
    pub fn dead_letter_queue_topic(&self) -> Option<&str> {
        self.values.get("errors.dead.letter.queue.topic.name").map(String::as_str)
    }

    /// `ensure.explicit.internal.resource.naming`.
    pub fn ensures_explicit_naming(&self) -> bool {
        self.choice("ensure.explicit.internal.resource.naming")
    }

    /// The value or default of a setting, as text.
    pub(super) fn text(&self, name: &str) -> &str {
        match self.values.get(name) {
            Some(value) => value,
            None => SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.default),
        }
    }

    // Values were checked when they were set, so that none of the following meets one that it cannot read.

    fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or(0)
    }

    fn count(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(usize::MAX)
    }

    fn duration(&self, name: &str) -> Duration {
        Duration::from_millis(u64::try_from(self.number(name)).unwrap_or(0))
    }

    fn choice<T: FromStr + Default>(&self, name: &str) -> T {
        self.text(name).parse().unwrap_or_default()
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
