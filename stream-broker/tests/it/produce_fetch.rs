//! Records in, records out.

use std::time::{Duration, Instant};

use crate::support::{Batch, Client, Target, fetch_request, now, produce_request, records, text, values};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::{FetchRequest, InitProducerIdRequest, ProduceRequest, ProducerId, TransactionalId};
use stream_broker::{Broker, BrokerConfig};

fn with_topic(configs: &[(&str, &str)]) -> (Target, Client) {
    let broker = Target::new();
    broker.create_topic("t", 2, configs);
    let client = Client::connect(broker.address());
    (broker, client)
}

fn texts(values: Vec<(i64, String)>) -> Vec<String> {
    values.into_iter().map(|(_, value)| value).collect()
}

#[test]
fn records_come_back_with_consecutive_offsets() {
    let (_broker, mut client) = with_topic(&[]);
    assert_eq!(client.produce("t", 0, Batch::of(["a", "b"]).encode()).base_offset, 0);
    assert_eq!(client.produce("t", 0, Batch::of(["c"]).encode()).base_offset, 2);
    let data = client.fetch("t", 0, 0);
    assert_eq!(data.high_watermark, 3);
    assert_eq!(data.last_stable_offset, 3);
    let expected: Vec<_> = [(0, "a"), (1, "b"), (2, "c")].map(|(offset, value)| (offset, value.to_owned())).into();
    assert_eq!(values(&data), expected);
    // Whole batches are sent: a fetch from the middle of one begins with it.
    assert_eq!(texts(values(&client.fetch("t", 0, 1))), ["a", "b", "c"]);
    assert_eq!(texts(values(&client.fetch("t", 0, 2))), ["c"]);
    assert_eq!(texts(values(&client.fetch("t", 1, 0))), [""; 0]);
}

#[test]
fn every_version_of_produce_and_fetch_carries_the_same_records() {
    let (_broker, mut client) = with_topic(&[]);
    for version in 3..=11 {
        let request = produce_request("t", 0, Batch::of(["v"]).encode(), 1);
        let response = client.call(version, &request);
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (0, i64::from(version) - 3));
    }
    for version in 4..=12 {
        let response = client.call(version, &fetch_request("t", 0, 0));
        assert_eq!(values(&response.responses[0].partitions[0]).len(), 9);
    }
}

#[test]
fn duplicate_headers_and_the_bytes_of_a_batch_are_kept_as_received() {
    let (_broker, mut client) = with_topic(&[]);
    let sent = Batch::of(["a", "b"]).keyed("k").encode();
    client.produce("t", 0, Batch::of(["first"]).encode());
    client.produce("t", 0, sent.clone());
    let received = client.fetch("t", 0, 1).records.unwrap();
    // All but the base offset and the leader epoch.
    assert_eq!(received[..8], 1_i64.to_be_bytes());
    assert_eq!(received[8..12], sent[8..12]);
    assert_eq!(received[16..], sent[16..]);
}

#[test]
fn an_offset_outside_the_log_is_out_of_range() {
    let (_broker, mut client) = with_topic(&[]);
    client.produce("t", 0, Batch::of(["a"]).encode());
    assert_eq!(client.fetch("t", 0, 1).error_code, 0);
    for offset in [-1, 2, i64::MAX] {
        assert_eq!(client.fetch("t", 0, offset).error_code, 1, "{offset}");
    }
    assert_eq!(client.fetch("t", 7, 0).error_code, 3);
    assert_eq!(client.fetch("missing", 0, 0).error_code, 3);
}

#[test]
fn damaged_or_unfit_batches_are_refused_and_nothing_is_appended() {
    let (broker, mut client) = with_topic(&[("max.message.bytes", "1000")]);
    let good = Batch::of(["a", "b"]).encode();
    let with = |at: usize, value: u8| {
        let mut bytes = BytesMut::from(&good[..]);
        bytes[at] = value;
        bytes.freeze()
    };
    let mut two = BytesMut::from(&good[..]);
    two.extend_from_slice(&good);
    for (what, records, code) in [
        ("empty", Bytes::new(), 87),
        ("cut", good.slice(..good.len() - 1), 87),
        ("no room for a header", with(11, 5), 2),
        ("checksum", with(good.len() - 1, 99), 2),
        ("old format", with(16, 1), 87),
        ("two batches", two.freeze(), 87),
        ("too large", Batch::of([vec![0; 1000]]).encode(), 10),
    ] {
        let response = client.produce("t", 0, records);
        assert_eq!(response.error_code, code, "{what}");
        if broker.is_embedded() {
            assert!(response.error_message.is_some(), "{what}");
        }
    }
    assert_eq!(client.fetch("t", 0, 0).high_watermark, 0);
}

