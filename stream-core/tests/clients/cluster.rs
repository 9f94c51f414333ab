//! A broker and clients of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use stream_broker::{Broker, BrokerConfig};
use stream_core::client::{
    Admin, ClientContext, DataConsumer, DeliveryReports, DeliverySlot, NewTopic, Polled, Producer, TopicCreation, TracingContext,
};
use stream_core::config::{ClientRole, ProcessingGuarantee, StreamsConfig};
use stream_core::id::TopicPartition;
use stream_core::record::{Headers, OutgoingRecord, OwnedRecord};

/// Far above what anything here needs.
pub const TIMEOUT: Duration = Duration::from_secs(20);

pub struct Cluster {
    pub config: StreamsConfig,
    pub admin: Admin,
    /// The embedded broker; `None` on a cluster of others. Dropped last: it stops then.
    pub broker: Option<Broker>,
}

pub fn context() -> Arc<dyn ClientContext> {
    Arc::new(TracingContext)
}

/// A name that no other test uses, on a cluster that outlives the tests.
pub fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Cluster {
    pub fn new() -> Self {
        let (broker, bootstrap) = match std::env::var("KSTREAMS_BOOTSTRAP_SERVERS") {
            Ok(bootstrap) => (None, bootstrap),
            Err(_) => {
                let broker = Broker::start(BrokerConfig::default().auto_create_topics(false)).unwrap();
                let bootstrap = broker.bootstrap_servers();
                (Some(broker), bootstrap)
            }
        };
        let config = StreamsConfig::new(unique("clients"), bootstrap).with_processing_guarantee(ProcessingGuarantee::ExactlyOnceV2);
        config.validate().unwrap();
        let admin = Admin::new(&config.client_properties(ClientRole::Admin), "admin", &context()).unwrap();
        Self { config, admin, broker }
    }

    /// A new topic.
    pub fn topic(&self, what: &str, partitions: i32) -> Arc<str> {
        let name = unique(what);
        let topic = NewTopic { name: name.clone(), partitions, replication_factor: -1, configs: BTreeMap::new() };
        let mut created = self.admin.create_topics(vec![topic], TIMEOUT).unwrap();
        assert!(matches!(created.remove(&name), Some(TopicCreation::Created)));
        Arc::from(name)
    }

    pub fn consumer(&self) -> DataConsumer {
        self.consumer_with(&[])
    }

    pub fn consumer_with(&self, settings: &[(&str, &str)]) -> DataConsumer {
        let mut properties = self.config.client_properties(ClientRole::Main);
        properties.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        DataConsumer::new(&properties, "consumer", &context()).unwrap()
    }

    pub fn producer(&self, reports: DeliveryReports) -> Producer {
        let mut properties = self.config.client_properties(ClientRole::Producer);
        properties.remove("transaction.timeout.ms");
        Producer::new(&properties, None, reports, "producer", &context()).unwrap()
    }

    pub fn transactional(&self, id: &str) -> Producer {
        let properties = self.config.client_properties(ClientRole::Producer);
        let producer = Producer::new(&properties, Some(id), DeliveryReports::All, "transactional", &context()).unwrap();
        producer.init_transactions(TIMEOUT).unwrap();
        producer
    }

    /// Writes `count` records with values `0`, `1`, … to a partition.
    pub fn fill(&self, topic: &Arc<str>, partition: i32, count: u32) {
        let producer = self.producer(DeliveryReports::FailuresOnly);
        for number in 0..count {
            send(&producer, topic, partition, &number.to_string());
        }
        producer.flush(TIMEOUT).unwrap();
    }
}

/// Records that are older than the topic's retention would not stay.
pub fn now_ms() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// Asks again until the answer is the one that is waited for: a cluster needs a moment to know of its topics and coordinators.
pub fn eventually<T>(mut ask: impl FnMut() -> stream_core::Result<T>, is_it: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match ask() {
            Ok(answer) if is_it(&answer) => return answer,
            Err(error) if error.kind() != stream_core::ErrorKind::Retriable => panic!("{error}"),
            other => assert!(Instant::now() < deadline, "{:?}", other.err()),
        }
        std::thread::yield_now();
    }
}

pub fn partition(topic: &Arc<str>, number: i32) -> TopicPartition {
    TopicPartition::new(Arc::clone(topic), number)
}

pub fn send(producer: &Producer, topic: &Arc<str>, partition: i32, value: &str) {
    send_tracked(producer, topic, partition, value, DeliverySlot::UNTRACKED);
}

pub fn send_tracked(producer: &Producer, topic: &Arc<str>, partition: i32, value: &str, slot: DeliverySlot) {
    let record = OutgoingRecord {
        topic,
        partition: Some(partition),
        key: Some(b"key"),
        value: Some(value.as_bytes()),
        timestamp: now_ms(),
        headers: &Headers::new(),
    };
    producer.send(&record, slot).unwrap();
}

/// Polls until `until` is satisfied with all that came.
pub fn poll_until(consumer: &mut DataConsumer, until: impl Fn(&[Polled]) -> bool) -> Vec<Polled> {
    let deadline = Instant::now() + TIMEOUT;
    let mut polled = Vec::new();
    while !until(&polled) {
        if Instant::now() >= deadline {
            let last = &polled[polled.len().saturating_sub(5)..];
            panic!("only {} of what was expected came, at last {last:?}", polled.len());
        }
        consumer.poll(Duration::from_millis(100), 1_000, &mut polled).unwrap();
    }
    polled
}

pub fn poll_to_the_end(consumer: &mut DataConsumer, end: i64) -> Vec<Polled> {
    poll_until(consumer, |polled| polled.iter().any(|polled| matches!(polled, Polled::Eof { position, .. } if *position >= end)))
}

pub fn records(polled: &[Polled]) -> Vec<OwnedRecord> {
    let owned = |polled: &Polled| {
        let Polled::Message(message) = polled else { return None };
        let raw = message.as_raw();
        Some(OwnedRecord {
            topic: Arc::clone(raw.topic),
            partition: raw.partition,
            offset: raw.offset,
            timestamp: raw.timestamp,
            key: raw.key.map(<[u8]>::to_vec),
            value: raw.value.map(<[u8]>::to_vec),
            headers: raw.headers.clone(),
        })
    };
    polled.iter().filter_map(owned).collect()
}

pub fn offsets(polled: &[Polled]) -> Vec<i64> {
    records(polled).iter().map(|record| record.offset).collect()
}

pub fn values(polled: &[Polled]) -> Vec<String> {
    records(polled).into_iter().map(|record| String::from_utf8(record.value.unwrap()).unwrap()).collect()
}

pub fn end_position(polled: &[Polled]) -> Option<i64> {
    polled.iter().rev().find_map(|polled| if let Polled::Eof { position, .. } = polled { Some(*position) } else { None })
}
