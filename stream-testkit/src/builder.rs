//! [`TopologyTestDriverBuilder`]: what a test can choose about its driver.

use std::path::PathBuf;

use stream_core::config::{EmitIntervals, ProcessingGuarantee, StreamsConfig};
use stream_core::handler::Handlers;
use stream_core::task::{DriverOptions, TaskDriver};
use stream_core::{Result, Topology};

use crate::driver::TopologyTestDriver;
use crate::scratch::ScratchDirectory;
use crate::session::Session;

/// Chooses how a [`TopologyTestDriver`] runs.
///
/// ```
/// use stream_core::config::ProcessingGuarantee;
/// use stream_core::topology::{Consumed, Produced, Topology};
/// use stream_testkit::TopologyTestDriver;
///
/// let mut topology = Topology::new();
/// let orders = topology.add_source("orders", "orders", Consumed::<String, String>::default())?;
/// topology.add_sink("copy", "copies", Produced::default(), &[&orders])?;
///
/// let driver = TopologyTestDriver::builder(&topology)
///     .application_id("shop")
///     .processing_guarantee(ProcessingGuarantee::ExactlyOnceV2)
///     .initial_wall_clock_ms(1_700_000_000_000)
///     .build()?;
/// assert_eq!(driver.wall_clock_ms()?, 1_700_000_000_000);
/// # Ok::<(), stream_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct TopologyTestDriverBuilder<'a> {
    topology: &'a Topology,
    options: DriverOptions,
    state_dir: Option<PathBuf>,
}

impl<'a> TopologyTestDriverBuilder<'a> {
    pub(crate) fn new(topology: &'a Topology) -> Self {
        Self { topology, options: DriverOptions::new("test", ""), state_dir: None }
    }

    /// `application.id`, the prefix of internal topics; `test` when it is not set.
    pub fn application_id(mut self, id: impl Into<String>) -> Self {
        self.options.application_id = id.into();
        self
    }

    /// `processing.guarantee`: with exactly-once a step that fails leaves nothing in the output topics that was not committed.
    pub fn processing_guarantee(mut self, guarantee: ProcessingGuarantee) -> Self {
        self.options.exactly_once = guarantee.is_exactly_once();
        self
    }

    /// `statestore.cache.max.bytes`, 10 MiB by default; with 0 every update is forwarded at once. A driver commits after each record, so
    /// that a cache only merges what one record causes.
    pub fn cache_max_bytes(mut self, bytes: usize) -> Self {
        self.options.cache_max_bytes = bytes;
        self
    }

    /// How often operators look, by the wall clock, for windows that closed and for rows of outer joins that found no partner; at every
    /// chance when it is not set.
    pub fn emit_intervals(mut self, intervals: EmitIntervals) -> Self {
        self.options.emit_intervals = intervals;
        self
    }

    /// What becomes of records that cannot be read, processed or written; by default the step fails.
    pub fn handlers(mut self, handlers: Handlers) -> Self {
        self.options.handlers = handlers;
        self
    }

    /// What the wall clock shows at first, ms since the epoch; 0 when it is not set.
    pub fn initial_wall_clock_ms(mut self, now_ms: i64) -> Self {
        self.options.now_ms = now_ms;
        self
    }

    /// Where persistent stores lie. Without it they get a folder of their own, which is removed with the driver.
    pub fn state_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(directory.into());
        self
    }

    /// A setting of the program's own, for its processors: see
    /// [`InitContext::app_configs`](stream_core::InitContext::app_configs).
    pub fn app_config(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.options.app_configs.insert(name.into(), value.to_string());
        self
    }

    /// Takes application id, guarantee, caching, handlers and the settings that processors read from the configuration of the application. What concerns
    /// clients and threads has no meaning here.
    pub fn config(mut self, config: &StreamsConfig) -> Self {
        self.options.app_configs = config.app_configs();
        self.application_id(config.application_id())
            .processing_guarantee(config.processing_guarantee())
            .cache_max_bytes(config.cache_max_bytes())
            .emit_intervals(config.emit_intervals())
            .handlers(config.handlers())
    }

    /// Builds the topology and starts its task.
    ///
    /// # Errors
    /// What building and starting the application would fail with: a topology that contradicts itself, a processor whose `init` fails.
    pub fn build(self) -> Result<TopologyTestDriver> {
        let Self { topology, mut options, state_dir } = self;
        let scratch = state_dir.is_none().then(ScratchDirectory::new);
        options.state_dir = state_dir.or_else(|| scratch.as_ref().map(|scratch| scratch.path().to_owned())).unwrap_or_default();
        let task = TaskDriver::new(topology, &options)?;
        Ok(TopologyTestDriver::over(Session::new(task, scratch)))
    }
}