#[test]
fn without_acks_there_is_no_answer_and_a_failure_closes_the_connection() {
    let (_broker, mut client) = with_topic(&[]);
    let request = |topic| produce_request(topic, 0, Batch::of(["a"]).encode(), 0);
    client.send(9, &request("t"));
    assert_eq!(client.fetch("t", 0, 0).high_watermark, 1);
    client.send(9, &request("missing"));
    assert!(client.is_closed());
}

#[test]
fn acks_must_be_none_one_or_all_and_all_is_never_more_than_there_are_replicas() {
    let (broker, mut client) = with_topic(&[]);
    broker.create_topic("two", 1, &[("min.insync.replicas", "2")]);
    let mut code = |topic, acks| {
        let request = produce_request(topic, 0, Batch::of(["a"]).encode(), acks);
        client.call(9, &request).responses[0].partition_responses[0].error_code
    };
    assert_eq!(code("t", 2), 21);
    assert_eq!(code("t", -1), 0);
    assert_eq!(code("two", -1), 0);
}

#[test]
fn a_held_fetch_is_answered_by_the_next_append() {
    let (broker, mut client) = with_topic(&[]);
    let mut writer = Client::connect(broker.address());
    client.send(11, &fetch_request("t", 0, 0).with_max_wait_ms(30_000));
    let begun = Instant::now();
    // An append elsewhere does not wake it.
    writer.produce("t", 1, Batch::of(["other"]).encode());
    writer.produce("t", 0, Batch::of(["here"]).encode());
    let (_, response) = client.receive::<FetchRequest>(11).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(texts(values(&response.responses[0].partitions[0])), ["here"]);
}

#[test]
fn a_fetch_waits_for_its_minimum_and_no_longer_than_its_time() {
    let (broker, mut client) = with_topic(&[]);
    let mut writer = Client::connect(broker.address());
    let request = fetch_request("t", 0, 0).with_min_bytes(2_000);
    client.send(11, &request.clone().with_max_wait_ms(30_000));
    for _ in 0..3 {
        writer.produce("t", 0, Batch::of([vec![b'x'; 700]]).encode());
    }
    let (_, response) = client.receive::<FetchRequest>(11).unwrap();
    assert_eq!(values(&response.responses[0].partitions[0]).len(), 3);

    let begun = Instant::now();
    let request = fetch_request("t", 0, 2).with_min_bytes(2_000);
    let response = client.call(11, &request.with_max_wait_ms(200));
    assert!(begun.elapsed() >= Duration::from_millis(190));
    assert_eq!(values(&response.responses[0].partitions[0]).len(), 1);
}

#[test]
fn limits_cut_between_batches_but_never_below_one_batch() {
    let (_broker, mut client) = with_topic(&[]);
    let batch = Batch::of([vec![b'x'; 500]]).encode();
    for partition in [0, 1] {
        for _ in 0..4 {
            client.produce("t", partition, batch.clone());
        }
    }
    let mut request = fetch_request("t", 0, 0);
    request.topics[0]
        .partitions
        .push(FetchPartition::default().with_partition(1).with_current_leader_epoch(-1).with_partition_max_bytes(1 << 20));
    let mut counts = |max_bytes: usize, partition_max_bytes: usize| {
        let mut request = request.clone().with_max_bytes(max_bytes as i32);
        request.topics[0].partitions[0].partition_max_bytes = partition_max_bytes as i32;
        let response = client.call(11, &request);
        let partitions = &response.responses[0].partitions;
        (values(&partitions[0]).len(), values(&partitions[1]).len())
    };
    let size = batch.len();
    assert_eq!(counts(1 << 20, 1 << 20), (4, 4));
    assert_eq!(counts(1 << 20, 2 * size), (2, 4));
    assert_eq!(counts(1 << 20, 2 * size + size / 2), (2, 4));
    assert_eq!(counts(5 * size, 1 << 20), (4, 1));
    assert_eq!(counts(1, 1), (1, 0));
}

