//! An embedded broker with the topics of a case, and plain clients that write and read them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kstreams::core::Headers;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header as ClientHeader, Headers as _, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;
use stream_broker::{Broker, BrokerConfig};

use super::PATIENCE;
use crate::interpreter::expected::{EXCEPTION_HEADER, Header, Produced, bytes, headers, number};

/// A broker for one case.
pub struct Cluster {
    broker: Broker,
    partitions: i32,
    producer: BaseProducer,
}

impl Cluster {
    /// Starts a broker and makes the topics that the case reads and writes, internal ones not.
    pub fn start(case: &Value, partitions: i32) -> Self {
        let config = BrokerConfig::default().auto_create_topics(false).log_retention(None).initial_rebalance_delay(Duration::ZERO);
        let broker = Broker::start(config).expect("the embedded broker starts");
        for topic in topics(case) {
            broker.create_topic(&topic, partitions, std::iter::empty::<(&str, &str)>()).expect("a topic");
        }
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.bootstrap_servers()).set("linger.ms", "0").set("partitioner", "murmur2_random");
        let producer = config.create().expect("a producer");
        Self { broker, partitions, producer }
    }

    pub fn bootstrap_servers(&self) -> String {
        self.broker.bootstrap_servers()
    }

    /// A consumer that sees committed records only.
    pub fn consumer(&self) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.broker.bootstrap_servers()).set("group.id", "app").set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed").set("enable.partition.eof", "true").set("fetch.wait.max.ms", "10");
        config.create().expect("a consumer")
    }

    /// Writes the record of a step.
    pub fn send(&self, step: &Value) -> Result<(), String> {
        let (key, value, timestamp) = (bytes(&step["key"])?, bytes(&step["value"])?, number(&step["ts"])?);
        let mut record = BaseRecord::<[u8], [u8]>::to(step["pipe"].as_str().ok_or("a step of an unknown kind")?).timestamp(timestamp);
        if self.partitions == 1 {
            record = record.partition(0);
        }
        if let Some(key) = &key {
            record = record.key(key);
        }
        if let Some(value) = &value {
            record = record.payload(value);
        }
        let sent = client_headers(&headers(&step["headers"])?);
        if sent.count() > 0 {
            record = record.headers(sent);
        }
        self.producer.send(record).map_err(|(error, _)| error.to_string())?;
        self.producer.flush(PATIENCE).map_err(|error| error.to_string())
    }

    /// The partitions of topics that exist.
    pub fn partitions_of(&self, consumer: &BaseConsumer, wanted: impl Fn(&str) -> bool) -> Vec<(String, i32)> {
        let metadata = consumer.fetch_metadata(None, PATIENCE).expect("metadata");
        let topics = metadata.topics().iter().filter(|topic| wanted(topic.name()));
        let partitions = topics.flat_map(|topic| topic.partitions().iter().map(|partition| (topic.name().to_owned(), partition.id())));
        partitions.collect()
    }

    /// Every committed record of the topics, in the order of each partition.
    pub fn read(&self, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Vec<Produced>>, String> {
        let consumer = self.consumer();
        let mut assignment = TopicPartitionList::new();
        let mut open: BTreeSet<(String, i32)> = self.partitions_of(&consumer, wanted).into_iter().collect();
        for (topic, partition) in &open {
            assignment.add_partition_offset(topic, *partition, Offset::Beginning).map_err(|error| error.to_string())?;
        }
        consumer.assign(&assignment).map_err(|error| error.to_string())?;
        let names = assignment.elements().iter().map(|element| element.topic().to_owned()).collect::<Vec<_>>();
        let mut records: BTreeMap<String, Vec<Produced>> = BTreeMap::new();
        let deadline = Instant::now() + PATIENCE;
        while !open.is_empty() {
            if Instant::now() > deadline {
                return Err(format!("{open:?} could not be read to their ends"));
            }
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => records.entry(message.topic().to_owned()).or_default().push(produced(&message)),
                // It does not say of which topic: what stands at its end is asked.
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    let position = consumer.position().map_err(|error| error.to_string())?;
                    open.retain(|(topic, partition)| {
                        let at = position.find_partition(topic, *partition).map(|element| element.offset());
                        let end = consumer.fetch_watermarks(topic, *partition, PATIENCE).map(|(_, end)| end);
                        match (at, end) {
                            (Some(Offset::Offset(at)), Ok(end)) => at < end,
                            (_, Ok(end)) => end > 0,
                            _ => true,
                        }
                    });
                }
                Some(Err(error)) => return Err(error.to_string()),
                None => {}
            }
        }
        for name in names {
            records.entry(name).or_default();
        }
        Ok(records)
    }
}

/// Topics of sources, of steps, of expected records and of dead letters.
fn topics(case: &Value) -> BTreeSet<String> {
    let mut topics: BTreeSet<String> = super::selection::sources(case).into_iter().collect();
    let add = |topics: &mut BTreeSet<String>, topic: &Value| topics.extend(topic.as_str().map(str::to_owned));
    for statement in case["topology"].as_array().into_iter().flatten() {
        add(&mut topics, &statement["topic"]);
        add(&mut topics, &statement["consume-to"]);
        statement["branches"].as_array().into_iter().flatten().for_each(|branch| add(&mut topics, &branch["consume-to"]));
    }
    case["steps"].as_array().into_iter().flatten().for_each(|step| add(&mut topics, &step["pipe"]));
    let steps = case["expected"]["steps"].as_array().into_iter().flatten();
    steps.flat_map(|step| step["records"].as_array().into_iter().flatten()).for_each(|record| add(&mut topics, &record["topic"]));
    add(&mut topics, &case["config"]["errors.dead.letter.queue.topic.name"]);
    topics.retain(|topic| !crate::interpreter::compare::is_internal(topic));
    topics
}

fn client_headers(headers: &Headers) -> OwnedHeaders {
    let header = |sent: OwnedHeaders, header: &kstreams::core::record::Header| {
        sent.insert(ClientHeader { key: &header.key, value: header.value.as_deref() })
    };
    headers.iter().fold(OwnedHeaders::new(), header)
}

fn produced(message: &impl Message) -> Produced {
    let header = |name: &str, value: Option<&[u8]>| match value {
        Some(bytes) if name == EXCEPTION_HEADER => Header::Exception(String::from_utf8_lossy(bytes).into_owned()),
        _ => Header::Bytes(value.map(<[u8]>::to_vec)),
    };
    let headers = message.headers().map(|headers| headers.iter().map(|one| (one.key.to_owned(), header(one.key, one.value))).collect());
    Produced {
        topic: message.topic().to_owned(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        timestamp: message.timestamp().to_millis(),
        headers: headers.unwrap_or_default(),
    }
}
