//! Transactional ids, with any version of the protocol.

use std::time::{Duration, Instant};

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeProducersRequest, DescribeTransactionsRequest, EndTxnRequest,
    InitProducerIdRequest, ProducerId, TxnOffsetCommitRequest,
};

use super::random::Random;
use super::side::{Producer, Side};
use crate::support::topic_name;

/// The producer of a slot, sometimes with a wrong epoch or id; what is wrong.
fn someone(random: &mut Random, side: &Side, slot: usize) -> (i64, i16, usize) {
    let Producer { id, epoch, .. } = side.producers[slot];
    match random.below(12) {
        wrong @ 0 => (id, epoch + 1, wrong),
        wrong @ 1 => (id, (epoch - 1).max(0), wrong),
        wrong @ 2 => (id.saturating_add(1_000_000), epoch, wrong),
        _ => (id, epoch, 9),
    }
}

/// A cluster carries out the end of a transaction after it has answered.
fn await_end(side: &mut Side, slot: usize) {
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![side.transactional_id(slot)]);
    let begun = Instant::now();
    while side.client.call(0, &request).transaction_states[0].transaction_state.starts_with("Prepare") {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn init(random: &mut Random, side: &mut Side) -> (String, String) {
    let slot = Side::any_slot(random);
    let version = random.version(0, 5);
    let timeout = random.pick(&[60_000, 60_000, 60_000, 0, 10_000_000]);
    let (id, epoch, wrong) = if version >= 3 && random.one_in(3) { someone(random, side, slot) } else { (-1, -1, 9) };
    let transactional_id = (slot < 2).then(|| side.transactional_id(slot));
    let request = InitProducerIdRequest::default()
        .with_transactional_id(transactional_id)
        .with_transaction_timeout_ms(timeout)
        .with_producer_id(ProducerId(id))
        .with_producer_epoch(epoch);
    let answer = side.call(version, &request);
    await_end(side, slot);
    let same = answer.producer_id.0 == side.producers[slot].id;
    if answer.error_code == 0 {
        side.producers[slot] = Producer { id: answer.producer_id.0, epoch: answer.producer_epoch, ..Producer::default() };
    }
    let asked = format!("init v{version} slot {slot}, timeout {timeout}, epoch {epoch}, wrong {wrong}");
    (asked, format!("{} {} {same}", answer.error_code, answer.producer_epoch))
}

pub fn add_partitions(random: &mut Random, side: &mut Side) -> (String, String) {
    let slot = random.below(2);
    let version = random.version(0, 3);
    let (topic, name) = side.any_topic(random);
    let partition = Side::any_partition(random);
    let (id, epoch, wrong) = someone(random, side, slot);
    let topics = vec![AddPartitionsToTxnTopic::default().with_name(topic_name(&name)).with_partitions(vec![partition])];
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(side.transactional_id(slot))
        .with_v3_and_below_producer_id(ProducerId(id))
        .with_v3_and_below_producer_epoch(epoch)
        .with_v3_and_below_topics(topics);
    let answer = side.call(version, &request);
    (format!("add {topic}-{partition} v{version} slot {slot}, epoch {epoch}, wrong {wrong}"), format!("{answer:?}"))
}

pub fn add_offsets(random: &mut Random, side: &mut Side) -> (String, String) {
    let slot = random.below(2);
    let version = random.version(0, 4);
    let (index, group) = side.any_group(random);
    let (id, epoch, wrong) = someone(random, side, slot);
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(side.transactional_id(slot))
        .with_producer_id(ProducerId(id))
        .with_producer_epoch(epoch)
        .with_group_id(group);
    let answer = side.call(version, &request);
    (format!("add group {index} v{version} slot {slot}, epoch {epoch}, wrong {wrong}"), format!("{answer:?}"))
}

pub fn commit_offsets(random: &mut Random, side: &mut Side) -> (String, String) {
    let slot = random.below(2);
    let version = random.version(0, 5);
    let (index, group) = side.any_group(random);
    let (topic, name) = side.any_topic(random);
    let (id, epoch, wrong) = someone(random, side, slot);
    let as_member = version >= 3 && random.one_in(2);
    let partition = TxnOffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(random.below(50) as i64);
    let topics = vec![TxnOffsetCommitRequestTopic::default().with_name(topic_name(&name)).with_partitions(vec![partition])];
    let mut request = TxnOffsetCommitRequest::default()
        .with_transactional_id(side.transactional_id(slot))
        .with_group_id(group)
        .with_producer_id(ProducerId(id))
        .with_producer_epoch(epoch)
        .with_topics(topics);
    if as_member {
        let member = &side.classic[index];
        request = request.with_member_id(crate::support::text(&member.id)).with_generation_id(member.generation);
    }
    let answer = side.call(version, &request);
    let asked = format!("offsets v{version} of group {index} topic {topic} slot {slot}, epoch {epoch}, wrong {wrong}, member {as_member}");
    (asked, format!("{answer:?}"))
}

pub fn end(random: &mut Random, side: &mut Side) -> (String, String) {
    let slot = random.below(2);
    let version = random.version(0, 5);
    let commit = random.one_in(2);
    let (id, epoch, wrong) = someone(random, side, slot);
    let request = EndTxnRequest::default()
        .with_transactional_id(side.transactional_id(slot))
        .with_producer_id(ProducerId(id))
        .with_producer_epoch(epoch)
        .with_committed(commit);
    let answer = side.call(version, &request);
    await_end(side, slot);
    let same = answer.producer_id.0 == side.producers[slot].id;
    if version >= 5 && answer.error_code == 0 {
        side.producers[slot] = Producer { id: answer.producer_id.0, epoch: answer.producer_epoch, ..Producer::default() };
    }
    let asked = format!("end v{version} slot {slot}, commit {commit}, epoch {epoch}, wrong {wrong}");
    let told = if version >= 5 { (answer.producer_epoch, same) } else { (-1, false) };
    (asked, format!("{} {told:?}", answer.error_code))
}

pub fn describe(random: &mut Random, side: &mut Side) -> (String, String) {
    let slot = Side::any_slot(random);
    let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![side.transactional_id(slot)]);
    let answer = side.call(0, &request);
    let state = &answer.transaction_states[0];
    // The number of partitions of the coordinator's topics is a setting.
    let mut topics: Vec<(String, Vec<i32>)> = state
        .topics
        .iter()
        .map(|topic| {
            let mut partitions = if topic.topic.starts_with("__") { Vec::new() } else { topic.partitions.clone() };
            partitions.sort_unstable();
            (topic.topic.0.to_string(), partitions)
        })
        .collect();
    topics.sort();
    let told = (state.error_code, state.transaction_state.as_str(), state.transaction_timeout_ms, state.producer_epoch);
    (format!("describe transaction {slot}"), format!("{told:?} {topics:?}"))
}

pub fn describe_producers(random: &mut Random, side: &mut Side) -> (String, String) {
    let (topic, name) = side.any_topic(random);
    let partition = Side::any_partition(random);
    let topics = vec![TopicRequest::default().with_name(topic_name(&name)).with_partition_indexes(vec![partition])];
    let answer = side.call(0, &DescribeProducersRequest::default().with_topics(topics));
    let told = &answer.topics[0].partitions[0];
    let slot = |id: i64| side.producers.iter().position(|producer| producer.id == id);
    let mut producers: Vec<_> = told
        .active_producers
        .iter()
        .map(|p| (slot(p.producer_id.0), p.producer_epoch, p.last_sequence, p.current_txn_start_offset))
        .collect();
    producers.sort();
    (format!("describe producers {topic}-{partition}"), format!("{} {producers:?}", told.error_code))
}
