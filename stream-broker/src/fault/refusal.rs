//! The answer that says nothing but an error, for each request.

use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, TopicResponse};
use kafka_protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use kafka_protocol::messages::describe_transactions_response::TransactionState;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::offset_fetch_response::{OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic};
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnResponse, AddPartitionsToTxnResponse, AlterConfigsResponse, ApiVersionsResponse, BrokerId,
    ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatResponse, CreatePartitionsResponse, CreateTopicsResponse, DeleteGroupsResponse,
    DeleteTopicsResponse, DescribeClusterResponse, DescribeConfigsResponse, DescribeGroupsResponse, DescribeLogDirsResponse,
    DescribeProducersResponse, DescribeTopicPartitionsResponse, DescribeTransactionsResponse, ElectLeadersResponse, EndTxnResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatResponse, IncrementalAlterConfigsResponse, InitProducerIdResponse,
    JoinGroupResponse, LeaveGroupResponse, ListGroupsResponse, ListPartitionReassignmentsResponse, ListTransactionsResponse,
    MetadataRequest, MetadataResponse, OffsetFetchRequest, OffsetFetchResponse, ProducerId, RequestKind, ResponseKind, SyncGroupResponse,
    WriteTxnMarkersRequest, WriteTxnMarkersResponse, consumer_group_describe_response, describe_groups_response,
    incremental_alter_configs_response,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::scope::{Scope, partitioned};