#[test]
fn forty_megabytes_in_one_partition_stay_readable() {
    let (_broker, mut client) = with_topic(&[]);
    let value = vec![b'x'; 1_000];
    let batch = Batch::of(vec![&value; 500]).encode();
    for _ in 0..80 {
        assert_eq!(client.produce("t", 0, batch.clone()).error_code, 0);
    }
    let mut offset = 0;
    while offset < 40_000 {
        let data = client.fetch("t", 0, offset);
        let records = records(&data);
        assert_eq!(records.first().map(|r| r.offset), Some(offset));
        offset = records.last().unwrap().offset + 1;
    }
    assert_eq!(offset, 40_000);
}

#[test]
fn an_idempotent_producer_may_repeat_but_not_skip() {
    let (_broker, mut client) = with_topic(&[]);
    let batch = |sequence, count: usize| Batch::of(vec!["v"; count]).by(4_000, 0, sequence).encode();
    assert_eq!(client.produce("t", 0, batch(0, 3)).base_offset, 0);
    assert_eq!(client.produce("t", 0, batch(3, 2)).base_offset, 3);
    let repeated = client.produce("t", 0, batch(0, 3));
    assert_eq!((repeated.error_code, repeated.base_offset), (0, 0));
    assert_eq!(client.produce("t", 0, batch(9, 1)).error_code, 45);
    assert_eq!(client.fetch("t", 0, 0).high_watermark, 5);
    // Each partition has its own sequence.
    assert_eq!(client.produce("t", 1, batch(0, 1)).error_code, 0);
    // A new epoch fences the old one.
    let newer = Batch::of(["v"]).by(4_000, 1, 0).encode();
    assert_eq!(client.produce("t", 0, newer).error_code, 0);
    assert_eq!(client.produce("t", 0, batch(5, 1)).error_code, 47);
}

