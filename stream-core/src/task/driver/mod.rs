//! [`TaskDriver`]: a whole topology as one task, without broker, thread or clock of its own.

mod batch;
mod captured_output;
mod globals;
mod stores;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use self::captured_output::CapturedOutput;
use self::globals::Globals;
use self::stores::Rows;
pub use self::stores::StoreRow;
use super::active::{Task, TaskEnvironment};
use super::collector::Outgoing;
use super::prepared::{InputPosition, PreparedTask};
use super::progress::Progress;
use crate::application::ApplicationContext;
use crate::client::Message;
use crate::config::EmitIntervals;
use crate::error::{Error, Result};
use crate::handler::Handlers;
use crate::id::{TaskId, TopicPartition};
use crate::metrics::{MetricName, MetricRegistry, TaskMetrics};
use crate::node::DroppedRecord;
use crate::record::{Headers, OwnedRecord};
use crate::store::{CurrentRecord, MemoryBudget, StateStore, StoreOwner, WorkerMemory};
use crate::time::{Clock, ManualClock, UNKNOWN_TIME};
use crate::topology::{BuiltTopology, SourceTopics, Subtopology, TopicPattern, Topology};

/// The one task.
const TASK: TaskId = TaskId::new(0, 0);

/// How a [`TaskDriver`] runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DriverOptions {
    /// `application.id`.
    pub application_id: String,
    /// Where persistent stores lie; made when they flush first.
    pub state_dir: PathBuf,
    /// `statestore.cache.max.bytes`: with 0 no table holds changes back until the commit.
    pub cache_max_bytes: usize,
    /// Whether a step that fails leaves nothing behind (`processing.guarantee=exactly_once_v2`).
    pub exactly_once: bool,
    /// The handlers.
    pub handlers: Handlers,
    /// How often operators look for results whose time has come; at every record unless said otherwise.
    pub emit_intervals: EmitIntervals,
    /// What the wall clock shows at first, ms.
    pub now_ms: i64,
    /// Whether what is produced is counted and thrown away: for benchmarks. Internal topics then reach nobody.
    pub discard_output: bool,
    /// The settings that processors can read.
    pub app_configs: BTreeMap<String, String>,
}

impl DriverOptions {
    /// Options with caching and the default handlers, the wall clock at 0.
    pub fn new(application_id: impl Into<String>, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            application_id: application_id.into(),
            state_dir: state_dir.into(),
            cache_max_bytes: 10 << 20,
            exactly_once: false,
            handlers: Handlers::default(),
            emit_intervals: EmitIntervals::ALWAYS,
            now_ms: 0,
            discard_output: false,
            app_configs: BTreeMap::new(),
        }
    }
}

/// Runs a topology record by record: every topic has one partition, all sub-topologies are one task, and a commit follows each record.
/// It is what a topology test driver is made of; the code that runs is the production code of tasks, stores and commits.
pub struct TaskDriver {
    // Dropped before the memory that its stores account to.
    task: Task,
    globals: Globals,
    built: Arc<BuiltTopology>,
    subtopology: Subtopology,
    options: DriverOptions,
    captured: Rc<CapturedOutput>,
    clock: Arc<ManualClock>,
    metrics: Arc<TaskMetrics>,
    drops: Rc<RefCell<Vec<DroppedRecord>>>,
    custom: Arc<MetricRegistry>,
    slots: HashMap<Arc<str>, usize>,
    patterns: Vec<(TopicPattern, usize)>,
    changelogs: BTreeSet<Arc<str>>,
    /// The topics that the task reads and the changelogs that it writes, from their beginning.
    logs: HashMap<Arc<str>, Vec<OwnedRecord>>,
    failed: bool,
    /// What a step that failed had produced.
    left_over: Vec<OwnedRecord>,
    /// The offset of the next record that is enqueued.
    enqueued: i64,
}

impl TaskDriver {
    /// Builds the topology and starts its task.
    ///
    /// # Errors
    /// As building and starting an application.
    pub fn new(topology: &Topology, options: &DriverOptions) -> Result<Self> {
        let built = Arc::new(topology.build(&options.application_id)?);
        let mut inputs = Vec::new();
        for source in &whole(&built).sources {
            let names = match &source.topics {
                SourceTopics::Named(names) => names.clone(),
                // One queue for all topics of a pattern.
                SourceTopics::Pattern(pattern) => vec![pattern.as_str().to_owned()],
            };
            inputs.extend(names.into_iter().map(|topic| InputPosition {
                partition: TopicPartition::new(topic, 0),
                source: source.node,
                offset: 0,
                partition_time: UNKNOWN_TIME,
                processors: BTreeMap::new(),
                committed: false,
            }));
        }
        Self::start(built, options.clone(), Arc::new(ManualClock::new(options.now_ms)), inputs, HashMap::new())
    }

