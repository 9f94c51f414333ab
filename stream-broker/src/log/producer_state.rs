//! What a partition knows of the producers that write to it: epochs and sequence numbers of idempotent producers, and the
//! transactions that are open.
//!
//! Invariants:
//! - A producer's epoch never goes back. A batch or marker of an older epoch changes nothing.
//! - Within an epoch sequence numbers are consecutive; only the last five batches are remembered, because a client keeps at
//!   most five requests in flight.
//! - The open transactions, by first offset, bound what a `read_committed` consumer may see.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::batch::{BatchHeader, sequence_after};

use crate::mistake::{self, Mistake};

/// Batches remembered per producer (`max.in.flight.requests.per.connection` of an idempotent producer).
const REMEMBERED_BATCHES: usize = 5;

/// What is to be done with a producer's batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The next batch: append it.
    Append,
    /// A retry of a batch that is already in the log, at this offset and with this time of append.
    Duplicate { base_offset: i64, append_time: i64 },
}

/// Why a producer's batch is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A newer producer with the same id has written, or its fencing has.
    OldEpoch { current: i16 },
    /// A batch before this one is missing.
    OutOfOrderSequence { last: i32 },
    /// A plain batch while the producer's transaction is open.
    TransactionOpen,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    append_time: i64,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    batches: VecDeque<Remembered>,
    open_since: Option<i64>,
    last_append: i64,
}

/// A producer as `DescribeProducers` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ActiveProducer {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// -1 if it has only written markers in this epoch.
    pub(crate) last_sequence: i32,
    /// Broker time of its last append.
    pub(crate) last_append: i64,
    /// First offset of its open transaction.
    pub(crate) open_since: Option<i64>,
}

/// A producer as a snapshot keeps it: of its batches the last one only, as in Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotEntry {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: i64,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: i64,
    pub(crate) coordinator_epoch: i32,
    pub(crate) open_since: Option<i64>,
}

/// The producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct ProducerStates {
    producers: HashMap<i64, Producer>,
    /// First offset to producer id.
    open: BTreeMap<i64, i64>,
}

impl ProducerStates {
    /// Judges a batch that carries a producer id. Nothing changes.
    ///
    /// # Errors
    /// The batch must not be appended; see [`Refusal`].
    pub(crate) fn check(&self, header: &BatchHeader) -> Result<Verdict, Refusal> {
        if mistake::is_made(Mistake::SequenceUnchecked) {
            return Ok(Verdict::Append);
        }
        // A producer without state may begin anywhere: its earlier records may have been deleted, and its state with them.
        let Some(producer) = self.producers.get(&header.producer_id) else {
            return Ok(Verdict::Append);
        };
        if header.producer_epoch < producer.epoch {
            return Err(Refusal::OldEpoch { current: producer.epoch });
        }
        if header.producer_epoch > producer.epoch {
            if header.base_sequence != 0 {
                return Err(Refusal::OutOfOrderSequence { last: -1 });
            }
        } else {
            if let Some(batch) = producer.duplicate_of(header) {
                return Ok(Verdict::Duplicate { base_offset: batch.base_offset, append_time: batch.append_time });
            }
            let last = producer.last_sequence();
            let expected = if last < 0 { 0 } else { sequence_after(last, 1) };
            if header.base_sequence != expected {
                return Err(Refusal::OutOfOrderSequence { last });
            }
        }
        if producer.open_since.is_some() && !header.is_transactional() {
            return Err(Refusal::TransactionOpen);
        }
        Ok(Verdict::Append)
    }

    /// Whether the producer's transaction is open in this partition, begun in this epoch.
    pub(crate) fn has_open_transaction(&self, producer_id: i64, epoch: i16) -> bool {
        self.producers.get(&producer_id).is_some_and(|p| p.epoch == epoch && p.open_since.is_some())
    }

    /// The epoch last seen of a producer.
    pub(crate) fn epoch(&self, producer_id: i64) -> Option<i16> {
        self.producers.get(&producer_id).map(|p| p.epoch)
    }

    /// Takes note of a batch that was appended at `base_offset`.
    pub(crate) fn appended(&mut self, header: &BatchHeader, base_offset: i64, append_time: i64, now: i64) {
        let producer = self.enter_epoch(header.producer_id, header.producer_epoch, now);
        // What the broker writes for a producer (offsets in a transaction) has no sequence.
        if header.base_sequence >= 0 {
            if producer.batches.len() == REMEMBERED_BATCHES {
                producer.batches.pop_front();
            }
            producer.batches.push_back(Remembered {
                first_sequence: header.base_sequence,
                last_sequence: header.last_sequence(),
                base_offset,
                append_time,
            });
        }
        if header.is_transactional() && producer.open_since.is_none() {
            producer.open_since = Some(base_offset);
            self.open.insert(base_offset, header.producer_id);
        }
    }