/// The answer to a request of a version, in which everything that is asked for failed with `code`. `None` if this kind of request has
/// none.
pub(super) fn refusal(request: &RequestKind, version: i16, code: i16) -> Option<ResponseKind> {
    if let Some(request) = partitioned(request) {
        return Some(request.refusal(&Scope::default(), code));
    }
    Some(match request {
        RequestKind::Metadata(request) => metadata(request, version, code).into(),
        RequestKind::OffsetFetch(request) => offset_fetch(request, version, code).into(),
        RequestKind::FindCoordinator(request) => find_coordinator(request, version, code).into(),
        RequestKind::JoinGroup(request) => {
            JoinGroupResponse::default().with_error_code(code).with_generation_id(-1).with_member_id(request.member_id.clone()).into()
        }
        RequestKind::Heartbeat(_) => HeartbeatResponse::default().with_error_code(code).into(),
        RequestKind::LeaveGroup(_) => LeaveGroupResponse::default().with_error_code(code).into(),
        RequestKind::SyncGroup(_) => SyncGroupResponse::default().with_error_code(code).into(),
        RequestKind::DescribeGroups(request) => {
            let group = |id: &_| describe_groups_response::DescribedGroup::default().with_group_id(Clone::clone(id)).with_error_code(code);
            DescribeGroupsResponse::default().with_groups(request.groups.iter().map(group).collect()).into()
        }
        RequestKind::ListGroups(_) => ListGroupsResponse::default().with_error_code(code).into(),
        RequestKind::ApiVersions(_) => ApiVersionsResponse::default().with_error_code(code).into(),
        RequestKind::CreateTopics(request) => {
            let topics =
                request.topics.iter().map(|topic| CreatableTopicResult::default().with_name(topic.name.clone()).with_error_code(code));
            CreateTopicsResponse::default().with_topics(topics.collect()).into()
        }
        RequestKind::DeleteTopics(request) => {
            let named = request.topic_names.iter().map(|name| (Some(name.clone()), Uuid::nil()));
            let topics = named.chain(request.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id)));
            let result = |(name, id)| DeletableTopicResult::default().with_name(name).with_topic_id(id).with_error_code(code);
            DeleteTopicsResponse::default().with_responses(topics.map(result).collect()).into()
        }
        RequestKind::InitProducerId(_) => {
            InitProducerIdResponse::default().with_error_code(code).with_producer_id(ProducerId(-1)).with_producer_epoch(-1).into()
        }
        RequestKind::AddPartitionsToTxn(request) => {
            let partition =
                |index: &i32| AddPartitionsToTxnPartitionResult::default().with_partition_index(*index).with_partition_error_code(code);
            let transaction = |transaction: &kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTransaction| {
                let topics = transaction.topics.iter().map(|topic| {
                    let partitions = topic.partitions.iter().map(partition).collect();
                    AddPartitionsToTxnTopicResult::default().with_name(topic.name.clone()).with_results_by_partition(partitions)
                });
                AddPartitionsToTxnResult::default()
                    .with_transactional_id(transaction.transactional_id.clone())
                    .with_topic_results(topics.collect())
            };
            AddPartitionsToTxnResponse::default().with_results_by_transaction(request.transactions.iter().map(transaction).collect()).into()
        }
        RequestKind::AddOffsetsToTxn(_) => AddOffsetsToTxnResponse::default().with_error_code(code).into(),
        RequestKind::EndTxn(_) => EndTxnResponse::default().with_error_code(code).into(),
        RequestKind::DescribeConfigs(request) => {
            let result = |resource: &kafka_protocol::messages::describe_configs_request::DescribeConfigsResource| {
                DescribeConfigsResult::default()
                    .with_error_code(code)
                    .with_resource_type(resource.resource_type)
                    .with_resource_name(resource.resource_name.clone())
            };
            DescribeConfigsResponse::default().with_results(request.resources.iter().map(result).collect()).into()
        }
        RequestKind::AlterConfigs(request) => {
            let result = |resource: &kafka_protocol::messages::alter_configs_request::AlterConfigsResource| {
                AlterConfigsResourceResponse::default()
                    .with_error_code(code)
                    .with_resource_type(resource.resource_type)
                    .with_resource_name(resource.resource_name.clone())
            };
            AlterConfigsResponse::default().with_responses(request.resources.iter().map(result).collect()).into()
        }
        RequestKind::IncrementalAlterConfigs(request) => {
            let result = |resource: &kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource| {
                incremental_alter_configs_response::AlterConfigsResourceResponse::default()
                    .with_error_code(code)
                    .with_resource_type(resource.resource_type)
                    .with_resource_name(resource.resource_name.clone())
            };
            IncrementalAlterConfigsResponse::default().with_responses(request.resources.iter().map(result).collect()).into()
        }
        RequestKind::DescribeLogDirs(_) => DescribeLogDirsResponse::default().with_error_code(code).into(),
        RequestKind::CreatePartitions(request) => {
            let result = |topic: &kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic| {
                CreatePartitionsTopicResult::default().with_name(topic.name.clone()).with_error_code(code)
            };
            CreatePartitionsResponse::default().with_results(request.topics.iter().map(result).collect()).into()
        }
        RequestKind::DeleteGroups(request) => {
            let result = |id: &_| DeletableGroupResult::default().with_group_id(Clone::clone(id)).with_error_code(code);
            DeleteGroupsResponse::default().with_results(request.groups_names.iter().map(result).collect()).into()
        }
        RequestKind::ElectLeaders(_) => ElectLeadersResponse::default().with_error_code(code).into(),
        RequestKind::DescribeCluster(_) => DescribeClusterResponse::default().with_error_code(code).into(),
        RequestKind::DescribeProducers(request) => {
            let partition = |index: &i32| PartitionResponse::default().with_partition_index(*index).with_error_code(code);
            let topic = |topic: &kafka_protocol::messages::describe_producers_request::TopicRequest| {
                TopicResponse::default()
                    .with_name(topic.name.clone())
                    .with_partitions(topic.partition_indexes.iter().map(partition).collect())
            };
            DescribeProducersResponse::default().with_topics(request.topics.iter().map(topic).collect()).into()
        }
        RequestKind::DescribeTransactions(request) => {
            let state = |id: &_| TransactionState::default().with_transactional_id(Clone::clone(id)).with_error_code(code);
            DescribeTransactionsResponse::default().with_transaction_states(request.transactional_ids.iter().map(state).collect()).into()
        }
        RequestKind::WriteTxnMarkers(request) => write_txn_markers(request, code).into(),
        RequestKind::ListPartitionReassignments(_) => ListPartitionReassignmentsResponse::default().with_error_code(code).into(),
        RequestKind::ListTransactions(_) => ListTransactionsResponse::default().with_error_code(code).into(),
        RequestKind::ConsumerGroupHeartbeat(_) => ConsumerGroupHeartbeatResponse::default().with_error_code(code).into(),
        RequestKind::ConsumerGroupDescribe(request) => {
            let group =
                |id: &_| consumer_group_describe_response::DescribedGroup::default().with_group_id(Clone::clone(id)).with_error_code(code);
            ConsumerGroupDescribeResponse::default().with_groups(request.group_ids.iter().map(group).collect()).into()
        }
        RequestKind::DescribeTopicPartitions(request) => {
            let topic = |topic: &kafka_protocol::messages::describe_topic_partitions_request::TopicRequest| {
                DescribeTopicPartitionsResponseTopic::default().with_name(Some(topic.name.clone())).with_error_code(code)
            };
            DescribeTopicPartitionsResponse::default().with_topics(request.topics.iter().map(topic).collect()).into()
        }
        _ => return None,
    })
}

