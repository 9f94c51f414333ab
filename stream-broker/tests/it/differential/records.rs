//! Writing and reading.

use bytes::Bytes;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, OffsetForLeaderEpochRequest};

use super::random::Random;
use super::side::Side;
use crate::support::{Batch, delete_records, fetch_request, produce_request, records, topic_name};

/// Plain, idempotent and transactional batches; some with a wrong sequence, epoch or producer.
pub fn produce(random: &mut Random, side: &mut Side) -> (String, String) {
    let (topic, name) = side.any_topic(random);
    let partition = Side::any_partition(random);
    let version = random.version(9, 12);
    let kind = random.pick(&["plain", "idempotent", "transactional", "transactional"]);
    let slot = if kind == "idempotent" { 2 } else { random.below(2) };
    let count = 1 + random.below(3);
    let values: Vec<String> = (0..count).map(|index| format!("v{index}")).collect();
    let times: Vec<i64> = (0..count as i64).map(|_| side.time + random.below(100) as i64).collect();
    let wrong = random.below(10);
    let acks = if random.one_in(20) { 5 } else { random.pick(&[1, -1]) };
    let mut batch = Batch::of(&values).at(&times).keyed("k");
    let mut note = String::new();
    let known = topic < 3 && partition < 2;
    if kind != "plain" {
        let producer = &side.producers[slot];
        let sequence = if known { producer.sequences[topic][partition as usize] } else { 0 };
        let (id, epoch, sequence) = match wrong {
            0 => (producer.id, producer.epoch, sequence + 3),
            1 => (producer.id, (producer.epoch - 1).max(0), sequence),
            2 => (producer.id, producer.epoch + 1, sequence),
            3 => (producer.id, producer.epoch, (sequence - 1).max(0)),
            _ => (producer.id, producer.epoch, sequence),
        };
        if id < 0 {
            return ("produce: nobody is there yet".to_owned(), String::new());
        }
        note = format!(" by slot {slot}, wrong {wrong}, epoch {epoch}, sequence {sequence}");
        batch = batch.by(id, epoch, sequence);
    }
    if kind == "transactional" {
        batch = batch.transactional();
    }
    let empty = random.one_in(25);
    let bytes = if empty { Bytes::new() } else { batch.encode() };
    let mut request = produce_request(&name, partition, bytes, acks);
    if kind == "transactional" && !random.one_in(15) {
        request = request.with_transactional_id(Some(side.transactional_id(slot)));
    }
    let answer = side.call(version, &request);
    let result = &answer.responses[0].partition_responses[0];
    if kind != "plain" && wrong > 3 && known && result.error_code == 0 {
        side.producers[slot].sequences[topic][partition as usize] += count as i32;
    }
    let asked = format!("produce v{version} {kind} {count} to {topic}-{partition}, acks {acks}, empty {empty}{note}");
    (asked, format!("{} {} {}", result.error_code, result.base_offset, result.log_start_offset))
}

pub fn fetch(random: &mut Random, side: &mut Side) -> (String, String) {
    let (topic, name) = side.any_topic(random);
    let partition = Side::any_partition(random);
    let version = random.version(4, 12);
    let offset = if random.one_in(6) { random.pick(&[-1, 1_000_000]) } else { random.below(12) as i64 };
    let isolation = random.below(2) as i8;
    let request = fetch_request(&name, partition, offset).with_isolation_level(isolation);
    let answer = side.client.call(version, &request);
    let Some(topic_answer) = answer.responses.first() else {
        return (format!("fetch v{version}"), format!("{answer:?}"));
    };
    let data = &topic_answer.partitions[0];
    let read: Vec<(i64, bool, bool, i16)> =
        records(data).iter().map(|r| (r.offset, r.control, r.transactional, r.producer_epoch)).collect();
    let mut aborted: Vec<i64> = data.aborted_transactions.iter().flatten().map(|aborted| aborted.first_offset).collect();
    aborted.sort_unstable();
    let asked = format!("fetch v{version} {topic}-{partition} from {offset}, isolation {isolation}");
    let told = (data.error_code, data.high_watermark, data.last_stable_offset, data.log_start_offset);
    (asked, format!("{} {told:?} {aborted:?} {read:?}", answer.error_code))
}

pub fn list_offsets(random: &mut Random, side: &mut Side) -> (String, String) {
    let (topic, name) = side.any_topic(random);
    let partition = Side::any_partition(random);
    let version = random.version(1, 10);
    let timestamp = match random.below(9) {
        special @ 0..6 => -1 - special as i64,
        _ => side.time + random.below(110) as i64,
    };
    let isolation = if version >= 2 { random.below(2) as i8 } else { 0 };
    let epoch = if version >= 4 && random.one_in(8) { 5 } else { -1 };
    let asked = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(timestamp).with_current_leader_epoch(epoch);
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(isolation)
        .with_topics(vec![ListOffsetsTopic::default().with_name(topic_name(&name)).with_partitions(vec![asked])]);
    let request = if version >= 10 { request.with_timeout_ms(1_000) } else { request };
    let answer = side.client.call(version, &request);
    (format!("list offsets v{version} {topic}-{partition} at {timestamp}, epoch {epoch}"), format!("{answer:?}"))
}

pub fn delete(random: &mut Random, side: &mut Side) -> (String, String) {
    let (topic, name) = side.any_topic(random);
    let partition = Side::any_partition(random);
    let offset = random.pick(&[-1, 0, 1, 2, 3, 1_000_000]);
    let answer = delete_records(&mut side.client, &name, partition, offset);
    (format!("delete records {topic}-{partition} below {offset}"), format!("{answer:?}"))
}

pub fn offset_for_leader_epoch(random: &mut Random, side: &mut Side) -> (String, String) {
    let (topic, name) = side.any_topic(random);
    let partition = Side::any_partition(random);
    let version = random.version(2, 4);
    let (epoch, current) = (random.pick(&[-1, 0, 1, 5]), random.pick(&[-1, 0, 3]));
    let asked = OffsetForLeaderPartition::default().with_partition(partition).with_leader_epoch(epoch).with_current_leader_epoch(current);
    let request = OffsetForLeaderEpochRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![OffsetForLeaderTopic::default().with_topic(topic_name(&name)).with_partitions(vec![asked])]);
    let answer = side.client.call(version, &request);
    (format!("offset for epoch v{version} {topic}-{partition} {epoch}, current {current}"), format!("{answer:?}"))
}
