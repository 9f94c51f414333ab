//! A client that speaks the raw protocol, so that tests see the very bytes and codes.

mod target;
pub mod transactional;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, DeleteRecordsRequest, FetchRequest, FindCoordinatorRequest, ListOffsetsRequest, ProduceRequest,
    RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use stream_broker::{Broker, BrokerConfig};

pub use target::Target;

/// A broker on a free port.
pub fn broker() -> Broker {
    Broker::start(BrokerConfig::default()).expect("a broker starts")
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub struct Client {
    pub stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the broker accepts");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Client { stream, correlation_id: 0 }
    }

    /// Sends without waiting for the answer; returns the correlation id.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        self.try_send(version, request).unwrap()
    }

    fn try_send<R: Request>(&mut self, version: i16, request: &R) -> io::Result<i32> {
        self.correlation_id += 1;
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(text("test")))
            .encode(&mut frame, R::header_version(version))
            .unwrap();
        request.encode(&mut frame, version).unwrap();
        let length = frame.len() as i32 - 4;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame)?;
        Ok(self.correlation_id)
    }

    /// Waits for the next answer, whatever it answers.
    pub fn receive<R: Request>(&mut self, version: i16) -> io::Result<(i32, R::Response)> {
        let mut frame = self.receive_frame()?;
        let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version)).unwrap();
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert_eq!(frame.remaining(), 0, "the response has a tail");
        Ok((header.correlation_id, response))
    }

    pub fn receive_frame(&mut self) -> io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(Bytes::from(frame))
    }

    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let sent = self.send(version, request);
        let (received, response) = self.receive::<R>(version).unwrap_or_else(|e| panic!("{:?} {version}: {e}", ApiKey::try_from(R::KEY)));
        assert_eq!(sent, received);
        response
    }

    /// Calls until the coordinator is there: a cluster makes it ready at the first request.
    pub fn coordinated<R: Request>(&mut self, version: i16, request: &R, error_code: impl Fn(&R::Response) -> i16) -> R::Response {
        let find = FindCoordinatorRequest::default().with_key(text("any")).with_key_type(1);
        for _ in 0..100 {
            self.call(2, &find);
            let response = self.call(version, request);
            // COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS
            if !matches!(error_code(&response), 14 | 15 | 16 | 51) {
                return response;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("there is no coordinator");
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Whether the broker has closed the connection (waits for it).
    pub fn is_closed(&mut self) -> bool {
        // A request that the broker had not read yet turns the close into a reset.
        match self.stream.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    pub fn produce(&mut self, topic: &str, partition: i32, records: Bytes) -> PartitionProduceResponse {
        self.call(9, &produce_request(topic, partition, records, -1)).responses.remove(0).partition_responses.remove(0)
    }

    /// As [`Client::produce`], when the broker may go away meanwhile.
    pub fn try_produce(&mut self, topic: &str, partition: i32, records: Bytes) -> io::Result<PartitionProduceResponse> {
        let request = produce_request(topic, partition, records, -1);
        self.try_send(9, &request)?;
        let (_, mut response) = self.receive::<ProduceRequest>(9)?;
        Ok(response.responses.remove(0).partition_responses.remove(0))
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let setting = |&(name, value): &(&str, &str)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)));
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.iter().map(setting).collect());
        let request = CreateTopicsRequest::default().with_timeout_ms(10_000).with_topics(vec![topic]);
        let result = self.call(7, &request).topics.remove(0);
        assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    }

    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> PartitionData {
        self.call(11, &fetch_request(topic, partition, offset)).responses.remove(0).partitions.remove(0)
    }

    pub fn fetch_committed(&mut self, topic: &str, partition: i32, offset: i64) -> PartitionData {
        let request = fetch_request(topic, partition, offset).with_isolation_level(1);
        self.call(11, &request).responses.remove(0).partitions.remove(0)
    }

    pub fn list_offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> ListOffsetsPartitionResponse {
        let request = ListOffsetsRequest::default().with_topics(vec![
            ListOffsetsTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(vec![ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(timestamp)]),
        ]);
        self.call(7, &request).topics.remove(0).partitions.remove(0)
    }
}

