//! The processor of aggregations over sliding windows.

use std::marker::PhantomData;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::time::UNKNOWN_TIME;
use stream_core::{BoxError, Error, Headers, Record};
use stream_state::ValueAndTimestamp;

use super::fold::Fold;
use super::window_rows::{WindowRows, WindowTable};
use crate::table::{Change, TableForwarder};
use crate::window::{SlidingWindows, TimeWindow, Windowed};

/// Windows are made where records define them. A row's timestamp is that of the window's last record, so the rows around a record tell which
/// records lie around it: the last record of a window that ends before this one is its neighbour to the left.
pub(super) struct SlidingAggregate<F, K, V, A> {
    fold: Fold<F, A>,
    windows: SlidingWindows,
    rows: WindowRows<K, A>,
    /// The largest timestamp that this operator saw; starts anew with the task (traps T5, T6).
    stream_time: i64,
    types: PhantomData<fn(V)>,
}

/// What lies around a record.
struct Around<A> {
    /// Starts of the windows that there are.
    starts: Vec<i64>,
    /// The window that ends nearest before the record.
    left: Option<ValueAndTimestamp<A>>,
    /// The window that begins nearest before the record, and ends behind it.
    right: Option<ValueAndTimestamp<A>>,
    /// The time of the record before.
    previous: Option<i64>,
}

impl<A> Around<A> {
    fn new() -> Self {
        Self { starts: Vec::new(), left: None, right: None, previous: None }
    }

    fn has(&self, start: i64) -> bool {
        self.starts.contains(&start)
    }
}

/// A record on its way into its windows.
struct Arrival<'a, K, V> {
    key: &'a K,
    value: &'a V,
    timestamp: i64,
    headers: &'a Headers,
    close_time: i64,
}

impl<F, K: Clone + 'static, V, A: Clone + 'static> SlidingAggregate<F, K, V, A> {
    pub(super) fn new(fold: Fold<F, A>, windows: SlidingWindows, table: WindowTable<K, A>, forwarder: TableForwarder) -> Self {
        Self { fold, windows, rows: WindowRows::new(table, forwarder), stream_time: UNKNOWN_TIME, types: PhantomData }
    }
}

