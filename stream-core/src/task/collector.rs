//! What a task produces: records of sinks, and the changelogs of its stores at a commit.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::client::{DeliverySlot, Producer};
use crate::error::{Result, ResultExt};
use crate::node::{Emit, OutgoingRecord};
use crate::store::{ChangelogRecord, ChangelogSink};

/// The producer of a worker, shared by its tasks. Under exactly-once the transaction begins with the first record.
pub(crate) struct WorkerProducer {
    producer: RefCell<Producer>,
    transactional: bool,
    in_transaction: Cell<bool>,
    metadata_timeout: Duration,
}

impl WorkerProducer {
    pub(crate) fn new(producer: Producer, transactional: bool, metadata_timeout: Duration) -> Rc<Self> {
        Rc::new(Self { producer: RefCell::new(producer), transactional, in_transaction: Cell::new(false), metadata_timeout })
    }

    pub(crate) fn producer(&self) -> std::cell::Ref<'_, Producer> {
        self.producer.borrow()
    }

    /// Puts another producer in the place of one that cannot be used any more.
    pub(crate) fn replace(&self, producer: Producer) {
        self.in_transaction.set(false);
        drop(self.producer.replace(producer));
    }

    pub(crate) fn is_in_transaction(&self) -> bool {
        self.in_transaction.get()
    }

    pub(crate) fn transaction_ended(&self) {
        self.in_transaction.set(false);
    }

    /// Begins a transaction unless one is open or the guarantee needs none.
    #[inline]
    pub(crate) fn ensure_transaction(&self) -> Result<()> {
        if self.transactional && !self.in_transaction.get() {
            self.producer.borrow().begin_transaction()?;
            self.in_transaction.set(true);
        }
        Ok(())
    }
}

/// Where a task's records go: a worker's producer, or the memory of a test.
pub(crate) trait Outgoing {
    /// Hands over a record, which is copied. What fails later shows at the next flush.
    fn send(&self, record: &OutgoingRecord<'_>, slot: DeliverySlot) -> Result<()>;

    /// A new slot, to follow the acknowledgements of one changelog partition.
    fn track(&self) -> DeliverySlot;

    /// Gives a slot back.
    fn untrack(&self, slot: DeliverySlot);

    /// The highest offset acknowledged for a slot since the last call.
    fn take_acknowledged(&self, slot: DeliverySlot) -> Option<i64>;

    /// How many partitions a topic has.
    fn partition_count(&self, topic: &Arc<str>) -> Result<i32>;
}

impl Outgoing for WorkerProducer {
    #[inline]
    fn send(&self, record: &OutgoingRecord<'_>, slot: DeliverySlot) -> Result<()> {
        self.ensure_transaction()?;
        self.producer.borrow().send(record, slot)
    }

    fn track(&self) -> DeliverySlot {
        self.producer.borrow().track()
    }

    fn untrack(&self, slot: DeliverySlot) {
        self.producer.borrow().untrack(slot);
    }

    fn take_acknowledged(&self, slot: DeliverySlot) -> Option<i64> {
        let producer = self.producer.borrow();
        let acknowledged = producer.acknowledged(slot);
        producer.reset_acknowledged(slot);
        acknowledged
    }

    fn partition_count(&self, topic: &Arc<str>) -> Result<i32> {
        self.producer.borrow().partition_count(topic, self.metadata_timeout)
    }
}

/// The sinks' way out of a task.
pub(crate) struct Collector {
    pub(crate) outgoing: Rc<dyn Outgoing>,
}

impl Emit for Collector {
    #[inline]
    fn emit(&mut self, record: &OutgoingRecord<'_>) -> Result<()> {
        self.outgoing.send(record, DeliverySlot::UNTRACKED)
    }

    fn partition_count(&mut self, topic: &Arc<str>) -> Result<i32> {
        self.outgoing.partition_count(topic)
    }
}

/// Writes the changes of one store to its changelog partition.
pub(crate) struct ChangelogWriter<'a> {
    pub(crate) outgoing: &'a dyn Outgoing,
    pub(crate) topic: &'a Arc<str>,
    pub(crate) partition: i32,
    pub(crate) slot: DeliverySlot,
    pub(crate) sent: u64,
}

impl ChangelogSink for ChangelogWriter<'_> {
    fn log(&mut self, record: &ChangelogRecord<'_>) -> Result<()> {
        self.sent += 1;
        let outgoing = OutgoingRecord {
            topic: self.topic,
            partition: Some(self.partition),
            key: Some(record.key),
            value: record.value,
            timestamp: record.timestamp,
            headers: record.headers,
        };
        self.outgoing.send(&outgoing, self.slot).at(|| format!("changelog {}-{}", self.topic, self.partition))
    }
}
