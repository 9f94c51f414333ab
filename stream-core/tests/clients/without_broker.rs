//! What the clients do while no broker can be reached.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stream_core::ErrorKind;
use stream_core::client::{Admin, ClientContext, DataConsumer, DeliveryReports, IsolationLevel, OffsetSpec, Producer};
use stream_core::config::{ClientRole, StreamsConfig};

use crate::cluster::{Cluster, TIMEOUT, context, partition, poll_to_the_end, poll_until, send, unique, values};

const SHORT: Duration = Duration::from_millis(300);

/// A configuration for a port on which nothing listens.
fn nowhere() -> StreamsConfig {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    StreamsConfig::new("nowhere", format!("127.0.0.1:{port}")).set("processing.guarantee", "exactly_once_v2").unwrap()
}

fn prompt<T>(what: &str, call: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = call();
    assert!(started.elapsed() < Duration::from_secs(5), "{what} took {:?}", started.elapsed());
    result
}

#[test]
fn a_producer_reports_in_time_and_its_end_does_not_wait() {
    let properties = nowhere().client_properties(ClientRole::Producer);
    let producer = Producer::new(&properties, Some("id"), DeliveryReports::All, "producer", &context()).unwrap();
    let error = prompt("init", || producer.init_transactions(SHORT)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retriable, "{error}");
    prompt("drop", || drop(producer));

    let mut properties = properties;
    properties.remove("transaction.timeout.ms");
    let producer = Producer::new(&properties, None, DeliveryReports::All, "producer", &context()).unwrap();
    let topic = Arc::from("topic");
    send(&producer, &topic, 0, "value");
    let error = prompt("flush", || producer.flush(SHORT)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retriable);
    assert!(error.to_string().contains("1 records"), "{error}");
    let error = prompt("partition count", || producer.partition_count(&topic, SHORT)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retriable, "{error}");
    prompt("drop", || drop(producer));
}

