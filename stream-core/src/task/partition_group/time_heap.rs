//! Which partition is next: a heap of partitions by the timestamp of their heads.

/// A binary heap that breaks ties exactly as `java.util.PriorityQueue` does, so that records with equal timestamps come out in
/// Kafka Streams' order.
#[derive(Debug, Default)]
pub(super) struct TimeHeap(Vec<(i64, usize)>);

impl TimeHeap {
    pub(super) fn peek(&self) -> Option<usize> {
        self.0.first().map(|(_, slot)| *slot)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a slot at the end and lets it rise past parents that are strictly later.
    pub(super) fn offer(&mut self, timestamp: i64, slot: usize) {
        let mut at = self.0.len();
        self.0.push((timestamp, slot));
        while at > 0 {
            let parent = (at - 1) / 2;
            if timestamp >= self.0[parent].0 {
                break;
            }
            self.0.swap(at, parent);
            at = parent;
        }
    }

    /// Removes the first slot; the last one takes its place and sinks past children that are strictly earlier, the left one on ties.
    pub(super) fn poll(&mut self) -> Option<usize> {
        let last = self.0.len().checked_sub(1)?;
        self.0.swap(0, last);
        let (_, slot) = self.0.pop()?;
        let mut at = 0;
        loop {
            let left = 2 * at + 1;
            if left >= self.0.len() {
                break;
            }
            let right = left + 1;
            let child = if right < self.0.len() && self.0[right].0 < self.0[left].0 { right } else { left };
            if self.0[at].0 <= self.0[child].0 {
                break;
            }
            self.0.swap(at, child);
            at = child;
        }
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_equal_java() {
        // The same loop over `java.util.PriorityQueue` on OpenJDK gave this sequence.
        let expected = [0, 5, 3, 5, 3, 2, 3, 2, 3, 2, 4, 0, 1, 0, 1, 5, 5, 4, 2, 4, 0, 1, 1, 4];
        let mut heap = TimeHeap::default();
        let (mut times, mut left) = ([0_i64; 6], [4_i64; 6]);
        for (slot, time) in [0, 1, 0, 0, 1, 0].into_iter().enumerate() {
            times[slot] = time;
            heap.offer(time, slot);
        }
        let mut polled = Vec::new();
        while let Some(slot) = heap.poll() {
            polled.push(slot);
            left[slot] -= 1;
            if left[slot] > 0 {
                times[slot] += i64::from((i64::try_from(slot).unwrap() + left[slot]) % 2 == 1);
                heap.offer(times[slot], slot);
            }
        }
        assert_eq!(polled, expected);
        assert_eq!(heap.len(), 0);
    }
}
