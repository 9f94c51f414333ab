//! Starting, stopping, and a broker that cannot be reached for a while.

use std::net::TcpStream;
use std::time::Instant;

use crate::support::{Batch, Client, broker, fetch_request, values};
use stream_broker::{Broker, BrokerConfig, BrokerError};

#[test]
fn a_broker_starts_in_a_moment_on_a_port_of_its_own() {
    let begun = Instant::now();
    let brokers: Vec<Broker> = (0..10).map(|_| broker()).collect();
    assert!(begun.elapsed().as_millis() < 200, "{:?}", begun.elapsed());
    let mut ports: Vec<u16> = brokers.iter().map(|b| b.address().port()).collect();
    ports.dedup();
    assert_eq!(ports.len(), 10);
    assert!(!ports.contains(&0));
    assert_eq!(brokers[0].bootstrap_servers(), format!("127.0.0.1:{}", ports[0]));
}

#[test]
fn a_stopped_broker_frees_its_port_and_ends_its_connections() {
    let broker = broker();
    let address = broker.address();
    let mut client = Client::connect(address);
    client.send(11, &fetch_request("missing", 0, 0));
    broker.stop();
    assert!(client.receive_frame().is_ok() || client.is_closed());
    assert!(TcpStream::connect(address).is_err());
    Broker::start(BrokerConfig::default().listen(address.to_string())).unwrap();
}

#[test]
fn a_taken_port_and_a_senseless_address_are_errors_that_say_so() {
    let broker = broker();
    let taken = BrokerConfig::default().listen(broker.bootstrap_servers());
    let error = Broker::start(taken).unwrap_err();
    assert!(matches!(error, BrokerError::Listen { .. }), "{error}");
    let error = Broker::start(BrokerConfig::default().listen("nonsense")).unwrap_err();
    assert!(error.to_string().contains("host:port"), "{error}");
    let error = Broker::start(BrokerConfig::default().advertised("nonsense")).unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
    let error = Broker::start(BrokerConfig::default().num_partitions(0)).unwrap_err();
    assert!(error.to_string().contains("num.partitions"), "{error}");
}

#[test]
fn a_paused_broker_is_unreachable_and_comes_back_with_its_records() {
    let broker = broker();
    broker.create_topic("t", 1, []).unwrap();
    let mut client = Client::connect(broker.address());
    client.produce("t", 0, Batch::of(["before"]).encode());
    broker.pause_network().unwrap();
    assert!(client.is_closed());
    assert!(TcpStream::connect(broker.address()).is_err());
    broker.create_topic("made-meanwhile", 1, []).unwrap();
    broker.resume_network().unwrap();
    broker.resume_network().unwrap();
    let mut client = Client::connect(broker.address());
    let data = client.fetch("t", 0, 0);
    assert_eq!(values(&data), [(0, "before".to_owned())]);
    assert_eq!(client.fetch("made-meanwhile", 0, 0).error_code, 0);
}

#[test]
fn cut_connections_are_closed_and_new_ones_welcome() {
    let broker = broker();
    let mut first = Client::connect(broker.address());
    let mut second = Client::connect(broker.address());
    broker.create_topic("t", 1, []).unwrap();
    first.fetch("t", 0, 0);
    second.send(11, &fetch_request("t", 0, 0).with_max_wait_ms(60_000));
    broker.cut_connections().unwrap();
    assert!(first.is_closed() && second.is_closed());
    Client::connect(broker.address()).fetch("t", 0, 0);
}

#[test]
fn a_topic_that_exists_is_an_error_with_the_code_of_kafka() {
    let broker = broker();
    broker.create_topic("t", 2, [("retention.ms", "1000")]).unwrap();
    let error = broker.create_topic("t", 2, []).unwrap_err();
    assert!(matches!(error, BrokerError::Topic { code: 36, .. }), "{error}");
    let error = broker.create_topic("u", 2, [("retention.ms", "x")]).unwrap_err();
    assert!(error.to_string().contains("retention.ms"), "{error}");
}
