//! One file per Kafka API. This module knows which exist, in which versions, and hands each request to its file.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_configs;
mod api_versions;
mod config_resource;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod describe_transactions;
mod end_txn;
mod error;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sync_group;
mod txn_offset_commit;
mod write_txn_markers;

use std::net::IpAddr;

use kafka_protocol::messages::{ApiKey, RequestKind};

use crate::core::{Core, Outbox, Request, Ticket};
use error::{FENCED_BY_NAME, error_code, fencing};

pub(crate) use api_versions::unsupported_version_response;

/// The APIs that are served and the versions of each, as `ApiVersions` announces them.
pub(crate) const SUPPORTED: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 13),
    (ApiKey::Fetch, 4, 18),
    (ApiKey::ListOffsets, 1, 10),
    (ApiKey::Metadata, 0, 13),
    (ApiKey::OffsetCommit, 2, 9),
    (ApiKey::OffsetFetch, 1, 9),
    (ApiKey::FindCoordinator, 0, 6),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 6),
    (ApiKey::ListGroups, 0, 5),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::DeleteRecords, 0, 2),
    (ApiKey::InitProducerId, 0, 5),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
    (ApiKey::AddPartitionsToTxn, 0, 5),
    (ApiKey::AddOffsetsToTxn, 0, 4),
    (ApiKey::EndTxn, 0, 5),
    (ApiKey::WriteTxnMarkers, 1, 1),
    (ApiKey::TxnOffsetCommit, 0, 5),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::AlterConfigs, 0, 2),
    (ApiKey::DescribeLogDirs, 1, 4),
    (ApiKey::CreatePartitions, 0, 3),
    (ApiKey::DeleteGroups, 0, 2),
    (ApiKey::IncrementalAlterConfigs, 0, 1),
    (ApiKey::ListPartitionReassignments, 0, 0),
    (ApiKey::OffsetDelete, 0, 0),
    (ApiKey::DescribeCluster, 0, 2),
    (ApiKey::DescribeProducers, 0, 0),
    (ApiKey::DescribeTransactions, 0, 0),
    (ApiKey::ListTransactions, 0, 2),
    (ApiKey::ConsumerGroupHeartbeat, 0, 1),
    (ApiKey::ConsumerGroupDescribe, 0, 1),
    (ApiKey::DescribeTopicPartitions, 0, 0),
];

/// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS, by their codes: there is no authorizer, so all.
const ALL_GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// Whether requests of this API and version are served.
pub(crate) fn is_supported(api: ApiKey, version: i16) -> bool {
    SUPPORTED.iter().any(|&(key, min, max)| key == api && (min..=max).contains(&version))
}

/// What a handler needs to know about a request beside its body.
pub(crate) struct Ctx {
    pub(crate) ticket: Ticket,
    pub(crate) version: i16,
    /// The client's `client.id`; empty if it sent none.
    pub(crate) client_id: String,
    /// The client's address as Kafka prints it: `/127.0.0.1`.
    pub(crate) client_host: String,
}

impl Ctx {
    fn new(ticket: Ticket, version: i16, client_id: Option<&str>, client_host: IpAddr) -> Self {
        Ctx { ticket, version, client_id: client_id.unwrap_or_default().to_owned(), client_host: format!("/{client_host}") }
    }
}

