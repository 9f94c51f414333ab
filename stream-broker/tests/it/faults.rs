//! A broker that misbehaves on command, as its clients see it.

use std::io::Read;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::{Batch, Client, broker, fetch_request, produce_request, topic_name, values};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeClusterRequest, FetchRequest, HeartbeatRequest, InitProducerIdRequest, MetadataRequest, ProduceRequest,
    ProducerId,
};
use stream_broker::fault::{Api, ErrorCode, Fault, InjectedFault};
use stream_broker::{Broker, BrokerConfig};

const NOT_LEADER: i16 = 6;
const PATIENCE: Duration = Duration::from_secs(10);

fn with_topic() -> (Broker, Client) {
    let broker = broker();
    broker.create_topic("t", 2, []).unwrap();
    let client = Client::connect(broker.address());
    (broker, client)
}

fn inject(broker: &Broker, fault: Fault) -> InjectedFault {
    broker.inject(fault).unwrap()
}

fn one(value: &str) -> bytes::Bytes {
    Batch::of([value]).encode()
}

fn end(client: &mut Client, partition: i32) -> i64 {
    client.list_offset("t", partition, -1).offset
}

#[test]
fn an_error_comes_instead_of_the_request_or_after_it_took_effect() {
    let (broker, mut client) = with_topic();
    let error = Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).api(Api::Produce);
    let before = inject(&broker, error.clone());
    assert_eq!(client.produce("t", 0, one("a")).error_code, NOT_LEADER);
    assert_eq!(end(&mut client, 0), 0);
    assert_eq!(client.produce("t", 0, one("a")).error_code, 0, "it strikes once");
    let after = inject(&broker, error.after());
    assert_eq!(client.produce("t", 0, one("b")).error_code, NOT_LEADER);
    assert_eq!(end(&mut client, 0), 2, "the record is there all the same");
    assert_eq!((before.hits(), after.hits()), (1, 1));
}

#[test]
fn only_the_named_partition_of_a_request_is_refused() {
    let (broker, mut client) = with_topic();
    let both = |value: &str| {
        let data = [0, 1].map(|index| PartitionProduceData::default().with_index(index).with_records(Some(one(value))));
        let topic = TopicProduceData::default().with_name(topic_name("t")).with_partition_data(data.to_vec());
        ProduceRequest::default().with_acks(-1).with_timeout_ms(1_000).with_topic_data(vec![topic])
    };
    let codes = |client: &mut Client, value: &str| {
        let mut codes = Vec::new();
        for topic in client.call(9, &both(value)).responses {
            codes.extend(topic.partition_responses.iter().map(|p| (p.index, p.error_code)));
        }
        codes.sort_unstable();
        codes
    };
    inject(&broker, Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).partition("t", 1));
    assert_eq!(codes(&mut client, "a"), [(0, 0), (1, NOT_LEADER)]);
    assert_eq!((end(&mut client, 0), end(&mut client, 1)), (1, 0));
    inject(&broker, Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).api(Api::Produce).partition("t", 1).after());
    assert_eq!(codes(&mut client, "b"), [(0, 0), (1, NOT_LEADER)]);
    assert_eq!((end(&mut client, 0), end(&mut client, 1)), (2, 1));
    inject(&broker, Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).partition("another", 1));
    assert_eq!(codes(&mut client, "c"), [(0, 0), (1, 0)]);
}

#[test]
fn a_topic_is_found_where_a_request_names_it_by_id() {
    let (broker, mut client) = with_topic();
    client.produce("t", 0, one("a"));
    let request = MetadataRequest::default().with_topics(Some(vec![
        kafka_protocol::messages::metadata_request::MetadataRequestTopic::default().with_name(Some(topic_name("t"))),
    ]));
    let id = client.call(12, &request).topics[0].topic_id;
    let fault = inject(&broker, Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).api(Api::Fetch).partition("t", 0));
    let mut request = fetch_request("t", 0, 0);
    request.topics[0].topic = Default::default();
    request.topics[0].topic_id = id;
    let answer = client.call(13, &request).responses.remove(0);
    assert_eq!((answer.topic_id, answer.partitions[0].error_code), (id, NOT_LEADER));
    assert_eq!(fault.hits(), 1);
}

#[test]
fn clients_kinds_and_nodes_are_told_apart() {
    let (broker, mut client) = with_topic();
    let error = Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).always();
    let strangers = [
        error.clone().client_id("someone"),
        error.clone().client_id("tes"),
        error.clone().client_id("toast*"),
        error.clone().node(7),
        error.clone().api(Api::Fetch).api(Api::EndTxn),
        error.clone().topic("u"),
    ];
    let strangers = strangers.map(|fault| inject(&broker, fault));
    assert_eq!(client.produce("t", 0, one("a")).error_code, 0);
    for stranger in &strangers {
        assert_eq!(stranger.hits(), 0, "{stranger:?}");
    }
    for own in [error.clone().client_id("test"), error.clone().client_id("te*"), error.clone().node(1), error.clone().api(Api::Produce)] {
        let own = inject(&broker, own);
        assert_eq!(client.produce("t", 0, one("a")).error_code, NOT_LEADER);
        own.remove();
    }
    assert_eq!(client.produce("t", 0, one("a")).error_code, 0, "removed faults strike no more");
}

