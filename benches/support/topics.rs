//! Plain clients beside the measured ones: topics are made, filled, asked about and deleted.

use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::BenchResult;
use super::generator::{Generator, Input};

/// Every topic of the benchmark has four.
pub const PARTITIONS: i32 = 4;

const TIMEOUT: Duration = Duration::from_secs(30);

/// A cluster, seen by an ordinary client.
pub struct Topics {
    bootstrap_servers: String,
    admin: AdminClient<DefaultClientContext>,
    observer: BaseConsumer,
}

impl Topics {
    /// Connects; `group` is the group whose committed offsets are asked for.
    pub fn connect(bootstrap_servers: &str, group: &str) -> BenchResult<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap_servers).set("group.id", group).set("enable.auto.commit", "false");
        let observer: BaseConsumer = config.create()?;
        observer
            .fetch_metadata(None, TIMEOUT)
            .map_err(|error| format!("no broker answered at {bootstrap_servers} ({error}); check that Kafka runs there"))?;
        let admin = ClientConfig::new().set("bootstrap.servers", bootstrap_servers).create()?;
        Ok(Self { bootstrap_servers: bootstrap_servers.to_owned(), admin, observer })
    }

    /// Fills an input topic, unless it already holds exactly its records: another implementation may have done it.
    pub fn preload(&self, input: Input, n: u64) -> BenchResult<()> {
        let (topic, records) = (input.topic(n), input.records(n));
        if self.exists(&topic)? {
            if self.end_offsets(&topic)?.iter().sum::<i64>() == records.cast_signed() {
                return Ok(());
            }
            self.delete(&[&topic])?;
        }
        eprintln!("preloading {topic}: {records} records");
        self.create(&topic)?;
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "none")
            // Java's batches: how a reader's cost depends on them is part of the comparison.
            .set("batch.size", "16384")
            .set("linger.ms", "100")
            .create()?;
        let mut generator = Generator::new(input);
        for index in 0..records {
            let (key, value, timestamp) = generator.next_record();
            let mut record = BaseRecord::to(&topic).key(key).payload(value).timestamp(timestamp);
            while let Err((error, unsent)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error.into());
                }
                producer.poll(Duration::from_millis(100));
                record = unsent;
            }
            if index % 1_024 == 0 {
                producer.poll(Duration::ZERO);
            }
        }
        producer.flush(Duration::from_secs(120))?;
        let written: i64 = self.end_offsets(&topic)?.iter().sum();
        if written != records.cast_signed() {
            return Err(format!("topic {topic} holds {written} records after {records} were written").into());
        }
        Ok(())
    }

    fn exists(&self, topic: &str) -> BenchResult<bool> {
        let metadata = self.observer.fetch_metadata(None, TIMEOUT)?;
        Ok(metadata.topics().iter().any(|known| known.name() == topic))
    }

    /// Creates a topic with four partitions and waits until it can be written.
    pub fn create(&self, topic: &str) -> BenchResult<()> {
        let new = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(-1));
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let results = block_on(self.admin.create_topics([&new], &options()))?;
            match results.into_iter().next() {
                // One that is being deleted still exists for a moment.
                Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) if Instant::now() < deadline => {}
                Some(Err((topic, code))) => return Err(format!("cannot create topic {topic}: {code}").into()),
                _ => break,
            }
        }
        while self.partitions_with_leader(topic)? < PARTITIONS.unsigned_abs() as usize {
            if Instant::now() > deadline {
                return Err(format!("topic {topic} has no leaders after {} s", TIMEOUT.as_secs()).into());
            }
        }
        Ok(())
    }

    fn partitions_with_leader(&self, topic: &str) -> BenchResult<usize> {
        let metadata = self.observer.fetch_metadata(Some(topic), TIMEOUT)?;
        let partitions =
            metadata.topics().first().map(|topic| topic.partitions().iter().filter(|partition| partition.leader() >= 0).count());
        Ok(partitions.unwrap_or(0))
    }

    /// Deletes topics and waits until they are gone.
    pub fn delete(&self, topics: &[&str]) -> BenchResult<()> {
        if topics.is_empty() {
            return Ok(());
        }
        let results = block_on(self.admin.delete_topics(topics, &options()))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((topic, code)) => return Err(format!("cannot delete topic {topic}: {code}").into()),
            }
        }
        Ok(())
    }

    /// Deletes everything that an application made.
    pub fn delete_with_prefix(&self, prefix: &str) -> BenchResult<()> {
        let metadata = self.observer.fetch_metadata(None, TIMEOUT)?;
        let topics: Vec<&str> = metadata.topics().iter().map(|topic| topic.name()).filter(|name| name.starts_with(prefix)).collect();
        self.delete(&topics)
    }

    /// The end offset of each partition.
    pub fn end_offsets(&self, topic: &str) -> BenchResult<Vec<i64>> {
        (0..PARTITIONS).map(|partition| Ok(self.observer.fetch_watermarks(topic, partition, TIMEOUT)?.1)).collect()
    }

    /// Whether the group's committed offsets are the ends of the topic.
    pub fn is_committed(&self, topic: &str) -> BenchResult<bool> {
        let ends = self.end_offsets(topic)?;
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_range(topic, 0, PARTITIONS - 1);
        let committed = self.observer.committed_offsets(partitions, TIMEOUT)?;
        Ok(committed.elements().iter().all(|element| {
            let end = ends.get(element.partition().unsigned_abs() as usize).copied().unwrap_or(-1);
            end == 0 || element.offset() == Offset::Offset(end)
        }))
    }

    /// Gives every committed record of a topic, up to its present end, as key and value.
    pub fn read_committed(&self, topic: &str, mut take: impl FnMut(&[u8], &[u8])) -> BenchResult<()> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("group.id", "bench-reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("fetch.queue.backoff.ms", "5")
            .create()?;
        let mut assignment = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&assignment)?;
        let mut open = PARTITIONS;
        let deadline = Instant::now() + Duration::from_secs(120);
        while open > 0 {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(record)) => {
                    use rdkafka::Message;
                    take(record.key().unwrap_or_default(), record.payload().unwrap_or_default());
                }
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                Some(Err(error)) => return Err(error.into()),
                None if Instant::now() > deadline => return Err(format!("{topic} could not be read to its end within 120 s").into()),
                None => {}
            }
        }
        Ok(())
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT))
}
