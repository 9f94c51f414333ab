//! Everything of an application that has a default.

use std::sync::Arc;
use std::time::Duration;

use super::KafkaStreams;
use crate::application::ApplicationContext;
use crate::client::{ClientContext, TracingContext};
use crate::config::StreamsConfig;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::handler::{DeserializationHandler, Handlers, ProcessingHandler, ProductionHandler, UncaughtErrorHandler, UncaughtResponse};
use crate::metrics::MetricRegistry;
use crate::runtime::RuntimeSettings;
use crate::store::MemoryBudget;
use crate::task::StateDirectory;
use crate::time::{Clock, SystemClock};
use crate::topology::{BuiltTopology, Topology};

/// Builds a [`KafkaStreams`].
#[must_use]
pub struct KafkaStreamsBuilder {
    topology: Topology,
    config: StreamsConfig,
    deserialization: Option<Arc<dyn DeserializationHandler>>,
    processing: Option<Arc<dyn ProcessingHandler>>,
    production: Option<Arc<dyn ProductionHandler>>,
    uncaught: UncaughtErrorHandler,
    clock: Arc<dyn Clock>,
    budget: Option<Arc<MemoryBudget>>,
    context: Arc<dyn ClientContext>,
    async_runtime: Option<tokio::runtime::Handle>,
}

/// A checked application that waits for `start`.
pub(super) struct Parts {
    pub(super) topology: Arc<BuiltTopology>,
    pub(super) config: Arc<StreamsConfig>,
    pub(super) settings: Arc<RuntimeSettings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) handlers: Handlers,
    pub(super) application: Arc<ApplicationContext>,
    pub(super) uncaught: UncaughtErrorHandler,
    pub(super) budget: Arc<MemoryBudget>,
    pub(super) context: Arc<dyn ClientContext>,
}

impl Parts {
    pub(super) fn open_state_directory(&self) -> Result<Arc<StateDirectory>> {
        let has_persistent = self.topology.has_persistent_store();
        StateDirectory::open(self.config.state_dir(), self.config.application_id(), has_persistent).map(Arc::new)
    }
}

impl KafkaStreamsBuilder {
    pub(super) fn new(topology: Topology, config: StreamsConfig) -> Self {
        Self {
            topology,
            config,
            deserialization: None,
            processing: None,
            production: None,
            uncaught: Arc::new(|_: &Error| UncaughtResponse::ShutdownClient),
            clock: Arc::new(SystemClock::new()),
            budget: None,
            context: Arc::new(TracingContext),
            async_runtime: None,
        }
    }

    /// Decides about records that cannot be read; wins over `deserialization.exception.handler`.
    pub fn deserialization_handler(mut self, handler: impl DeserializationHandler) -> Self {
        self.deserialization = Some(Arc::new(handler));
        self
    }

    /// Decides about records for which a processor failed; wins over `processing.exception.handler`.
    pub fn processing_handler(mut self, handler: impl ProcessingHandler) -> Self {
        self.processing = Some(Arc::new(handler));
        self
    }

    /// Decides about records that cannot be written; wins over `production.exception.handler`.
    pub fn production_handler(mut self, handler: impl ProductionHandler) -> Self {
        self.production = Some(Arc::new(handler));
        self
    }

    /// Decides what becomes of the process when a worker failed; without one it stops ([`UncaughtResponse::ShutdownClient`]).
    /// Called on the worker's thread.
    pub fn uncaught_error_handler(mut self, handler: impl Fn(&Error) -> UncaughtResponse + Send + Sync + 'static) -> Self {
        self.uncaught = Arc::new(handler);
        self
    }