    /// Takes note of a marker and returns the first offset of the transaction that it ends, if one was open. The marker's
    /// epoch fences batches of older ones; sequence numbers go on if the epoch is the same.
    pub(crate) fn marked(&mut self, producer_id: i64, epoch: i16, now: i64) -> Option<i64> {
        let first_offset = self.enter_epoch(producer_id, epoch, now).open_since.take();
        if let Some(first_offset) = first_offset {
            self.open.remove(&first_offset);
        }
        first_offset
    }

    /// The first offset of the oldest open transaction.
    pub(crate) fn first_open_offset(&self) -> Option<i64> {
        self.open.first_key_value().map(|(&offset, _)| offset)
    }

    /// Forgets producers without an open transaction that have not written since `before`.
    pub(crate) fn forget_idle(&mut self, before: i64) {
        self.producers.retain(|_, p| p.open_since.is_some() || p.last_append >= before);
    }

    /// What a snapshot keeps.
    pub(crate) fn snapshot(&self) -> Vec<SnapshotEntry> {
        let entry = |(&producer_id, producer): (&i64, &Producer)| {
            let last = producer.batches.back();
            let offset_delta = last.map_or(0, |batch| sequence_between(batch.first_sequence, batch.last_sequence));
            SnapshotEntry {
                producer_id,
                epoch: producer.epoch,
                last_sequence: producer.last_sequence(),
                last_offset: last.map_or(-1, |batch| batch.base_offset + i64::from(offset_delta)),
                offset_delta,
                timestamp: producer.last_append,
                coordinator_epoch: 0,
                open_since: producer.open_since,
            }
        };
        self.producers.iter().map(entry).collect()
    }

    /// The producers of a snapshot.
    pub(crate) fn restore(entries: Vec<SnapshotEntry>) -> Self {
        let mut states = ProducerStates::default();
        for entry in entries {
            let mut batches = VecDeque::new();
            if entry.last_sequence >= 0 {
                batches.push_back(Remembered {
                    first_sequence: sequence_before(entry.last_sequence, entry.offset_delta),
                    last_sequence: entry.last_sequence,
                    base_offset: entry.last_offset - i64::from(entry.offset_delta),
                    append_time: -1,
                });
            }
            if let Some(offset) = entry.open_since {
                states.open.insert(offset, entry.producer_id);
            }
            let producer = Producer { epoch: entry.epoch, batches, open_since: entry.open_since, last_append: entry.timestamp };
            states.producers.insert(entry.producer_id, producer);
        }
        states
    }

    /// The offset of the last batch of each producer: compaction keeps its header, or the producer's sequence would be lost.
    pub(crate) fn last_batches(&self) -> impl Iterator<Item = (i64, i64)> {
        self.producers.iter().filter_map(|(&id, producer)| Some((id, producer.batches.back()?.base_offset)))
    }

    /// All producers that are remembered.
    pub(crate) fn active(&self) -> impl Iterator<Item = ActiveProducer> {
        self.producers.iter().map(|(&producer_id, p)| ActiveProducer {
            producer_id,
            epoch: p.epoch,
            last_sequence: p.last_sequence(),
            last_append: p.last_append,
            open_since: p.open_since,
        })
    }

    fn enter_epoch(&mut self, producer_id: i64, epoch: i16, now: i64) -> &mut Producer {
        let producer =
            self.producers.entry(producer_id).or_insert(Producer { epoch, batches: VecDeque::new(), open_since: None, last_append: now });
        if epoch > producer.epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        producer.last_append = now;
        producer
    }
}

impl Producer {
    fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |b| b.last_sequence)
    }

    fn duplicate_of(&self, header: &BatchHeader) -> Option<&Remembered> {
        let last_sequence = header.last_sequence();
        self.batches.iter().find(|batch| batch.first_sequence == header.base_sequence && batch.last_sequence == last_sequence)
    }
}

/// The records between two sequence numbers, which may have wrapped.
fn sequence_between(first: i32, last: i32) -> i32 {
    sequence_after(last, 0).wrapping_sub(first) & i32::MAX
}

