//! [`StandaloneProcessor`]: one processor without a topology, for tests of it alone.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::Processor;
use super::step::ProcessorNode;
use crate::error::{Error, Result};
use crate::handler::Handlers;
use crate::id::TaskId;
use crate::metrics::TaskMetrics;
use crate::node::{Data, DroppedRecord, Emit, Inlet, Lifecycle, Outlet, PunctuationId, PunctuationType, Push, Stopped, TaskContext};
use crate::record::{OutgoingRecord, Record, RecordMetadata};
use crate::store::{CurrentRecord, MemoryBudget, StateStore, StoreFactory, StoreOpen, StoreOwner, WorkerMemory};
use crate::time::{Clock, ManualClock};

/// A record that a processor forwarded, and the child that received it; `None` when the processor has no named children.
#[derive(Clone, Debug, PartialEq)]
pub struct Forwarded<K, V> {
    /// The child's name.
    pub child: Option<Arc<str>>,
    /// The record.
    pub record: Record<K, V>,
}

type Captured<P> = Rc<RefCell<Vec<Forwarded<<P as Processor>::KeyOut, <P as Processor>::ValueOut>>>>;

/// A processor with its context, stores and clock, and children that keep what they receive. `stream-testkit` has the comfortable form.
pub struct StandaloneProcessor<P: Processor> {
    node: ProcessorNode<P>,
    task: TaskContext,
    stores: BTreeMap<String, Rc<dyn StateStore>>,
    owner: StoreOwner,
    clock: Arc<ManualClock>,
    metrics: Arc<TaskMetrics>,
    drops: Rc<RefCell<Vec<DroppedRecord>>>,
    forwarded: Captured<P>,
}

impl<P: Processor> StandaloneProcessor<P> {
    /// Takes a processor. With `children` each of these receives what is forwarded to all, in this order.
    pub fn new(processor: P, children: &[&str], now_ms: i64) -> Self {
        let forwarded: Captured<P> = Rc::default();
        let inlet = |child: Option<Arc<str>>| -> Inlet<P::KeyOut, P::ValueOut> {
            Rc::new(RefCell::new(Child { name: child, forwarded: Rc::clone(&forwarded) }))
        };
        let outlet = if children.is_empty() {
            Outlet::One(Arc::from("children"), inlet(None))
        } else {
            let named = children.iter().map(|child| Arc::<str>::from(*child));
            Outlet::Many(named.map(|child| (Arc::clone(&child), inlet(Some(child)))).collect())
        };
        let clock = Arc::new(ManualClock::new(now_ms));
        let (current, metrics, drops) = (Rc::<CurrentRecord>::default(), Arc::<TaskMetrics>::default(), Rc::default());
        let memory = Rc::new(WorkerMemory::new(MemoryBudget::new(0)));
        let owner = StoreOwner { current: Rc::clone(&current), memory };
        let application = Arc::from("standalone");
        let (nowhere, handlers) = (Box::new(Nowhere), Handlers::default());
        let mut task = TaskContext::new(TaskId::new(0, 0), application, nowhere, current, handlers, Arc::clone(&metrics));
        task.system_time = now_ms;
        task.drops = Some(Rc::clone(&drops));
        let node = ProcessorNode { name: Arc::from("processor"), index: 0, processor, outlet };
        Self { node, task, stores: BTreeMap::new(), owner, clock, metrics, drops, forwarded }
    }

