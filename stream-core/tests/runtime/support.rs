//! An application whose one processor does what the test says, on a broker of its own.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use stream_broker::{Broker, BrokerConfig};
use stream_core::app::{KafkaStreams, State};
use stream_core::client::{Admin, DeliveryReports, DeliverySlot, NewTopic, Producer, TracingContext};
use stream_core::config::{ClientRole, StreamsConfig};
use stream_core::handler::UncaughtResponse;
use stream_core::record::OutgoingRecord;
use stream_core::serdes::{SerdeContext, SerdeError};
use stream_core::topology::Consumed;
use stream_core::{BoxError, Error, Headers, InitContext, Processor, ProcessorContext, Record, Serde, Topology};

/// Long enough for anything here, on a machine with much else to do.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const TOPIC: &str = "lines";
/// Task 0_0 has the record, task 0_1 has none.
pub const PARTITIONS: i32 = 2;

/// A call of user code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Deserialize,
    /// Of task 0_0.
    Init,
    Process,
    Close,
    Drop,
}

/// What the program does when it is called: succeeds, fails, or panics.
pub type Behaviour = Arc<dyn Fn(Call) -> Result<(), BoxError> + Send + Sync>;

struct Text(Behaviour);

impl Serde<String> for Text {
    fn serialize(&self, value: &String, out: &mut Vec<u8>, _cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], _cx: &SerdeContext<'_>) -> Result<String, SerdeError> {
        (self.0)(Call::Deserialize).map_err(|_| SerdeError::not_now("the schema cannot be had"))?;
        String::from_utf8(bytes.to_vec()).map_err(|_| SerdeError::bad("not UTF-8"))
    }
}

struct Scripted(Behaviour);

impl Processor for Scripted {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        if cx.task_id().partition == 0 { (self.0)(Call::Init) } else { Ok(()) }
    }

    fn process(&mut self, _record: Record<String, String>, _cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        (self.0)(Call::Process)
    }

    fn close(&mut self) {
        (self.0)(Call::Close).expect("only a panic is possible here");
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        (self.0)(Call::Drop).expect("only a panic is possible here");
    }
}

/// The running application.
pub struct Application {
    pub streams: KafkaStreams,
    /// The errors that the uncaught-error handler was asked about.
    pub uncaught: Receiver<String>,
    pub config: StreamsConfig,
    // Dropped last: the application uses them.
    pub broker: Broker,
    _state: tempfile::TempDir,
}

impl Application {
    /// Starts it, with one record waiting, `task.timeout.ms` of 1.5 s and other settings.
    pub fn start(settings: &[(&str, &str)], behaviour: impl Fn(Call) -> Result<(), BoxError> + Send + Sync + 'static) -> Self {
        Self::start_with(settings, behaviour, |_| UncaughtResponse::ShutdownClient, |_| {})
    }

    /// With an uncaught-error handler, and something to be done before it starts.
    pub fn start_with(
        settings: &[(&str, &str)],
        behaviour: impl Fn(Call) -> Result<(), BoxError> + Send + Sync + 'static,
        handler: impl Fn(&Error) -> UncaughtResponse + Send + Sync + 'static,
        prepare: impl FnOnce(&StreamsConfig),
    ) -> Self {
        let broker = Broker::start(BrokerConfig::default().auto_create_topics(false).initial_rebalance_delay(Duration::ZERO))
            .expect("a broker starts");
        let state = tempfile::tempdir().expect("a folder");
        let mut config = StreamsConfig::new("scripted", broker.bootstrap_servers()).with_state_dir(state.path());
        for (name, value) in [("task.timeout.ms", "1500")].iter().chain(settings) {
            config = config.set(name, value).expect("a setting");
        }
        let context = Arc::new(TracingContext) as _;
        let admin = Admin::new(&config.client_properties(ClientRole::Admin), "test", &context).expect("an admin client");
        let topic = NewTopic { name: TOPIC.to_owned(), partitions: PARTITIONS, replication_factor: 1, configs: Default::default() };
        admin.create_topics(vec![topic], PATIENCE).expect("a topic");
        let mut properties = config.client_properties(ClientRole::Producer);
        properties.remove("transaction.timeout.ms");
        let producer = Producer::new(&properties, None, DeliveryReports::FailuresOnly, "test", &context).expect("a producer");
        let (topic, headers) = (Arc::from(TOPIC), Headers::new());
        let timestamp = i64::try_from(std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis()).expect("before the year 292278994");
        let record = OutgoingRecord { topic: &topic, partition: Some(0), key: Some(b"k"), value: Some(b"v"), timestamp, headers: &headers };
        producer.send(&record, DeliverySlot::UNTRACKED).expect("it is taken");
        producer.flush(PATIENCE).expect("it is written");
        prepare(&config);

        let (sender, uncaught) = channel();
        let sender = Mutex::new(sender);
        let streams = streams(config.clone(), behaviour, move |error| {
            let told = sender.lock().expect("unpoisoned").send(error.to_string());
            told.expect("the test listens");
            handler(error)
        });
        Self { streams, uncaught, config, broker, _state: state }
    }

    /// Starts it anew after its end, with time for what that end left undecided.
    pub fn start_again(&mut self) {
        let config = self.config.clone().set("task.timeout.ms", "60000").expect("a setting");
        self.streams = streams(config, |_| Ok(()), |_| UncaughtResponse::ShutdownClient);
    }

    /// Waits for the end by an error; returns what the application says about it.
    #[track_caller]
    pub fn await_failure(&self) -> String {
        assert!(self.streams.wait_for(State::Error, PATIENCE), "it is in state {}", self.streams.state());
        assert!(self.streams.close(PATIENCE));
        self.streams.failure().expect("a reason")
    }
}

/// Starts an application with one processor.
fn streams(
    config: StreamsConfig,
    behaviour: impl Fn(Call) -> Result<(), BoxError> + Send + Sync + 'static,
    handler: impl Fn(&Error) -> UncaughtResponse + Send + Sync + 'static,
) -> KafkaStreams {
    let behaviour: Behaviour = Arc::new(behaviour);
    let text: Arc<dyn Fn(bool) -> Arc<Text>> = {
        let behaviour = Arc::clone(&behaviour);
        Arc::new(move |is_scripted| Arc::new(Text(if is_scripted { Arc::clone(&behaviour) } else { Arc::new(|_| Ok(())) })))
    };
    let mut topology = Topology::new();
    let source = topology.add_source("source", TOPIC, Consumed::<String, String>::with(text(false), text(true))).expect("a source");
    topology.add_processor("scripted", &[&source], move || Scripted(Arc::clone(&behaviour))).expect("a processor");
    let streams = KafkaStreams::builder(topology, config).uncaught_error_handler(handler).build().expect("an application");
    streams.start().expect("it starts");
    streams
}

/// Counts calls, and says which one this is, from 1.
#[derive(Clone, Default)]
pub struct Count(Arc<AtomicU32>);

impl Count {
    pub fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}