    /// Another clock, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// A memory budget that several applications share; wins over `state.memory.max.bytes`.
    pub fn memory_budget(mut self, budget: Arc<MemoryBudget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Callbacks of the Kafka clients, for example for OAuth tokens.
    pub fn client_context(mut self, context: impl ClientContext) -> Self {
        self.context = Arc::new(context);
        self
    }

    /// Where the futures of async processors run: a runtime with timers (`enable_time`, `enable_all`), and with threads of its own, since a
    /// thread that waits in [`close`](KafkaStreams::close) runs no futures. Without one the application starts a runtime of
    /// `num.stream.threads` threads when it needs it.
    pub fn async_runtime(mut self, runtime: tokio::runtime::Handle) -> Self {
        self.async_runtime = Some(runtime);
        self
    }

    /// Checks topology and configuration.
    ///
    /// # Errors
    /// `Invalid`, with what is wrong and how to mend it.
    pub fn build(self) -> Result<KafkaStreams> {
        self.config.validate()?;
        let topology = self.topology.build(self.config.application_id())?;
        let deadline = async_deadline(&topology, &self.config)?;
        let application = ApplicationContext {
            executor: Executor::new(self.async_runtime, self.config.num_stream_threads(), deadline),
            metrics: Arc::new(MetricRegistry::new(Arc::clone(&self.clock))),
            configs: self.config.app_configs(),
        };
        let mut handlers = self.config.handlers();
        if let Some(handler) = self.deserialization {
            handlers.deserialization = handler;
        }
        if let Some(handler) = self.processing {
            handlers.processing = handler;
        }
        if let Some(handler) = self.production {
            handlers.production = handler;
        }
        let budget = self.budget.unwrap_or_else(|| MemoryBudget::new(self.config.layers_max_bytes()));
        Ok(KafkaStreams::from_parts(Parts {
            topology: Arc::new(topology),
            settings: Arc::new(RuntimeSettings::new(&self.config)),
            application: Arc::new(application),
            config: Arc::new(self.config),
            clock: self.clock,
            handlers,
            uncaught: self.uncaught,
            budget,
            context: self.context,
        }))
    }
}

impl std::fmt::Debug for KafkaStreamsBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaStreamsBuilder").field("topology", &self.topology).finish_non_exhaustive()
    }
}

/// The deadline of futures that have none of their own, when a commit can wait for all futures of the topology.
///
/// A commit drains async processors one after the other, from the source down, and a transaction is open from the first record after a
/// commit until the next one is through: so what follows one another shares what `transaction.timeout.ms` leaves, and half of that is
/// kept for everything else. At least once, no transaction can expire; the bound is then that the group takes a worker that makes no
/// progress for `max.poll.interval.ms` for dead.
fn async_deadline(topology: &BuiltTopology, config: &StreamsConfig) -> Result<Duration> {
    let is_transactional = config.processing_guarantee().is_exactly_once();
    let interval = if is_transactional { config.commit_interval() } else { Duration::ZERO };
    let depth = u32::try_from(topology.async_depth()).unwrap_or(u32::MAX).max(1);
    let default = config.transaction_timeout().saturating_sub(interval) / 2 / depth;
    let longest = topology.longest_async_path(default);
    let (bound, name) = match is_transactional {
        true => (config.transaction_timeout(), "transaction.timeout.ms"),
        false => (config.max_poll_interval(), "max.poll.interval.ms"),
    };
    if longest.nodes.is_empty() || longest.deadlines.saturating_add(interval) < bound {
        return Ok(default);
    }
    let nodes: Vec<String> = longest.nodes.iter().map(|node| format!("`{node}`")).collect();
    let with_interval = if is_transactional { format!(" and `commit.interval.ms` ({} ms)", interval.as_millis()) } else { String::new() };
    Err(Error::invalid(format!(
        "the deadlines of the async processors that follow one another ({}: {} ms){with_interval} must together be below `{name}` ({} ms), or a \
         commit that waits for their futures comes too late; lower the deadlines (`AsyncOptions::with_deadline`) or raise `{name}`",
        nodes.join(", "),
        longest.deadlines.as_millis(),
        bound.as_millis()
    )))
}
