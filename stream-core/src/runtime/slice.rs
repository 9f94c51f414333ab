//! Polling and processing: one slice of a worker's loop.

use std::time::Duration;

use super::failing::Attempt;
use super::worker::Worker;
use crate::client::{Message, Polled};
use crate::error::{Error, ErrorKind, Result};
use crate::id::TopicPartition;
use crate::task::Progress;

/// Records per poll, and per task and round.
const BATCH: usize = 1_000;
const ROUND: usize = 100;
/// How long a slice processes before the worker looks at its commands and at the commit.
const SLICE: Duration = Duration::from_millis(50);
/// How long the worker waits for records, while the producer's queue is full, before it looks for room again.
const CONGESTION: Duration = Duration::from_millis(5);

impl Worker {
    /// Fetches records into the tasks' queues; waits only when no task has anything to do.
    pub(super) fn poll(&mut self) -> Result<()> {
        let mut polled = std::mem::take(&mut self.polled);
        let timeout = self.poll_timeout();
        let result = self.consumer.poll(timeout, BATCH, &mut polled);
        let routed = self.route(&mut polled);
        polled.clear();
        self.polled = polled;
        self.pause_full_partitions()?;
        result.and(routed)
    }

    fn poll_timeout(&self) -> Duration {
        if self.has_buffered {
            return Duration::ZERO;
        }
        let clock = &self.environment.clock;
        let (now, now_ms) = (clock.monotonic(), clock.now_ms());
        let settings = &self.environment.settings;
        let mut timeout = settings.poll;
        if let Some(due) = self.failing.next_commit()
            && self.has_something_to_commit()
        {
            timeout = timeout.min(due.saturating_sub(now));
        } else if self.tasks.values().any(|task| task.is_touched()) {
            timeout = timeout.min((self.last_commit + settings.commit_interval).saturating_sub(now));
        }
        if let Some(due) = self.tasks.values().filter_map(crate::task::Task::next_punctuation_ms).min() {
            timeout = timeout.min(Duration::from_millis(u64::try_from(due - now_ms).unwrap_or(0)));
        }
        if let Some(until) = self.wait_until {
            timeout = timeout.min(until.saturating_sub(now));
        }
        timeout
    }

    fn route(&mut self, polled: &mut Vec<Polled>) -> Result<()> {
        // Records come in runs of one partition: it is looked up once per run.
        let mut run: Option<(TopicPartition, Option<(crate::TaskId, usize)>)> = None;
        for item in polled.drain(..) {
            match item {
                Polled::Message(message) => {
                    let is_same = run.as_ref().is_some_and(|(partition, _)| {
                        partition.partition == message.partition() && std::sync::Arc::ptr_eq(&partition.topic, message.topic())
                    });
                    if !is_same {
                        let partition = partition_of(&message);
                        let route = self.routes.get(&partition).copied();
                        run = Some((partition, route));
                    }
                    // Without a route the partition was given up while the record was on its way.
                    if let Some((_, Some((id, slot)))) = run {
                        if let Some(task) = self.tasks.get_mut(&id) {
                            task.add(slot, message);
                            self.has_buffered = true;
                        }
                    }
                }
                Polled::Eof { partition, position } => {
                    if let Some(&(id, slot)) = self.routes.get(&partition) {
                        if let Some(task) = self.tasks.get_mut(&id) {
                            task.reached_end(slot, position);
                            self.has_buffered = true;
                        }
                    }
                }
                // The position is gone from the log: the task starts again, and the reset policy decides.
                Polled::OffsetOutOfRange { partition, error } => {
                    return Err(self.of_its_task(error.with_kind(ErrorKind::Abortable), &partition));
                }
                Polled::Error { partition, error } => self.fetch_failed(partition.as_ref(), error)?,
            }
        }
        Ok(())
    }

    fn fetch_failed(&mut self, partition: Option<&TopicPartition>, error: Error) -> Result<()> {
        match (error.kind(), partition) {
            (ErrorKind::Retriable, _) => {
                tracing::debug!(worker = self.environment.index, partition = ?partition, %error, "fetching");
                Ok(())
            }
            (_, Some(partition)) => Err(self.of_its_task(error, partition)),
            (_, None) => Err(error),
        }
    }

