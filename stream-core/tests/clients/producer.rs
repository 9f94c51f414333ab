use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stream_core::ErrorKind;
use stream_core::client::{DeliveryReports, DeliverySlot, Producer};
use stream_core::config::ClientRole;
use stream_core::partition::for_key;
use stream_core::record::{Headers, OutgoingRecord};

use crate::cluster::*;

#[test]
fn the_highest_acknowledged_offset_is_known_per_slot() {
    let cluster = Cluster::new();
    let topic = cluster.topic("slots", 2);
    let producer = cluster.producer(DeliveryReports::All);
    let (first, second) = (producer.track(), producer.track());
    for number in 0..10 {
        send_tracked(&producer, &topic, 0, &number.to_string(), first);
    }
    send_tracked(&producer, &topic, 1, "x", second);
    send(&producer, &topic, 1, "untracked");
    producer.flush(TIMEOUT).unwrap();
    assert_eq!((producer.acknowledged(first), producer.acknowledged(second)), (Some(9), Some(0)));
    producer.reset_acknowledged(first);
    assert_eq!(producer.acknowledged(first), None);
    assert_eq!(producer.acknowledged(DeliverySlot::UNTRACKED), None);

    // A slot that was given back begins anew.
    producer.untrack(second);
    let reused = producer.track();
    assert_eq!(producer.acknowledged(reused), None);
}

#[test]
fn a_flush_ends_with_the_last_acknowledgement() {
    let cluster = Cluster::new();
    let topic = cluster.topic("flush", 1);
    for reports in [DeliveryReports::All, DeliveryReports::FailuresOnly] {
        let producer = cluster.producer(reports);
        send(&producer, &topic, 0, "connect");
        producer.flush(TIMEOUT).unwrap();
        let mut times: Vec<Duration> = (0..20)
            .map(|_| {
                (0..20).for_each(|_| send(&producer, &topic, 0, "value"));
                let started = Instant::now();
                producer.flush(TIMEOUT).unwrap();
                assert_eq!(producer.outstanding(), 0);
                started.elapsed()
            })
            .collect();
        times.sort();
        println!("flush of 20 records, {reports:?}: median {:?}", times[10]);
        assert!(times[10] < Duration::from_millis(50), "{reports:?}: {times:?}");
    }
}

#[test]
fn a_full_queue_is_waited_for() {
    let cluster = Cluster::new();
    let topic = cluster.topic("full", 1);
    for reports in [DeliveryReports::All, DeliveryReports::FailuresOnly] {
        let mut properties = cluster.config.client_properties(ClientRole::Producer);
        properties.remove("transaction.timeout.ms");
        properties.insert("queue.buffering.max.messages".into(), "100".into());
        let producer = Producer::new(&properties, None, reports, "small", &context()).unwrap();
        for number in 0..2_000 {
            send(&producer, &topic, 0, &number.to_string());
        }
        producer.flush(TIMEOUT).unwrap();
    }
    let mut consumer = cluster.consumer();
    consumer.assign(&[(partition(&topic, 0), 0)]).unwrap();
    assert_eq!(records(&poll_to_the_end(&mut consumer, 4_000)).len(), 4_000);
}

#[test]
fn a_record_that_is_too_large_is_refused_at_once() {
    let cluster = Cluster::new();
    let topic = cluster.topic("large", 1);
    let producer = cluster.producer(DeliveryReports::All);
    let value = vec![0; 3 << 20];
    let record =
        OutgoingRecord { topic: &topic, partition: Some(0), key: None, value: Some(&value), timestamp: now_ms(), headers: &Headers::new() };
    let error = producer.send(&record, DeliverySlot::UNTRACKED).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("max.message.bytes") && error.to_string().contains(&*topic), "{error}");
    // The producer goes on.
    send(&producer, &topic, 0, "small");
    producer.flush(TIMEOUT).unwrap();
}

#[test]
fn a_record_that_the_broker_refuses_shows_at_the_flush() {
    let cluster = Cluster::new();
    let topic = cluster.topic("refused", 1);
    let small = BTreeMap::from([("max.message.bytes".to_owned(), "1000".to_owned())]);
    let name = unique("small");
    let new = stream_core::client::NewTopic { name: name.clone(), partitions: 1, replication_factor: -1, configs: small };
    cluster.admin.create_topics(vec![new], TIMEOUT).unwrap();
    for reports in [DeliveryReports::All, DeliveryReports::FailuresOnly] {
        let producer = cluster.producer(reports);
        send(&producer, &name.clone().into(), 0, &"x".repeat(5_000));
        let error = producer.flush(TIMEOUT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(&name), "{error}");
        assert!(producer.take_failure().is_none());
        send(&producer, &topic, 0, "fits");
        producer.flush(TIMEOUT).unwrap();
    }
}

#[test]
fn keys_go_where_java_sends_them() {
    let cluster = Cluster::new();
    let topic = cluster.topic("keys", 7);
    let producer = cluster.producer(DeliveryReports::All);
    let keys: Vec<String> = (0..50).map(|number| format!("key-{number}")).collect();
    for key in &keys {
        let record = OutgoingRecord {
            topic: &topic,
            partition: None,
            key: Some(key.as_bytes()),
            value: None,
            timestamp: 1,
            headers: &Headers::new(),
        };
        producer.send(&record, DeliverySlot::UNTRACKED).unwrap();
    }
    producer.flush(TIMEOUT).unwrap();
    let mut consumer = cluster.consumer();
    consumer.assign(&(0..7).map(|number| (partition(&topic, number), 0)).collect::<Vec<_>>()).unwrap();
    let polled = poll_until(&mut consumer, |polled| records(polled).len() == keys.len());
    for record in records(&polled) {
        assert_eq!(record.partition, for_key(record.key.as_deref().unwrap(), 7));
    }
}

#[test]
fn the_partition_count_of_a_topic_is_known() {
    let cluster = Cluster::new();
    let topic = cluster.topic("count", 5);
    let producer = cluster.producer(DeliveryReports::All);
    assert_eq!(producer.partition_count(&topic, TIMEOUT).unwrap(), 5);
    let error = producer.partition_count(&unique("missing").into(), TIMEOUT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retriable);
}