#[test]
fn an_admin_request_that_nobody_answers_says_what_the_client_says_of_its_connections() {
    let admin = Admin::new(&nowhere().client_properties(ClientRole::Admin), "admin", &context()).unwrap();
    let error = prompt("topics", || admin.topics(&["topic"], Duration::from_secs(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retriable, "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[test]
fn a_consumer_brings_nothing_and_waits_as_long_as_it_is_told() {
    let mut consumer = DataConsumer::new(&nowhere().client_properties(ClientRole::Main), "consumer", &context()).unwrap();
    let of = partition(&Arc::from("topic"), 0);
    prompt("assign", || consumer.assign(&[(of.clone(), 5)])).unwrap();
    let mut polled = Vec::new();
    prompt("poll", || consumer.poll(SHORT, 10, &mut polled)).unwrap();
    prompt("seek", || consumer.seek(&of, 0)).unwrap();
    prompt("unassign", || consumer.unassign(&[of])).unwrap();
    assert!(!polled.iter().any(|polled| matches!(polled, stream_core::client::Polled::Message(_))));
    prompt("drop", || drop(consumer));
}

#[test]
fn an_admin_request_is_retriable() {
    let admin = Admin::new(&nowhere().client_properties(ClientRole::Admin), "admin", &context()).unwrap();
    let of = partition(&Arc::from("topic"), 0);
    for error in [
        prompt("topics", || admin.topics(&["topic"], SHORT)).unwrap_err(),
        prompt("list", || admin.list_topics(SHORT)).unwrap_err(),
        prompt("offsets", || admin.list_offsets(std::slice::from_ref(&of), OffsetSpec::Latest, IsolationLevel::ReadCommitted, SHORT))
            .unwrap_err(),
        prompt("committed", || admin.committed_offsets("group", &[of], SHORT)).unwrap_err(),
        prompt("group", || admin.describe_group("group", SHORT)).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Retriable, "{error}");
    }
    prompt("drop", || drop(admin));
}

#[test]
fn wrong_properties_are_refused_without_their_secrets() {
    let mut properties = nowhere().client_properties(ClientRole::Admin);
    properties.insert("linger.ms".into(), "soon".into());
    let error = Admin::new(&properties, "admin", &context()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    properties.insert("linger.ms".into(), "5".into());
    properties.insert("ssl.key.password".into(), "canary".into());
    properties.insert("no.such.password".into(), "canary".into());
    let error = Admin::new(&properties, "admin", &context()).unwrap_err();
    assert!(!error.to_string().contains("canary"), "{error}");
    if cfg!(not(any(feature = "ssl", feature = "gssapi", feature = "sasl"))) {
        let config = nowhere().set("security.protocol", "SASL_PLAINTEXT").unwrap().set("sasl.mechanism", "SCRAM-SHA-256").unwrap();
        let error = Admin::new(&config.client_properties(ClientRole::Admin), "admin", &context()).unwrap_err();
        assert!(error.to_string().contains("cargo feature `ssl`"), "{error}");
    }
}

#[test]
fn a_context_hears_what_goes_wrong_and_its_panic_is_caught() {
    struct Listening(std::sync::mpsc::Sender<String>);
    impl ClientContext for Listening {
        fn log(&self, _client: &str, _level: stream_core::client::LogLevel, _facility: &str, _message: &str) {
            panic!("on purpose");
        }

        fn error(&self, client: &str, error: &stream_core::Error) {
            let _ = self.0.send(format!("{client}: {error}"));
        }
    }
    let (sender, heard) = std::sync::mpsc::channel();
    let context: Arc<dyn ClientContext> = Arc::new(Listening(sender));
    let mut consumer = DataConsumer::new(&nowhere().client_properties(ClientRole::Main), "listening", &context).unwrap();
    let mut polled = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    let text = loop {
        if let Ok(text) = heard.try_recv() {
            break text;
        }
        assert!(Instant::now() < deadline);
        consumer.poll(Duration::from_millis(50), 10, &mut polled).unwrap();
    };
    assert!(text.starts_with("listening: ") && text.contains("bootstrap.servers"), "{text}");
}

#[test]
fn clients_go_on_when_the_broker_comes_back() {
    let cluster = Cluster::new();
    let Some(broker) = &cluster.broker else { return };
    let topic = cluster.topic("away", 1);
    let producer = cluster.transactional(&unique("id"));
    let mut consumer = cluster.consumer();
    consumer.assign(&[(partition(&topic, 0), 0)]).unwrap();
    let commit = |value: &str| {
        producer.begin_transaction().unwrap();
        send(&producer, &topic, 0, value);
    };
    commit("before");
    producer.flush(TIMEOUT).unwrap();
    producer.commit_transaction(TIMEOUT).unwrap();
    poll_to_the_end(&mut consumer, 2);

    broker.pause_network().unwrap();
    broker.cut_connections().unwrap();
    commit("during");
    let error = producer.flush(SHORT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retriable, "{error}");
    let mut polled = Vec::new();
    prompt("poll", || consumer.poll(SHORT, 10, &mut polled)).unwrap();

    broker.resume_network().unwrap();
    producer.flush(TIMEOUT).unwrap();
    producer.commit_transaction(TIMEOUT).unwrap();
    let polled = poll_until(&mut consumer, |polled| !values(polled).is_empty());
    assert_eq!(values(&polled), ["during"]);
}

#[cfg(feature = "ssl")]
#[test]
fn a_token_is_asked_of_the_program_whatever_the_caller_waits_for() {
    struct Tokens(std::sync::mpsc::Sender<Option<String>>);
    impl ClientContext for Tokens {
        fn oauth_token(&self, config: Option<&str>) -> Result<stream_core::client::OAuthToken, stream_core::BoxError> {
            self.0.send(config.map(str::to_owned))?;
            let expires_at_ms = crate::cluster::now_ms() + 3_600_000;
            Ok(stream_core::client::OAuthToken { token: "token".into(), principal: "alice".into(), expires_at_ms, extensions: Vec::new() })
        }
    }
    let (sender, asked) = std::sync::mpsc::channel();
    let context: Arc<dyn ClientContext> = Arc::new(Tokens(sender));
    let config = nowhere()
        .set("security.protocol", "SASL_PLAINTEXT")
        .unwrap()
        .set("sasl.mechanism", "OAUTHBEARER")
        .unwrap()
        .set("sasl.oauthbearer.config", "scope=streams")
        .unwrap();
    // Nobody polls this client.
    let admin = Admin::new(&config.client_properties(ClientRole::Admin), "admin", &context).unwrap();
    assert_eq!(asked.recv_timeout(TIMEOUT).unwrap().as_deref(), Some("scope=streams"));
    drop(admin);
}
