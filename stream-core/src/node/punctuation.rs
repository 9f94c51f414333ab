//! Punctuations: calls that are due at a time, not at a record.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::time::Duration;

use crate::time::UNKNOWN_TIME;

/// What moves a punctuation's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PunctuationType {
    /// The task's stream time: only records advance it.
    StreamTime,
    /// The wall clock.
    WallClockTime,
}

/// One schedule, to tell punctuations of a processor apart and to cancel them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PunctuationId(u64);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Schedule {
    next: i64,
    id: PunctuationId,
    interval: i64,
    node: usize,
}

impl Schedule {
    /// The slot after the call at `now`: on the original grid, missed slots coalesce. `None` at the end of time, where the next
    /// slot would be due at once, for ever (trap T113).
    fn after(&self, now: i64) -> Option<i64> {
        let next = self.next.checked_add(self.interval)?;
        if now < next {
            return Some(next);
        }
        let missed = (now - self.next) / self.interval;
        self.next.checked_add((missed + 1).checked_mul(self.interval)?).filter(|next| *next > now)
    }
}

/// The punctuations of one task.
#[derive(Debug, Default)]
pub(crate) struct Punctuations {
    stream_time: BinaryHeap<Reverse<Schedule>>,
    wall_clock: BinaryHeap<Reverse<Schedule>>,
    cancelled: HashSet<PunctuationId>,
    next_id: u64,
}

/// A punctuation that is due; give it back to [`Punctuations::reschedule`] after the call.
#[derive(Debug)]
pub(crate) struct Due {
    schedule: Schedule,
    kind: PunctuationType,
}

impl Due {
    pub(crate) fn node(&self) -> usize {
        self.schedule.node
    }

    pub(crate) fn id(&self) -> PunctuationId {
        self.schedule.id
    }
}

impl Punctuations {
    /// Adds a schedule. Stream time is aligned to 0, so the first record fires it; the wall clock counts from `now_ms`. An anchor
    /// (KIP-1146) gives the grid `anchor + k · interval`, of which no slot before now is due.
    pub(crate) fn schedule(
        &mut self,
        node: usize,
        interval: Duration,
        kind: PunctuationType,
        anchor: Option<i64>,
        stream_time: i64,
        now_ms: i64,
    ) -> PunctuationId {
        let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let now = match kind {
            PunctuationType::StreamTime => stream_time,
            PunctuationType::WallClockTime => now_ms,
        };
        let next = match anchor {
            Some(anchor) if anchor > now => anchor,
            Some(anchor) => {
                anchor.saturating_add(((now - anchor) / interval + i64::from((now - anchor) % interval != 0)).saturating_mul(interval))
            }
            None if kind == PunctuationType::StreamTime => 0,
            None => now_ms.saturating_add(interval),
        };
        let id = PunctuationId(self.next_id);
        self.next_id += 1;
        self.heap(kind).push(Reverse(Schedule { next, id, interval, node }));
        id
    }

    /// Removes a schedule, also from within its own call.
    pub(crate) fn cancel(&mut self, id: PunctuationId) {
        if id.0 < self.next_id {
            self.cancelled.insert(id);
        }
    }

    /// The next punctuation that is due at `now`.
    pub(crate) fn due(&mut self, kind: PunctuationType, now: i64) -> Option<Due> {
        if now == UNKNOWN_TIME {
            return None;
        }
        while self.heap(kind).peek().is_some_and(|Reverse(schedule)| schedule.next <= now) {
            let Reverse(schedule) = self.heap(kind).pop()?;
            if !self.cancelled.remove(&schedule.id) {
                return Some(Due { schedule, kind });
            }
        }
        None
    }

    /// Puts a schedule back after its call at `now`.
    pub(crate) fn reschedule(&mut self, due: Due, now: i64) {
        if self.cancelled.remove(&due.schedule.id) {
            return;
        }
        if let Some(next) = due.schedule.after(now) {
            self.heap(due.kind).push(Reverse(Schedule { next, ..due.schedule }));
        }
    }

