//! The broker under test: a new embedded one, or the cluster that `KSTREAMS_BOOTSTRAP_SERVERS` names. A test that only the
//! embedded broker passes shows a bug of the embedded broker. On a cluster the tests share topic names: run them with
//! `--test-threads 1`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{DeleteTopicsRequest, MetadataRequest};
use stream_broker::{Broker, BrokerConfig};

use super::{Client, topic_name};

const CLUSTER: &str = "KSTREAMS_BOOTSTRAP_SERVERS";
const UNKNOWN_TOPIC: i16 = 3;

pub enum Target {
    Embedded(Broker),
    Cluster(SocketAddr),
}

impl Target {
    pub fn new() -> Target {
        Target::with(BrokerConfig::default())
    }

    /// As [`Target::new`]; an embedded broker is started with this configuration.
    pub fn with(config: BrokerConfig) -> Target {
        match std::env::var(CLUSTER) {
            Ok(servers) => {
                let first = servers.split(',').next().unwrap_or_default();
                let mut addresses = first.to_socket_addrs().expect("host:port");
                Target::Cluster(addresses.next().expect("an address"))
            }
            Err(_) => Target::Embedded(Broker::start(config).expect("a broker starts")),
        }
    }

    pub fn is_embedded(&self) -> bool {
        matches!(self, Target::Embedded(_))
    }

    pub fn address(&self) -> SocketAddr {
        match self {
            Target::Embedded(broker) => broker.address(),
            Target::Cluster(address) => *address,
        }
    }

    pub fn bootstrap_servers(&self) -> String {
        self.address().to_string()
    }

    /// A new topic, in place of one that another test has left.
    pub fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        self.remove_topic(name);
        let mut client = Client::connect(self.address());
        client.create_topic(name, partitions, configs);
        self.await_topic(name, partitions);
    }

    /// Waits until a topic that was created can be used.
    pub fn await_topic(&self, name: &str, partitions: i32) {
        let mut client = Client::connect(self.address());
        wait_until(|| {
            let topic = metadata_code(&mut client, name);
            topic == (0, partitions as usize) && client.list_offset(name, 0, -1).error_code == 0
        });
    }

    /// Deletes what another test may have left on a cluster.
    pub fn remove_topic(&self, name: &str) {
        if self.is_embedded() {
            return;
        }
        let mut client = Client::connect(self.address());
        let request = DeleteTopicsRequest::default().with_timeout_ms(10_000).with_topic_names(vec![topic_name(name)]);
        client.call(5, &request);
        wait_until(|| metadata_code(&mut client, name).0 == UNKNOWN_TOPIC);
    }
}

fn metadata_code(client: &mut Client, name: &str) -> (i16, usize) {
    let request = MetadataRequest::default()
        .with_allow_auto_topic_creation(false)
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(topic_name(name)))]));
    let topic = client.call(9, &request).topics.remove(0);
    let ready = topic.partitions.iter().filter(|p| p.error_code == 0).count();
    (topic.error_code, ready)
}

/// A cluster spreads its metadata in its own time and tells nobody when it is done.
fn wait_until(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
}