#[test]
fn a_transactional_batch_of_a_partition_that_was_not_added_is_refused() {
    let (_broker, mut client) = with_topic(&[]);
    let id = TransactionalId(text("produce-fetch"));
    let init = InitProducerIdRequest::default()
        .with_transactional_id(Some(id.clone()))
        .with_transaction_timeout_ms(10_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let producer = client.coordinated(3, &init, |response| response.error_code);
    let batch = Batch::of(["v"]).by(producer.producer_id.0, producer.producer_epoch, 0).transactional().encode();
    let request = produce_request("t", 0, batch, -1);
    let mut code = |version, request: &ProduceRequest| client.call(version, request).responses[0].partition_responses[0].error_code;
    assert_eq!(code(9, &request), 53, "without a transactional id");
    let request = request.with_transactional_id(Some(id));
    assert_eq!(code(9, &request), 48);
    assert_eq!(code(11, &request), 120);
}

#[test]
fn a_compacted_topic_needs_keys_and_keeps_all_records() {
    let (_broker, mut client) = with_topic(&[("cleanup.policy", "compact")]);
    assert_eq!(client.produce("t", 0, Batch::of(["v"]).encode()).error_code, 87);
    for _ in 0..3 {
        let keyed = Batch::of(["v"]).keyed("k").encode();
        assert_eq!(client.produce("t", 0, keyed).error_code, 0);
    }
    assert_eq!(values(&client.fetch("t", 0, 0)).len(), 3);
}

#[test]
fn append_time_replaces_the_time_of_the_producer() {
    let (_broker, mut client) = with_topic(&[("message.timestamp.type", "LogAppendTime")]);
    let before = now();
    let response = client.produce("t", 0, Batch::of(["a", "b"]).at(&[5, 6]).encode());
    assert!(response.log_append_time_ms >= before);
    let batch = client.fetch("t", 0, 0).records.unwrap();
    // The attribute says that the batch's greatest timestamp is that of every record.
    assert_eq!(batch[22] & 0x08, 0x08);
    assert_eq!(batch[35..43], response.log_append_time_ms.to_be_bytes());
    assert_eq!(records(&client.fetch("t", 0, 0)).len(), 2, "the checksum is right");
    assert_eq!(client.list_offset("t", 0, before).offset, 0);
}

#[test]
fn a_timestamp_too_far_ahead_is_invalid() {
    let (_broker, mut client) = with_topic(&[]);
    let ahead = |ms| Batch::of(["a"]).at(&[now() + ms]).encode();
    assert_eq!(client.produce("t", 0, ahead(2 * 3_600_000)).error_code, 32);
    assert_eq!(client.produce("t", 0, ahead(600_000)).error_code, 0);
}

#[test]
fn offsets_are_found_by_time() {
    let (_broker, mut client) = with_topic(&[]);
    let start = now() - 10_000;
    let batch = |times: &[i64]| {
        let times: Vec<i64> = times.iter().map(|t| start + t).collect();
        Batch::of(vec!["v"; times.len()]).at(&times).encode()
    };
    client.produce("t", 0, batch(&[10, 30, 20]));
    client.produce("t", 0, batch(&[5]));
    client.produce("t", 0, batch(&[40, 50]));
    let mut find = |timestamp| {
        let found = client.list_offset("t", 0, timestamp);
        (found.offset, found.timestamp - start)
    };
    assert_eq!(find(start), (0, 10));
    assert_eq!(find(start + 11), (1, 30));
    assert_eq!(find(start + 31), (4, 40));
    assert_eq!(find(start + 41), (5, 50));
    assert_eq!(find(start + 51).0, -1);
    assert_eq!(find(-3), (5, 50));
    assert_eq!(find(-2).0, 0);
    assert_eq!(find(-1).0, 6);
    assert_eq!(client.list_offset("t", 9, -1).error_code, 3);
}

#[test]
fn a_full_memory_budget_is_a_storage_error_until_records_are_deleted() {
    let config = BrokerConfig::default().log_memory_bytes(10_000);
    let broker = Broker::start(config).unwrap();
    broker.create_topic("t", 1, []).unwrap();
    let mut client = Client::connect(broker.address());
    let batch = Batch::of([vec![0; 4_000]]).encode();
    assert_eq!(client.produce("t", 0, batch.clone()).error_code, 0);
    assert_eq!(client.produce("t", 0, batch.clone()).error_code, 0);
    let refused = client.produce("t", 0, batch.clone());
    assert_eq!(refused.error_code, 56);
    assert!(refused.error_message.unwrap().contains("10000"));
    assert_eq!(crate::support::delete_records(&mut client, "t", 0, 2), (0, 2));
    assert_eq!(client.produce("t", 0, batch).error_code, 0);
}

#[test]
fn a_fetch_session_is_declined() {
    let (broker, mut client) = with_topic(&[]);
    let response = client.call(12, &fetch_request("t", 0, 0).with_session_epoch(0));
    assert_eq!(response.error_code, 0);
    if broker.is_embedded() {
        assert_eq!(response.session_id, 0);
    }
    let request = fetch_request("t", 0, 0).with_session_id(7).with_session_epoch(3);
    assert_eq!(client.call(12, &request).error_code, 70);
}

#[test]
fn a_leader_epoch_that_never_was_is_unknown() {
    let (_broker, mut client) = with_topic(&[]);
    let mut request = fetch_request("t", 0, 0);
    request.topics[0].partitions[0].current_leader_epoch = 3;
    let response = client.call(11, &request);
    assert_eq!(response.responses[0].partitions[0].error_code, 75);
}

#[test]
fn one_request_may_fail_in_one_partition_and_succeed_in_another() {
    let (_broker, mut client) = with_topic(&[]);
    let mut request = produce_request("t", 0, Batch::of(["a"]).encode(), 1);
    let mut other = request.topic_data[0].partition_data[0].clone();
    other.index = 9;
    request.topic_data[0].partition_data.push(other);
    let response = client.call::<ProduceRequest>(9, &request);
    let codes: Vec<i16> = response.responses[0].partition_responses.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [0, 3]);
}
