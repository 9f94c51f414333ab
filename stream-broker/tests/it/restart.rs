//! A broker with a data folder: what it keeps when it ends, and when it is killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Batch, Client, values};
use bytes::Bytes;
use kafka_protocol::messages::{InitProducerIdRequest, ProducerId};
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use stream_broker::{Broker, BrokerConfig, BrokerError};

const WAIT: Duration = Duration::from_secs(20);
/// Records between two kills.
const KILLS_AT: [u64; 8] = [1, 40, 41, 97, 230, 260, 400, 555];

/// The program, with its data in a folder and small segments.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    fn start(folder: &Path, listen: &str) -> Program {
        let folder = folder.to_str().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_stream-broker"))
            .args(["--listen", listen, "--data-dir", folder])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        Program { child, address }
    }

    /// SIGKILL: nothing of the program's own runs any more.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills the program whenever the count passes one of the marks, and starts it again on the same port.
fn kill_at(marks: &[u64], count: &AtomicU64, folder: &Path, mut program: Program) -> Program {
    let listen = program.address.to_string();
    for &mark in marks {
        let begun = Instant::now();
        while count.load(Ordering::Relaxed) < mark {
            assert!(begun.elapsed() < Duration::from_secs(60), "the client does not come on beyond {count:?}");
            std::thread::yield_now();
        }
        program.kill();
        program = Program::start(folder, &listen);
    }
    program
}

fn try_produce(address: SocketAddr, connection: &mut Option<Client>, records: Bytes) -> Option<(i16, i64)> {
    let stream = std::net::TcpStream::connect(address).ok().filter(|_| connection.is_none());
    if let Some(stream) = stream {
        drop(stream);
        *connection = Some(Client::connect(address));
    }
    let client = connection.as_mut()?;
    match client.try_produce("t", 0, records) {
        Ok(response) => Some((response.error_code, response.base_offset)),
        Err(_) => {
            *connection = None;
            None
        }
    }
}

#[test]
fn an_idempotent_writer_loses_and_doubles_nothing_when_the_broker_is_killed() {
    const RECORDS: u64 = 700;
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path(), "127.0.0.1:0");
    let address = program.address;
    let mut client = Client::connect(address);
    client.create_topic("t", 1, &[("internal.segment.bytes", "5000")]);
    let request = InitProducerIdRequest::default().with_transactional_id(None).with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
    let producer = client.call(4, &request).producer_id.0;
    let acknowledged = AtomicU64::new(0);
    let program = std::thread::scope(|scope| {
        let killer = scope.spawn(|| kill_at(&KILLS_AT, &acknowledged, folder.path(), program));
        let mut connection = Some(client);
        for index in 0..RECORDS {
            let batch = Batch::of(&[index.to_string()]).by(producer, 0, index as i32).encode();
            let begun = Instant::now();
            let offset = loop {
                match try_produce(address, &mut connection, batch.clone()) {
                    Some((0, offset)) => break offset,
                    Some((code, _)) => panic!("record {index}: error {code}"),
                    None => assert!(begun.elapsed() < WAIT, "record {index} is not acknowledged"),
                }
            };
            assert_eq!(offset, index as i64);
            acknowledged.store(index + 1, Ordering::Relaxed);
        }
        killer.join().unwrap()
    });
    let mut client = Client::connect(program.address);
    let mut read = Vec::new();
    while read.len() < RECORDS as usize {
        let data = client.fetch("t", 0, read.len() as i64);
        assert_eq!(data.error_code, 0);
        read.extend(values(&data));
    }
    let expected: Vec<_> = (0..RECORDS).map(|index| (index as i64, index.to_string())).collect();
    assert_eq!(read, expected);
}

