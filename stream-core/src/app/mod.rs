//! [`KafkaStreams`]: a topology, running in this process.

mod builder;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

pub use crate::runtime::{Metrics, State, TaskDescription};
pub use builder::KafkaStreamsBuilder;

use crate::application::ApplicationContext;
use crate::config::StreamsConfig;
use crate::error::{Error, Result};
use crate::metrics::MetricName;
use crate::runtime::{Control, ControlEnvironment, ControlEvent, Shared};
use crate::store::MemoryBudget;
use crate::topology::Topology;

/// A running topology. Mirrors Kafka Streams' `KafkaStreams`.
///
/// Any number of processes that run the same topology under the same `application.id` share its work. Closing is explicit:
/// [`close`](Self::close) commits and gives the tasks to the others. A handle that is dropped without it ends its threads as soon as
/// they notice, committed, but does not wait for them.
///
/// ```no_run
/// use std::time::Duration;
/// use stream_core::app::{KafkaStreams, State};
/// use stream_core::config::StreamsConfig;
/// # fn topology() -> stream_core::Topology { stream_core::Topology::new() }
///
/// let config = StreamsConfig::new("shipments", "localhost:9092").set("processing.guarantee", "exactly_once_v2")?;
/// let streams = KafkaStreams::new(topology(), config)?;
/// streams.start()?;
/// streams.wait_for(State::Running, Duration::from_secs(30));
/// // ...
/// streams.close(Duration::from_secs(10));
/// # Ok::<(), stream_core::Error>(())
/// ```
pub struct KafkaStreams {
    shared: Arc<Shared>,
    events: Sender<ControlEvent>,
    budget: Arc<MemoryBudget>,
    application: Arc<ApplicationContext>,
    launch: Mutex<Launch>,
}

/// What `start` consumes and `close` waits for.
enum Launch {
    Ready(Box<builder::Parts>, Receiver<ControlEvent>),
    Started(JoinHandle<()>),
    Ended,
}

impl KafkaStreams {
    /// An application with the default handlers.
    ///
    /// # Errors
    /// `Invalid` when the topology or the configuration is wrong.
    pub fn new(topology: Topology, config: StreamsConfig) -> Result<Self> {
        Self::builder(topology, config).build()
    }

    /// An application with handlers, a clock, a memory budget or a client context of its own.
    pub fn builder(topology: Topology, config: StreamsConfig) -> KafkaStreamsBuilder {
        KafkaStreamsBuilder::new(topology, config)
    }

    fn from_parts(parts: builder::Parts) -> Self {
        let (events, receiver) = channel();
        Self {
            shared: Arc::new(Shared::new()),
            events,
            application: Arc::clone(&parts.application),
            budget: Arc::clone(&parts.budget),
            launch: Mutex::new(Launch::Ready(Box::new(parts), receiver)),
        }
    }

    /// Starts the threads and returns at once; [`states`](Self::states) tells how it goes on.
    ///
    /// # Errors
    /// `Invalid` when it was started before; `Storage` or `Invalid` when the state directory cannot be used or another process holds it.
    pub fn start(&self) -> Result<()> {
        let mut launch = self.launch.lock().unwrap_or_else(PoisonError::into_inner);
        let (parts, receiver) = match std::mem::replace(&mut *launch, Launch::Ended) {
            Launch::Ready(parts, receiver) => (parts, receiver),
            other => {
                *launch = other;
                return Err(Error::invalid("the application was started before; make a new one"));
            }
        };
        let directory = match parts.open_state_directory() {
            Ok(directory) => directory,
            Err(error) => {
                *launch = Launch::Ready(parts, receiver);
                return Err(error);
            }
        };
        let environment = ControlEnvironment {
            topology: parts.topology,
            config: parts.config,
            settings: parts.settings,
            clock: parts.clock,
            handlers: parts.handlers,
            application: parts.application,
            uncaught: parts.uncaught,
            budget: parts.budget,
            context: parts.context,
            directory,
            shared: Arc::clone(&self.shared),
            sender: self.events.clone(),
            events: receiver,
        };
        let thread = std::thread::Builder::new()
            .name("kstreams-control".to_owned())
            .spawn(move || Control::run(environment))
            .map_err(|error| Error::storage("the operating system gave no thread").with_source(error))?;
        *launch = Launch::Started(thread);
        Ok(())
    }

    /// Commits, gives up all tasks and ends the threads, for at most `timeout`. `true` when everything ended in time; else it goes on
    /// ending in the background.
    ///
    /// Brokers that do not answer are waited for as long as `timeout` allows, less what the rest of the end needs; then the last commit is
    /// given up, and the tasks go on elsewhere, or after a restart, from the one before. With a few seconds or more, the state directory
    /// is free when this returns.
    pub fn close(&self, timeout: Duration) -> bool {
        // Without a control thread there is nobody to tell; its last word was a final state.
        if self.events.send(ControlEvent::Close).is_err() {
            tracing::debug!("the control thread is gone");
        }
        // After the event: what is given up from here on is heard of by a thread that knows why.
        self.shared.ending().ask(timeout);
        {
            let mut launch = self.launch.lock().unwrap_or_else(PoisonError::into_inner);
            if let Launch::Ready(..) = &*launch {
                *launch = Launch::Ended;
                self.shared.set_state(State::PendingShutdown);
                self.shared.set_state(State::NotRunning);
            }
        }
        // Without the lock: others may close, too, each for as long as it likes.
        if !self.shared.wait(timeout, State::is_final) {
            return false;
        }
        let mut launch = self.launch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Launch::Started(thread) = std::mem::replace(&mut *launch, Launch::Ended)
            && thread.join().is_err()
        {
            tracing::error!("the control thread panicked");
        }
        true
    }

    /// The state now.
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// The state now and every later one, until a final one. Independent of any async runtime.
    pub fn states(&self) -> impl futures::Stream<Item = State> + Send + Unpin + use<> {
        self.shared.watch()
    }

    /// Waits until the application is in this state. `false` when it was not within `timeout`, or can never be again.
    pub fn wait_for(&self, state: State, timeout: Duration) -> bool {
        self.shared.wait(timeout, |now| now == state || now.is_final());
        self.state() == state
    }

    /// The error that ended the application, once its state is [`State::Error`].
    pub fn failure(&self) -> Option<String> {
        self.shared.failure()
    }

    /// What was counted so far, over all tasks that this process ever had.
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics()
    }

    /// What the processors of this process measured, by name: see [`StreamsMetrics`](crate::metrics::StreamsMetrics). A metric stays when its
    /// task has moved to another process, where it begins anew.
    pub fn custom_metrics(&self) -> BTreeMap<MetricName, f64> {
        self.application.metrics.read()
    }

    /// The tasks that run in this process.
    pub fn tasks(&self) -> Vec<TaskDescription> {
        self.shared.tasks()
    }

    /// The memory budget of the stores; it can be given to another application's builder, to share it.
    pub fn memory_budget(&self) -> &Arc<MemoryBudget> {
        &self.budget
    }
}

impl Drop for KafkaStreams {
    fn drop(&mut self) {
        let state = self.shared.state();
        if !state.is_final() && state != State::Created {
            tracing::warn!("the application was dropped without `close`; it ends in the background");
            if self.events.send(ControlEvent::Close).is_err() {
                tracing::debug!("the control thread is gone");
            }
            self.shared.ending().ask(Duration::MAX);
        }
    }
}

impl std::fmt::Debug for KafkaStreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaStreams").field("state", &self.state()).finish_non_exhaustive()
    }
}
