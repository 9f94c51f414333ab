use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stream_core::ErrorKind;
use stream_core::client::{DeliveryReports, DeliverySlot, Polled};
use stream_core::record::{Header, Headers, OutgoingRecord};

use crate::cluster::*;

#[test]
fn a_record_arrives_as_it_was_sent() {
    let cluster = Cluster::new();
    let topic = cluster.topic("records", 1);
    let producer = cluster.producer(DeliveryReports::All);
    let headers: Headers = [("trace", Some(&b"1"[..])), ("trace", Some(b"")), ("null", None)]
        .into_iter()
        .map(|(key, value)| Header { key: key.into(), value: value.map(Into::into) })
        .collect();
    let sent = [
        (Some(&b"key"[..]), Some(&b"value"[..]), now_ms(), headers.clone()),
        (None, Some(&b"no key"[..]), now_ms() - 5, Headers::new()),
        (Some(&b""[..]), None, now_ms() + 1, Headers::new()),
        (Some(&b"null value"[..]), None, now_ms() + 1, headers.clone()),
        (Some(&b"empty value"[..]), Some(&b""[..]), now_ms() + 1, headers.clone()),
        (Some(&b"empty value"[..]), Some(&b""[..]), now_ms() + 1, Headers::new()),
        (Some(&b"zero behind zero"[..]), Some(&b"\0\0"[..]), now_ms() + 1, headers.clone()),
    ];
    for (key, value, timestamp, headers) in &sent {
        let record = OutgoingRecord { topic: &topic, partition: Some(0), key: *key, value: *value, timestamp: *timestamp, headers };
        producer.send(&record, DeliverySlot::UNTRACKED).unwrap();
    }
    producer.flush(TIMEOUT).unwrap();

    let mut consumer = cluster.consumer();
    consumer.assign(&[(partition(&topic, 0), 0)]).unwrap();
    let received = records(&poll_to_the_end(&mut consumer, i64::try_from(sent.len()).unwrap()));
    assert_eq!(received.len(), sent.len());
    for (index, (record, (key, value, timestamp, headers))) in received.iter().zip(&sent).enumerate() {
        assert_eq!((record.key.as_deref(), record.value.as_deref()), (*key, *value), "null and empty differ");
        assert_eq!((record.offset, record.timestamp), (i64::try_from(index).unwrap(), *timestamp));
        assert_eq!(&record.headers, headers);
    }
}