#[test]
fn some_requests_pass_first_and_as_many_are_struck_as_were_asked_for() {
    let (broker, mut client) = with_topic();
    inject(&broker, Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).api(Api::Produce).skip(2).times(2));
    let codes: Vec<i16> = (0..6).map(|_| client.produce("t", 0, one("a")).error_code).collect();
    assert_eq!(codes, [0, 0, NOT_LEADER, NOT_LEADER, 0, 0]);
    inject(&broker, Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).always());
    assert_eq!(client.produce("t", 0, one("a")).error_code, NOT_LEADER);
    broker.clear_faults().unwrap();
    assert_eq!(client.produce("t", 0, one("a")).error_code, 0);
}

#[test]
fn chance_repeats_with_its_seed() {
    let struck = |seed: u64| {
        let broker = Broker::start(BrokerConfig::default().seed(seed)).unwrap();
        broker.create_topic("t", 1, []).unwrap();
        inject(&broker, Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).api(Api::Produce).one_in(3).always());
        let mut client = Client::connect(broker.address());
        (0..60).map(|_| client.produce("t", 0, one("a")).error_code != 0).collect::<Vec<bool>>()
    };
    let first = struck(1);
    assert_eq!(first, struck(1));
    assert_ne!(first, struck(2));
    assert!((8..35).contains(&first.iter().filter(|struck| **struck).count()), "about a third: {first:?}");
}

#[test]
fn ids_repeat_with_their_seed() {
    let cluster = || {
        let broker = Broker::start(BrokerConfig::default().seed(5)).unwrap();
        Client::connect(broker.address()).call(0, &DescribeClusterRequest::default()).cluster_id
    };
    assert_eq!(cluster(), cluster());
}

#[test]
fn a_cut_connection_has_or_has_not_done_what_was_asked() {
    let (broker, mut client) = with_topic();
    inject(&broker, Fault::cut().api(Api::Produce));
    client.send(9, &produce_request("t", 0, one("a"), -1));
    assert!(client.is_closed());
    let mut client = Client::connect(broker.address());
    assert_eq!(end(&mut client, 0), 0);
    inject(&broker, Fault::cut().api(Api::Produce).after());
    client.send(9, &produce_request("t", 0, one("a"), -1));
    assert!(client.is_closed());
    assert_eq!(end(&mut Client::connect(broker.address()), 0), 1);
}

#[test]
fn an_answer_ends_in_the_middle_of_its_frame() {
    let (broker, _) = with_topic();
    for (wanted, sent) in [(0, 0), (3, 3), (10, 10), (usize::MAX, 0)] {
        inject(&broker, Fault::cut_within_answer(wanted).before().api(Api::ApiVersions));
        let mut client = Client::connect(broker.address());
        client.send(0, &ApiVersionsRequest::default());
        let mut bytes = Vec::new();
        client.stream.read_to_end(&mut bytes).unwrap();
        if wanted == usize::MAX {
            let announced = i32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
            assert_eq!(bytes.len(), 4 + announced - 1, "all but the last byte");
        } else {
            assert_eq!(bytes.len(), sent);
        }
    }
}

#[test]
fn lost_requests_and_answers_leave_their_connection_silent_and_no_other() {
    for (fault, effect) in [(Fault::drop_request(), 0), (Fault::drop_answer(), 1)] {
        let (broker, mut client) = with_topic();
        let lost = inject(&broker, fault.api(Api::Produce));
        client.send(9, &produce_request("t", 0, one("a"), -1));
        client.send(0, &ApiVersionsRequest::default());
        assert!(lost.wait(1, PATIENCE));
        let mut other = Client::connect(broker.address());
        assert_eq!(end(&mut other, 0), effect);
        client.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(client.receive_frame().is_err(), "the connection is silent");
    }
}

