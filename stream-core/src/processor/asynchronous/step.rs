//! [`AsyncStep`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::in_flight::{InFlight, Outcome, Spawner, missed_deadline};
use super::lanes::Lanes;
use super::{AsyncContext, AsyncOptions, AsyncProcessor};
use crate::error::{BoxError, Error};
use crate::node::Stopped;
use crate::processor::{InitContext, Processor, ProcessorContext};
use crate::record::Record;

/// Runs an [`AsyncProcessor`] where a [`Processor`] is asked for. Its deadlines are in real time, also where a test stops the clock.
pub struct AsyncStep<P: AsyncProcessor> {
    processor: Arc<P>,
    options: AsyncOptions,
    /// The records that are not done, by arrival.
    in_flight: BTreeMap<u64, InFlight<P>>,
    lanes: Lanes<P::KeyIn>,
    /// Those whose future has not begun.
    waiting: VecDeque<u64>,
    /// How many futures run.
    running: usize,
    /// The records by deadline, which is the order of arrival; those that are done are still among them.
    deadlines: VecDeque<u64>,
    next: u64,
    /// Made by `init`.
    spawner: Option<Spawner<P>>,
}

impl<P: AsyncProcessor> AsyncStep<P> {
    /// Runs this processor so.
    pub fn new(processor: P, options: AsyncOptions) -> Self {
        Self {
            processor: Arc::new(processor),
            options,
            in_flight: BTreeMap::new(),
            lanes: Lanes::new(options.order()),
            waiting: VecDeque::new(),
            running: 0,
            deadlines: VecDeque::new(),
            next: 0,
            spawner: None,
        }
    }

    fn spawner(&self) -> Result<&Spawner<P>, Error> {
        self.spawner.as_ref().ok_or_else(|| Error::internal("an async processor was called before its `init`"))
    }

    /// Starts futures as long as there is room.
    fn start_waiting(&mut self) -> Result<(), Error> {
        while self.running < self.options.in_flight().max(1) {
            let Some(number) = self.waiting.pop_front() else { break };
            // One that missed its deadline while it waited is not here any more.
            let Some(flight) = self.in_flight.get_mut(&number) else { continue };
            let Some((record, context)) = flight.waiting.take() else { continue };
            let deadline = flight.deadline;
            let started = self.spawner()?.start(number, &self.processor, record, context, deadline);
            if let Some(flight) = self.in_flight.get_mut(&number) {
                flight.running = Some(started);
            }
            self.running += 1;
        }
        Ok(())
    }

    /// Takes a result, and forwards what may be forwarded now.
    fn complete(
        &mut self,
        number: u64,
        outcome: Outcome<P>,
        cx: &mut ProcessorContext<'_, P::KeyOut, P::ValueOut>,
    ) -> Result<(), BoxError> {
        let Some(flight) = self.in_flight.get_mut(&number) else {
            // Its deadline was missed before.
            return Ok(());
        };
        if flight.running.take().is_some() {
            self.running -= 1;
        }
        flight.waiting = None;
        flight.outcome = Some(outcome);
        let key = flight.key.clone();
        self.start_waiting()?;
        if self.lanes.is_unordered() {
            return Ok(self.forward(number, cx)?);
        }
        while let Some(number) = self.lanes.leave(&key, |number| self.in_flight.get(&number).is_none_or(|flight| flight.outcome.is_some()))
        {
            self.forward(number, cx)?;
        }
        Ok(())
    }

    /// Forwards a result as part of its record; when there is none, the record fails.
    fn forward(&mut self, number: u64, cx: &mut ProcessorContext<'_, P::KeyOut, P::ValueOut>) -> Result<(), Stopped> {
        let Some(InFlight { held, outcome: Some(outcome), .. }) = self.in_flight.remove(&number) else {
            return Ok(());
        };
        cx.resume(held, |cx| {
            for record in outcome? {
                cx.forward(record)?;
            }
            Ok(())
        })
    }

