//! What preparing a task asks of the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Admin, CommittedOffset, IsolationLevel, OffsetSpec, TopicInfo};
use crate::config::ProcessingGuarantee;
use crate::error::{ErrorKind, Result};
use crate::fault::{SeededFault, is_seeded};
use crate::id::TopicPartition;

/// An admin client with the application's group and isolation.
pub(crate) struct Cluster {
    admin: Admin,
    group: Arc<str>,
    isolation: IsolationLevel,
    timeout: Duration,
}

/// What the cluster says of a changelog topic.
pub(super) struct ChangelogTopic {
    /// Changes when the topic is deleted and made anew; `None` from brokers before 2.8.
    pub(super) id: Option<u128>,
    /// For how long the deletion of a key can be read after compaction, ms; `None` when the topic is not compacted.
    pub(super) delete_retention_ms: Option<i64>,
}

impl Cluster {
    pub(crate) fn new(admin: Admin, group: Arc<str>, guarantee: ProcessingGuarantee, timeout: Duration) -> Self {
        let isolation = match guarantee {
            ProcessingGuarantee::AtLeastOnce => IsolationLevel::ReadUncommitted,
            ProcessingGuarantee::ExactlyOnceV2 => IsolationLevel::ReadCommitted,
        };
        Self { admin, group, isolation, timeout }
    }

    pub(super) fn group(&self) -> &str {
        &self.group
    }

    /// The group's committed offsets, decided ones: while a transaction could still change them the call fails, `Retriable`.
    pub(super) fn committed_offsets(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, CommittedOffset>> {
        self.admin.committed_offsets(&self.group, partitions, self.timeout)
    }

    /// Offsets of logs, for inputs: under exactly-once the end is the last stable offset, so that `latest` skips no record of a transaction
    /// that is still open.
    pub(super) fn list_offsets(&self, partitions: &[TopicPartition], spec: OffsetSpec) -> Result<BTreeMap<TopicPartition, i64>> {
        self.admin.list_offsets(partitions, spec, self.isolation, self.timeout)
    }

    /// The topics that exist of those named.
    pub(super) fn changelog_topics(&self, names: &BTreeSet<&str>) -> Result<BTreeMap<String, ChangelogTopic>> {
        let names: Vec<&str> = names.iter().copied().collect();
        let topics = self.admin.topics(&names, self.timeout)?;
        let mut configs = match self.admin.topic_configs(&names, self.timeout) {
            Ok(configs) => configs,
            Err(error) if error.kind() == ErrorKind::Retriable => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "the age of local state is not checked, since the configs of its changelogs cannot be read");
                BTreeMap::new()
            }
        };
        let read = |(name, info): (String, TopicInfo)| {
            let configs = configs.remove(&name).unwrap_or_default();
            let is_compacted = configs.get("cleanup.policy").is_some_and(|policy| policy.contains("compact"));
            let retention = configs.get("delete.retention.ms").filter(|_| is_compacted).and_then(|ms| ms.parse().ok());
            (name, ChangelogTopic { id: info.topic_id.map(|id| id.as_u128()), delete_retention_ms: retention })
        };
        Ok(topics.into_iter().map(read).collect())
    }

    /// The high watermarks, under every guarantee.
    ///
    /// To there a changelog is restored: an open transaction of a process that was replaced holds the last stable offset back *below* what
    /// its successor has committed since; a restore to there would lose that. The consumer reads committed records only, so it comes to the
    /// high watermark when that transaction has ended (as Kafka Streams' restoration does).
    pub(super) fn high_watermarks(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>> {
        let isolation = if is_seeded(SeededFault::RestoreToStable) { self.isolation } else { IsolationLevel::ReadUncommitted };
        self.admin.list_offsets(partitions, OffsetSpec::Latest, isolation, self.timeout)
    }
}