#[test]
fn transactions_stay_whole_when_the_broker_is_killed() {
    const TRANSACTIONS: u64 = 60;
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path(), "127.0.0.1:0");
    let servers = program.address.to_string();
    Client::connect(program.address).create_topic("t", 2, &[("internal.segment.bytes", "3000")]);
    let config = || {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &servers)
            .set("reconnect.backoff.ms", "10")
            .set("reconnect.backoff.max.ms", "50")
            .set("retry.backoff.ms", "10")
            .set("linger.ms", "0");
        config
    };
    let group = config().set("group.id", "g").create::<BaseConsumer>().unwrap();
    let metadata = group.group_metadata().unwrap();
    let finished = AtomicU64::new(0);
    let program = std::thread::scope(|scope| {
        let marks = [2, 9, 10, 25, 41, 55];
        let killer = scope.spawn({
            let (finished, folder) = (&finished, folder.path());
            move || kill_at(&marks, finished, folder, program)
        });
        let producer: BaseProducer = config().set("transactional.id", "id").set("transaction.timeout.ms", "60000").create().unwrap();
        producer.init_transactions(WAIT).unwrap();
        for index in 0..TRANSACTIONS {
            let commits = index % 3 != 2;
            loop {
                match transaction(&producer, &metadata, index, commits) {
                    Ok(()) => break,
                    Err(error) if abortable(&error) => retried(&producer, |wait| producer.abort_transaction(wait)).unwrap(),
                    Err(error) => panic!("transaction {index}: {error}"),
                }
            }
            finished.store(index + 1, Ordering::Relaxed);
        }
        killer.join().unwrap()
    });
    let committed: Vec<u64> = (0..TRANSACTIONS).filter(|index| index % 3 != 2).collect();
    for partition in 0..2 {
        assert_eq!(read_committed(&config(), partition), committed, "partition {partition}");
    }
    let mut asked = TopicPartitionList::new();
    asked.add_partition("t", 0);
    let offsets = group.committed_offsets(asked, WAIT).unwrap();
    assert_eq!(offsets.elements()[0].offset(), Offset::Offset(*committed.last().unwrap() as i64));
    drop(program);
}

/// One record to each partition and an offset.
fn transaction(producer: &BaseProducer, group: &ConsumerGroupMetadata, index: u64, commits: bool) -> KafkaResult<()> {
    producer.begin_transaction()?;
    for partition in 0..2 {
        let payload = index.to_string();
        producer.send(BaseRecord::<(), _>::to("t").partition(partition).payload(&payload)).map_err(|(error, _)| error)?;
    }
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("t", 0, Offset::Offset(index as i64))?;
    retried(producer, |wait| producer.send_offsets_to_transaction(&offsets, group, wait))?;
    retried(producer, |wait| if commits { producer.commit_transaction(wait) } else { producer.abort_transaction(wait) })
}

/// Calls until the call ends for good. It waits for delivery reports, which only polling takes.
fn retried(producer: &BaseProducer, call: impl Fn(Duration) -> KafkaResult<()>) -> KafkaResult<()> {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < 3 * WAIT, "the transaction does not come on");
        producer.poll(Duration::ZERO);
        match call(Duration::from_millis(200)) {
            Err(KafkaError::Transaction(error)) if error.is_retriable() => {}
            Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) => {}
            other => return other,
        }
    }
}

fn abortable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.txn_requires_abort())
}

fn read_committed(config: &ClientConfig, partition: i32) -> Vec<u64> {
    let consumer: BaseConsumer = config
        .clone()
        .set("group.id", "reader")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset("t", partition, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let mut read = Vec::new();
    loop {
        match consumer.poll(WAIT).expect("a record or the end") {
            Ok(record) => read.push(std::str::from_utf8(record.payload().unwrap()).unwrap().parse().unwrap()),
            Err(KafkaError::PartitionEOF(_)) => return read,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_broker_goes_on_where_the_one_before_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let config = || BrokerConfig::default().data_dir(folder.path());
    let broker = Broker::start(config()).unwrap();
    broker.create_topic("t", 3, [("retention.ms", "123456789")]).unwrap();
    let mut client = Client::connect(broker.address());
    assert_eq!(client.produce("t", 1, Batch::of(["one", "two"]).encode()).base_offset, 0);
    broker.stop();
    let broker = Broker::start(config()).unwrap();
    let mut client = Client::connect(broker.address());
    assert_eq!(values(&client.fetch("t", 1, 0)), [(0, "one".to_owned()), (1, "two".to_owned())]);
    assert_eq!(client.produce("t", 1, Batch::of(["three"]).encode()).base_offset, 2);
    let error = broker.create_topic("t", 1, []).unwrap_err();
    assert!(matches!(error, BrokerError::Topic { code: 36, .. }), "{error}");
    for file in ["meta.properties", "t-1/00000000000000000000.log", "t-1/partition.metadata", "t-1/leader-epoch-checkpoint"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}

#[test]
fn a_folder_serves_one_broker_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let config = || BrokerConfig::default().data_dir(folder.path());
    let broker = Broker::start(config()).unwrap();
    let error = Broker::start(config()).unwrap_err();
    assert!(error.to_string().contains("another broker uses"), "{error}");
    broker.stop();
    Broker::start(config()).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Broker::start(BrokerConfig::default().data_dir(file.path().join("data"))).unwrap_err();
    assert!(matches!(error, BrokerError::DataDir { .. }), "{error}");
}
