//! An ordinary client library finds an ordinary broker.

use std::time::{Duration, Instant};

use crate::support::{Target, broker};
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const WAIT: Duration = Duration::from_secs(20);

fn client(bootstrap_servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap_servers);
    config
}

fn consumer(bootstrap_servers: &str, topic: &str, partitions: i32) -> BaseConsumer {
    let consumer: BaseConsumer = client(bootstrap_servers)
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "1")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    consumer
}

fn drain(producer: &BaseProducer) {
    let begun = Instant::now();
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::ZERO);
        assert!(begun.elapsed() < WAIT, "records are not acknowledged");
    }
}

#[test]
fn keys_duplicate_headers_timestamps_and_tombstones_come_back() {
    let broker = Target::new();
    let servers = broker.bootstrap_servers();
    broker.create_topic("t", 1, &[]);
    let timestamp = crate::support::now() - 1_000;
    let producer: BaseProducer = client(&servers).set("enable.idempotence", "true").create().unwrap();
    let header = |value| Header { key: "h", value: Some(value) };
    producer
        .send(
            BaseRecord::to("t")
                .key("k")
                .payload("v")
                .timestamp(timestamp)
                .headers(OwnedHeaders::new().insert(header("1")).insert(header("2"))),
        )
        .unwrap();
    producer.send(BaseRecord::<_, ()>::to("t").key("k")).unwrap();
    drain(&producer);
    let consumer = consumer(&servers, "t", 1);
    let first = consumer.poll(WAIT).unwrap().unwrap();
    assert_eq!(first.key(), Some(&b"k"[..]));
    assert_eq!(first.payload(), Some(&b"v"[..]));
    assert_eq!(first.timestamp().to_millis(), Some(timestamp));
    let headers: Vec<_> = first.headers().unwrap().iter().map(|h| h.value).collect();
    assert_eq!(headers, [Some(&b"1"[..]), Some(&b"2"[..])]);
    let second = consumer.poll(WAIT).unwrap().unwrap();
    assert_eq!((second.offset(), second.payload()), (1, None));
    let found = consumer.offsets_for_timestamp(timestamp + 1, WAIT).unwrap();
    assert_eq!(found.elements()[0].offset(), Offset::Offset(1));
}

#[test]
fn an_offset_is_found_by_time_inside_a_compressed_batch() {
    let broker = Target::new();
    let servers = broker.bootstrap_servers();
    let start = crate::support::now() - 10_000;
    for codec in ["none", "gzip", "snappy", "lz4"] {
        broker.create_topic(codec, 1, &[]);
        let producer: BaseProducer = client(&servers).set("compression.type", codec).set("linger.ms", "50").create().unwrap();
        for index in 0..100 {
            let payload = "the same words over and over again ".repeat(3);
            producer.send(BaseRecord::<(), _>::to(codec).payload(&payload).timestamp(start + index * 10)).unwrap();
        }
        drain(&producer);
        let consumer = consumer(&servers, codec, 1);
        let found = consumer.offsets_for_timestamp(start + 421, WAIT).unwrap();
        assert_eq!(found.elements()[0].offset(), Offset::Offset(43), "{codec}");
        for _ in 0..100 {
            consumer.poll(WAIT).unwrap().unwrap();
        }
    }
}

#[test]
fn a_broker_that_was_away_is_found_again_and_no_record_is_lost_or_doubled() {
    let broker = broker();
    let servers = broker.bootstrap_servers();
    broker.create_topic("t", 3, []).unwrap();
    let producer: BaseProducer = client(&servers)
        .set("enable.idempotence", "true")
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "50")
        .set("retry.backoff.ms", "10")
        .set("linger.ms", "1")
        .create()
        .unwrap();
    let mut sent = 0;
    for round in 0..4 {
        for _ in 0..500 {
            producer.send(BaseRecord::<(), _>::to("t").payload(&sent.to_string())).unwrap();
            producer.poll(Duration::ZERO);
            sent += 1;
        }
        match round {
            0 => broker.cut_connections().unwrap(),
            1 => broker.pause_network().unwrap(),
            2 => broker.resume_network().unwrap(),
            _ => {}
        }
    }
    drain(&producer);
    let consumer = consumer(&servers, "t", 3);
    let mut received: Vec<usize> = (0..sent)
        .map(|_| {
            let message = consumer.poll(WAIT).unwrap().unwrap();
            std::str::from_utf8(message.payload().unwrap()).unwrap().parse().unwrap()
        })
        .collect();
    received.sort_unstable();
    assert!(received.into_iter().eq(0..sent));
    assert!(consumer.poll(Duration::from_millis(50)).is_none());
}

/// Throughput and latency of this machine, printed; the bounds only catch a broker that has become slow by an order of
/// magnitude.
#[test]
fn records_pass_fast() {
    const RECORDS: usize = 500_000;
    let broker = Target::new();
    let servers = broker.bootstrap_servers();
    broker.create_topic("bulk", 4, &[]);
    broker.create_topic("ping", 1, &[]);
    let payload = [b'x'; 100];
    let producer: BaseProducer = client(&servers)
        .set("linger.ms", "5")
        .set("batch.num.messages", "10000")
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .unwrap();
    let begun = Instant::now();
    for index in 0..RECORDS {
        let mut record = BaseRecord::<(), _>::to("bulk").partition((index / 64 % 4) as i32).payload(&payload[..]);
        while let Err((_, returned)) = producer.send(record) {
            producer.poll(Duration::from_millis(1));
            record = returned;
        }
        if index % 1_000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    drain(&producer);
    let produced = RECORDS as f64 / begun.elapsed().as_secs_f64();

    let bulk = consumer(&servers, "bulk", 4);
    let begun = Instant::now();
    for _ in 0..RECORDS {
        bulk.poll(WAIT).unwrap().unwrap();
    }
    let consumed = RECORDS as f64 / begun.elapsed().as_secs_f64();
    drop(bulk);

    let ping = consumer(&servers, "ping", 1);
    let producer: BaseProducer = client(&servers).set("linger.ms", "0").create().unwrap();
    let mut latencies: Vec<Duration> = (0..300)
        .map(|_| {
            let begun = Instant::now();
            producer.send(BaseRecord::<(), _>::to("ping").payload(&payload[..])).unwrap();
            producer.poll(Duration::ZERO);
            ping.poll(WAIT).unwrap().unwrap();
            begun.elapsed()
        })
        .collect();
    latencies.sort_unstable();
    let median = latencies[latencies.len() / 2];
    println!("produced {produced:.0}/s, consumed {consumed:.0}/s, latency p50 {median:?}");
    assert!(produced > 50_000.0 && consumed > 50_000.0);
    assert!(median < Duration::from_millis(50));
}