    /// When the wall clock has the next one due, ms.
    pub(crate) fn next_wall_clock(&self) -> Option<i64> {
        self.wall_clock.peek().map(|Reverse(schedule)| schedule.next)
    }

    /// Every schedule that was not cancelled: its id, what moves it, its interval and when it is due next, both ms; by id.
    pub(crate) fn schedules(&self) -> Vec<(PunctuationId, PunctuationType, i64, i64)> {
        let of = |heap: &BinaryHeap<Reverse<Schedule>>, kind| {
            let live = heap.iter().filter(|Reverse(schedule)| !self.cancelled.contains(&schedule.id));
            live.map(|Reverse(schedule)| (schedule.id, kind, schedule.interval, schedule.next)).collect::<Vec<_>>()
        };
        let mut schedules = of(&self.stream_time, PunctuationType::StreamTime);
        schedules.extend(of(&self.wall_clock, PunctuationType::WallClockTime));
        schedules.sort_unstable_by_key(|(id, ..)| *id);
        schedules
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stream_time.is_empty() && self.wall_clock.is_empty()
    }

    fn heap(&mut self, kind: PunctuationType) -> &mut BinaryHeap<Reverse<Schedule>> {
        match kind {
            PunctuationType::StreamTime => &mut self.stream_time,
            PunctuationType::WallClockTime => &mut self.wall_clock,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(punctuations: &mut Punctuations, kind: PunctuationType, now: i64) -> usize {
        let mut calls = 0;
        while let Some(due) = punctuations.due(kind, now) {
            calls += 1;
            punctuations.reschedule(due, now);
        }
        calls
    }

    #[test]
    fn stream_time_fires_with_the_first_record_and_coalesces_missed_slots() {
        let mut punctuations = Punctuations::default();
        punctuations.schedule(0, Duration::from_millis(10), PunctuationType::StreamTime, None, -1, 5_000);
        let fired: Vec<usize> =
            [-1, 7, 8, 10, 35, 39, 40].iter().map(|now| calls(&mut punctuations, PunctuationType::StreamTime, *now)).collect();
        assert_eq!(fired, [0, 1, 0, 1, 1, 0, 1]);
    }

    #[test]
    fn wall_clock_fires_after_one_interval_and_stays_on_its_grid() {
        let mut punctuations = Punctuations::default();
        punctuations.schedule(0, Duration::from_millis(10), PunctuationType::WallClockTime, None, -1, 100);
        let fired: Vec<usize> =
            [100, 109, 110, 135, 139, 140].iter().map(|now| calls(&mut punctuations, PunctuationType::WallClockTime, *now)).collect();
        assert_eq!(fired, [0, 0, 1, 1, 0, 1]);
    }

    #[test]
    fn an_anchor_in_the_past_never_fires_early() {
        let mut punctuations = Punctuations::default();
        punctuations.schedule(0, Duration::from_millis(10), PunctuationType::WallClockTime, Some(3), -1, 100);
        let fired: Vec<usize> =
            [100, 102, 103, 112, 113].iter().map(|now| calls(&mut punctuations, PunctuationType::WallClockTime, *now)).collect();
        assert_eq!(fired, [0, 0, 1, 0, 1]);
    }

    #[test]
    fn a_punctuation_cancelled_in_its_own_call_does_not_come_back() {
        let mut punctuations = Punctuations::default();
        let id = punctuations.schedule(0, Duration::from_millis(10), PunctuationType::StreamTime, None, -1, 0);
        let due = punctuations.due(PunctuationType::StreamTime, 0).expect("due at once");
        punctuations.cancel(id);
        punctuations.reschedule(due, 0);
        assert_eq!(calls(&mut punctuations, PunctuationType::StreamTime, 1_000), 0);
    }

    #[test]
    fn the_end_of_time_is_punctuated_once() {
        let mut punctuations = Punctuations::default();
        punctuations.schedule(0, Duration::from_millis(10), PunctuationType::StreamTime, None, -1, 0);
        assert_eq!(calls(&mut punctuations, PunctuationType::StreamTime, i64::MAX), 1);
    }
}