#[test]
fn a_delay_goes_by_the_clock_and_before_or_after_the_effect() {
    let broker = Broker::start(BrokerConfig::default().manual_clock(SystemTime::now())).unwrap();
    broker.create_topic("t", 1, []).unwrap();
    for (fault, meanwhile) in [(Fault::delay(Duration::from_secs(3600)), 0), (Fault::delay(Duration::from_secs(3600)).after(), 2)] {
        let mut slow = Client::connect(broker.address());
        let delay = inject(&broker, fault.api(Api::Produce));
        slow.send(9, &produce_request("t", 0, one("a"), -1));
        assert!(delay.wait(1, PATIENCE));
        assert_eq!(end(&mut Client::connect(broker.address()), 0), meanwhile);
        broker.advance_clock(Duration::from_secs(3599)).unwrap();
        slow.stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        assert!(slow.receive_frame().is_err());
        broker.advance_clock(Duration::from_secs(1)).unwrap();
        slow.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (_, answer) = slow.receive::<ProduceRequest>(9).unwrap();
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
}

#[test]
fn a_delayed_write_of_a_client_that_is_gone_still_arrives() {
    let broker = Broker::start(BrokerConfig::default().manual_clock(SystemTime::now())).unwrap();
    broker.create_topic("t", 1, []).unwrap();
    let delay = inject(&broker, Fault::delay(Duration::from_secs(5)).api(Api::Produce));
    let mut gone = Client::connect(broker.address());
    gone.send(9, &produce_request("t", 0, one("late"), -1));
    assert!(delay.wait(1, PATIENCE));
    drop(gone);
    let mut client = Client::connect(broker.address());
    assert_eq!(end(&mut client, 0), 0);
    broker.advance_clock(Duration::from_secs(5)).unwrap();
    assert_eq!(values(&client.fetch("t", 0, 0)), [(0, "late".to_owned())]);
}

#[test]
fn a_throttled_client_is_told_and_not_read_from() {
    let broker = Broker::start(BrokerConfig::default().manual_clock(SystemTime::now())).unwrap();
    broker.create_topic("t", 1, []).unwrap();
    inject(&broker, Fault::throttle(Duration::from_millis(1500)).api(Api::Produce));
    let mut client = Client::connect(broker.address());
    let answer = client.call(9, &produce_request("t", 0, one("a"), -1));
    assert_eq!((answer.throttle_time_ms, answer.responses[0].partition_responses[0].error_code), (1500, 0));
    client.send(0, &ApiVersionsRequest::default());
    client.stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    assert!(client.receive_frame().is_err());
    broker.advance_clock(Duration::from_millis(1500)).unwrap();
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(client.receive_frame().is_ok());
}

#[test]
fn a_failed_write_that_wants_no_answer_ends_its_connection() {
    let (broker, mut client) = with_topic();
    inject(&broker, Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).api(Api::Produce));
    client.send(9, &produce_request("t", 0, one("a"), 0));
    assert!(client.is_closed());
}

#[test]
fn the_clock_stands_until_it_is_moved_and_then_everything_due_is_done() {
    let start = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let broker = Broker::start(BrokerConfig::default().manual_clock(start)).unwrap();
    broker.create_topic("t", 1, [("retention.ms", "60000"), ("message.timestamp.type", "LogAppendTime")]).unwrap();
    let mut client = Client::connect(broker.address());
    let appended = client.produce("t", 0, one("a"));
    assert_eq!(appended.log_append_time_ms, 1_700_000_000_000);
    // A fetch that waits for ten minutes.
    let request = fetch_request("t", 0, 1).with_max_wait_ms(600_000);
    let arrived = inject(&broker, Fault::delay(Duration::ZERO).after().api(Api::Fetch));
    client.send(11, &request);
    assert!(arrived.wait(1, PATIENCE));
    let begun = Instant::now();
    let now = broker.advance_clock(Duration::from_secs(3600)).unwrap();
    assert_eq!(now, start + Duration::from_secs(3600));
    client.receive::<FetchRequest>(11).unwrap();
    assert_eq!(client.list_offset("t", 0, -2).offset, 1, "retention has worked");
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(broker.advance_clock(Duration::ZERO).unwrap(), now, "it does not run");
}

#[test]
fn a_running_clock_can_be_moved_too() {
    let broker = Broker::start(BrokerConfig::default().transaction_max_timeout(Duration::from_secs(60))).unwrap();
    let mut client = Client::connect(broker.address());
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(1)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    assert_eq!(client.call(4, &request).error_code, 0);
    // The broker counts milliseconds.
    let before = SystemTime::now() - Duration::from_millis(1);
    let moved = broker.advance_clock(Duration::from_secs(86_400)).unwrap();
    assert!(moved >= before + Duration::from_secs(86_400));
    assert!(broker.advance_clock(Duration::ZERO).unwrap() >= moved, "it goes on from there");
}

#[test]
fn who_waits_for_a_fault_learns_that_it_cannot_strike_any_more() {
    let (broker, mut client) = with_topic();
    let fault = inject(&broker, Fault::error(ErrorCode::UNKNOWN_MEMBER_ID).api(Api::Heartbeat).always());
    assert!(!fault.wait(1, Duration::from_millis(1)));
    let heartbeat = HeartbeatRequest::default();
    assert_eq!(client.call(3, &heartbeat).error_code, 25);
    assert!(futures::executor::block_on(fault.reached(1)));
    let waiting = std::thread::spawn({
        let fault = fault.clone();
        move || futures::executor::block_on(fault.reached(2))
    });
    broker.stop();
    assert!(!waiting.join().unwrap());
    assert!(!fault.wait(2, PATIENCE));
}
