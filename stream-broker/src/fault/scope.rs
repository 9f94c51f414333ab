//! Requests about partitions: which they name, and how some of them are refused and the others carried out.

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_response::{AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult};
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, DeleteRecordsRequest, DeleteRecordsResponse, FetchRequest, FetchResponse,
    ListOffsetsRequest, ListOffsetsResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, ProduceRequest, ProduceResponse, RequestKind, ResponseKind,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use uuid::Uuid;

/// The partitions that a fault is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// All topics if there is none.
    pub(super) topic: Option<String>,
    /// What newer requests call the topic.
    pub(super) topic_id: Option<Uuid>,
    /// All partitions if there is none.
    pub(super) partition: Option<i32>,
}

impl Scope {
    pub(super) fn has_topic(&self, name: &str, id: Uuid) -> bool {
        let Some(topic) = &self.topic else {
            return true;
        };
        if id.is_nil() { name == topic } else { self.topic_id == Some(id) }
    }

    fn has_partition(&self, partition: i32) -> bool {
        self.partition.is_none_or(|wanted| wanted == partition)
    }
}

/// A request that asks for something about each of several partitions, and whose answer has a code for each.
pub(super) trait Partitioned {
    /// Whether it names a partition in the scope.
    fn names(&self, scope: &Scope) -> bool;

    /// The answer for the partitions in the scope, all with this code.
    fn refusal(&self, scope: &Scope, code: i16) -> ResponseKind;

    /// Takes the partitions in the scope out. False if none is left.
    fn withhold(&mut self, scope: &Scope) -> bool;

    /// Puts the refusal in place of what an answer says about the partitions in the scope.
    fn replace(&self, answer: &mut ResponseKind, scope: &Scope, refusal: ResponseKind);
}

/// The request, if it is about partitions.
pub(super) fn partitioned(request: &RequestKind) -> Option<&dyn Partitioned> {
    Some(match request {
        RequestKind::Produce(request) => request,
        RequestKind::Fetch(request) => request,
        RequestKind::ListOffsets(request) => request,
        RequestKind::OffsetCommit(request) => request,
        RequestKind::OffsetDelete(request) => request,
        RequestKind::TxnOffsetCommit(request) => request,
        RequestKind::DeleteRecords(request) => request,
        RequestKind::OffsetForLeaderEpoch(request) => request,
        RequestKind::AddPartitionsToTxn(request) if request.transactions.is_empty() => request,
        _ => return None,
    })
}

/// See [`partitioned`].
pub(super) fn partitioned_mut(request: &mut RequestKind) -> Option<&mut dyn Partitioned> {
    Some(match request {
        RequestKind::Produce(request) => request,
        RequestKind::Fetch(request) => request,
        RequestKind::ListOffsets(request) => request,
        RequestKind::OffsetCommit(request) => request,
        RequestKind::OffsetDelete(request) => request,
        RequestKind::TxnOffsetCommit(request) => request,
        RequestKind::DeleteRecords(request) => request,
        RequestKind::OffsetForLeaderEpoch(request) => request,
        RequestKind::AddPartitionsToTxn(request) if request.transactions.is_empty() => request,
        _ => return None,
    })
}

/// How a topic is named where there are no ids.
const NO_ID: Uuid = Uuid::nil();

/// All these messages have a list of topics with a list of partitions in it; only the fields' names differ.
macro_rules! partitioned {
    (
        $kind:ident: $request:ident, $response:ident;
        asked $asked_topics:ident, $asked_topic:ident => ($asked_name:expr, $asked_id:expr), $asked_partitions:ident, $asked:ident => $index:expr;
        answered $topics:ident, $topic:ident => ($name:expr, $id:expr), $partitions:ident, $answered:ident => $answered_index:expr;
        refused $of:ident, $at:ident, $code:ident => $refused_topic:expr, $refused_partition:expr
    ) => {
        impl Partitioned for $request {
            fn names(&self, scope: &Scope) -> bool {
                let mut topics = self.$asked_topics.iter().filter(|$asked_topic| scope.has_topic($asked_name, $asked_id));
                topics.any(|topic| topic.$asked_partitions.iter().any(|$asked| scope.has_partition($index)))
            }

            fn refusal(&self, scope: &Scope, $code: i16) -> ResponseKind {
                let mut answer = $response::default();
                for $of in self.$asked_topics.iter().filter(|$asked_topic| scope.has_topic($asked_name, $asked_id)) {
                    let mut topic = $refused_topic;
                    let partitions = $of.$asked_partitions.iter().map(|$asked| $index).filter(|index| scope.has_partition(*index));
                    topic.$partitions = partitions.map(|$at| $refused_partition).collect();
                    answer.$topics.push(topic);
                }
                answer.into()
            }

            fn withhold(&mut self, scope: &Scope) -> bool {
                for topic in &mut self.$asked_topics {
                    let $asked_topic = &*topic;
                    if scope.has_topic($asked_name, $asked_id) {
                        topic.$asked_partitions.retain(|$asked| !scope.has_partition($index));
                    }
                }
                self.$asked_topics.retain(|topic| !topic.$asked_partitions.is_empty());
                !self.$asked_topics.is_empty()
            }

            fn replace(&self, answer: &mut ResponseKind, scope: &Scope, refusal: ResponseKind) {
                let (ResponseKind::$kind(answer), ResponseKind::$kind(refusal)) = (answer, refusal) else {
                    return;
                };
                for topic in &mut answer.$topics {
                    let $topic = &*topic;
                    if scope.has_topic($name, $id) {
                        topic.$partitions.retain(|$answered| !scope.has_partition($answered_index));
                    }
                }
                answer.$topics.retain(|topic| !topic.$partitions.is_empty());
                answer.$topics.extend(refusal.$topics);
            }
        }
    };
}