/// Hands a request to the handler of its API.
pub(crate) fn dispatch(core: &mut Core, request: Request<'_>, now: i64, out: &mut Outbox) {
    let Request { ticket, version, client_id, client_host, body } = request;
    // The two APIs of the record path do without the strings of `Ctx`.
    let body = match body {
        RequestKind::Produce(r) => return produce::handle(core, r, ticket, version, now, out),
        RequestKind::Fetch(r) => return fetch::handle(core, r, ticket, version, now, out),
        other => other,
    };
    let ctx = &Ctx::new(ticket, version, client_id, client_host);
    match body {
        RequestKind::ApiVersions(r) => api_versions::handle(core, r, ctx, now, out),
        RequestKind::Metadata(r) => metadata::handle(core, r, ctx, now, out),
        RequestKind::ListOffsets(r) => list_offsets::handle(core, r, ctx, now, out),
        RequestKind::CreateTopics(r) => create_topics::handle(core, r, ctx, now, out),
        RequestKind::DeleteTopics(r) => delete_topics::handle(core, r, ctx, now, out),
        RequestKind::CreatePartitions(r) => create_partitions::handle(core, r, ctx, now, out),
        RequestKind::DeleteRecords(r) => delete_records::handle(core, r, ctx, now, out),
        RequestKind::OffsetForLeaderEpoch(r) => offset_for_leader_epoch::handle(core, r, ctx, now, out),
        RequestKind::DescribeConfigs(r) => describe_configs::handle(core, r, ctx, now, out),
        RequestKind::AlterConfigs(r) => alter_configs::handle(core, r, ctx, now, out),
        RequestKind::IncrementalAlterConfigs(r) => incremental_alter_configs::handle(core, r, ctx, now, out),
        RequestKind::DescribeCluster(r) => describe_cluster::handle(core, r, ctx, now, out),
        RequestKind::DescribeLogDirs(r) => describe_log_dirs::handle(core, r, ctx, now, out),
        RequestKind::DescribeProducers(r) => describe_producers::handle(core, r, ctx, now, out),
        RequestKind::DescribeTopicPartitions(r) => describe_topic_partitions::handle(core, r, ctx, now, out),
        RequestKind::FindCoordinator(r) => find_coordinator::handle(core, r, ctx, now, out),
        RequestKind::JoinGroup(r) => join_group::handle(core, r, ctx, now, out),
        RequestKind::SyncGroup(r) => sync_group::handle(core, r, ctx, now, out),
        RequestKind::Heartbeat(r) => heartbeat::handle(core, r, ctx, now, out),
        RequestKind::LeaveGroup(r) => leave_group::handle(core, r, ctx, now, out),
        RequestKind::DescribeGroups(r) => describe_groups::handle(core, r, ctx, now, out),
        RequestKind::ListGroups(r) => list_groups::handle(core, r, ctx, now, out),
        RequestKind::DeleteGroups(r) => delete_groups::handle(core, r, ctx, now, out),
        RequestKind::ConsumerGroupHeartbeat(r) => consumer_group_heartbeat::handle(core, r, ctx, now, out),
        RequestKind::ConsumerGroupDescribe(r) => consumer_group_describe::handle(core, r, ctx, now, out),
        RequestKind::OffsetCommit(r) => offset_commit::handle(core, r, ctx, now, out),
        RequestKind::OffsetFetch(r) => offset_fetch::handle(core, r, ctx, now, out),
        RequestKind::OffsetDelete(r) => offset_delete::handle(core, r, ctx, now, out),
        RequestKind::InitProducerId(r) => init_producer_id::handle(core, r, ctx, now, out),
        RequestKind::AddPartitionsToTxn(r) => add_partitions_to_txn::handle(core, r, ctx, now, out),
        RequestKind::AddOffsetsToTxn(r) => add_offsets_to_txn::handle(core, r, ctx, now, out),
        RequestKind::EndTxn(r) => end_txn::handle(core, r, ctx, now, out),
        RequestKind::DescribeTransactions(r) => describe_transactions::handle(core, r, ctx, now, out),
        RequestKind::ListTransactions(r) => list_transactions::handle(core, r, ctx, now, out),
        RequestKind::WriteTxnMarkers(r) => write_txn_markers::handle(core, r, ctx, now, out),
        RequestKind::ListPartitionReassignments(r) => list_partition_reassignments::handle(core, r, ctx, now, out),
        RequestKind::TxnOffsetCommit(r) => txn_offset_commit::handle(core, r, ctx, now, out),
        // Only what `SUPPORTED` lists is ever decoded; anything else cannot be answered in its own format.
        _ => out.close(ticket),
    }
}

#[cfg(test)]
mod tests;
