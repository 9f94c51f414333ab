//! [`CapturedOutput`]: a producer that keeps what it is given.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::client::DeliverySlot;
use crate::error::Result;
use crate::node::OutgoingRecord;
use crate::record::OwnedRecord;
use crate::task::collector::Outgoing;

/// A producer that keeps what it is given.
#[derive(Default)]
pub(super) struct CapturedOutput {
    /// Whether records are counted only.
    discards: bool,
    discarded: Cell<u64>,
    /// What was sent since it was last taken.
    pub(super) records: RefCell<Vec<OwnedRecord>>,
    next_slot: Cell<u32>,
    acknowledged: RefCell<HashMap<DeliverySlot, i64>>,
    ends: RefCell<BTreeMap<Arc<str>, i64>>,
}

impl CapturedOutput {
    /// One that keeps what it is given, or only counts it.
    pub(super) fn new(discards: bool) -> Self {
        Self { discards, ..Self::default() }
    }

    /// How many records were only counted.
    pub(super) fn discarded(&self) -> u64 {
        self.discarded.get()
    }

    /// The offsets that the next records of some topics get.
    pub(super) fn begin_at(&self, ends: HashMap<Arc<str>, i64>) {
        self.ends.borrow_mut().extend(ends);
    }
}

impl Outgoing for CapturedOutput {
    fn send(&self, record: &OutgoingRecord<'_>, slot: DeliverySlot) -> Result<()> {
        if self.discards {
            let offset = self.discarded.get();
            self.discarded.set(offset + 1);
            if slot != DeliverySlot::UNTRACKED {
                // One number for all topics: it grows in each.
                self.acknowledged.borrow_mut().insert(slot, i64::try_from(offset).unwrap_or(i64::MAX));
            }
            return Ok(());
        }
        let mut ends = self.ends.borrow_mut();
        let end = ends.entry(Arc::clone(record.topic)).or_insert(0);
        let offset = *end;
        *end += 1;
        if slot != DeliverySlot::UNTRACKED {
            self.acknowledged.borrow_mut().insert(slot, offset);
        }
        self.records.borrow_mut().push(OwnedRecord {
            topic: Arc::clone(record.topic),
            partition: record.partition.unwrap_or(0),
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
