//! [`TaskDriver`]: a whole topology as one task, without broker, thread or clock of its own.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use super::active::{Progress, Task, TaskEnvironment};
use super::collector::Outgoing;
use super::prepared::{InputPosition, PreparedStore, PreparedTask, TaskChangelog};
use crate::client::{DeliverySlot, Message};
use crate::config::EmitIntervals;
use crate::error::{Error, Result};
use crate::handler::Handlers;
use crate::id::{TaskId, TopicPartition};
use crate::metrics::TaskMetrics;
use crate::node::OutgoingRecord;
use crate::record::{Headers, OwnedRecord};
use crate::store::{MemoryBudget, StoreOpen, WorkerMemory};
use crate::time::{Clock, ManualClock, UNKNOWN_TIME};
use crate::topology::{BuiltTopology, SourceTopics, Subtopology, TopicPattern, Topology};

/// How a [`TaskDriver`] runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DriverOptions {
    /// `application.id`.
    pub application_id: String,
    /// Where persistent stores lie; made when they flush first.
    pub state_dir: PathBuf,
    /// Whether tables hold changes back until the commit (`statestore.cache.max.bytes` > 0).
    pub caching_enabled: bool,
    /// The handlers.
    pub handlers: Handlers,
    /// How often operators look for results whose time has come; at every record unless said otherwise.
    pub emit_intervals: EmitIntervals,
    /// What the wall clock shows at first, ms.
    pub now_ms: i64,
}

impl DriverOptions {
    /// Options with caching and the default handlers, the wall clock at 0.
    pub fn new(application_id: impl Into<String>, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            application_id: application_id.into(),
            state_dir: state_dir.into(),
            caching_enabled: true,
            handlers: Handlers::default(),
            emit_intervals: EmitIntervals::ALWAYS,
            now_ms: 0,
        }
    }
}

/// Runs a topology record by record: every topic has one partition, all sub-topologies are one task, and a commit follows each record.
/// It is what a topology test driver is made of; the code that runs is the production code of tasks, stores and commits.
pub struct TaskDriver {
    // Dropped before the memory that its stores account to.
    task: Task,
    subtopology: Subtopology,
    captured: Rc<CapturedOutput>,
    clock: Arc<ManualClock>,
    metrics: Arc<TaskMetrics>,
    slots: HashMap<Arc<str>, usize>,
    patterns: Vec<(TopicPattern, usize)>,
    offsets: HashMap<Arc<str>, i64>,
}

impl TaskDriver {
    /// Builds the topology and starts its task.
    ///
    /// # Errors
    /// As building and starting an application.
    pub fn new(topology: &Topology, options: &DriverOptions) -> Result<Self> {
        let built = Arc::new(topology.build(&options.application_id)?);
        let subtopology = whole(&built);
        let clock = Arc::new(ManualClock::new(options.now_ms));
        let captured = Rc::new(CapturedOutput::default());
        let metrics = Arc::new(TaskMetrics::default());
        let id = TaskId::new(0, 0);
        let mut inputs = Vec::new();
        let (mut slots, mut patterns) = (HashMap::new(), Vec::new());
        for source in &subtopology.sources {
            let names: Vec<Arc<str>> = match &source.topics {
                SourceTopics::Named(names) => names.iter().map(|name| Arc::from(name.as_str())).collect(),
                SourceTopics::Pattern(pattern) => {
                    patterns.push((pattern.clone(), inputs.len()));
                    vec![Arc::from(pattern.as_str())]
                }
            };
            for topic in names {
                slots.insert(Arc::clone(&topic), inputs.len());
                let partition = TopicPartition::new(topic, 0);
                inputs.push(InputPosition {
                    partition,
                    source: source.node,
                    offset: 0,
                    partition_time: UNKNOWN_TIME,
                    processors: BTreeMap::new(),
                    committed: false,
                });
            }
        }
        let mut stores = Vec::new();
        for &index in &subtopology.stores {
            let definition = built.store(index);
            let name = definition.factory.name();
            let changelog = subtopology.changelogs.iter().find(|changelog| changelog.store == index);
            let topic = changelog.map(|changelog| (Arc::clone(&changelog.topic), changelog.is_source_topic()));
            let opened = definition.factory.open(&StoreOpen {
                task: id,
                directory: options.state_dir.join(&options.application_id).join(id.to_string()).join("rocksdb").join(name),
                changelog_topic: topic.as_ref().map_or_else(|| Arc::from(name), |(topic, _)| Arc::clone(topic)),
                persistent_memory_bytes: 1 << 20,
                caching_enabled: options.caching_enabled,
                clock: Arc::clone(&clock) as Arc<dyn Clock>,
            })?;
            let changelog = topic.map(|(topic, is_source)| TaskChangelog { partition: TopicPartition::new(topic, 0), is_source });
            stores.push(PreparedStore { store: opened.store, changelog });
        }
        let prepared = PreparedTask { id, stores, inputs, metrics: Arc::clone(&metrics), directory: None };
        let memory = Rc::new(WorkerMemory::new(MemoryBudget::new(0)));
        let task = Task::start(
            prepared,
            &TaskEnvironment {
                topology: &built,
                subtopology: &subtopology,
                outgoing: Rc::clone(&captured) as Rc<dyn Outgoing>,
                memory: &memory,
                handlers: &options.handlers,
                clock: &(Arc::clone(&clock) as Arc<dyn Clock>),
                max_task_idle_ms: -1,
                emit_intervals: options.emit_intervals,
                global_stores: &[],
            },
        )?;
        let mut driver = Self { task, subtopology, captured, clock, metrics, slots, patterns, offsets: HashMap::new() };
        driver.commit()?;
        Ok(driver)
    }

