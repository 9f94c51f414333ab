//! A transactional id and its coordinator, request by request.

use std::time::{Duration, Instant};

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, GroupId, InitProducerIdRequest, InitProducerIdResponse,
    OffsetFetchRequest, ProducerId, TransactionalId, TxnOffsetCommitRequest,
};

use super::{Batch, Client, Target, now, produce_request, text, topic_name};

/// A producer as it is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
}

/// A transactional id of its own on the broker under test.
pub struct Bench {
    pub target: Target,
    pub client: Client,
    pub topic: &'static str,
    pub id: TransactionalId,
    pub group: GroupId,
}

impl Bench {
    pub fn new(topic: &'static str) -> Bench {
        let target = Target::new();
        target.create_topic(topic, 2, &[]);
        let name = text(&format!("{topic}-{}", now()));
        let client = Client::connect(target.address());
        let mut bench = Bench { target, client, topic, id: TransactionalId(name.clone()), group: GroupId(name) };
        // Wakes the coordinator of a cluster, by a request that it refuses for good.
        let wrong = bench.init_request().with_transaction_timeout_ms(0);
        bench.client.coordinated(2, &wrong, |r| r.error_code);
        bench
    }

    pub fn init_request(&self) -> InitProducerIdRequest {
        InitProducerIdRequest::default()
            .with_transactional_id(Some(self.id.clone()))
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    }

    /// Until the coordinator is there and an earlier transaction is over.
    pub fn init(&mut self) -> Producer {
        let request = self.init_request();
        let ready = self.client.coordinated(4, &request, |r| r.error_code);
        assert_eq!(ready.error_code, 0);
        Producer { id: ready.producer_id.0, epoch: ready.producer_epoch }
    }

    pub fn init_as(&mut self, version: i16, expected: Producer) -> InitProducerIdResponse {
        let request = self.init_request().with_producer_id(ProducerId(expected.id)).with_producer_epoch(expected.epoch);
        self.client.coordinated(version, &request, |r| r.error_code)
    }

    pub fn add_partitions(&mut self, version: i16, producer: Producer, partitions: &[(&str, i32)]) -> Vec<i16> {
        let topics = partitions
            .iter()
            .map(|(topic, index)| AddPartitionsToTxnTopic::default().with_name(topic_name(topic)).with_partitions(vec![*index]))
            .collect();
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id.clone())
            .with_v3_and_below_producer_id(ProducerId(producer.id))
            .with_v3_and_below_producer_epoch(producer.epoch)
            .with_v3_and_below_topics(topics);
        let response = self.client.coordinated(version, &request, |r| {
            r.results_by_topic_v3_and_below.first().map_or(0, |t| t.results_by_partition[0].partition_error_code)
        });
        // A broker need not keep the order of the topics.
        partitions
            .iter()
            .map(|(topic, _)| {
                let found = response.results_by_topic_v3_and_below.iter().find(|t| t.name == topic_name(topic)).unwrap();
                found.results_by_partition[0].partition_error_code
            })
            .collect()
    }

    /// Begins a transaction with a record in partition 0.
    pub fn write(&mut self, producer: Producer, sequence: i32, value: &str) {
        assert_eq!(self.add_partitions(0, producer, &[(self.topic, 0)]), [0]);
        assert_eq!(self.produce(producer, sequence, value), 0);
    }

    pub fn produce(&mut self, producer: Producer, sequence: i32, value: &str) -> i16 {
        let batch = Batch::of([value]).by(producer.id, producer.epoch, sequence).transactional();
        let request = produce_request(self.topic, 0, batch.encode(), -1).with_transactional_id(Some(self.id.clone()));
        self.client.call(9, &request).responses[0].partition_responses[0].error_code
    }

    pub fn end(&mut self, version: i16, producer: Producer, commit: bool) -> i16 {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_committed(commit);
        self.client.coordinated(version, &request, |r| r.error_code).error_code
    }

    pub fn add_group(&mut self, version: i16, producer: Producer) -> i16 {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(self.id.clone())
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_group_id(self.group.clone());
        self.client.coordinated(version, &request, |r| r.error_code).error_code
    }

    pub fn offset_request(&self, producer: Producer, offset: i64) -> TxnOffsetCommitRequest {
        let partition = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("note")));
        TxnOffsetCommitRequest::default()
            .with_transactional_id(self.id.clone())
            .with_group_id(self.group.clone())
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_topics(vec![TxnOffsetCommitRequestTopic::default().with_name(topic_name(self.topic)).with_partitions(vec![partition])])
    }

    pub fn commit_offsets(&mut self, version: i16, request: &TxnOffsetCommitRequest) -> i16 {
        let code = |r: &kafka_protocol::messages::TxnOffsetCommitResponse| r.topics[0].partitions[0].error_code;
        code(&self.client.coordinated(version, request, code))
    }

    /// Offset and error code of partition 0 in the group.
    pub fn committed(&mut self, stable: bool) -> (i64, i16) {
        let topic = OffsetFetchRequestTopics::default().with_name(topic_name(self.topic)).with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_require_stable(stable)
            .with_groups(vec![OffsetFetchRequestGroup::default().with_group_id(self.group.clone()).with_topics(Some(vec![topic]))]);
        let group = self.client.coordinated(8, &request, |r| r.groups[0].error_code).groups.remove(0);
        let partition = &group.topics[0].partitions[0];
        (partition.committed_offset, partition.error_code)
    }

    /// A cluster writes its markers after it has answered.
    pub fn await_committed(&mut self, offset: i64) {
        let begun = Instant::now();
        while self.committed(true) != (offset, 0) {
            assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", self.committed(true));
        }
    }
}
