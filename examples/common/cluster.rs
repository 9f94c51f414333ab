//! Plain Kafka clients of an example, beside the application: they create topics, feed lines and read results.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kstreams::core::config::ClientRole;
use kstreams::prelude::StreamsConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::BoxError;

/// How long one request may take once the cluster was reached.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a request is waited for before it is made again, and a signal is heard of.
const REQUEST_STEP: Duration = Duration::from_secs(3);

/// Remembers what a client last said of its connections: a wrong password or a wrong protocol shows only there.
#[derive(Default)]
struct LastError(Mutex<Option<String>>);

impl rdkafka::ClientContext for LastError {
    fn error(&self, error: KafkaError, reason: &str) {
        // That all brokers are down is what follows from another error.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for LastError {}

/// Makes a request again and again until it is answered, for at most [`REQUEST_TIMEOUT`] or until `stop`, for which the answer is `None`.
fn answered<T>(stop: &AtomicBool, request: impl Fn(Duration) -> Result<T, KafkaError>) -> Result<Option<T>, KafkaError> {
    let started = Instant::now();
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match request(REQUEST_STEP) {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) if started.elapsed() >= REQUEST_TIMEOUT => return Err(error),
            // It may have been refused at once.
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// A cluster and how to connect to it: with the settings of the application, TLS and SASL included.
#[derive(Clone)]
pub struct Cluster {
    bootstrap_servers: String,
    application_id: String,
    properties: BTreeMap<String, String>,
}

impl Cluster {
    /// The cluster that a configuration names.
    pub fn new(config: &StreamsConfig, bootstrap_servers: &str) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.to_owned(),
            application_id: config.application_id().to_owned(),
            properties: config.client_properties(ClientRole::Admin),
        }
    }

    /// Settings for a client of the example's own.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("client.id", format!("{}-example", self.application_id));
        config
    }

    /// A consumer that belongs to no group of its own; it reads metadata and the application's committed offsets.
    pub fn observer(&self) -> Result<BaseConsumer, BoxError> {
        Ok(self.observer_config().create()?)
    }

    fn observer_config(&self) -> ClientConfig {
        let mut config = self.client_config();
        config
            .set("group.id", &self.application_id)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed");
        config
    }

    /// Fails when no broker answers in time.
    pub fn await_connection(&self, timeout: Duration) -> Result<(), BoxError> {
        let observer: BaseConsumer<LastError> = self.observer_config().create_with_context(LastError::default())?;
        match observer.fetch_metadata(None, timeout) {
            Ok(metadata) if !metadata.brokers().is_empty() => Ok(()),
            Ok(_) => Err(format!("the cluster at {} has no broker yet; try again when it runs", self.bootstrap_servers).into()),
            Err(error) => {
                // What the client has to say is said by its polls.
                while observer.poll(Duration::ZERO).is_some() {}
                let last = observer.context().0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(|| error.to_string());
                Err(format!(
                    "no broker answered at {} within {} ms ({last}); check --bootstrap-servers, `security.protocol` with its `sasl.*` and `ssl.*` \
                     settings, and that Kafka runs there, or leave the flag out to use an embedded broker",
                    self.bootstrap_servers,
                    timeout.as_millis()
                )
                .into())
            }
        }
    }

    /// Creates a topic with the broker's default replication; one that exists is left as it is.
    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<(), BoxError> {
        let admin: AdminClient<DefaultClientContext> = self.client_config().create()?;
        // -1: the broker's default.replication.factor.
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT)).request_timeout(Some(REQUEST_TIMEOUT));
        let results = futures::executor::block_on(admin.create_topics([&topic], &options))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => return Err(format!("cannot create topic {topic}: {code}").into()),
            }
        }
        Ok(())
    }

    /// Writes rows of a table, all with the same timestamp (ms), and waits until they are delivered.
    pub fn send_table(&self, topic: &str, rows: &[(String, String)], timestamp: i64) -> Result<(), BoxError> {
        // The partitioner of the application and of Java's clients, so that a row lies where a join looks for it.
        let producer: BaseProducer =
            self.client_config().set("enable.idempotence", "true").set("partitioner", "murmur2_random").create()?;
        for (key, value) in rows {
            let record = BaseRecord::to(topic).key(key).payload(value).timestamp(timestamp);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        Ok(producer.flush(REQUEST_TIMEOUT)?)
    }

    /// How many records of these topics, and then of the application's repartition topics, are not behind the group's committed offsets.
    ///
    /// Source topics are asked first: what they led to in a repartition topic was committed with them, so when both are at their ends,
    /// everything is processed. `None`: `stop` was set before all was answered.
    pub fn lag(&self, observer: &BaseConsumer, topics: &[String], stop: &AtomicBool) -> Result<Option<i64>, BoxError> {
        let Some(metadata) = answered(stop, |timeout| observer.fetch_metadata(None, timeout))? else { return Ok(None) };
        let prefix = format!("{}-", self.application_id);
        let repartition =
            metadata.topics().iter().map(|topic| topic.name()).filter(|name| name.starts_with(&prefix) && name.ends_with("-repartition"));
        let mut lag = 0;
        for name in topics.iter().map(String::as_str).chain(repartition) {
            let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { continue };
            let mut partitions = TopicPartitionList::new();
            for partition in topic.partitions() {
                partitions.add_partition(name, partition.id());
            }
            let Some(committed) = answered(stop, |timeout| observer.committed_offsets(partitions.clone(), timeout))? else {
                return Ok(None);
            };
            for element in committed.elements() {
                let ends = answered(stop, |timeout| observer.fetch_watermarks(name, element.partition(), timeout))?;
                let Some((low, high)) = ends else { return Ok(None) };
                let position = match element.offset() {
                    Offset::Offset(offset) => offset,
                    _ => low,
                };
                lag += (high - position).max(0);
            }
        }
        Ok(Some(lag))
    }
}
