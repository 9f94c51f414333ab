//! Plain Kafka clients of an example, beside the application: they create topics, feed lines and read results.

use std::collections::BTreeMap;
use std::fmt;
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

/// How long a client is asked why it reaches no broker.
const REASON_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a request is waited for before a signal is heard of.
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

/// Why the lag of a group is not known.
#[derive(Debug)]
pub struct UnknownLag {
    reading: String,
    error: KafkaError,
}

impl UnknownLag {
    fn of<T>(result: Result<T, KafkaError>, reading: impl FnOnce() -> String) -> Result<T, Self> {
        result.map_err(|error| Self { reading: reading(), error })
    }

    /// Whether to ask again would not help: the cluster refuses the answer.
    pub fn is_lasting(&self) -> bool {
        use RDKafkaErrorCode::{
            Authentication, ClusterAuthorizationFailed, GroupAuthorizationFailed, SaslAuthenticationFailed, TopicAuthorizationFailed,
        };
        let refusals =
            [Authentication, ClusterAuthorizationFailed, GroupAuthorizationFailed, SaslAuthenticationFailed, TopicAuthorizationFailed];
        self.error.rdkafka_error_code().is_some_and(|code| refusals.contains(&code))
    }
}

impl fmt::Display for UnknownLag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reading, self.error)
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
                let last = Self::last_error(&observer).unwrap_or_else(|| error.to_string());
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

    /// What a client says of its connections. It is said by its polls, behind lines of its log, each of which may be all that a poll does.
    fn last_error(observer: &BaseConsumer<LastError>) -> Option<String> {
        let until = Instant::now() + REASON_TIMEOUT;
        loop {
            let said = observer.poll(Duration::from_millis(20)).is_some();
            let last = observer.context().0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // What it said first may follow from what it says next.
            if last.is_some() && !said || Instant::now() >= until {
                return last;
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
    /// everything is processed.
    ///
    /// # Errors
    /// When one of the requests is not answered within seconds. None is made again here, so that the caller hears of signals.
    pub fn lag(&self, observer: &BaseConsumer, topics: &[String]) -> Result<i64, UnknownLag> {
        let metadata = UnknownLag::of(observer.fetch_metadata(None, REQUEST_STEP), || "reading which topics there are".to_owned())?;
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
            let reading = || format!("reading the lag of group {} on topic {name}", self.application_id);
            let committed = UnknownLag::of(observer.committed_offsets(partitions, REQUEST_STEP), reading)?;
            for element in committed.elements() {
                let (low, high) = UnknownLag::of(observer.fetch_watermarks(name, element.partition(), REQUEST_STEP), reading)?;
                let position = match element.offset() {
                    Offset::Offset(offset) => offset,
                    _ => low,
                };
                lag += (high - position).max(0);
            }
        }
        Ok(lag)
    }
}