    fn of_its_task(&self, error: Error, partition: &TopicPartition) -> Error {
        let error = error.at(partition);
        match self.routes.get(partition) {
            Some((task, _)) => error.of_task(*task),
            None => error,
        }
    }

    /// A partition whose queue is over `buffered.records.per.partition` is paused, so that the others can be read (trap T115).
    fn pause_full_partitions(&mut self) -> Result<()> {
        let limit = self.environment.settings.buffered_records_per_partition;
        let mut pause = Vec::new();
        let mut resume = Vec::new();
        for (partition, (id, slot)) in &self.routes {
            let Some(task) = self.tasks.get(id) else {
                continue;
            };
            let (is_full, is_paused) = (task.buffered(*slot) > limit, self.paused.contains(partition));
            match (is_full, is_paused) {
                (true, false) => pause.push(partition.clone()),
                (false, true) => resume.push(partition.clone()),
                _ => {}
            }
        }
        if !pause.is_empty() {
            self.consumer.pause(&pause);
            self.paused.extend(pause);
        }
        if !resume.is_empty() {
            self.consumer.resume(&resume)?;
            for partition in &resume {
                self.paused.remove(partition);
            }
        }
        Ok(())
    }

    /// Processes what is buffered, task by task, for at most one slice.
    pub(super) fn process_slice(&mut self) -> Result<()> {
        self.wait_until = None;
        let started = self.environment.clock.monotonic();
        // Without an interval every record is committed by itself, as in Kafka Streams.
        let commits_each = self.environment.settings.commit_interval.is_zero();
        let round = if commits_each { 1 } else { ROUND };
        let mut is_more = true;
        while is_more {
            is_more = false;
            for (&id, task) in &mut self.tasks {
                // What a record leads to is sent at once, and would wait in the middle of it. Here the worker can do all else meanwhile;
                // inputs whose queues are full are paused.
                if self.producer.producer().is_congested() {
                    let now = self.environment.clock.monotonic();
                    self.wait_until = [self.wait_until, Some(now + CONGESTION)].into_iter().flatten().min();
                    self.has_buffered = false;
                    return Ok(());
                }
                let mut done = task.punctuate()? + u64::from(task.wake()?);
                if let Some(due) = self.failing.next_read(id)
                    && due > self.environment.clock.monotonic()
                {
                    self.wait_until = [self.wait_until, Some(due)].into_iter().flatten().min();
                    continue;
                }
                let (processed, progress) = task.process(round);
                done += processed as u64;
                if done > 0 {
                    self.failing.processed(id);
                }
                let progress = match progress {
                    Err(error) if error.kind() == ErrorKind::Retriable => {
                        // A serde that cannot read the record now: it stays in its queue, and is tried again.
                        tracing::warn!(%error, "a record has to wait");
                        let now = self.environment.clock.monotonic();
                        let wait = self.failing.failed(Some(id), Attempt::Read, error, now, &self.environment.settings.retry)?;
                        self.wait_until = [self.wait_until, Some(now + wait)].into_iter().flatten().min();
                        continue;
                    }
                    progress => progress?,
                };
                match progress {
                    Progress::More => is_more = true,
                    // A task that is paused goes on when a processor was woken, which ends the wait for input, too.
                    Progress::Empty | Progress::Paused => {}
                    Progress::Waiting { until } => {
                        self.wait_until = [self.wait_until, until].into_iter().flatten().min();
                    }
                }
                if task.commit_requested() {
                    self.has_buffered = true;
                    return Ok(());
                }
            }
            let is_over = commits_each || self.environment.clock.monotonic().saturating_sub(started) >= SLICE;
            if is_over || self.memory.excess() > 0 || self.holds_back_too_much() {
                break;
            }
        }
        self.has_buffered = is_more;
        Ok(())
    }
}

fn partition_of(message: &Message) -> TopicPartition {
    TopicPartition::new(std::sync::Arc::clone(message.topic()), message.partition())
}