    fn start(
        built: Arc<BuiltTopology>,
        options: DriverOptions,
        clock: Arc<ManualClock>,
        inputs: Vec<InputPosition>,
        logs: HashMap<Arc<str>, Vec<OwnedRecord>>,
    ) -> Result<Self> {
        let subtopology = whole(&built);
        let captured = Rc::new(CapturedOutput::new(options.discard_output));
        let metrics = Arc::new(TaskMetrics::default());
        let memory = Rc::new(WorkerMemory::new(MemoryBudget::new(0)));
        let changelogs = subtopology.changelogs.iter().map(|changelog| Arc::clone(&changelog.topic)).collect();
        let patterns = subtopology.sources.iter().filter_map(|source| match &source.topics {
            SourceTopics::Pattern(pattern) => Some((pattern.clone(), inputs.iter().position(|input| input.source == source.node)?)),
            SourceTopics::Named(_) => None,
        });
        let patterns = patterns.collect();
        let slots = inputs.iter().enumerate().map(|(slot, input)| (Arc::clone(&input.partition.topic), slot)).collect();
        let positions: Vec<(Arc<str>, i64)> = inputs.iter().map(|input| (Arc::clone(&input.partition.topic), input.offset)).collect();

        let owner = StoreOwner { current: Rc::new(CurrentRecord::default()), memory: Rc::clone(&memory) };
        let (mut prepared, mut ends) = (Vec::new(), HashMap::new());
        for &index in &subtopology.stores {
            let store = stores::open(&built, &subtopology, index, &options, &(Arc::clone(&clock) as Arc<dyn Clock>))?;
            let Some(changelog) = &store.changelog else {
                prepared.push(store);
                continue;
            };
            let topic = &changelog.partition.topic;
            let log = logs.get(topic).map_or(&[][..], Vec::as_slice);
            // A source topic is applied only as far as it was processed.
            let processed = positions.iter().find(|(input, _)| changelog.is_source && input == topic);
            let end = processed.map_or_else(|| log.last().map_or(0, |record| record.offset + 1), |(_, offset)| *offset);
            ends.insert(Arc::clone(topic), end);
            prepared.push(stores::restored(store, log, end, &owner, &metrics)?);
        }
        captured.begin_at(ends);
        let metric_clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let application = Arc::new(ApplicationContext {
            metrics: Arc::new(MetricRegistry::new(metric_clock)),
            configs: options.app_configs.clone(),
            ..ApplicationContext::default()
        });
        let mut globals = Globals::start(&built, &options, &(Arc::clone(&clock) as Arc<dyn Clock>), &metrics, &memory, &application)?;
        globals.read(&logs)?;
        let task = Task::start(
            PreparedTask { id: TASK, stores: prepared, inputs, metrics: Arc::clone(&metrics), membership: 0, directory: None },
            &TaskEnvironment {
                topology: &built,
                subtopology: &subtopology,
                outgoing: Rc::clone(&captured) as Rc<dyn Outgoing>,
                memory: &memory,
                handlers: &options.handlers,
                clock: &(Arc::clone(&clock) as Arc<dyn Clock>),
                max_task_idle_ms: -1,
                emit_intervals: options.emit_intervals,
                application: &application,
                waker: Arc::new(|| {}),
                global_stores: globals.stores(),
            },
        )?;
        let drops = Rc::default();
        let mut driver = Self {
            task,
            globals,
            built,
            subtopology,
            options,
            captured,
            clock,
            metrics,
            drops,
            custom: Arc::clone(&application.metrics),
            slots,
            patterns,
            changelogs,
            logs,
            failed: false,
            left_over: Vec::new(),
            enqueued: 0,
        };
        driver.task.note_drops(Rc::clone(&driver.drops));
        driver.globals.note_drops(&driver.drops);
        for (topic, offset) in positions {
            let unread = driver.logs.get(&topic).into_iter().flatten().filter(|record| record.offset >= offset);
            if let Some(slot) = driver.slots.get(&topic) {
                unread.for_each(|record| driver.task.add(*slot, Message::from(record.clone())));
            }
        }
        driver.commit()?;
        Ok(driver)
    }

