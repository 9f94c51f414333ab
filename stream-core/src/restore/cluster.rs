//! What preparing a task asks of the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Admin, CommittedOffset, IsolationLevel, OffsetSpec};
use crate::config::ProcessingGuarantee;
use crate::error::Result;
use crate::id::TopicPartition;

/// An admin client with the application's group and isolation.
pub(crate) struct Cluster {
    admin: Admin,
    group: Arc<str>,
    isolation: IsolationLevel,
    timeout: Duration,
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

    /// The ends of changelogs: the high watermark under every guarantee. An open transaction of a process that was replaced holds the last
    /// stable offset back *below* what its successor has committed since; a restore to there would lose that. The consumer reads committed
    /// records only, so it comes to the high watermark when that transaction has ended (as Kafka Streams' restoration does).
    pub(super) fn changelog_ends(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>> {
        self.admin.list_offsets(partitions, OffsetSpec::Latest, IsolationLevel::ReadUncommitted, self.timeout)
    }
}
