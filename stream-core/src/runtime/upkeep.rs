//! What a worker does between slices: commit when due, flush stores, keep to the memory budget.

use std::cmp::Reverse;
use std::rc::Rc;
use std::time::Duration;

use super::worker::Worker;
use crate::error::{Result, ResultExt};
use crate::fault::{KillPoint, kill_point};
use crate::id::TaskId;
use crate::store::StateStore;

/// How often stores without changes are flushed all the same: the age of its last flush decides whether a store that is opened again can
/// still trust the deletions in its changelog.
const RENEW_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// How often memory and ages are looked at when nothing asks for it earlier.
const UPKEEP_INTERVAL: Duration = Duration::from_millis(100);
/// After how long in one turn no further flush is begun.
const FLUSH_SLICE: Duration = Duration::from_millis(50);
/// Positions that moved only past commit markers are committed no more often than this.
const IDLE_COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// Brokers expire offsets of topics that nobody subscribes to: all positions are committed again this often.
const FULL_COMMIT_INTERVAL: Duration = Duration::from_secs(12 * 60 * 60);

impl Worker {
    pub(super) fn is_commit_due(&mut self) -> bool {
        let now = self.environment.clock.monotonic();
        let since = now.saturating_sub(self.last_commit);
        let interval = self.environment.settings.commit_interval;
        if now.saturating_sub(self.last_full_commit) >= FULL_COMMIT_INTERVAL {
            self.last_full_commit = now;
            self.tasks.values_mut().for_each(crate::task::Task::forget_committed);
        }
        if self.tasks.is_empty() {
            return false;
        }
        if let Some(due) = self.failing.next_commit()
            && self.has_something_to_commit()
        {
            return now >= due;
        }
        if self.tasks.values().any(|task| task.commit_requested()) || self.must_commit_early || self.holds_back_too_much() {
            self.must_commit_early = false;
            return true;
        }
        (since >= interval && self.tasks.values().any(|task| task.is_touched()))
            || (since >= interval.max(IDLE_COMMIT_INTERVAL) && self.tasks.values().any(|task| task.has_moved()))
    }

    /// Whether records were processed, or positions moved, since the last commit.
    pub(super) fn has_something_to_commit(&self) -> bool {
        self.tasks.values().any(|task| task.is_touched() || task.has_moved())
    }

    /// Whether cached tables hold back more than this worker's share of `statestore.cache.max.bytes`.
    pub(super) fn holds_back_too_much(&self) -> bool {
        self.memory.held_back_bytes() > self.environment.settings.cache_bytes_per_worker
    }

    pub(super) fn upkeep(&mut self) -> Result<()> {
        if self.memory.excess() > 0 {
            self.relieve_memory()?;
        }
        let now = self.environment.clock.monotonic();
        if now.saturating_sub(self.last_upkeep) >= UPKEEP_INTERVAL {
            self.last_upkeep = now;
            self.memory.report();
            self.flush_due()?;
            if now.saturating_sub(self.last_renewal) >= RENEW_INTERVAL {
                self.last_renewal = now;
                for (id, task) in &self.tasks {
                    task.stores().try_for_each(|store| self.flush_store(*id, &**store))?;
                }
            }
        }
        Ok(())
    }

    /// Flushes stores whose unflushed entries ask for it by size or age. Not all of them in one go, as stores that were opened together
    /// come of age together, and no record is processed meanwhile: those that are left are flushed in the next turns.
    pub(super) fn flush_due(&mut self) -> Result<()> {
        let settings = &self.environment.settings;
        let now = self.environment.clock.monotonic();
        for (id, task) in &self.tasks {
            for store in task.stores() {
                let unflushed = store.unflushed();
                if unflushed.entries == 0 {
                    continue;
                }
                let key = (*id, store.name().to_owned());
                let since = *self.unflushed_since.entry(key.clone()).or_insert(now);
                let is_due = unflushed.bytes >= settings.flush_max_bytes || now.saturating_sub(since) >= settings.flush_interval;
                if is_due && self.environment.clock.monotonic().saturating_sub(now) < FLUSH_SLICE {
                    self.flush_store(*id, &**store)?;
                    self.unflushed_since.remove(&key);
                }
            }
        }
        Ok(())
    }

    /// Writes a store's committed entries to its persistent layer.
    pub(super) fn flush_store(&self, task: TaskId, store: &dyn StateStore) -> Result<()> {
        kill_point(KillPoint::BeforeStoreFlush);
        store.flush(self.environment.clock.now_ms()).at(|| format!("task {task}, store {}", store.name()))?;
        kill_point(KillPoint::AfterStoreFlush);
        Ok(())
    }

    /// First clean entries go, then the store with the most unflushed bytes is flushed, and at last the uncommitted ones must become
    /// committed: by an early commit.
    fn relieve_memory(&mut self) -> Result<()> {
        let slack = self.environment.budget.share() / 16;
        let mut stores: Vec<Rc<dyn StateStore>> = self.tasks.values().flat_map(|task| task.stores().cloned()).collect();
        stores.sort_by_key(|store| Reverse(store.memory_bytes()));
        let evict = |stores: &[Rc<dyn StateStore>], mut excess: usize| {
            for store in stores {
                if excess == 0 {
                    break;
                }
                excess = excess.saturating_sub(store.evict(excess));
            }
        };
        evict(&stores, self.memory.excess() + slack);
        while self.memory.excess() > 0 {
            let Some(store) = stores.iter().max_by_key(|store| store.unflushed().bytes).filter(|store| store.unflushed().bytes > 0) else {
                break;
            };
            store.flush(self.environment.clock.now_ms()).at(|| format!("store {}", store.name()))?;
            evict(&stores, self.memory.excess() + slack);
        }
        if self.memory.excess() > 0 && self.tasks.values().any(|task| task.is_touched()) {
            self.must_commit_early = true;
        }
        Ok(())
    }
}
