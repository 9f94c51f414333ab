//! The handle of a running broker.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::{CreateTopicsRequest, RequestKind, ResponseKind, TopicName};
use kafka_protocol::protocol::StrBytes;
use mio::net::TcpListener;

use crate::config::BrokerConfig;
use crate::core::{Core, CoreConfig};
use crate::fault::{Fault, InjectedFault};
use crate::server::command::{Command, Commands, LoopEnded};
use crate::server::{Clock, EventLoop};
use crate::storage::Directory;

/// `offsets.topic.segment.bytes` and `transaction.state.log.segment.bytes`, on a disk.
const DISK_SEGMENT_BYTES: i32 = 100 << 20;

/// The version in which the handle creates topics: the first whose answer says why not.
const CREATE_TOPICS_VERSION: i16 = 7;

/// Why a broker could not do what was asked of its handle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The address is not `host:port`, or its name is unknown.
    #[error("'{address}' is no address to listen on or to advertise: {reason}; give host:port")]
    Address {
        /// The address that was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The address cannot be listened on: it is in use, not local, or forbidden.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was given.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system refuses a thread or a poll.
    #[error("cannot start the broker's event loop: {0}")]
    Start(#[source] io::Error),
    /// The folder for the data cannot be used: the operating system refuses it, another broker uses it, or what is in it is no
    /// broker's.
    #[error("cannot use the data in {}: {source}", folder.display())]
    DataDir {
        /// The folder that was given.
        folder: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// A setting is out of its range.
    #[error("{name} is {value}; it must be {expected}")]
    Setting {
        /// The setting's name in Kafka.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A topic was not created.
    #[error("cannot create topic '{topic}': {message} (Kafka error code {code})")]
    Topic {
        /// The topic's name.
        topic: String,
        /// The protocol's error code: 36 if the topic exists.
        code: i16,
        /// Why.
        message: String,
    },
    /// The broker was stopped, or its event loop has ended.
    #[error("the broker is not running any more")]
    Stopped,
}

impl From<LoopEnded> for BrokerError {
    fn from(_: LoopEnded) -> Self {
        BrokerError::Stopped
    }
}

/// A broker that runs in this process until it is stopped or dropped. Its records live as long as it does, or in a folder
/// ([`BrokerConfig::data_dir`]).
///
/// ```
/// use stream_broker::{Broker, BrokerConfig};
///
/// let broker = Broker::start(BrokerConfig::default())?;
/// broker.create_topic("orders", 4, [("cleanup.policy", "compact")])?;
/// println!("bootstrap.servers={}", broker.bootstrap_servers());
/// broker.stop();
/// # Ok::<(), stream_broker::BrokerError>(())
/// ```
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    bootstrap_servers: String,
    commands: Commands,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker. When this returns, clients can connect.
    ///
    /// # Errors
    /// An address is wrong or taken, a setting is out of range, the data folder cannot be used, or the operating system refuses
    /// resources.
    pub fn start(config: BrokerConfig) -> Result<Broker, BrokerError> {
        let BrokerConfig { listen, advertised, data_dir, mut core, limits, seed, clock } = config;
        if core.num_partitions < 1 {
            return Err(BrokerError::Setting { name: "num.partitions", value: core.num_partitions.to_string(), expected: "at least 1" });
        }
        if core.node_id < 0 {
            return Err(BrokerError::Setting { name: "node.id", value: core.node_id.to_string(), expected: "at least 0" });
        }
        let listener = bind(&listen)?;
        let address = listener.local_addr().map_err(BrokerError::Start)?;
        (core.advertised_host, core.advertised_port) = match &advertised {
            Some(advertised) => split(advertised)?,
            None if address.ip().is_unspecified() => ("localhost".to_owned(), address.port()),
            None => (address.ip().to_string(), address.port()),
        };
        let bootstrap_servers = if core.advertised_host.contains(':') {
            format!("[{}]:{}", core.advertised_host, core.advertised_port)
        } else {
            format!("{}:{}", core.advertised_host, core.advertised_port)
        };
        // Two brokers of one process must not give out the same topic ids.
        core.seed = seed.unwrap_or_else(|| RandomState::new().hash_one(address));
        let (poll, waker) = EventLoop::poll().map_err(BrokerError::Start)?;
        let (commands, receiver) = Commands::new(waker);
        let core = match data_dir {
            Some(folder) => open(core, &folder, clock).map_err(|source| BrokerError::DataDir { folder, source })?,
            None => Core::new(core),
        };
        let event_loop = EventLoop::new(poll, listener, core, receiver, limits, clock).map_err(BrokerError::Start)?;
        let thread = std::thread::Builder::new()
            .name(format!("kafka-broker-{}", address.port()))
            .spawn(move || {
                if let Err(error) = event_loop.run() {
                    tracing::error!(%error, "the broker's event loop has ended");
                }
            })
            .map_err(BrokerError::Start)?;
        Ok(Broker { address, bootstrap_servers, commands, thread: Some(thread) })
    }

    /// The address listened on, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value of a client's `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> String {
        self.bootstrap_servers.clone()
    }

    /// Creates a topic with this many partitions and these settings (Kafka's names).
    ///
    /// # Errors
    /// [`BrokerError::Topic`] with Kafka's code if the name, the count or a setting is wrong or the topic exists;
    /// [`BrokerError::Stopped`].
    pub fn create_topic<'a>(
        &self,
        name: &str,
        partitions: i32,
        configs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), BrokerError> {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let configs = configs
            .into_iter()
            .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))))
            .collect();
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let response = self.request(request.into(), CREATE_TOPICS_VERSION)?;
        let ResponseKind::CreateTopics(response) = response else {
            return Err(BrokerError::Stopped);
        };
        match response.topics.into_iter().next() {
            Some(result) if result.error_code != 0 => Err(BrokerError::Topic {
                topic: name.to_owned(),
                code: result.error_code,
                message: result.error_message.map_or_else(
                    || ResponseError::try_from_code(result.error_code).map_or_else(String::new, |error| error.to_string()),
                    |message| message.to_string(),
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Closes every connection and stops listening, as if the broker's machine were cut off. All state is kept; sessions and
    /// transactions time out meanwhile as usual.
    ///
    /// # Errors
    /// [`BrokerError::Stopped`].
    pub fn pause_network(&self) -> Result<(), BrokerError> {
        Ok(self.commands.call(Command::PauseNetwork)?)
    }

    /// Listens again, on the same port, after [`Broker::pause_network`].
    ///
    /// # Errors
    /// Another process has taken the port meanwhile; [`BrokerError::Stopped`].
    pub fn resume_network(&self) -> Result<(), BrokerError> {
        self.commands.call(Command::ResumeNetwork)?.map_err(|source| BrokerError::Listen { address: self.address, source })
    }

    /// Keeps every connection, and the port, and answers nothing until the returned value is dropped: a broker that hangs, as opposed to
    /// one that is away ([`Broker::pause_network`]). Then what was sent meanwhile is answered.
    ///
    /// # Errors
    /// [`BrokerError::Stopped`].
    pub fn hang(&self) -> Result<Hanging, BrokerError> {
        let (ends, until) = mpsc::channel();
        self.commands.call(|reply| Command::Hang(reply, until))?;
        Ok(Hanging { _ends: ends })
    }

    /// Closes every connection; clients may connect again at once.
    ///
    /// # Errors
    /// [`BrokerError::Stopped`].
    pub fn cut_connections(&self) -> Result<(), BrokerError> {
        Ok(self.commands.call(Command::CutConnections)?)
    }

    /// Has the broker misbehave as the fault says; [`fault`](crate::fault) teaches how. The result tells when the fault struck, and ends it.
    ///
    /// # Errors
    /// [`BrokerError::Stopped`].
    pub fn inject(&self, fault: Fault) -> Result<InjectedFault, BrokerError> {
        let fault = Box::new(fault);
        Ok(self.commands.call(|reply| Command::Inject(fault, reply))?)
    }

    /// Ends all faults. What they swallowed stays lost, what they hold back comes at its time.
    ///
    /// # Errors
    /// [`BrokerError::Stopped`].
    pub fn clear_faults(&self) -> Result<(), BrokerError> {
        Ok(self.commands.call(Command::ClearFaults)?)
    }

    /// Moves the broker's clock on, and does everything that becomes due on the way, in order: sessions and transactions end, held
    /// fetches are answered, retention and compaction work. When this returns it is done, however long the time was. Clocks of
    /// clients do not move. Works with a running clock and with one that stands ([`BrokerConfig::manual_clock`]).
    ///
    /// Returns the broker's time.
    ///
    /// # Errors
    /// [`BrokerError::Stopped`].
    pub fn advance_clock(&self, by: Duration) -> Result<SystemTime, BrokerError> {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let now = self.commands.call(|reply| Command::AdvanceClock(by, reply))?;
        Ok(UNIX_EPOCH + Duration::from_millis(now.max(0).unsigned_abs()))
    }

    /// Stops the broker and waits until its thread has ended and its port is free. Dropping the handle does the same.
    pub fn stop(mut self) {
        self.end();
    }

    fn request(&self, body: RequestKind, version: i16) -> Result<ResponseKind, BrokerError> {
        let body = Box::new(body);
        Ok(self.commands.call(|reply| Command::Request(body, version, reply))?)
    }

    fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            // If the loop has ended by itself there is nobody to tell, and joining returns at once.
            let _ = self.commands.send(Command::Stop);
            let _ = thread.join();
        }
    }
}

/// As long as it lives, the broker [hangs](Broker::hang). The broker cannot be stopped meanwhile.
#[derive(Debug)]
#[must_use = "the broker goes on when it is dropped"]
pub struct Hanging {
    _ends: mpsc::Sender<()>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end();
    }
}