pub fn produce_request(topic: &str, partition: i32, records: Bytes, acks: i16) -> ProduceRequest {
    ProduceRequest::default().with_acks(acks).with_timeout_ms(5_000).with_topic_data(vec![
        TopicProduceData::default()
            .with_name(topic_name(topic))
            .with_partition_data(vec![PartitionProduceData::default().with_index(partition).with_records(Some(records))]),
    ])
}

/// A fetch that does not wait.
pub fn fetch_request(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    FetchRequest::default().with_min_bytes(1).with_max_bytes(1 << 20).with_topics(vec![
        FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![
            FetchPartition::default()
                .with_partition(partition)
                .with_current_leader_epoch(-1)
                .with_fetch_offset(offset)
                .with_partition_max_bytes(1 << 20),
        ]),
    ])
}

/// A record batch in the making.
#[derive(Clone)]
pub struct Batch {
    records: Vec<Record>,
}

impl Batch {
    /// One record for each value, without keys, with the time of the wall clock.
    pub fn of<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>) -> Batch {
        let records = values
            .into_iter()
            .enumerate()
            .map(|(index, value)| Record {
                transactional: false,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: -1,
                producer_id: -1,
                producer_epoch: -1,
                timestamp_type: TimestampType::Creation,
                offset: index as i64,
                // Consecutive, or the encoder would begin a new batch; the base sequence, -1, means none.
                sequence: index as i32 - 1,
                timestamp: now(),
                key: None,
                value: Some(Bytes::copy_from_slice(value.as_ref())),
                headers: Default::default(),
            })
            .collect();
        Batch { records }
    }

    pub fn at(mut self, timestamps: &[i64]) -> Batch {
        for (record, timestamp) in self.records.iter_mut().zip(timestamps) {
            record.timestamp = *timestamp;
        }
        self
    }

    pub fn keyed(mut self, key: &str) -> Batch {
        for record in &mut self.records {
            record.key = Some(Bytes::copy_from_slice(key.as_bytes()));
        }
        self
    }

    /// From an idempotent producer.
    pub fn by(mut self, producer_id: i64, epoch: i16, sequence: i32) -> Batch {
        for (record, index) in self.records.iter_mut().zip(0..) {
            record.producer_id = producer_id;
            record.producer_epoch = epoch;
            record.sequence = sequence + index;
        }
        self
    }

    pub fn transactional(mut self) -> Batch {
        for record in &mut self.records {
            record.transactional = true;
        }
        self
    }

    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut bytes, &self.records, &options).unwrap();
        bytes.freeze()
    }
}

/// The records of a fetched partition, control records included.
pub fn records(data: &PartitionData) -> Vec<Record> {
    let mut bytes = data.records.clone().unwrap_or_default();
    let mut records = Vec::new();
    // The last batch may be cut off; the next fetch brings it whole.
    while bytes.len() > 12 && bytes.len() >= 12 + (&bytes[8..12]).get_i32() as usize {
        records.extend(RecordBatchDecoder::decode(&mut bytes).unwrap().records);
    }
    records
}

/// Offsets and values of a fetched partition's records, without control records.
pub fn values(data: &PartitionData) -> Vec<(i64, String)> {
    records(data)
        .into_iter()
        .filter(|r| !r.control)
        .map(|r| {
            let value = r.value.unwrap_or_default();
            (r.offset, String::from_utf8_lossy(&value).into_owned())
        })
        .collect()
}

pub fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64
}

/// Deletes records below `offset`; the error code and the new low watermark.
pub fn delete_records(client: &mut Client, topic: &str, partition: i32, offset: i64) -> (i16, i64) {
    let request = DeleteRecordsRequest::default().with_timeout_ms(5_000).with_topics(vec![
        DeleteRecordsTopic::default()
            .with_name(topic_name(topic))
            .with_partitions(vec![DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset)]),
    ]);
    let result = client.call(2, &request).topics.remove(0).partitions.remove(0);
    (result.error_code, result.low_watermark)
}
