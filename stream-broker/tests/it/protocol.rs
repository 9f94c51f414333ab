//! What any client may send, and what it gets.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::{Batch, Client, Target, fetch_request, produce_request};
use bytes::{Buf, BufMut, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest, MetadataRequest, ProduceRequest, ResponseHeader,
};
use kafka_protocol::protocol::Decodable;

fn frame(api_key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_i32(10 + body.len() as i32);
    frame.put_i16(api_key);
    frame.put_i16(version);
    frame.put_i32(99);
    frame.put_i16(-1);
    frame.put_slice(body);
    frame.to_vec()
}

fn answers(client: &mut Client) -> bool {
    let response = client.call(0, &ApiVersionsRequest::default());
    response.error_code == 0
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_zero() {
    let broker = Target::new();
    let mut client = Client::connect(broker.address());
    client.send_raw(&frame(ApiKey::ApiVersions as i16, 99, &[0]));
    let mut answer = client.receive_frame().unwrap();
    let header = ResponseHeader::decode(&mut answer, 0).unwrap();
    let response = ApiVersionsResponse::decode(&mut answer, 0).unwrap();
    assert_eq!(answer.remaining(), 0);
    assert_eq!(header.correlation_id, 99);
    assert_eq!(response.error_code, 35);
    let api = &response.api_keys[0];
    assert_eq!((api.api_key, api.min_version, api.max_version), (18, 0, 4));
    assert!(answers(&mut client), "the connection goes on");
}

#[test]
fn an_unknown_api_or_version_closes_that_connection_only() {
    let broker = Target::new();
    let mut bystander = Client::connect(broker.address());
    for (api, version) in [(999, 0), (-1, 0), (ApiKey::Metadata as i16, 99), (0, 2)] {
        let mut client = Client::connect(broker.address());
        client.send_raw(&frame(api, version, &[0; 8]));
        assert!(client.is_closed(), "API {api} version {version}");
    }
    assert!(answers(&mut bystander));
}

#[test]
fn a_malformed_frame_closes_that_connection_only() {
    let broker = Target::new();
    let mut bystander = Client::connect(broker.address());
    // An array of two thousand million topics must not be given memory.
    let bomb = frame(ApiKey::Metadata as i16, 1, &i32::MAX.to_be_bytes());
    let cut = frame(ApiKey::Metadata as i16, 1, &[0, 0]);
    let short = [0, 0, 0, 3, 1, 2, 3].to_vec();
    let negative = (-5_i32).to_be_bytes().to_vec();
    let oversized = i32::MAX.to_be_bytes().to_vec();
    let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
    for bytes in [bomb, cut, short, negative, oversized, http] {
        let mut client = Client::connect(broker.address());
        client.send_raw(&bytes);
        assert!(client.is_closed(), "{bytes:?}");
    }
    assert!(answers(&mut bystander));
}

#[test]
fn random_bytes_behind_a_valid_header_never_stop_the_broker() {
    let broker = Target::new();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..2_000 {
        let body: Vec<u8> = (0..random() % 64).map(|_| (random() >> 32) as u8).collect();
        let mut client = Client::connect(broker.address());
        let api = (round % 70) as i16;
        // Whatever comes of it, an answer or a closed connection, comes at once.
        let _ = client.stream.write_all(&frame(api, (random() % 12) as i16, &body));
    }
    assert!(answers(&mut Client::connect(broker.address())));
}

#[test]
fn requests_are_answered_in_order_although_the_first_must_wait() {
    let broker = Target::new();
    broker.create_topic("t", 1, &[]);
    let mut client = Client::connect(broker.address());
    let held = fetch_request("t", 0, 0).with_max_wait_ms(300);
    let first = client.send(11, &held);
    let second = client.send(1, &MetadataRequest::default());
    let begun = Instant::now();
    let (answered, _) = client.receive::<FetchRequest>(11).unwrap();
    assert_eq!(answered, first);
    assert!(begun.elapsed() >= Duration::from_millis(250));
    let (answered, _) = client.receive::<MetadataRequest>(1).unwrap();
    assert_eq!(answered, second);
}

#[test]
fn many_requests_in_one_write_are_all_answered() {
    let broker = Target::new();
    broker.create_topic("t", 1, &[]);
    let mut client = Client::connect(broker.address());
    let batch = Batch::of(["x"]).encode();
    let sent: Vec<i32> = (0..500).map(|_| client.send(9, &produce_request("t", 0, batch.clone(), 1))).collect();
    for (index, expected) in sent.into_iter().enumerate() {
        let (answered, response) = client.receive::<ProduceRequest>(9).unwrap();
        assert_eq!(answered, expected);
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(partition.base_offset, index as i64);
    }
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody() {
    let broker = Target::new();
    broker.create_topic("t", 1, &[]);
    let mut writer = Client::connect(broker.address());
    let value = vec![7_u8; 900_000];
    for _ in 0..8 {
        writer.produce("t", 0, Batch::of([&value]).encode());
    }
    let mut deaf = Client::connect(broker.address());
    let mut large = fetch_request("t", 0, 0).with_max_bytes(64 << 20);
    large.topics[0].partitions[0].partition_max_bytes = 64 << 20;
    for _ in 0..200 {
        deaf.send(11, &large);
    }
    for _ in 0..100 {
        assert!(answers(&mut writer));
    }
    // It has lost nothing by being slow.
    for _ in 0..200 {
        let (_, response) = deaf.receive::<FetchRequest>(11).unwrap();
        let records = response.responses[0].partitions[0].records.as_ref();
        assert!(records.is_some_and(|r| r.len() > 900_000));
    }
}

#[test]
fn the_announced_apis_are_those_that_are_served() {
    let broker = Target::new();
    let mut client = Client::connect(broker.address());
    let response = client.call(
        3,
        &ApiVersionsRequest::default()
            .with_client_software_name(crate::support::text("test"))
            .with_client_software_version(crate::support::text("1.0")),
    );
    assert_eq!(response.error_code, 0);
    let range = |key: ApiKey| response.api_keys.iter().find(|api| api.api_key == key as i16).map(|api| (api.min_version, api.max_version));
    // Version 0 of produce is announced for librdkafka's sake, and refused.
    assert_eq!(range(ApiKey::Produce).map(|(min, _)| min), Some(0));
    assert_eq!(range(ApiKey::Fetch).map(|(min, _)| min), Some(4));
    if broker.is_embedded() {
        assert_eq!(range(ApiKey::Produce), Some((0, 13)));
        assert_eq!(range(ApiKey::Fetch), Some((4, 18)));
        assert_eq!(range(ApiKey::ConsumerGroupHeartbeat), Some((0, 1)));
        assert_eq!(range(ApiKey::SaslHandshake), None);
    }
}

#[test]
fn a_malformed_software_name_is_an_invalid_request() {
    let broker = Target::new();
    let mut client = Client::connect(broker.address());
    let request = ApiVersionsRequest::default()
        .with_client_software_name(crate::support::text("-bad-"))
        .with_client_software_version(crate::support::text("1"));
    assert_eq!(client.call(3, &request).error_code, 42);
}
