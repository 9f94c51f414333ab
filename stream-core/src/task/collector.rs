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
    /// How many producers came before this one.
    generation: Cell<u32>,
    transactional: bool,
    in_transaction: Cell<bool>,
    metadata_timeout: Duration,
}

impl WorkerProducer {
    pub(crate) fn new(producer: Producer, transactional: bool, metadata_timeout: Duration) -> Rc<Self> {
        Rc::new(Self {
            producer: RefCell::new(producer),
            generation: Cell::new(0),
            transactional,
            in_transaction: Cell::new(false),
            metadata_timeout,
        })
    }

    pub(crate) fn producer(&self) -> std::cell::Ref<'_, Producer> {
        self.producer.borrow()
    }

    /// Puts another producer in the place of one that cannot be used any more.
    pub(crate) fn replace(&self, producer: Producer) {
        self.in_transaction.set(false);
        self.generation.set(self.generation.get() + 1);
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
        self.producer.borrow().send(record, slot.within(self.generation.get()))
    }

    fn track(&self) -> DeliverySlot {
        self.producer.borrow().track().of_generation(self.generation.get())
    }

    fn untrack(&self, slot: DeliverySlot) {
        self.producer.borrow().untrack(slot.within(self.generation.get()));
    }

    fn take_acknowledged(&self, slot: DeliverySlot) -> Option<i64> {
        let (producer, slot) = (self.producer.borrow(), slot.within(self.generation.get()));
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;
    use crate::client::{ClientContext, DeliveryReports, TracingContext};

    /// One that never connects: giving slots out and back needs no broker.
    fn producer() -> Producer {
        let properties = BTreeMap::from([("bootstrap.servers".to_owned(), "127.0.0.1:1".to_owned())]);
        let context: Arc<dyn ClientContext> = Arc::new(TracingContext);
        Producer::new(&properties, None, DeliveryReports::All, "slots", &context).expect("a producer")
    }

    #[test]
    fn a_slot_of_a_replaced_producer_is_never_given_to_two_changelogs() {
        for (kept, early) in [(3, 0), (3, 2), (1, 3)] {
            let outgoing = WorkerProducer::new(producer(), false, Duration::from_secs(1));
            let old: Vec<DeliverySlot> = (0..kept).map(|_| outgoing.track()).collect();
            outgoing.replace(producer());
            // Some tasks start before the old ones give their slots back, some after.
            let mut new: Vec<DeliverySlot> = (0..early).map(|_| outgoing.track()).collect();
            old.iter().for_each(|slot| outgoing.untrack(*slot));
            new.extend((0..4).map(|_| outgoing.track()));
            let different: HashSet<DeliverySlot> = new.iter().copied().collect();
            assert_eq!(different.len(), new.len(), "{kept} old, {early} early: {new:?}");
        }
    }
}