partitioned! {
    Produce: ProduceRequest, ProduceResponse;
    asked topic_data, topic => (&topic.name, topic.topic_id), partition_data, partition => partition.index;
    answered responses, topic => (&topic.name, topic.topic_id), partition_responses, partition => partition.index;
    refused of, at, code => TopicProduceResponse::default().with_name(of.name.clone()).with_topic_id(of.topic_id),
        PartitionProduceResponse::default()
            .with_index(at)
            .with_error_code(code)
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(-1)
}

partitioned! {
    Fetch: FetchRequest, FetchResponse;
    asked topics, topic => (&topic.topic, topic.topic_id), partitions, partition => partition.partition;
    answered responses, topic => (&topic.topic, topic.topic_id), partitions, partition => partition.partition_index;
    refused of, at, code => FetchableTopicResponse::default().with_topic(of.topic.clone()).with_topic_id(of.topic_id),
        PartitionData::default()
            .with_partition_index(at)
            .with_error_code(code)
            .with_high_watermark(-1)
            .with_last_stable_offset(-1)
            .with_log_start_offset(-1)
            .with_aborted_transactions(None)
            .with_records(Some(Bytes::new()))
}

partitioned! {
    ListOffsets: ListOffsetsRequest, ListOffsetsResponse;
    asked topics, topic => (&topic.name, NO_ID), partitions, partition => partition.partition_index;
    answered topics, topic => (&topic.name, NO_ID), partitions, partition => partition.partition_index;
    refused of, at, code => ListOffsetsTopicResponse::default().with_name(of.name.clone()),
        ListOffsetsPartitionResponse::default()
            .with_partition_index(at)
            .with_error_code(code)
            .with_timestamp(-1)
            .with_offset(-1)
            .with_leader_epoch(-1)
}

partitioned! {
    OffsetCommit: OffsetCommitRequest, OffsetCommitResponse;
    asked topics, topic => (&topic.name, NO_ID), partitions, partition => partition.partition_index;
    answered topics, topic => (&topic.name, NO_ID), partitions, partition => partition.partition_index;
    refused of, at, code => OffsetCommitResponseTopic::default().with_name(of.name.clone()),
        OffsetCommitResponsePartition::default().with_partition_index(at).with_error_code(code)
}

partitioned! {
    OffsetDelete: OffsetDeleteRequest, OffsetDeleteResponse;
    asked topics, topic => (&topic.name, NO_ID), partitions, partition => partition.partition_index;
    answered topics, topic => (&topic.name, NO_ID), partitions, partition => partition.partition_index;
    refused of, at, code => OffsetDeleteResponseTopic::default().with_name(of.name.clone()),
        OffsetDeleteResponsePartition::default().with_partition_index(at).with_error_code(code)
}

partitioned! {
    TxnOffsetCommit: TxnOffsetCommitRequest, TxnOffsetCommitResponse;
    asked topics, topic => (&topic.name, NO_ID), partitions, partition => partition.partition_index;
    answered topics, topic => (&topic.name, NO_ID), partitions, partition => partition.partition_index;
    refused of, at, code => TxnOffsetCommitResponseTopic::default().with_name(of.name.clone()),
        TxnOffsetCommitResponsePartition::default().with_partition_index(at).with_error_code(code)
}

partitioned! {
    DeleteRecords: DeleteRecordsRequest, DeleteRecordsResponse;
    asked topics, topic => (&topic.name, NO_ID), partitions, partition => partition.partition_index;
    answered topics, topic => (&topic.name, NO_ID), partitions, partition => partition.partition_index;
    refused of, at, code => DeleteRecordsTopicResult::default().with_name(of.name.clone()),
        DeleteRecordsPartitionResult::default().with_partition_index(at).with_error_code(code).with_low_watermark(-1)
}

partitioned! {
    OffsetForLeaderEpoch: OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    asked topics, topic => (&topic.topic, NO_ID), partitions, partition => partition.partition;
    answered topics, topic => (&topic.topic, NO_ID), partitions, partition => partition.partition;
    refused of, at, code => OffsetForLeaderTopicResult::default().with_topic(of.topic.clone()),
        EpochEndOffset::default().with_partition(at).with_error_code(code).with_leader_epoch(-1).with_end_offset(-1)
}

partitioned! {
    AddPartitionsToTxn: AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
    asked v3_and_below_topics, topic => (&topic.name, NO_ID), partitions, partition => *partition;
    answered results_by_topic_v3_and_below, topic => (&topic.name, NO_ID), results_by_partition, partition => partition.partition_index;
    refused of, at, code => AddPartitionsToTxnTopicResult::default().with_name(of.name.clone()),
        AddPartitionsToTxnPartitionResult::default().with_partition_index(at).with_partition_error_code(code)
}
