//! Giving memory back: clean entries go, those not used since the hand's last round first (a clock).

use super::Layers;
use super::entry::{REFERENCED, VACANT};

impl Layers {
    /// Drops clean entries until `bytes` are freed or none is left; returns what was freed. An in-memory store has none: its committed
    /// rows are nowhere else.
    pub(crate) fn evict(&mut self, bytes: usize) -> usize {
        self.close_scans();
        if self.below.is_none() {
            return 0;
        }
        let slots = self.table.slots();
        let mut freed = 0;
        // Twice round: the first round may only take the marks away.
        for _ in 0..u64::from(slots) * 2 {
            if freed >= bytes {
                break;
            }
            if self.hand >= slots {
                self.hand = 0;
            }
            let slot = self.hand;
            self.hand += 1;
            let entry = self.table.entry_mut(slot);
            if entry.is(VACANT) || !entry.is_clean() {
                continue;
            }
            if entry.is(REFERENCED) && bytes != usize::MAX {
                entry.flags &= !REFERENCED;
                continue;
            }
            if matches!(entry.committed, Some(Some(_))) {
                self.coverage.break_off(entry.key.as_slice());
            }
            freed += self.remove(slot);
        }
        freed
    }
}