fn write_txn_markers(request: &WriteTxnMarkersRequest, code: i16) -> WriteTxnMarkersResponse {
    let partition = |index: &i32| WritableTxnMarkerPartitionResult::default().with_partition_index(*index).with_error_code(code);
    let topic = |topic: &WritableTxnMarkerTopic| {
        WritableTxnMarkerTopicResult::default()
            .with_name(topic.name.clone())
            .with_partitions(topic.partition_indexes.iter().map(partition).collect())
    };
    let marker = |marker: &WritableTxnMarker| {
        WritableTxnMarkerResult::default().with_producer_id(marker.producer_id).with_topics(marker.topics.iter().map(topic).collect())
    };
    WriteTxnMarkersResponse::default().with_markers(request.markers.iter().map(marker).collect())
}

fn find_coordinator(request: &FindCoordinatorRequest, version: i16, code: i16) -> FindCoordinatorResponse {
    let nobody = BrokerId(-1);
    if version < 4 {
        return FindCoordinatorResponse::default().with_error_code(code).with_node_id(nobody).with_port(-1);
    }
    let coordinator =
        |key: &StrBytes| Coordinator::default().with_key(key.clone()).with_error_code(code).with_node_id(nobody).with_port(-1);
    FindCoordinatorResponse::default().with_coordinators(request.coordinator_keys.iter().map(coordinator).collect())
}

fn metadata(request: &MetadataRequest, version: i16, code: i16) -> MetadataResponse {
    let topics = request.topics.iter().flatten();
    let topics = topics.map(|topic| {
        // Older versions cannot say that there is no name.
        let name = topic.name.clone().or_else(|| (version < 12).then(Default::default));
        MetadataResponseTopic::default().with_name(name).with_topic_id(topic.topic_id).with_error_code(code)
    });
    let whole = if version >= 13 { code } else { 0 };
    MetadataResponse::default().with_controller_id(BrokerId(-1)).with_topics(topics.collect()).with_error_code(whole)
}

/// Version 1 has a code for each partition only, the versions from 8 on one for each group.
fn offset_fetch(request: &OffsetFetchRequest, version: i16, code: i16) -> OffsetFetchResponse {
    let topics = request.topics.iter().flatten().map(|topic| {
        let partition = |index: &i32| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(*index)
                .with_committed_offset(-1)
                .with_committed_leader_epoch(-1)
                .with_error_code(code)
        };
        OffsetFetchResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(topic.partition_indexes.iter().map(partition).collect())
    });
    let groups =
        request.groups.iter().map(|group| OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone()).with_error_code(code));
    let whole = if (2..8).contains(&version) { code } else { 0 };
    OffsetFetchResponse::default().with_topics(topics.collect()).with_groups(groups.collect()).with_error_code(whole)
}
