//! When and how a partition is compacted.

use std::io;

use super::Partition;
use crate::log::cleaner::{CleanerPolicy, Dirty, Producers};

impl Partition {
    /// How much of the log is dirty, if it is to be cleaned now: a share from 0 to 1.
    pub(crate) fn dirty_ratio(&self, now: i64) -> Option<f64> {
        self.dirty(now).map(|dirty| dirty.ratio)
    }

    fn dirty(&self, now: i64) -> Option<Dirty> {
        if !self.config.compacts() {
            return None;
        }
        let policy = self.cleaner_policy();
        self.log.dirty(self.cleaned_to, self.last_stable_offset(), &policy, now).filter(|dirty| dirty.is_due(&policy))
    }

    /// Keeps the last record of each key in the part of the log that may be cleaned.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn clean(&mut self, now: i64) -> io::Result<()> {
        let Some(dirty) = self.dirty(now) else {
            return Ok(());
        };
        let producers =
            Producers { last_batches: self.producers.last_batches().collect(), aborted: self.aborted.iter().copied().collect() };
        let (policy, roll) = (self.cleaner_policy(), self.roll_policy());
        self.cleaned_to = self.log.clean(dirty, &producers, &policy, &roll, now)?;
        self.aborted.cleaned_below(self.cleaned_to);
        self.save_aborted_below(self.cleaned_to)
    }

    fn cleaner_policy(&self) -> CleanerPolicy {
        CleanerPolicy {
            min_dirty_ratio: self.config.min_cleanable_dirty_ratio,
            min_lag_ms: self.config.min_compaction_lag_ms,
            max_lag_ms: self.config.max_compaction_lag_ms,
            delete_retention_ms: self.config.delete_retention_ms,
        }
    }
}
