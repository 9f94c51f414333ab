//! A cluster for one test: topics with names of its own, written and read by plain clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{Message, message::ToBytes};
use stream_broker::{Broker, BrokerConfig};

use super::PATIENCE;

/// One record as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since the epoch; of a topic with `message.timestamp.type=LogAppendTime`, when the broker took the record.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

impl Row {
    pub fn key_text(&self) -> String {
        String::from_utf8_lossy(self.key.as_deref().unwrap_or_default()).into_owned()
    }

    pub fn value_text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }

    /// The value as 8-byte big-endian integer.
    pub fn value_long(&self) -> i64 {
        let bytes = self.value.as_deref().unwrap_or_default();
        i64::from_be_bytes(bytes.try_into().unwrap_or_else(|_| panic!("{bytes:?} is no 8-byte integer")))
    }
}

/// Tests that measure time have the machine to themselves; the others share it.
static MACHINE: RwLock<()> = RwLock::new(());

#[expect(dead_code, reason = "held until the test ends")]
enum Share {
    Part(RwLockReadGuard<'static, ()>),
    Whole(RwLockWriteGuard<'static, ()>),
}

/// A cluster.
pub struct Cluster {
    broker: Option<Broker>,
    bootstrap_servers: String,
    prefix: String,
    _machine: Share,
}

impl Cluster {
    /// The cluster that `KSTREAMS_BOOTSTRAP_SERVERS` names, or an embedded broker of the test's own.
    pub fn start() -> Self {
        Self::start_with(Share::Part(MACHINE.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// As [`Cluster::start`], with no other test running until it is dropped.
    pub fn start_alone() -> Self {
        Self::start_with(Share::Whole(MACHINE.write().unwrap_or_else(PoisonError::into_inner)))
    }

    fn start_with(machine: Share) -> Self {
        super::log_to_stderr();
        static TESTS: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let prefix = format!("t{now}-{}-{}", std::process::id(), TESTS.fetch_add(1, Ordering::Relaxed));
        match std::env::var("KSTREAMS_BOOTSTRAP_SERVERS") {
            Ok(bootstrap_servers) => Self { broker: None, bootstrap_servers, prefix, _machine: machine },
            Err(_) => {
                let config = BrokerConfig::default().auto_create_topics(false).log_retention(None);
                let broker = Broker::start(config).expect("the embedded broker starts");
                Self { bootstrap_servers: broker.bootstrap_servers(), broker: Some(broker), prefix, _machine: machine }
            }
        }
    }

    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// The embedded broker, for tests that cut its network; `None` on a cluster that is not the test's own.
    pub fn embedded(&self) -> Option<&Broker> {
        self.broker.as_ref()
    }

    /// A name that no other test has.
    pub fn unique(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap_servers);
        config
    }

    /// Creates a topic under a name that no other test has, and returns the name.
    pub fn topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> String {
        let name = self.unique(name);
        self.create_topic(&name, partitions, settings);
        name
    }

    /// Creates a topic under this very name.
    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("an admin client");
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        for result in futures::executor::block_on(admin.create_topics([&topic], &options)).expect("an answer to CreateTopics") {
            result.unwrap_or_else(|(topic, code)| panic!("topic {topic} was not created: {code}"));
        }
    }

    /// Deletes a topic and waits until it is gone.
    pub fn delete_topic(&self, name: &str) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("an admin client");
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        for result in futures::executor::block_on(admin.delete_topics(&[name], &options)).expect("an answer to DeleteTopics") {
            result.unwrap_or_else(|(topic, code)| panic!("topic {topic} was not deleted: {code}"));
        }
        let deadline = Instant::now() + PATIENCE;
        while self.topics(name).iter().any(|topic| topic == name) {
            assert!(Instant::now() < deadline, "topic {name} is still there");
            // A real cluster deletes in its own time, and tells nobody.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Writes records and waits until all are acknowledged. Without a partition, null keys go anywhere and others where Java's default
    /// partitioner puts them.
    pub fn produce<K, V>(&self, topic: &str, records: impl IntoIterator<Item = (Option<K>, V)>)
    where
        K: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let producer = self.producer(&[]);
        for (key, value) in records {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic).payload(value.as_ref());
            if let Some(key) = &key {
                record = record.key(key.as_ref());
            }
            send(&producer, record);
        }
        producer.flush(PATIENCE).expect("all records are acknowledged");
    }

    /// A plain producer.
    pub fn producer(&self, settings: &[(&str, &str)]) -> BaseProducer {
        let mut config = self.client();
        config.set("enable.idempotence", "true").set("linger.ms", "10").set("partitioner", "murmur2_random");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        config.create().expect("a producer")
    }

    /// Leaves an aborted transaction at the end of each partition: records that no committed reader may see.
    pub fn abort_a_transaction(&self, topic: &str, partitions: i32) {
        let producer: BaseProducer = self.producer(&[("transactional.id", &self.unique("aborts"))]);
        producer.init_transactions(PATIENCE).expect("transactions");
        producer.begin_transaction().expect("a transaction");
        for partition in 0..partitions {
            for word in 0..10 {
                send(&producer, BaseRecord::<str, [u8]>::to(topic).partition(partition).key(&format!("w{word}")).payload(&[0; 8]));
            }
        }
        producer.flush(PATIENCE).expect("records are written");
        producer.abort_transaction(PATIENCE).expect("it is aborted");
    }

    /// A consumer that is assigned all partitions of a topic from their beginnings; it sees committed records only.
    pub fn consumer(&self, topic: &str) -> BaseConsumer {
        let consumer = self.observer("reader");
        let mut assignment = TopicPartitionList::new();
        for partition in 0..self.partitions(&consumer, topic) {
            assignment.add_partition_offset(topic, partition, Offset::Beginning).expect("an assignment");
        }
        consumer.assign(&assignment).expect("an assignment");
        consumer
    }

    fn observer(&self, group: &str) -> BaseConsumer {
        let mut config = self.client();
        config.set("group.id", group).set("enable.auto.commit", "false").set("isolation.level", "read_committed");
        config.set("enable.partition.eof", "true").set("fetch.wait.max.ms", "100").set("allow.auto.create.topics", "false");
        config.create().expect("a consumer")
    }

    fn partitions(&self, consumer: &BaseConsumer, topic: &str) -> i32 {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("metadata");
        i32::try_from(metadata.topics()[0].partitions().len()).expect("a partition count")
    }

    /// Gives committed records to `take` until it says that it has enough. Panics when that takes longer than `timeout`.
    pub fn read_until(&self, topic: &str, timeout: Duration, mut take: impl FnMut(Row) -> bool) {
        let consumer = self.consumer(topic);
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            match consumer.poll(Duration::from_millis(500)) {
                Some(Ok(record)) => {
                    if take(row(&record)) {
                        return;
                    }
                }
                None | Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => eprintln!("reading {topic}: {error}"),
            }
        }
        panic!("{topic} did not hold what was expected within {} s", timeout.as_secs());
    }

    /// All committed records up to the present end of each partition.
    pub fn read_all(&self, topic: &str) -> Vec<Row> {
        self.await_decided(topic);
        let consumer = self.consumer(topic);
        let mut open: Vec<i32> = (0..self.partitions(&consumer, topic)).collect();
        let deadline = Instant::now() + PATIENCE;
        let mut rows = Vec::new();
        while !open.is_empty() {
            assert!(Instant::now() < deadline, "{topic} could not be read to its end");
            match consumer.poll(Duration::from_millis(500)) {
                Some(Ok(record)) => rows.push(row(&record)),
                Some(Err(KafkaError::PartitionEOF(partition))) => open.retain(|other| *other != partition),
                Some(Err(error)) => eprintln!("reading {topic}: {error}"),
                None => {}
            }
        }
        rows
    }

    /// Names of the topics that begin with `prefix`.
    pub fn topics(&self, prefix: &str) -> Vec<String> {
        let metadata = self.observer("topics").fetch_metadata(None, PATIENCE).expect("metadata");
        metadata.topics().iter().map(|topic| topic.name().to_owned()).filter(|name| name.starts_with(prefix)).collect()
    }

    /// The offsets that `group` has committed, per partition; -1 where it has none.
    pub fn committed(&self, group: &str, topic: &str) -> Vec<i64> {
        let observer = self.observer(group);
        let mut partitions = TopicPartitionList::new();
        for partition in 0..self.partitions(&observer, topic) {
            partitions.add_partition(topic, partition);
        }
        let committed = observer.committed_offsets(partitions, PATIENCE).expect("committed offsets");
        committed.elements().iter().map(|element| if let Offset::Offset(offset) = element.offset() { offset } else { -1 }).collect()
    }

    /// Commits an offset for a group that has no members.
    pub fn commit(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("an offset");
        self.observer(group).commit(&offsets, CommitMode::Sync).expect("a committed offset");
    }

    /// The end offsets, per partition, as a committed reader sees them.
    pub fn ends(&self, topic: &str) -> Vec<i64> {
        self.ends_seen_by(&self.observer("ends"), topic)
    }

    fn ends_seen_by(&self, observer: &BaseConsumer, topic: &str) -> Vec<i64> {
        let partitions = 0..self.partitions(observer, topic);
        partitions.map(|partition| observer.fetch_watermarks(topic, partition, PATIENCE).expect("watermarks").1).collect()
    }

    /// Waits until no transaction is open on a topic. One that a stopped process left behind hides all that others have committed since, until
    /// the broker ends it after its `transaction.timeout.ms`.
    fn await_decided(&self, topic: &str) {
        let everything: BaseConsumer =
            self.client().set("group.id", "ends").set("isolation.level", "read_uncommitted").create().expect("a consumer");
        let deadline = Instant::now() + PATIENCE;
        while self.ends(topic) != self.ends_seen_by(&everything, topic) {
            assert!(Instant::now() < deadline, "a transaction on {topic} stays open");
            // Kafka tells nobody when a transaction ends.
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Takes all members out of a group, as an operator can, so that nobody need wait for the session of a dead one to end.
    pub fn expel_members(&self, group: &str) {
        let groups = self.observer("members").fetch_group_list(Some(group), PATIENCE).expect("a description of the group");
        for member in groups.groups().iter().flat_map(|group| group.members()) {
            leave_group(&self.bootstrap_servers, group, member.id());
        }
    }

    /// Waits until `group` has committed `topic` and the repartition topics of `group` to their ends.
    pub fn await_processed(&self, group: &str, topic: &str, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        loop {
            let repartition = self.topics(&format!("{group}-")).into_iter().filter(|name| name.ends_with("-repartition"));
            let behind: Vec<String> = std::iter::once(topic.to_owned())
                .chain(repartition)
                .filter(|topic| {
                    let committed = self.committed(group, topic);
                    self.ends(topic).iter().zip(&committed).any(|(end, committed)| *end > 0 && committed < end)
                })
                .collect();
            if behind.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{group} did not process {behind:?} within {} s", timeout.as_secs());
            // Kafka tells nobody when an offset is committed.
            std::thread::sleep(Duration::from_millis(250));
        }
    }
}

/// LeaveGroup, version 1, for somebody else: plain clients only leave for themselves.
fn leave_group(broker: &str, group: &str, member: &str) {
    let mut request = Vec::new();
    for number in [13_i16, 1, 0, 0] {
        // Key, version, and a correlation id of zero.
        request.extend(number.to_be_bytes());
    }
    for text in ["expel", group, member] {
        request.extend(i16::try_from(text.len()).expect("a short text").to_be_bytes());
        request.extend(text.as_bytes());
    }
    let mut stream = TcpStream::connect(broker).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(&u32::try_from(request.len()).expect("a short request").to_be_bytes()).expect("a written length");
    stream.write_all(&request).expect("a written request");
    // Length, correlation id, throttle time, error.
    let mut response = [0; 14];
    stream.read_exact(&mut response).expect("an answer");
    assert_eq!(response[12..], [0, 0], "member {member} of {group} was not taken out");
}

/// Sends a record, waiting while the producer's queue is full.
pub fn send<K: ToBytes + ?Sized, V: ToBytes + ?Sized>(producer: &BaseProducer, mut record: BaseRecord<'_, K, V>) {
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), rejected)) => {
                producer.poll(Duration::from_millis(100));
                record = rejected;
            }
            Err((error, _)) => panic!("a record was not sent: {error}"),
        }
    }
}

fn row(record: &impl Message) -> Row {
    let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    Row {
        partition: record.partition(),
        offset: record.offset(),
        timestamp: record.timestamp().to_millis().unwrap_or(-1),
        key: bytes(record.key()),
        value: bytes(record.payload()),
    }
}
