//! Compaction: of the records of a log that share a key, the last one stays.
//!
//! The rules are Kafka's. A *dirty* part of the log, which was not cleaned yet, tells the last offset of every key in it; then all
//! segments up to its end are written anew without the records that it overtakes. What stays keeps its offset. The active segment
//! is never touched, nor is what an open transaction may still decide.
//!
//! - Records of aborted transactions go at once. Their marker, and that of a committed transaction whose records are all gone, stays
//!   until `delete.retention.ms` after the first cleaning that found it so: the *delete horizon*, which the batch then carries
//!   (KIP-534). A tombstone stays as long: readers that began before must learn of the deletion.
//! - The last batch of a producer stays as an empty one, or a restart would forget the producer's sequence.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::ControlFlow;

use super::aborted::AbortedTransaction;
use super::batch::{BatchHeader, HEADER_BYTES};
use super::compression::{compressed, uncompressed_records};
use super::records::Records;
use super::segment::Segment;
use super::{Log, RollPolicy};

/// What limits a cleaning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CleanerPolicy {
    /// `min.cleanable.dirty.ratio`.
    pub(crate) min_dirty_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub(crate) min_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub(crate) max_lag_ms: i64,
    /// `delete.retention.ms`.
    pub(crate) delete_retention_ms: i64,
}

/// The dirty part of a log that may be cleaned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dirty {
    from: i64,
    to: i64,
    /// Its share of all that would be read.
    pub(crate) ratio: f64,
    /// It has waited for longer than `max.compaction.lag.ms`.
    is_overdue: bool,
}

impl Dirty {
    /// Whether it is worth the work.
    pub(crate) fn is_due(&self, policy: &CleanerPolicy) -> bool {
        self.is_overdue || self.ratio > policy.min_dirty_ratio
    }
}

/// What a cleaning has to know of the partition beside its log.
pub(crate) struct Producers {
    /// Base offset of the last batch of each producer.
    pub(crate) last_batches: HashMap<i64, i64>,
    pub(crate) aborted: Vec<AbortedTransaction>,
}

impl Log {
    /// The part of the log from `cleaned_to` on that may be cleaned, if there is one. `stable_end` is the last stable offset.
    pub(crate) fn dirty(&self, cleaned_to: i64, stable_end: i64, policy: &CleanerPolicy, now: i64) -> Option<Dirty> {
        let from = cleaned_to.max(self.start_offset);
        let youngest = now.saturating_sub(policy.min_lag_ms);
        let (mut to, mut clean, mut dirty, mut oldest) = (from, 0_usize, 0_usize, None);
        for (index, segment) in self.segments.iter().enumerate() {
            let Some(next) = self.segments.get(index + 1) else { break };
            if next.base_offset() <= from {
                clean += segment.size();
                continue;
            }
            if next.base_offset() > stable_end || (policy.min_lag_ms > 0 && segment.max_timestamp() > youngest) {
                break;
            }
            dirty += segment.size();
            oldest = oldest.or(segment.first_timestamp());
            to = next.base_offset();
        }
        let is_overdue = oldest.is_some_and(|oldest| now.saturating_sub(oldest) > policy.max_lag_ms);
        (dirty > 0).then(|| Dirty { from, to, ratio: dirty as f64 / (clean + dirty) as f64, is_overdue })
    }

    /// Cleans the log up to the end of its dirty part, and returns that offset.
    ///
    /// # Errors
    /// The disk. Segments that are cleaned already stay so.
    pub(crate) fn clean(
        &mut self,
        dirty: Dirty,
        producers: &Producers,
        policy: &CleanerPolicy,
        roll: &RollPolicy,
        now: i64,
    ) -> io::Result<i64> {
        let latest = self.latest_offsets(dirty, producers)?;
        let horizon = now.saturating_add(policy.delete_retention_ms);
        let mut filter = Filter { latest, producers, transactions: Transactions::new(&producers.aborted), now, horizon };
        let mut first = 0;
        while self.segments.get(first + 1).is_some_and(|next| next.base_offset() <= dirty.to) {
            let count = self.group_at(first, dirty.to, roll);
            let replacement = self.rewrite(first, count, &mut filter, roll)?;
            let replaced: Vec<Segment> = self.segments.drain(first..first + count).collect();
            // The first segment says where the log begins, so it stays even without records.
            let stays = first == 0 || !replacement.is_empty();
            match self.swap(replacement, &replaced, stays) {
                Ok(Some(segment)) => {
                    self.segments.insert(first, segment);
                    first += 1;
                }
                Ok(None) => {}
                Err(error) => {
                    // The old files may be gone. What is left is found by the recovery of the next start.
                    for (index, segment) in replaced.into_iter().enumerate() {
                        self.segments.insert(first + index, segment);
                    }
                    return Err(error);
                }
            }
        }
        let mut position = 0;
        for segment in &mut self.segments {
            segment.start_position = position;
            position = segment.end_position();
        }
        self.size = self.segments.iter().map(Segment::size).sum();
        Ok(dirty.to)
    }