    /// Puts one record into a topic, and processes until nothing is left to do. Returns every record that was produced, in order.
    ///
    /// # Errors
    /// When no source reads the topic, or processing fails.
    pub fn pipe(
        &mut self,
        topic: &str,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        timestamp: i64,
        headers: Headers,
    ) -> Result<Vec<OwnedRecord>> {
        if !self.append(topic, key, value, timestamp, headers) {
            return Err(Error::invalid(format!("no source of the topology reads topic `{topic}`")));
        }
        self.run()
    }

    /// Moves the wall clock, and runs the punctuations that are due. Returns every record that was produced, in order.
    ///
    /// # Errors
    /// When a punctuation or what it caused fails.
    pub fn advance_wall_clock(&mut self, ms: i64) -> Result<Vec<OwnedRecord>> {
        self.clock.advance(ms);
        self.task.punctuate()?;
        self.commit()?;
        let mut produced = self.feed_back();
        produced.extend(self.run()?);
        Ok(produced)
    }

    /// Writes all committed entries of the stores to their persistent layers, and drops what memory keeps only for reads.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn flush_stores(&mut self) -> Result<()> {
        for store in self.task.stores() {
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
        let store = self.task.stores().find(|store| store.name() == name);
        let store = store.ok_or_else(|| Error::invalid(format!("the topology has no store `{name}`")))?;
        let handle_type = store.handle_type();
        let handle = Rc::clone(store).handle().downcast::<H>();
        handle
            .map(|handle| *handle)
            .map_err(|_| Error::invalid(format!("store `{name}` is a `{handle_type}`, not a `{}`", std::any::type_name::<H>())))
    }

    /// The names of the stores.
    pub fn store_names(&self) -> Vec<String> {
        self.task.stores().map(|store| store.name().to_owned()).collect()
    }

    /// What the task counted.
    pub fn metrics(&self) -> &TaskMetrics {
        &self.metrics
    }

    fn append(&mut self, topic: &str, key: Option<Vec<u8>>, value: Option<Vec<u8>>, timestamp: i64, headers: Headers) -> bool {
        let slot = self.slots.get(topic).copied().or_else(|| {
            let pattern = self.patterns.iter().find(|(pattern, _)| pattern.matches(topic));
            pattern.map(|(_, slot)| *slot)
        });
        let Some(slot) = slot else {
            return false;
        };
        let topic: Arc<str> = match self.offsets.get_key_value(topic) {
            Some((topic, _)) => Arc::clone(topic),
            None => Arc::from(topic),
        };
        let offset = self.offsets.entry(Arc::clone(&topic)).or_insert(0);
        let record = OwnedRecord { topic, partition: 0, offset: *offset, timestamp, key, value, headers };
        *offset += 1;
        self.task.add(slot, Message::from(record));
        true
    }

    fn run(&mut self) -> Result<Vec<OwnedRecord>> {
        let mut produced = Vec::new();
        loop {
            let (processed, progress) = self.task.process(1)?;
            if processed > 0 || progress == Progress::Empty {
                self.task.punctuate()?;
                self.commit()?;
                produced.extend(self.feed_back());
            }
            if processed == 0 {
                return Ok(produced);
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
    fn feed_back(&mut self) -> Vec<OwnedRecord> {
        let produced = self.captured.records.take();
        for record in &produced {
            self.append(&record.topic, record.key.clone(), record.value.clone(), record.timestamp, record.headers.clone());
        }
        produced
    }

    /// The sub-topology that holds all nodes.
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

/// A producer that keeps what it is given.
#[derive(Default)]
struct CapturedOutput {
    records: RefCell<Vec<OwnedRecord>>,
    next_slot: Cell<u32>,
    acknowledged: RefCell<HashMap<DeliverySlot, i64>>,
    ends: RefCell<BTreeMap<Arc<str>, i64>>,
}

impl Outgoing for CapturedOutput {
    fn send(&self, record: &OutgoingRecord<'_>, slot: DeliverySlot) -> Result<()> {
        let mut ends = self.ends.borrow_mut();
        let end = ends.entry(Arc::clone(record.topic)).or_insert(0);
        let offset = *end;
        *end += 1;
        if slot != DeliverySlot::UNTRACKED {
            self.acknowledged.borrow_mut().insert(slot, offset);
        }
        self.records.borrow_mut().push(OwnedRecord {
            topic: Arc::clone(record.topic),
            partition: 0,
            offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.clone(),
        });
        Ok(())
    }

    fn track(&self) -> DeliverySlot {
        let slot = self.next_slot.get();
        self.next_slot.set(slot + 1);
        DeliverySlot::new(slot)
    }

    fn untrack(&self, _slot: DeliverySlot) {}

    fn take_acknowledged(&self, slot: DeliverySlot) -> Option<i64> {
        self.acknowledged.borrow_mut().remove(&slot)
    }

    fn partition_count(&self, _topic: &Arc<str>) -> Result<i32> {
        Ok(1)
    }
}