/// Opens the data in a folder. Segments on a disk have Kafka's size; those in memory are small, because the cleaner never touches the
/// last one.
fn open(mut core: CoreConfig, folder: &Path, mut clock: Clock) -> io::Result<Core> {
    core.internal_topics.segment_bytes = DISK_SEGMENT_BYTES;
    core.log_memory_bytes = u64::MAX;
    let storage = Arc::new(Directory::open(folder)?);
    Core::open(core, storage, clock.now())
}

fn bind(listen: &str) -> Result<TcpListener, BrokerError> {
    let unusable = |reason: String| BrokerError::Address { address: listen.to_owned(), reason };
    let mut failure = None;
    for address in listen.to_socket_addrs().map_err(|error| unusable(error.to_string()))? {
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(source) => failure = Some(BrokerError::Listen { address, source }),
        }
    }
    Err(failure.unwrap_or_else(|| unusable("the name has no address".to_owned())))
}

fn split(advertised: &str) -> Result<(String, u16), BrokerError> {
    let parsed = advertised.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))).filter(|(host, _)| !host.is_empty());
    match parsed {
        Some((host, port)) => Ok((host.trim_matches(['[', ']']).to_owned(), port)),
        None => Err(BrokerError::Address { address: advertised.to_owned(), reason: "there is no port in it".to_owned() }),
    }
}