    /// The last offset of every key in the dirty part.
    fn latest_offsets(&self, dirty: Dirty, producers: &Producers) -> io::Result<KeyOffsets> {
        let mut latest = KeyOffsets::default();
        let mut transactions = Transactions::new(&producers.aborted);
        self.walk(self.start_offset, |header, batch| {
            if header.base_offset >= dirty.to {
                return ControlFlow::Break(());
            }
            let is_discarded = transactions.may_discard(header, batch);
            if header.is_control() || is_discarded || header.last_offset() < dirty.from {
                return ControlFlow::Continue(());
            }
            // A batch that cannot be read is kept as it is, and overtakes nothing.
            if let Ok(records) = uncompressed_records(header, batch) {
                for record in Records::new(&records).map_while(Result::ok) {
                    if let Some(key) = record.key {
                        latest.put(key, header.base_offset + i64::from(record.offset_delta));
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(latest)
    }

    /// How many segments from `first` on become one, so that cleaned ones do not grow ever smaller.
    fn group_at(&self, first: usize, to: i64, roll: &RollPolicy) -> usize {
        let base = self.segments[first].base_offset();
        let mut size = self.segments[first].size();
        let mut count = 1;
        while let Some((segment, next)) = self.segments.get(first + count).zip(self.segments.get(first + count + 1)) {
            size += segment.size();
            let too_far = segment.end_offset() - base > i64::from(i32::MAX);
            if next.base_offset() > to || size > roll.bytes || too_far {
                break;
            }
            count += 1;
        }
        count
    }

    fn rewrite(&self, first: usize, count: usize, filter: &mut Filter<'_>, roll: &RollPolicy) -> io::Result<Segment> {
        let base = self.segments[first].base_offset();
        let mut cleaned = Segment::new(base, 0, self.new_batches(base));
        cleaned.write_aside()?;
        for segment in self.segments.range(first..first + count) {
            let mut failed = None;
            segment.walk(|header, batch| {
                let kept = match filter.apply(header, batch) {
                    Kept::All => cleaned.append(header, batch, None, roll.index_interval),
                    Kept::Part(header, batch) => cleaned.append(&header, &batch, None, roll.index_interval),
                    Kept::Nothing => Ok(()),
                };
                failed = kept.err();
                if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            failed.map_or(Ok(()), Err)?;
        }
        Ok(cleaned)
    }

    /// Puts a cleaned segment in the place of those that it was made of.
    fn swap(&self, mut cleaned: Segment, replaced: &[Segment], stays: bool) -> io::Result<Option<Segment>> {
        cleaned.commit_aside()?;
        for segment in replaced {
            segment.delete()?;
        }
        cleaned.take_place()?;
        if !stays {
            cleaned.delete()?;
            return Ok(None);
        }
        cleaned.seal()?;
        Ok(Some(cleaned))
    }
}

/// The last offset of each key. Keys are told apart by 128 bits of two hashes with random seeds.
#[derive(Default)]
struct KeyOffsets {
    hashers: (RandomState, RandomState),
    offsets: HashMap<u128, i64>,
}

impl KeyOffsets {
    fn digest(&self, key: &[u8]) -> u128 {
        u128::from(self.hashers.0.hash_one(key)) << 64 | u128::from(self.hashers.1.hash_one(key))
    }

    fn put(&mut self, key: &[u8], offset: i64) {
        self.offsets.insert(self.digest(key), offset);
    }

    fn get(&self, key: &[u8]) -> Option<i64> {
        self.offsets.get(&self.digest(key)).copied()
    }
}

/// Follows the transactions of a log, batch by batch.
struct Transactions<'a> {
    /// By first offset.
    to_come: BTreeMap<(i64, i64), &'a AbortedTransaction>,
    /// Producers whose present transaction was aborted.
    aborted: BTreeSet<i64>,
    /// Producers of whose present, committed transaction a batch was seen.
    committed: BTreeSet<i64>,
}

impl<'a> Transactions<'a> {
    fn new(aborted: &'a [AbortedTransaction]) -> Self {
        let to_come = aborted.iter().map(|t| ((t.first_offset, t.producer_id), t)).collect();
        Transactions { to_come, aborted: BTreeSet::new(), committed: BTreeSet::new() }
    }

    /// Whether a data batch was aborted, or a marker ends a transaction of which no batch is left.
    fn may_discard(&mut self, header: &BatchHeader, batch: &[u8]) -> bool {
        while let Some(entry) = self.to_come.first_entry().filter(|entry| entry.key().0 <= header.last_offset()) {
            self.aborted.insert(entry.remove().producer_id);
        }
        let producer = header.producer_id;
        if header.is_control() {
            let key = Records::new(&batch[HEADER_BYTES..]).next().and_then(Result::ok).and_then(|record| record.key);
            return match key {
                Some([_, _, 0, 1]) => !self.committed.remove(&producer),
                // The records of an aborted transaction are gone when this cleaning is through.
                Some([_, _, 0, 0]) => {
                    self.aborted.remove(&producer);
                    true
                }
                _ => false,
            };
        }
        if !header.is_transactional() {
            return false;
        }
        let is_aborted = self.aborted.contains(&producer);
        // An empty batch that only keeps a producer's sequence has nothing that a marker could decide.
        if !is_aborted && header.record_count > 0 {
            self.committed.insert(producer);
        }
        is_aborted
    }
}

/// What stays of a batch.
enum Kept {
    All,
    Part(BatchHeader, Vec<u8>),
    Nothing,
}

struct Filter<'a> {
    latest: KeyOffsets,
    producers: &'a Producers,
    transactions: Transactions<'a>,
    now: i64,
    /// The delete horizon of what is found to be deletable now.
    horizon: i64,
}

impl Filter<'_> {
    fn apply(&mut self, header: &BatchHeader, batch: &[u8]) -> Kept {
        let may_discard = self.transactions.may_discard(header, batch);
        let is_past_horizon = header.delete_horizon().is_some_and(|horizon| horizon <= self.now);
        if header.is_control() {
            return match header.delete_horizon() {
                _ if !may_discard => Kept::All,
                None => self.with_horizon(header, batch),
                Some(_) if is_past_horizon => Kept::Nothing,
                Some(_) => Kept::All,
            };
        }
        if may_discard {
            return self.emptied(header);
        }
        let Ok(records) = uncompressed_records(header, batch) else {
            return Kept::All;
        };
        let (mut kept, mut kept_count, mut has_tombstone) = (Vec::new(), 0, false);
        let parsed: Result<Vec<_>, _> = Records::new(&records).collect();
        let Ok(parsed) = parsed else {
            return Kept::All;
        };
        for record in &parsed {
            let Some(key) = record.key else { continue };
            let offset = header.base_offset + i64::from(record.offset_delta);
            let is_latest = self.latest.get(key).is_none_or(|latest| latest <= offset);
            if is_latest && (record.value.is_some() || !is_past_horizon) {
                has_tombstone |= record.value.is_none();
                kept_count += 1;
                kept.push(record);
            }
        }
        if kept_count == 0 && header.record_count > 0 {
            return self.emptied(header);
        }
        let needs_horizon = has_tombstone && header.delete_horizon().is_none();
        if kept_count == header.record_count && !needs_horizon {
            return Kept::All;
        }
        let mut rewritten = *header;
        if needs_horizon {
            rewritten = rewritten.with_delete_horizon(self.horizon);
        }
        rewritten.record_count = kept_count;
        let times = kept.iter().map(|record| header.first_timestamp().saturating_add(record.timestamp_delta));
        if !header.is_log_append_time() {
            rewritten.max_timestamp = times.max().unwrap_or(header.max_timestamp);
        }
        let mut payload = Vec::with_capacity(records.len());
        for record in kept {
            let timestamp = header.first_timestamp().saturating_add(record.timestamp_delta);
            record.copy_to(&mut payload, timestamp.saturating_sub(rewritten.first_timestamp()));
        }
        encode(rewritten, &payload)
    }

    /// A batch of which no record stays.
    fn emptied(&self, header: &BatchHeader) -> Kept {
        let is_last = header.has_producer() && self.producers.last_batches.get(&header.producer_id) == Some(&header.base_offset);
        if !is_last {
            return Kept::Nothing;
        }
        if header.record_count == 0 {
            return Kept::All;
        }
        let empty = BatchHeader { record_count: 0, ..*header }.without_compression();
        let bytes = empty.encode(&[]);
        Kept::Part(BatchHeader { size: bytes.len(), ..empty }, bytes)
    }

    /// A marker that may go after the delete horizon, which it gets now.
    fn with_horizon(&self, header: &BatchHeader, batch: &[u8]) -> Kept {
        let rewritten = header.with_delete_horizon(self.horizon);
        let mut payload = Vec::new();
        for record in Records::new(&batch[HEADER_BYTES..]).map_while(Result::ok) {
            let timestamp = header.first_timestamp().saturating_add(record.timestamp_delta);
            record.copy_to(&mut payload, timestamp.saturating_sub(rewritten.first_timestamp()));
        }
        encode(rewritten, &payload)
    }
}

/// A rewritten batch in the codec that it had; what cannot be compressed stays as it was.
fn encode(header: BatchHeader, payload: &[u8]) -> Kept {
    let Ok(payload) = compressed(header.compression(), payload) else {
        return Kept::All;
    };
    let bytes = header.encode(&payload);
    Kept::Part(BatchHeader { size: bytes.len(), ..header }, bytes)
}