    /// Ends the task as a crash would and starts it anew, as another process: what was not committed is lost, stores come back from
    /// their directories and changelogs, records that were not processed are still there. A driver that failed can go on this way.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn restart(self) -> Result<Self> {
        let Self { task, built, options, clock, logs, .. } = self;
        let (PreparedTask { inputs, .. }, closed) = task.close();
        closed?;
        Self::start(built, options, clock, inputs, logs)
    }

    /// Puts one record into a topic, and processes until nothing is left to do. Returns every record that was produced, in order.
    ///
    /// # Errors
    /// When no source reads the topic, or processing fails; [`take_left_over`](Self::take_left_over) then gives what had been produced before. A
    /// driver that failed takes no more records.
    pub fn pipe(
        &mut self,
        topic: &str,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        timestamp: i64,
        headers: Headers,
    ) -> Result<Vec<OwnedRecord>> {
        self.check()?;
        let mut is_read = true;
        let produced = self.step(|driver, produced| {
            is_read = driver.append(topic, key, value, timestamp, headers)?;
            if is_read { driver.run(produced) } else { Ok(()) }
        });
        if is_read { produced } else { Err(Error::invalid(format!("no source of the topology reads topic `{topic}`"))) }
    }

    /// Moves the wall clock, and runs the punctuations that are due. Returns every record that was produced, in order.
    ///
    /// # Errors
    /// When a punctuation or what it caused fails, as in [`pipe`](Self::pipe).
    pub fn advance_wall_clock(&mut self, ms: i64) -> Result<Vec<OwnedRecord>> {
        self.check()?;
        self.clock.advance(ms);
        self.step(|driver, produced| {
            driver.task.punctuate()?;
            driver.commit()?;
            produced.extend(driver.feed_back()?);
            driver.run(produced)
        })
    }

    /// Takes what the step that failed had produced before: nothing that was not committed, where `exactly_once` is set.
    pub fn take_left_over(&mut self) -> Vec<OwnedRecord> {
        std::mem::take(&mut self.left_over)
    }

    /// Writes all committed entries of the stores to their persistent layers, and drops what memory keeps only for reads.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn flush_stores(&mut self) -> Result<()> {
        for store in self.task.stores().chain(self.globals.task_stores()) {
            store.flush(self.clock.now_ms())?;
            store.evict(usize::MAX);
        }
        Ok(())
    }

    /// The typed handle of a store.
    ///
    /// # Errors
    /// When there is no such store, or its handle is of another type.
    pub fn store<H: 'static>(&self, name: &str) -> Result<H> {
        let store = self.state_store(name)?;
        let handle_type = store.handle_type();
        let handle = Rc::clone(store).handle().downcast::<H>();
        handle
            .map(|handle| *handle)
            .map_err(|_| Error::invalid(format!("store `{name}` is a `{handle_type}`, not a `{}`", std::any::type_name::<H>())))
    }

    /// The rows of a store of any kind, in the order of its own full scan.
    ///
    /// # Errors
    /// When there is no such store, or the disk fails.
    pub fn store_rows(&self, name: &str) -> Result<Vec<StoreRow>> {
        let mut rows = Rows(Vec::new());
        Rc::clone(self.state_store(name)?).rows(&mut rows)?;
        Ok(rows.0)
    }

    /// The names of the stores.
    pub fn store_names(&self) -> Vec<String> {
        self.task.stores().chain(self.globals.task_stores()).map(|store| store.name().to_owned()).collect()
    }

    /// What the task counted.
    pub fn metrics(&self) -> &TaskMetrics {
        &self.metrics
    }

    /// What processors measured: see [`StreamsMetrics`](crate::metrics::StreamsMetrics).
    pub fn custom_metrics(&self) -> BTreeMap<MetricName, f64> {
        self.custom.read()
    }

    /// The records that were left out so far, with the node and the reason.
    pub fn dropped_records(&self) -> Vec<DroppedRecord> {
        self.drops.borrow().clone()
    }

    /// What the wall clock shows, ms.
    pub fn wall_clock_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The topology as the task runs it.
    pub fn topology(&self) -> &Arc<BuiltTopology> {
        &self.built
    }

    fn state_store(&self, name: &str) -> Result<&Rc<dyn StateStore>> {
        let store = self.task.stores().chain(self.globals.task_stores()).find(|store| store.name() == name);
        store.ok_or_else(|| {
            Error::invalid(format!("the topology has no store `{name}` that a processor is connected to, only {:?}", self.store_names()))
        })
    }

    fn check(&self) -> Result<()> {
        if self.failed {
            return Err(Error::invalid("an earlier step failed: a task does not go on after an error; restart the driver"));
        }
        Ok(())
    }

    /// Runs one step; when it fails, keeps what was produced before.
    fn step(&mut self, run: impl FnOnce(&mut Self, &mut Vec<OwnedRecord>) -> Result<()>) -> Result<Vec<OwnedRecord>> {
        let mut produced = Vec::new();
        match catch_unwind(AssertUnwindSafe(|| run(self, &mut produced))).unwrap_or_else(|panic| Err(Error::panicked(&*panic))) {
            Ok(()) => Ok(produced),
            Err(error) => {
                self.failed = true;
                let uncommitted = self.captured.records.take();
                if !self.options.exactly_once {
                    if let Err(error) = self.log(&uncommitted) {
                        tracing::debug!(%error, "a record of a failed step could not be applied to a global store");
                    }
                    produced.extend(uncommitted);
                }
                self.left_over = produced;
                Err(error)
            }
        }
    }

    /// Puts a record into a topic that is read; a global store has it at once.
    fn append(&mut self, topic: &str, key: Option<Vec<u8>>, value: Option<Vec<u8>>, timestamp: i64, headers: Headers) -> Result<bool> {
        let slot = self.slots.get(topic).copied().or_else(|| {
            let pattern = self.patterns.iter().find(|(pattern, _)| pattern.matches(topic));
            pattern.map(|(_, slot)| *slot)
        });
        if slot.is_none() && !self.globals.reads(topic) {
            return Ok(false);
        }
        let topic: Arc<str> = match self.logs.get_key_value(topic) {
            Some((topic, _)) => Arc::clone(topic),
            None => Arc::from(topic),
        };
        let log = self.logs.entry(Arc::clone(&topic)).or_default();
        let offset = log.last().map_or(0, |record| record.offset + 1);
        let record = OwnedRecord { topic, partition: 0, offset, timestamp, key, value, headers };
        log.push(record.clone());
        match slot {
            Some(slot) => self.task.add(slot, Message::from(record)),
            None => self.globals.apply(record)?,
        }
        Ok(true)
    }

    fn run(&mut self, produced: &mut Vec<OwnedRecord>) -> Result<()> {
        loop {
            let (processed, progress) = self.task.process(1);
            let progress = progress?;
            self.task.wake()?;
            if processed > 0 || progress == Progress::Empty {
                self.task.punctuate_stream_time()?;
                self.commit()?;
                produced.extend(self.feed_back()?);
            }
            if processed == 0 {
                return Ok(());
            }
        }
    }

    fn commit(&mut self) -> Result<()> {
        self.task.drain()?;
        self.task.log_changes()?;
        let offsets = self.task.offsets();
        self.task.committed(&offsets)
    }

    /// Takes what was produced; records of topics that the topology reads go there.
    fn feed_back(&mut self) -> Result<Vec<OwnedRecord>> {
        let produced = self.captured.records.take();
        self.log(&produced)?;
        Ok(produced)
    }

    fn log(&mut self, produced: &[OwnedRecord]) -> Result<()> {
        for record in produced {
            let read = self.append(&record.topic, record.key.clone(), record.value.clone(), record.timestamp, record.headers.clone())?;
            if !read && self.changelogs.contains(&record.topic) {
                self.logs.entry(Arc::clone(&record.topic)).or_default().push(record.clone());
            }
        }
        Ok(())
    }

    /// How many nodes the topology has.
    pub fn node_count(&self) -> usize {
        self.subtopology.nodes.len()
    }
}

impl std::fmt::Debug for TaskDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskDriver").field("nodes", &self.node_count()).finish_non_exhaustive()
    }
}

/// All sub-topologies as one.
fn whole(topology: &BuiltTopology) -> Subtopology {
    let mut parts = topology.subtopologies().iter().cloned();
    let mut whole = parts.next().unwrap_or_else(|| Subtopology::empty(0));
    for part in parts {
        whole.nodes.extend(part.nodes);
        whole.sources.extend(part.sources);
        whole.source_topics.extend(part.source_topics);
        whole.repartition_topics.extend(part.repartition_topics);
        whole.sinks.extend(part.sinks);
        whole.stores.extend(part.stores);
        whole.changelogs.extend(part.changelogs);
    }
    // Parents before children also across sub-topologies: the order in which they were added.
    whole.nodes.sort_unstable();
    whole
}
