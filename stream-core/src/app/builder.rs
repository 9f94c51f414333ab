//! Everything of an application that has a default.

use std::sync::Arc;

use super::KafkaStreams;
use crate::client::{ClientContext, TracingContext};
use crate::config::StreamsConfig;
use crate::error::{Error, Result};
use crate::handler::{DeserializationHandler, Handlers, ProcessingHandler, ProductionHandler, UncaughtErrorHandler, UncaughtResponse};
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
}

/// A checked application that waits for `start`.
pub(super) struct Parts {
    pub(super) topology: Arc<BuiltTopology>,
    pub(super) config: Arc<StreamsConfig>,
    pub(super) settings: Arc<RuntimeSettings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) handlers: Handlers,
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

    /// Checks topology and configuration.
    ///
    /// # Errors
    /// `Invalid`, with what is wrong and how to mend it.
    pub fn build(self) -> Result<KafkaStreams> {
        self.config.validate()?;
        let topology = self.topology.build(self.config.application_id())?;
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
