//! An example before it runs: its cluster, its configuration and its topics.

use std::time::Duration;

use kstreams::prelude::{KafkaStreams, StreamsConfig, Topology};
use stream_broker::{Broker, BrokerConfig};
use tempfile::TempDir;

use super::events::Events;
use super::{Cluster, CommonFlags, Failure, Running, note};

/// A configured example.
pub struct Application {
    pub(super) config: StreamsConfig,
    pub(super) cluster: Cluster,
    pub(super) events: Events,
    pub(super) broker: Option<Broker>,
    pub(super) temporary_state: Option<TempDir>,
    partitions: i32,
}

impl Application {
    /// Reads the flags, starts the embedded broker if no cluster is named, and waits until the cluster answers.
    pub fn new(name: &str, flags: &CommonFlags) -> Result<Self, Failure> {
        let events = Events::listen()?;
        let broker = match &flags.bootstrap_servers {
            Some(_) => None,
            // Examples read old books and logs: no record is too old to keep.
            None => Some(Broker::start(BrokerConfig::default().auto_create_topics(false).log_retention(None))?),
        };
        let bootstrap_servers = match (&broker, &flags.bootstrap_servers) {
            (Some(broker), _) => broker.bootstrap_servers(),
            (None, Some(servers)) => servers.clone(),
            (None, None) => String::new(),
        };
        let temporary_state = match (&broker, &flags.state_dir) {
            // The records of an embedded broker end with the process, and with them the use of the state.
            (Some(_), None) => Some(tempfile::Builder::new().prefix(&format!("{name}-")).tempdir()?),
            _ => None,
        };
        let state_dir = temporary_state.as_ref().map(TempDir::path).or(flags.state_dir.as_deref());
        let state_dir = state_dir.map(|folder| folder.to_string_lossy().into_owned());
        let application_id = flags.application_id.as_deref().unwrap_or(name);
        let config = flags.config(application_id, &bootstrap_servers, state_dir.as_deref())?;
        let cluster = Cluster::new(&config, &bootstrap_servers);
        cluster.await_connection(Duration::from_millis(flags.connect_timeout_ms))?;
        if broker.is_some() {
            note(format_args!("broker: embedded, at {bootstrap_servers}"));
        }
        Ok(Self { config, cluster, events, broker, temporary_state, partitions: flags.partitions })
    }

    /// Creates a topic that does not exist yet, with as many partitions as the flags say.
    pub fn create_topic(&self, name: &str) -> Result<(), Failure> {
        Ok(self.cluster.create_topic(name, self.partitions, &[])?)
    }

    /// Plain clients of the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Starts the topology.
    pub fn start(self, topology: Topology) -> Result<Running, Failure> {
        let streams = KafkaStreams::new(topology, self.config.clone()).map_err(Failure::usage)?;
        streams.start()?;
        Running::new(self, streams)
    }
}