#[test]
fn a_poll_comes_back_with_the_first_record_and_does_not_wait_for_more() {
    let cluster = Cluster::new();
    let topic = cluster.topic("prompt", 1);
    let mut consumer = cluster.consumer();
    consumer.assign(&[(partition(&topic, 0), 0)]).unwrap();
    poll_to_the_end(&mut consumer, 0);
    cluster.fill(&topic, 0, 1);
    let started = Instant::now();
    let mut polled = Vec::new();
    consumer.poll(TIMEOUT, 1_000, &mut polled).unwrap();
    assert!(!polled.is_empty() && started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn a_topic_that_the_client_has_not_met_is_read_at_once() {
    let cluster = Cluster::new();
    let topics: Vec<_> = (0..5).map(|_| cluster.topic("unmet", 1)).collect();
    topics.iter().for_each(|topic| cluster.fill(topic, 0, 1));
    let mut consumer = cluster.consumer();
    // librdkafka by itself looks once a second for topics that it was assigned.
    let mut waits: Vec<Duration> = topics
        .iter()
        .map(|topic| {
            let started = Instant::now();
            consumer.assign(&[(partition(topic, 0), 0)]).unwrap();
            poll_until(&mut consumer, |polled| !records(polled).is_empty());
            started.elapsed()
        })
        .collect();
    waits.sort_unstable();
    assert!(waits[2] < Duration::from_millis(500), "{waits:?}");
}

#[test]
fn the_end_of_a_partition_is_behind_markers_and_aborted_records() {
    let cluster = Cluster::new();
    let topic = cluster.topic("markers", 1);
    let producer = cluster.transactional(&unique("id"));
    let transaction = |values: &[&str], commit: bool| {
        producer.begin_transaction().unwrap();
        values.iter().for_each(|value| send(&producer, &topic, 0, value));
        producer.flush(TIMEOUT).unwrap();
        if commit { producer.commit_transaction(TIMEOUT).unwrap() } else { producer.abort_transaction(TIMEOUT).unwrap() }
    };
    transaction(&["a", "b"], true);
    transaction(&["gone", "gone"], false);
    // Two records, a marker, two aborted records, a marker.
    let mut consumer = cluster.consumer();
    consumer.assign(&[(partition(&topic, 0), 0)]).unwrap();
    let polled = poll_to_the_end(&mut consumer, 6);
    assert_eq!(values(&polled), ["a", "b"]);
    assert_eq!(end_position(&polled), Some(6));
    assert_eq!(consumer.position(&partition(&topic, 0)), Some(6));
}

#[test]
fn nothing_comes_from_a_partition_that_was_taken_away() {
    let cluster = Cluster::new();
    let (topic, other) = (cluster.topic("taken", 2), cluster.topic("kept", 1));
    cluster.fill(&topic, 0, 5_000);
    cluster.fill(&topic, 1, 100);
    let mut consumer = cluster.consumer();
    consumer.assign(&[(partition(&topic, 0), 0), (partition(&topic, 1), 0), (partition(&other, 0), 0)]).unwrap();
    let mut polled = Vec::new();
    while records(&polled).len() < 10 {
        consumer.poll(TIMEOUT, 10, &mut polled).unwrap();
    }
    // Thousands are prefetched by now.
    consumer.unassign(&[partition(&topic, 0)]).unwrap();
    cluster.fill(&other, 0, 1);
    let later = poll_until(&mut consumer, |polled| records(polled).iter().any(|record| record.topic == other));
    assert!(records(&later).iter().all(|record| record.topic == other || record.partition == 1));

    // It comes back where it is told to, not where it was.
    consumer.assign(&[(partition(&topic, 0), 4_990)]).unwrap();
    let again = poll_until(&mut consumer, |polled| records(polled).iter().any(|record| record.offset == 4_999));
    assert_eq!(offsets(&again), (4_990..5_000).collect::<Vec<_>>());
}

#[test]
fn a_partition_is_assigned_once_and_at_a_real_offset() {
    let cluster = Cluster::new();
    let topic = cluster.topic("assign", 1);
    let mut consumer = cluster.consumer();
    assert_eq!(consumer.assign(&[(partition(&topic, 0), -1)]).unwrap_err().kind(), ErrorKind::Invalid);
    consumer.assign(&[(partition(&topic, 0), 0)]).unwrap();
    assert_eq!(consumer.assign(&[(partition(&topic, 0), 0)]).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(consumer.seek(&partition(&topic, 7), 0).unwrap_err().kind(), ErrorKind::Invalid);
    consumer.unassign(&[partition(&topic, 0), partition(&topic, 7)]).unwrap();
}

#[test]
fn a_seek_drops_what_was_prefetched() {
    let cluster = Cluster::new();
    let topic = cluster.topic("seek", 1);
    cluster.fill(&topic, 0, 3_000);
    let mut consumer = cluster.consumer();
    consumer.assign(&[(partition(&topic, 0), 0)]).unwrap();
    poll_until(&mut consumer, |polled| polled.len() >= 100);
    for target in [2_500, 10, 0] {
        consumer.seek(&partition(&topic, 0), target).unwrap();
        let polled = poll_until(&mut consumer, |polled| records(polled).len() >= 5);
        let expected: Vec<i64> = (target..).take(offsets(&polled).len()).collect();
        assert_eq!(offsets(&polled), expected);
    }
}

#[test]
fn a_paused_partition_goes_on_without_gap_or_repeat() {
    let cluster = Cluster::new();
    let topic = cluster.topic("pause", 2);
    let paused = partition(&topic, 0);
    cluster.fill(&topic, 0, 100);
    let mut consumer = cluster.consumer();
    consumer.assign(&[(paused.clone(), 0), (partition(&topic, 1), 0)]).unwrap();
    // Paused after the end was reported: librdkafka's own resume would skip the next record.
    poll_until(&mut consumer, |polled| end_position(polled).is_some() && records(polled).len() == 100);
    consumer.pause(std::slice::from_ref(&paused));
    cluster.fill(&topic, 0, 50);
    cluster.fill(&topic, 1, 20);
    let meanwhile = poll_until(&mut consumer, |polled| records(polled).len() == 20);
    assert!(records(&meanwhile).iter().all(|record| record.partition == 1));
    consumer.resume(std::slice::from_ref(&paused)).unwrap();
    let polled = poll_until(&mut consumer, |polled| records(polled).len() >= 50);
    assert_eq!(offsets(&polled), (100..150).collect::<Vec<_>>());
}

#[test]
fn a_partition_that_is_paused_for_long_is_not_held_in_memory() {
    let cluster = Cluster::new();
    let topic = cluster.topic("long-pause", 2);
    let paused = partition(&topic, 0);
    cluster.fill(&topic, 0, 40_000);
    let mut consumer = cluster.consumer();
    consumer.assign(&[(paused.clone(), 0), (partition(&topic, 1), 0)]).unwrap();
    consumer.pause(std::slice::from_ref(&paused));
    for round in 1..=20 {
        cluster.fill(&topic, 1, 1);
        poll_until(&mut consumer, |polled| records(polled).len() == 1);
        assert!(consumer.position(&paused).unwrap() <= 25_000, "round {round}: {:?}", consumer.position(&paused));
    }
    consumer.resume(std::slice::from_ref(&paused)).unwrap();
    let polled = poll_until(&mut consumer, |polled| records(polled).len() >= 40_000);
    assert_eq!(offsets(&polled), (0..40_000).collect::<Vec<_>>());
}

#[test]
fn an_offset_outside_of_the_log_is_an_event_and_no_jump() {
    let cluster = Cluster::new();
    let topic = cluster.topic("range", 2);
    cluster.fill(&topic, 0, 100);
    cluster.fill(&topic, 1, 10);
    cluster.admin.delete_records(&BTreeMap::from([(partition(&topic, 0), 50)]), TIMEOUT).unwrap();
    let mut consumer = cluster.consumer();
    consumer.assign(&[(partition(&topic, 0), 10), (partition(&topic, 1), 1_000)]).unwrap();
    let is_event = |polled: &Polled| matches!(polled, Polled::OffsetOutOfRange { .. });
    let polled = poll_until(&mut consumer, |polled| polled.iter().filter(|polled| is_event(polled)).count() == 2);
    assert_eq!(records(&polled).len(), 0);
    for polled in polled.iter().filter(|polled| is_event(polled)) {
        let Polled::OffsetOutOfRange { error, .. } = polled else { continue };
        assert_eq!(error.kind(), ErrorKind::Corrupted);
    }
    consumer.seek(&partition(&topic, 0), 50).unwrap();
    let polled = poll_until(&mut consumer, |polled| records(polled).len() >= 50);
    assert_eq!(offsets(&polled), (50..100).collect::<Vec<_>>());
}

#[test]
fn a_missing_topic_is_an_error_of_its_partition() {
    let cluster = Cluster::new();
    let missing = unique("missing").into();
    let mut consumer =
        cluster.consumer_with(&[("topic.metadata.propagation.max.ms", "100"), ("topic.metadata.refresh.interval.ms", "500")]);
    consumer.assign(&[(partition(&missing, 0), 0)]).unwrap();
    let polled = poll_until(&mut consumer, |polled| !polled.is_empty());
    let Polled::Error { partition: Some(of), error } = &polled[0] else { panic!("{polled:?}") };
    assert_eq!((of, error.kind()), (&partition(&missing, 0), ErrorKind::Retriable));
    assert!(error.to_string().contains("create the topic"), "{error}");
}

#[test]
fn another_thread_can_interrupt_a_poll() {
    let cluster = Cluster::new();
    let mut consumer = cluster.consumer();
    let waker = consumer.waker();
    let mut nothing = Vec::new();
    // Before the poll, and during it.
    waker.wake();
    let started = Instant::now();
    consumer.poll(TIMEOUT, 10, &mut nothing).unwrap();
    let (polling, is_polling) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        is_polling.recv().unwrap();
        waker.wake();
        waker
    });
    polling.send(()).unwrap();
    consumer.poll(TIMEOUT, 10, &mut nothing).unwrap();
    assert!(nothing.is_empty() && started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let waker = thread.join().unwrap();
    drop(consumer);
    waker.wake();
}

#[test]
fn a_message_outlives_its_consumer() {
    let cluster = Cluster::new();
    let topic = cluster.topic("outlive", 1);
    cluster.fill(&topic, 0, 3);
    let mut consumer = cluster.consumer();
    consumer.assign(&[(partition(&topic, 0), 0)]).unwrap();
    let polled = poll_to_the_end(&mut consumer, 3);
    drop(consumer);
    let thread = std::thread::spawn(move || values(&polled));
    assert_eq!(thread.join().unwrap(), ["0", "1", "2"]);
}
