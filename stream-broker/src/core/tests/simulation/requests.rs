//! The requests of the simulated clients.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, CreateTopicsRequest, EndTxnRequest, FetchRequest, GroupId, InitProducerIdRequest,
    JoinGroupRequest, OffsetCommitRequest, OffsetFetchRequest, ProduceRequest, ProducerId, SyncGroupRequest, TopicName, TransactionalId,
    TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

use crate::harness::text;

/// Where records go.
pub(super) const TOPIC: &str = "t";
/// Whose offsets the transactions commit: a partition for each producer.
pub(super) const SOURCE: &str = "source";
pub(super) const PARTITIONS: i32 = 3;
const SESSION_MS: i32 = 10_000;

pub(super) type Producer = (i64, i16);

fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn group() -> GroupId {
    GroupId(text("g"))
}

fn transactional(id: &StrBytes) -> TransactionalId {
    TransactionalId(id.clone())
}

pub(super) fn create_topics(segment_bytes: u64) -> CreateTopicsRequest {
    let segment = segment_bytes.to_string();
    let settings = [("internal.segment.bytes", segment.as_str()), ("retention.ms", "-1")];
    let config = |(name, value): (&str, &str)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)));
    let topic = |topic: &str| {
        CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(PARTITIONS)
            .with_replication_factor(1)
            .with_configs(settings.map(config).to_vec())
    };
    CreateTopicsRequest::default().with_topics(vec![topic(TOPIC), topic(SOURCE)])
}

pub(super) fn init(id: Option<&StrBytes>, timeout_ms: i32) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(id.map(transactional))
        .with_transaction_timeout_ms(timeout_ms)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}

/// One record.
pub(super) fn produce(id: Option<&StrBytes>, producer: Producer, partition: i32, sequence: i32, value: u64, now: i64) -> ProduceRequest {
    let record = Record {
        transactional: id.is_some(),
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: producer.0,
        producer_epoch: producer.1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence,
        timestamp: now,
        key: None,
        value: Some(Bytes::copy_from_slice(&value.to_be_bytes())),
        headers: Default::default(),
    };
    let mut records = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut records, [&record], &options).unwrap();
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records.freeze()));
    ProduceRequest::default()
        .with_acks(-1)
        .with_transactional_id(id.map(transactional))
        .with_topic_data(vec![TopicProduceData::default().with_name(name(TOPIC)).with_partition_data(vec![data])])
}

pub(super) fn add_partitions(id: &StrBytes, producer: Producer, partitions: Vec<i32>) -> AddPartitionsToTxnRequest {
    AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transactional(id))
        .with_v3_and_below_producer_id(ProducerId(producer.0))
        .with_v3_and_below_producer_epoch(producer.1)
        .with_v3_and_below_topics(vec![AddPartitionsToTxnTopic::default().with_name(name(TOPIC)).with_partitions(partitions)])
}

pub(super) fn add_offsets(id: &StrBytes, producer: Producer) -> AddOffsetsToTxnRequest {
    AddOffsetsToTxnRequest::default()
        .with_transactional_id(transactional(id))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_group_id(group())
}

pub(super) fn commit_in_transaction(id: &StrBytes, producer: Producer, partition: i32, offset: i64) -> TxnOffsetCommitRequest {
    let partition = TxnOffsetCommitRequestPartition::default().with_partition_index(partition).with_committed_offset(offset);
    TxnOffsetCommitRequest::default()
        .with_transactional_id(transactional(id))
        .with_group_id(group())
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_generation_id(-1)
        .with_topics(vec![TxnOffsetCommitRequestTopic::default().with_name(name(SOURCE)).with_partitions(vec![partition])])
}

pub(super) fn end(id: &StrBytes, producer: Producer, commit: bool) -> EndTxnRequest {
    EndTxnRequest::default()
        .with_transactional_id(transactional(id))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_committed(commit)
}

pub(super) fn join(member_id: &StrBytes) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"metadata"));
    JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(SESSION_MS)
        .with_rebalance_timeout_ms(SESSION_MS)
        .with_member_id(member_id.clone())
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

pub(super) fn sync(member_id: &StrBytes, generation: i32, assignments: Vec<(StrBytes, Vec<u8>)>) -> SyncGroupRequest {
    let assignments = assignments
        .into_iter()
        .map(|(id, assignment)| SyncGroupRequestAssignment::default().with_member_id(id).with_assignment(assignment.into()));
    SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(member_id.clone())
        .with_assignments(assignments.collect())
}

pub(super) fn heartbeat(member_id: &StrBytes, generation: i32) -> kafka_protocol::messages::HeartbeatRequest {
    kafka_protocol::messages::HeartbeatRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(member_id.clone())
}

pub(super) fn leave(member_id: &StrBytes) -> kafka_protocol::messages::LeaveGroupRequest {
    kafka_protocol::messages::LeaveGroupRequest::default().with_group_id(group()).with_member_id(member_id.clone())
}

pub(super) fn commit(member_id: &StrBytes, generation: i32, partition: i32, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default().with_partition_index(partition).with_committed_offset(offset);
    OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(member_id.clone())
        .with_topics(vec![OffsetCommitRequestTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition])])
}

pub(super) fn committed() -> OffsetFetchRequest {
    let all = (0..PARTITIONS).collect::<Vec<i32>>();
    let topic = |topic: &str| OffsetFetchRequestTopics::default().with_name(name(topic)).with_partition_indexes(all.clone());
    let group = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![topic(TOPIC), topic(SOURCE)]));
    OffsetFetchRequest::default().with_groups(vec![group])
}

/// A partition from an offset on, at once.
pub(super) fn fetch(partition: i32, offset: i64, isolation_level: i8) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(-1)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(i32::MAX);
    FetchRequest::default()
        .with_max_bytes(i32::MAX)
        .with_isolation_level(isolation_level)
        .with_topics(vec![FetchTopic::default().with_topic(name(TOPIC)).with_partitions(vec![partition])])
}
