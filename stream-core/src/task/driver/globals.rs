//! The global stores of a [`TaskDriver`](super::TaskDriver): a record of their topics is applied at once.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::captured_output::CapturedOutput;
use super::{DriverOptions, TASK, stores};
use crate::application::ApplicationContext;
use crate::client::Message;
use crate::error::Result;
use crate::handler::{Handlers, LogAndContinue};
use crate::id::TopicPartition;
use crate::metrics::TaskMetrics;
use crate::node::DroppedRecord;
use crate::record::OwnedRecord;
use crate::store::{CurrentRecord, SharedStore, StateStore, StoreAccess, StoreOwner, WorkerMemory, WriterOf};
use crate::task::active::{Task, TaskEnvironment};
use crate::task::collector::Outgoing;
use crate::task::prepared::{InputPosition, PreparedStore, PreparedTask};
use crate::task::progress::Progress;
use crate::time::{Clock, UNKNOWN_TIME};
use crate::topology::{BuiltTopology, SourceTopics};

/// One task for each global store.
pub(super) struct Globals {
    tasks: Vec<Task>,
    shared: Vec<Arc<dyn SharedStore>>,
    /// Which task reads a topic, and in which slot.
    topics: HashMap<Arc<str>, (usize, usize)>,
}

impl Globals {
    pub(super) fn start(
        built: &Arc<BuiltTopology>,
        options: &DriverOptions,
        clock: &Arc<dyn Clock>,
        metrics: &Arc<TaskMetrics>,
        memory: &Rc<WorkerMemory>,
        application: &Arc<ApplicationContext>,
    ) -> Result<Self> {
        let owner = StoreOwner { current: Rc::new(CurrentRecord::default()), memory: Rc::clone(memory) };
        let mut globals = Self { tasks: Vec::new(), shared: Vec::new(), topics: HashMap::new() };
        // What cannot be read is skipped, whatever the application's handler: as Kafka Streams' driver does.
        let handlers = Handlers { deserialization: Arc::new(LogAndContinue), ..options.handlers.clone().for_global_topics() };
        for subtopology in built.global_subtopologies() {
            let (mut prepared, mut applied) = (Vec::new(), 0);
            for &index in &subtopology.stores {
                let shared = stores::open(built, subtopology, index, options, clock)?.store.share()?;
                applied = shared.attach(&owner, StoreAccess::Read).changelog_position().unwrap_or(0);
                prepared.push(PreparedStore { store: Box::new(WriterOf(Arc::clone(&shared))), changelog: None });
                globals.shared.push(shared);
            }
            let mut inputs = Vec::new();
            for source in &subtopology.sources {
                let SourceTopics::Named(names) = &source.topics else { continue };
                for name in names {
                    let topic: Arc<str> = Arc::from(name.as_str());
                    globals.topics.insert(Arc::clone(&topic), (globals.tasks.len(), inputs.len()));
                    inputs.push(InputPosition {
                        partition: TopicPartition::new(topic, 0),
                        source: source.node,
                        offset: applied,
                        partition_time: UNKNOWN_TIME,
                        processors: BTreeMap::new(),
                        committed: false,
                    });
                }
            }
            globals.tasks.push(Task::start(
                PreparedTask { id: TASK, stores: prepared, inputs, metrics: Arc::clone(metrics), membership: 0, directory: None },
                &TaskEnvironment {
                    topology: built,
                    subtopology,
                    outgoing: Rc::new(CapturedOutput::default()) as Rc<dyn Outgoing>,
                    memory,
                    handlers: &handlers,
                    clock,
                    max_task_idle_ms: -1,
                    emit_intervals: options.emit_intervals,
                    application,
                    waker: Arc::new(|| {}),
                    global_stores: &[],
                },
            )?);
        }
        Ok(globals)
    }

    /// What the topology's processors may read.
    pub(super) fn stores(&self) -> &[Arc<dyn SharedStore>] {
        &self.shared
    }

    pub(super) fn task_stores(&self) -> impl Iterator<Item = &Rc<dyn StateStore>> {
        self.tasks.iter().flat_map(Task::stores)
    }

    pub(super) fn note_drops(&mut self, drops: &Rc<RefCell<Vec<DroppedRecord>>>) {
        self.tasks.iter_mut().for_each(|task| task.note_drops(Rc::clone(drops)));
    }

    pub(super) fn reads(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// Applies what the topics hold behind the stores' positions.
    pub(super) fn read(&mut self, logs: &HashMap<Arc<str>, Vec<OwnedRecord>>) -> Result<()> {
        let topics: Vec<Arc<str>> = self.topics.keys().map(Arc::clone).collect();
        for topic in topics {
            let Some((task, slot)) = self.topics.get(&topic).copied() else { continue };
            let from = self.tasks[task].inputs().nth(slot).map_or(0, |(_, offset)| offset);
            for record in logs.get(&topic).into_iter().flatten().filter(|record| record.offset >= from) {
                self.apply(record.clone())?;
            }
        }
        Ok(())
    }

    /// Applies a record of a topic that is read here.
    pub(super) fn apply(&mut self, record: OwnedRecord) -> Result<()> {
        let Some((task, slot)) = self.topics.get(&record.topic).copied() else { return Ok(()) };
        let (task, position) = (&mut self.tasks[task], record.offset + 1);
        task.add(slot, Message::from(record));
        while task.process(1).1? == Progress::More {}
        task.drain()?;
        let offsets = task.offsets();
        task.committed(&offsets)?;
        task.stores().try_for_each(|store| store.commit(Some(position)))
    }
}