fn sequence_before(sequence: i32, delta: i32) -> i32 {
    sequence.wrapping_sub(delta) & i32::MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::batch::control_batch;

    fn batch(epoch: i16, base_sequence: i32, records: i32, transactional: bool) -> BatchHeader {
        let mut header = BatchHeader::read(&control_batch(9, epoch, true, 0, 0)).unwrap();
        header.attributes = if transactional { 0x10 } else { 0 };
        header.base_sequence = base_sequence;
        header.last_offset_delta = records - 1;
        header.record_count = records;
        header
    }

    fn append(states: &mut ProducerStates, header: &BatchHeader, offset: i64) {
        assert_eq!(states.check(header), Ok(Verdict::Append));
        states.appended(header, offset, -1, 0);
    }

    #[test]
    fn a_retry_of_the_last_five_batches_is_a_duplicate_with_the_first_offset() {
        let mut states = ProducerStates::default();
        for index in 0..6 {
            append(&mut states, &batch(0, index * 10, 10, false), i64::from(index) * 10);
        }
        for index in 1..6 {
            assert_eq!(
                states.check(&batch(0, index * 10, 10, false)),
                Ok(Verdict::Duplicate { base_offset: i64::from(index) * 10, append_time: -1 })
            );
        }
        assert_eq!(states.check(&batch(0, 0, 10, false)), Err(Refusal::OutOfOrderSequence { last: 59 }));
    }

    #[test]
    fn a_gap_in_the_sequence_is_refused() {
        let mut states = ProducerStates::default();
        append(&mut states, &batch(0, 0, 10, false), 0);
        assert_eq!(states.check(&batch(0, 11, 1, false)), Err(Refusal::OutOfOrderSequence { last: 9 }));
    }

    #[test]
    fn an_unknown_producer_may_begin_at_any_sequence() {
        let mut states = ProducerStates::default();
        append(&mut states, &batch(0, 77, 1, false), 0);
        append(&mut states, &batch(0, 78, 1, false), 1);
    }

    #[test]
    fn a_new_epoch_begins_at_sequence_zero() {
        let mut states = ProducerStates::default();
        append(&mut states, &batch(0, 0, 10, false), 0);
        assert_eq!(states.check(&batch(1, 10, 1, false)), Err(Refusal::OutOfOrderSequence { last: -1 }));
        append(&mut states, &batch(1, 0, 1, false), 10);
        assert_eq!(states.check(&batch(0, 10, 1, false)), Err(Refusal::OldEpoch { current: 1 }));
    }

    #[test]
    fn the_sequence_goes_on_after_a_marker_of_the_same_epoch_and_restarts_after_a_fencing_one() {
        let mut states = ProducerStates::default();
        append(&mut states, &batch(0, 0, 10, true), 0);
        assert_eq!(states.first_open_offset(), Some(0));
        assert_eq!(states.marked(9, 0, 0), Some(0));
        assert_eq!(states.first_open_offset(), None);
        append(&mut states, &batch(0, 10, 1, true), 11);
        assert_eq!(states.marked(9, 1, 0), Some(11));
        assert_eq!(states.check(&batch(0, 11, 1, true)), Err(Refusal::OldEpoch { current: 1 }));
        append(&mut states, &batch(1, 0, 1, true), 13);
    }

    #[test]
    fn a_snapshot_keeps_sequences_and_open_transactions() {
        let mut states = ProducerStates::default();
        append(&mut states, &batch(2, i32::MAX - 1, 4, true), 100);
        let mut restored = ProducerStates::restore(states.snapshot());
        assert_eq!(restored.first_open_offset(), Some(100));
        let retry = restored.check(&batch(2, i32::MAX - 1, 4, true));
        assert_eq!(retry, Ok(Verdict::Duplicate { base_offset: 100, append_time: -1 }));
        assert_eq!(restored.check(&batch(2, 9, 1, true)), Err(Refusal::OutOfOrderSequence { last: 1 }));
        append(&mut restored, &batch(2, 2, 1, true), 104);
        assert_eq!(restored.check(&batch(1, 3, 1, true)), Err(Refusal::OldEpoch { current: 2 }));
    }

    #[test]
    fn the_sequence_wraps_to_zero() {
        let mut states = ProducerStates::default();
        append(&mut states, &batch(0, i32::MAX - 1, 2, false), 0);
        append(&mut states, &batch(0, 0, 1, false), 2);
    }

    #[test]
    fn a_plain_batch_in_an_open_transaction_is_refused() {
        let mut states = ProducerStates::default();
        append(&mut states, &batch(0, 0, 1, true), 0);
        assert_eq!(states.check(&batch(0, 1, 1, false)), Err(Refusal::TransactionOpen));
    }

    #[test]
    fn an_idle_producer_is_forgotten_unless_its_transaction_is_open() {
        let mut states = ProducerStates::default();
        append(&mut states, &batch(0, 0, 1, true), 0);
        states.forget_idle(100);
        assert_eq!(states.active().count(), 1);
        states.marked(9, 0, 0);
        states.forget_idle(100);
        assert_eq!(states.active().count(), 0);
    }
}