    fn complete_all(&mut self, cx: &mut ProcessorContext<'_, P::KeyOut, P::ValueOut>) -> Result<(), BoxError> {
        while let Ok((number, outcome)) = self.spawner()?.completed.try_recv() {
            self.complete(number, outcome, cx)?;
        }
        Ok(())
    }

    /// The record whose deadline is next.
    fn next_deadline(&mut self) -> Option<(u64, Instant)> {
        loop {
            let number = *self.deadlines.front()?;
            match self.in_flight.get(&number) {
                Some(flight) if flight.outcome.is_none() => return Some((number, flight.deadline)),
                _ => self.deadlines.pop_front(),
            };
        }
    }

    fn set_pause(&self, cx: &mut ProcessorContext<'_, P::KeyOut, P::ValueOut>) {
        if self.in_flight.len() >= self.options.in_flight() { cx.pause_input() } else { cx.resume_input() }
    }
}

impl<P: AsyncProcessor> Processor for AsyncStep<P> {
    type KeyIn = P::KeyIn;
    type ValueIn = P::ValueIn;
    type KeyOut = P::KeyOut;
    type ValueOut = P::ValueOut;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        let (sender, completed) = channel();
        let deadline = self.options.deadline().unwrap_or_else(|| cx.task.application.executor.deadline());
        self.spawner = Some(Spawner { runtime: cx.async_runtime()?, wakeup: cx.wakeup(), sender, completed, deadline });
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<P::KeyIn, P::ValueIn>,
        cx: &mut ProcessorContext<'_, P::KeyOut, P::ValueOut>,
    ) -> Result<(), BoxError> {
        let (number, deadline) = (self.next, self.spawner()?.deadline);
        self.next += 1;
        let context = AsyncContext { task: cx.task_id(), metadata: cx.record_metadata() };
        self.lanes.enter(&record.key, number);
        let record = InFlight {
            held: cx.hold(),
            key: record.key.clone(),
            waiting: Some((record, context)),
            deadline: Instant::now().checked_add(deadline).unwrap_or_else(|| Instant::now() + FAR),
            running: None,
            outcome: None,
        };
        self.in_flight.insert(number, record);
        self.deadlines.push_back(number);
        self.waiting.push_back(number);
        self.start_waiting()?;
        // Those at the front that are done are dropped, or the queue would grow until the next commit.
        self.next_deadline();
        self.set_pause(cx);
        Ok(())
    }

    fn woken(&mut self, cx: &mut ProcessorContext<'_, P::KeyOut, P::ValueOut>) -> Result<(), BoxError> {
        self.complete_all(cx)?;
        self.set_pause(cx);
        Ok(())
    }

    /// Waits for all futures, none longer than its deadline.
    fn drain(&mut self, cx: &mut ProcessorContext<'_, P::KeyOut, P::ValueOut>) -> Result<(), BoxError> {
        self.complete_all(cx)?;
        while let Some((number, deadline)) = self.next_deadline() {
            // The runtime has the same deadlines. This one is for a future that blocks its thread, where the runtime cannot end it.
            let remaining = deadline.saturating_duration_since(Instant::now());
            match self.spawner()?.completed.recv_timeout(remaining) {
                Ok((number, outcome)) => self.complete(number, outcome, cx)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    if let Some(running) = self.in_flight.get(&number).and_then(|flight| flight.running.as_ref()) {
                        running.abort();
                    }
                    let missed = missed_deadline(self.spawner()?.deadline);
                    self.complete(number, Err(missed), cx)?;
                }
            }
        }
        if !self.in_flight.is_empty() {
            return Err(Error::internal(format!("an async processor kept {} results back", self.in_flight.len())).into());
        }
        cx.resume_input();
        Ok(())
    }

    fn close(&mut self) {
        for running in self.in_flight.values().filter_map(|flight| flight.running.as_ref()) {
            running.abort();
        }
    }
}

/// Longer than any commit.
const FAR: Duration = Duration::from_secs(365 * 24 * 3_600);

impl<P: AsyncProcessor> std::fmt::Debug for AsyncStep<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsyncStep").field("options", &self.options).field("in_flight", &self.in_flight.len()).finish_non_exhaustive()
    }
}