    /// Opens a store and connects it to the processor.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn add_store(&mut self, factory: &dyn StoreFactory, directory: &Path) -> Result<()> {
        let name = factory.name();
        let opened = factory.open(&StoreOpen {
            task: self.task.task,
            directory: directory.join(name),
            changelog_topic: Arc::from(format!("standalone-{name}-changelog")),
            persistent_memory_bytes: 1 << 20,
            cache_max_bytes: 0,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        })?;
        self.stores.insert(name.to_owned(), opened.store.attach(&self.owner));
        Ok(())
    }

    /// Calls the processor's `init`.
    ///
    /// # Errors
    /// The processor's.
    pub fn init(&mut self) -> Result<()> {
        self.task.connected = vec![self.stores.keys().cloned().collect()];
        self.task.stores = Rc::new(self.stores.clone());
        let done = self.node.init(&mut self.task);
        self.task.take_failure().map_or(done, Err)
    }

    /// Processes one record, as if it came from `metadata`; then runs the stream-time punctuations that are due.
    ///
    /// # Errors
    /// The processor's.
    pub fn process(&mut self, record: Record<P::KeyIn, P::ValueIn>, metadata: Option<&RecordMetadata>) -> Result<()> {
        self.task.stream_time = self.task.stream_time.max(record.timestamp);
        self.task.current.set_metadata(metadata);
        self.task.current.replace_headers(record.headers.clone());
        self.task.current.replace_timestamp(record.timestamp);
        let processed = self.node.push(record, &mut self.task);
        self.conclude(processed)?;
        self.punctuate(PunctuationType::StreamTime, self.task.stream_time)
    }

    /// Moves the wall clock, and runs the punctuations that are due.
    ///
    /// # Errors
    /// The processor's.
    pub fn advance_wall_clock(&mut self, ms: i64) -> Result<()> {
        self.clock.advance(ms);
        self.task.system_time = self.clock.now_ms();
        self.punctuate(PunctuationType::WallClockTime, self.task.system_time)
    }

    /// Commits: the processor forwards what it holds back, and its stores take over what was written.
    ///
    /// # Errors
    /// The processor's, or the stores'.
    pub fn commit(&mut self) -> Result<()> {
        let drained = self.node.drain(&mut self.task);
        self.conclude(drained)?;
        self.task.commit_requested = false;
        self.stores.values().try_for_each(|store| store.commit(None))
    }

    /// Calls the processor's `close`.
    pub fn close(&mut self) {
        self.node.close();
    }

    /// Whether the processor asked for a commit since the last one.
    pub fn commit_requested(&self) -> bool {
        self.task.commit_requested
    }

    /// What was forwarded since the last call, in order.
    pub fn take_forwarded(&mut self) -> Vec<Forwarded<P::KeyOut, P::ValueOut>> {
        self.forwarded.take()
    }

    /// The schedules that the processor asked for and did not cancel: id, kind, interval (ms), and when each is due next (ms).
    pub fn schedules(&self) -> Vec<(PunctuationId, PunctuationType, i64, i64)> {
        self.task.punctuations.schedules()
    }

    /// The typed handle of a store.
    ///
    /// # Errors
    /// When there is no such store, or its handle is of another type.
    pub fn store<H: 'static>(&self, name: &str) -> Result<H> {
        let store = self.stores.get(name).ok_or_else(|| Error::invalid(format!("no store `{name}` was added")))?;
        let handle = Rc::clone(store).handle().downcast::<H>();
        handle
            .map(|handle| *handle)
            .map_err(|_| Error::invalid(format!("store `{name}` is a `{}`, not a `{}`", store.handle_type(), std::any::type_name::<H>())))
    }

    /// The records that the processor left out, with the reason.
    pub fn dropped_records(&self) -> Vec<DroppedRecord> {
        self.drops.borrow().clone()
    }

    /// What was counted.
    pub fn metrics(&self) -> &TaskMetrics {
        &self.metrics
    }

    fn punctuate(&mut self, kind: PunctuationType, now: i64) -> Result<()> {
        while let Some(due) = self.task.punctuations.due(kind, now) {
            let called = self.node.punctuate(due.id(), now, &mut self.task);
            self.task.punctuations.reschedule(due, now);
            self.conclude(called)?;
        }
        Ok(())
    }

    fn conclude(&mut self, called: Result<(), Stopped>) -> Result<()> {
        match (self.task.take_failure(), called) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(()),
            (None, Err(Stopped)) => Err(Error::internal("the processor stopped without a reason")),
        }
    }
}

impl<P: Processor> std::fmt::Debug for StandaloneProcessor<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StandaloneProcessor").field("processor", &std::any::type_name::<P>()).finish_non_exhaustive()
    }
}

/// A child that keeps what it receives.
struct Child<K, V> {
    name: Option<Arc<str>>,
    forwarded: Rc<RefCell<Vec<Forwarded<K, V>>>>,
}

impl<K: Data, V: Data> Push<K, V> for Child<K, V> {
    fn push(&mut self, record: Record<K, V>, _task: &mut TaskContext) -> Result<(), Stopped> {
        self.forwarded.borrow_mut().push(Forwarded { child: self.name.clone(), record });
        Ok(())
    }
}

/// A processor alone has no sinks; only a handler could produce a record.
struct Nowhere;

impl Emit for Nowhere {
    fn emit(&mut self, record: &OutgoingRecord<'_>) -> Result<()> {
        Err(Error::invalid(format!("a processor that runs alone cannot produce to topic {}", record.topic)))
    }

    fn partition_count(&mut self, topic: &Arc<str>) -> Result<i32> {
        Err(Error::invalid(format!("a processor that runs alone knows nothing of topic {topic}")))
    }
}