impl<F, K, V, A> SlidingAggregate<F, K, V, A>
where
    F: Fn(&K, V, Option<A>) -> Option<A> + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    A: Clone + 'static,
{
    fn window_at(&self, start: i64) -> TimeWindow {
        TimeWindow::new(start, start.saturating_add(self.windows.time_difference_ms()))
    }

    /// Adds the record to the window that begins at `start`; without a row so far it begins anew.
    fn add(
        &self,
        cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>,
        arrival: &Arrival<'_, K, V>,
        start: i64,
        row: Option<ValueAndTimestamp<A>>,
    ) -> Result<(), BoxError> {
        let window = self.window_at(start);
        // The end belongs to the window: at the close time it is still open (trap T13).
        if window.end_ms() < arrival.close_time {
            cx.drop_record("its window is closed");
            return Ok(());
        }
        let timestamp = row.as_ref().map_or(arrival.timestamp, |row| row.timestamp.max(arrival.timestamp));
        let begun = self.fold.begin(row.map(|row| row.value));
        let told = if self.rows.tells_old_values() { begun.clone() } else { None };
        let new = self.fold.next(arrival.key, arrival.value.clone(), begun);
        self.rows.update(cx, arrival.key, window, Change::latest(told, new), timestamp, arrival.headers)
    }

    /// Makes the window behind the record, of the records that follow it, unless it is there or would be empty.
    fn open_right_window(
        &self,
        cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>,
        arrival: &Arrival<'_, K, V>,
        around: &Around<A>,
    ) -> Result<(), BoxError> {
        let start = arrival.timestamp + 1;
        match &around.right {
            Some(right) if right.timestamp > arrival.timestamp && !around.has(start) => {
                let change = Change::latest(None, Some(right.value.clone()));
                self.rows.update(cx, arrival.key, self.window_at(start), change, right.timestamp, arrival.headers)
            }
            _ => Ok(()),
        }
    }

    /// A record that has a whole window before it.
    fn arrive(&self, cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>, arrival: &Arrival<'_, K, V>) -> Result<(), BoxError> {
        let (difference, timestamp) = (self.windows.time_difference_ms(), arrival.timestamp);
        let mut around = Around::new();
        let left_start = timestamp - difference;
        // From the window behind the record down to the first that ends before it.
        let from = timestamp.saturating_sub(difference.saturating_mul(2)).max(0);
        for row in self.rows.store()?.backward_fetch(arrival.key, from, timestamp + 1)? {
            let (start, row) = row?;
            around.starts.push(start);
            if start > timestamp {
                // The window behind the record: it does not hold it.
            } else if start > left_start {
                around.right.get_or_insert_with(|| row.clone());
                self.add(cx, arrival, start, Some(row))?;
            } else if start == left_start {
                let last = row.timestamp;
                self.add(cx, arrival, start, Some(row))?;
                if last >= timestamp {
                    // Another record of this time made all windows already.
                    return Ok(());
                }
                around.previous = Some(last);
            } else {
                around.previous = Some(row.timestamp);
                around.left = Some(row);
                break;
            }
        }
        if let Some(start) = around.previous.map(|previous| previous + 1) {
            // The window behind the record before: this one is the first in it.
            if !around.has(start) && start + difference >= timestamp {
                self.add(cx, arrival, start, None)?;
            }
        }
        if !around.has(left_start) {
            // The window before holds what this one holds, unless its last record is too far away.
            let reaches = around.previous.is_some_and(|previous| left_start <= previous);
            let left = around.left.take().filter(|_| reaches).map(|left| ValueAndTimestamp::new(left.value, timestamp));
            self.add(cx, arrival, left_start, left)?;
        }
        self.open_right_window(cx, arrival, &around)
    }

    /// A record with less than a window before it: no window begins before the epoch, so all such records share the first one, `[0,
    /// difference]` (trap T12).
    fn arrive_early(&self, cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>, arrival: &Arrival<'_, K, V>) -> Result<(), BoxError> {
        let timestamp = arrival.timestamp;
        let mut around = Around::new();
        let mut first = None;
        for row in self.rows.store()?.fetch(arrival.key, 0, timestamp + 1)? {
            let (start, row) = row?;
            around.starts.push(start);
            if start == 0 {
                if row.timestamp < timestamp {
                    around.previous = Some(row.timestamp);
                }
                first = Some(row);
            } else if start <= timestamp {
                around.right = Some(row.clone());
                self.add(cx, arrival, start, Some(row))?;
            }
        }
        if around.right.is_none() {
            // Then the first window holds no record before this one, or none behind it.
            around.right = first.as_ref().filter(|first| first.timestamp > timestamp).cloned();
        }
        self.open_right_window(cx, arrival, &around)?;
        if let Some(start) = around.previous.map(|previous| previous + 1).filter(|start| !around.has(*start)) {
            self.add(cx, arrival, start, None)?;
        }
        self.add(cx, arrival, 0, first)
    }
}

impl<F, K, V, A> Processor for SlidingAggregate<F, K, V, A>
where
    F: Fn(&K, V, Option<A>) -> Option<A> + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    A: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = Windowed<K>;
    type ValueOut = Change<A>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.rows.open(cx)
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>) -> Result<(), BoxError> {
        let Record { key, value, timestamp, headers } = record;
        let difference = self.windows.time_difference_ms();
        self.stream_time = self.stream_time.max(timestamp);
        let close_time = self.stream_time.saturating_sub(self.windows.grace_ms());
        if timestamp.saturating_add(difference) < close_time {
            cx.drop_record("all of its windows are closed");
            return Ok(());
        }
        if difference < 1 {
            return Err(Error::invalid(
                "sliding windows with a time difference of 0 have windows without a duration; give them a difference of at least 1 ms",
            )
            .into());
        }
        let arrival = Arrival { key: &key, value: &value, timestamp, headers: &headers, close_time };
        if timestamp < difference {
            // Trap T14: such a record tells no closed windows.
            return self.arrive_early(cx, &arrival);
        }
        self.arrive(cx, &arrival)?;
        // The end belongs to the window, so it has closed when its end is before the close time.
        let starts = |told: Option<i64>| {
            (told.map_or(0, |told| (told - difference).max(0)), close_time.saturating_sub(difference).saturating_sub(1))
        };
        self.rows.tell_closed(cx, close_time, &headers, starts, |_, _| true)
    }

    fn drain(&mut self, cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>) -> Result<(), BoxError> {
        self.rows.drain(cx)
    }
}
