//! [`DataConsumer`]: fetches the partitions that it is told to, from the offsets that it is told.

mod assigned;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use self::assigned::{AssignedPartition, Assignment, Flow};
use super::Properties;
use super::context::ClientContext;
use super::error::{Operation, from_native};
use super::message::Message;
use super::native::message::FetchedMessage;
use super::native::queue::{ConsumerQueue, FetchBatch};
use super::native::{Callbacks, NativeError, PartitionList, timeout_ms};
use crate::error::{Error, Result};
use crate::id::TopicPartition;

/// What a poll brings.
#[derive(Debug)]
pub enum Polled {
    /// A record.
    Message(Message),
    /// The end of a partition was reached. Comes again each time new records were fetched and the end was reached anew.
    Eof {
        /// The partition.
        partition: TopicPartition,
        /// The offset of the next record, behind all commit markers and aborted records that were passed.
        position: i64,
    },
    /// The position lies outside of the log: its records were deleted, or the log is shorter than it was. Nothing more comes from the
    /// partition until it is sought or assigned anew.
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// What happened, of kind [`Corrupted`](crate::ErrorKind::Corrupted).
        error: Error,
    },
    /// Something else failed; fetching goes on where it can.
    Error {
        /// The partition, unless the whole consumer is concerned.
        partition: Option<TopicPartition>,
        /// What failed.
        error: Error,
    },
}

/// Interrupts a consumer's poll from another thread. Cheap to clone; does nothing once the consumer is gone.
#[derive(Clone)]
pub struct PollWaker {
    queue: Weak<ConsumerQueue>,
    woken: Arc<AtomicBool>,
}

impl PollWaker {
    /// Lets the poll that waits, or else the next one, return at once.
    pub fn wake(&self) {
        // The flag before the yield: a poll looks at the flag between its look at the queue and its wait.
        self.woken.store(true, Ordering::Release);
        if let Some(queue) = self.queue.upgrade() {
            queue.wake();
        }
    }
}

impl std::fmt::Debug for PollWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PollWaker")
    }
}

/// A consumer that is only ever assigned to: it joins no group and commits nothing.
///
/// One thread uses it at a time. No call waits for the cluster, except that [`poll`](Self::poll) waits for records as long as it is told.
/// While the brokers are away, polls bring nothing, and fetching resumes by itself.
///
/// Pausing does not use librdkafka's own, which throws away what was fetched and, after an end-of-partition event, resumes one record too
/// far. What comes for a paused partition is kept here; when that becomes much, the partition is unassigned until it is resumed.
pub struct DataConsumer {
    queue: Arc<ConsumerQueue>,
    name: Arc<str>,
    assigned: Assignment,
    ready: VecDeque<Polled>,
    waker: PollWaker,
    batch: FetchBatch,
}

impl DataConsumer {
    /// Creates a consumer without partitions. `properties` must hold `group.id` (librdkafka assigns nothing without one).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when librdkafka does not take the properties. An unreachable cluster is no error.
    pub fn new(properties: &Properties, name: &str, context: &Arc<dyn ClientContext>) -> Result<Self> {
        let mut properties = properties.clone();
        // A position that does not exist is an event for the caller, never a silent jump.
        properties.insert("auto.offset.reset".to_owned(), "error".to_owned());
        properties.insert("enable.auto.commit".to_owned(), "false".to_owned());
        properties.insert("enable.auto.offset.store".to_owned(), "false".to_owned());
        properties.insert("enable.partition.eof".to_owned(), "true".to_owned());
        let queue = ConsumerQueue::new(&properties, Callbacks::new(name, context))?;
        let waker = PollWaker { queue: Arc::downgrade(&queue), woken: Arc::default() };
        Ok(Self {
            queue,
            name: Arc::from(name),
            assigned: Assignment::default(),
            ready: VecDeque::new(),
            waker,
            batch: FetchBatch::default(),
        })
    }

    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Interrupts polls, from any thread.
    pub fn waker(&self) -> PollWaker {
        self.waker.clone()
    }

    /// Adds partitions, each with the offset of the first record to fetch.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a partition that is assigned already or an offset below 0; nothing is added then.
    pub fn assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<()> {
        for (index, (partition, offset)) in partitions.iter().enumerate() {
            if *offset < 0 {
                return Err(Error::invalid(format!("partition {partition} is assigned at offset {offset}; resolve the offset first")));
            }
            if self.assigned.contains(partition) || partitions[..index].iter().any(|(earlier, _)| earlier == partition) {
                return Err(Error::invalid(format!("partition {partition} is assigned to consumer {} already", self.name)));
            }
        }
        let mut new: Vec<&str> =
            partitions.iter().map(|(partition, _)| &*partition.topic).filter(|topic| !self.assigned.knows(topic)).collect();
        new.sort_unstable();
        new.dedup();
        let looked_up = new.into_iter().map(|topic| self.queue.look_up(topic)).collect::<Result<Vec<_>>>()?;
        self.fetch_from(partitions.iter().map(|(partition, offset)| (partition, *offset)))?;
        drop(looked_up);
        for (partition, offset) in partitions {
            self.assigned.insert(partition, *offset, self.queue.client());
        }
        Ok(())
    }

    /// Removes partitions; nothing more comes from them. Those that are not assigned are ignored.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) when librdkafka refuses.
    pub fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let mut fetching = Vec::new();
        for partition in partitions {
            if self.assigned.remove(partition).is_some_and(|removed| removed.flow != Flow::Suspended) {
                fetching.push(partition);
            }
        }
        self.ready.retain(|polled| polled.partition().is_none_or(|(topic, number)| self.assigned.get(topic, number).is_some()));
        self.stop_fetching(&fetching)
    }

    /// Lets nothing come from partitions until they are resumed. What was fetched is kept.
    pub fn pause(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            let Some(assigned) = self.assigned.get_mut(&partition.topic, partition.partition) else { continue };
            if assigned.flow != Flow::Running {
                continue;
            }
            assigned.flow = Flow::Paused;
            // In order: what waits to be handed out is older than anything the queue brings.
            let belongs = |polled: &Polled| polled.partition() == Some((&*partition.topic, partition.partition));
            for polled in std::mem::take(&mut self.ready) {
                if belongs(&polled) { assigned.hold(polled) } else { self.ready.push_back(polled) }
            }
        }
    }

    /// Lets partitions go on where they were paused.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) when librdkafka refuses.
    pub fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let mut suspended = Vec::new();
        for partition in partitions {
            let Some(assigned) = self.assigned.get_mut(&partition.topic, partition.partition) else { continue };
            if assigned.flow == Flow::Suspended {
                suspended.push((partition, assigned.next));
            }
            assigned.flow = Flow::Running;
            self.ready.extend(assigned.release());
        }
        self.fetch_from(suspended.into_iter())
    }

    /// Continues a partition at another offset; what was fetched is dropped. A paused partition stays paused.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when it is not assigned or the offset is below 0.
    pub fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<()> {
        let Some(assigned) = self.assigned.get_mut(&partition.topic, partition.partition).filter(|_| offset >= 0) else {
            return Err(Error::invalid(format!(
                "partition {partition} cannot be sought to offset {offset}: it is not assigned, or the offset is not one"
            )));
        };
        let before = assigned.flow;
        assigned.restart(offset);
        self.ready.retain(|polled| polled.partition() != Some((&*partition.topic, partition.partition)));
        if before != Flow::Suspended {
            self.stop_fetching(&[partition])?;
        }
        if before == Flow::Running { self.fetch_from([(partition, offset)].into_iter()) } else { Ok(()) }
    }

    /// The offset behind the last record or event that came from a partition, held back or not; `None` when it is not assigned.
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.assigned.get(&partition.topic, partition.partition).map(|assigned| assigned.next)
    }

    /// Appends up to `max` records and events to `out`, waiting at most `timeout` for the first.
    ///
    /// It may come back without any: after the timeout, when it was [woken](PollWaker::wake), or when all that came was for paused partitions.
    ///
    /// # Errors
    /// When a partition with too much held back cannot be suspended. What fails in fetching comes as [`Polled::Error`].
    pub fn poll(&mut self, timeout: Duration, max: usize, out: &mut Vec<Polled>) -> Result<()> {
        let wanted = out.len() + max;
        while out.len() < wanted {
            let Some(polled) = self.ready.pop_front() else { break };
            out.push(polled);
        }
        if out.len() == wanted {
            return Ok(());
        }
        self.queue.consume(0, wanted - out.len(), &mut self.batch);
        if self.batch.is_empty() && out.len() + max == wanted && !timeout.is_zero() {
            if self.waker.woken.swap(false, Ordering::AcqRel) {
                return Ok(());
            }
            // For one record, because the call waits until it has as many as it was asked for; then for what came with it.
            self.queue.consume(timeout_ms(timeout), 1, &mut self.batch);
            if !self.batch.is_empty() && max > 1 {
                self.queue.consume(0, max - 1, &mut self.batch);
            }
        }
        self.hand_out(out)?;
        self.hand_out_errors(out);
        Ok(())
    }

    /// Errors that come beside the messages, of partitions that are still assigned.
    fn hand_out_errors(&self, out: &mut Vec<Polled>) {
        for (partition, native) in self.queue.client().callbacks().partition_errors.take() {
            if self.assigned.contains(&partition) {
                let error = from_native(native, Operation::Consume).at(&partition);
                out.push(Polled::Error { partition: Some(partition), error });
            }
        }
    }

    fn hand_out(&mut self, out: &mut Vec<Polled>) -> Result<()> {
        let mut overfull = Vec::new();
        // Records of one partition come in runs: one look-up serves a run. Addresses are unique while the batch lives.
        let mut run = None;
        let mut current: Option<&mut AssignedPartition> = None;
        for fetched in self.batch.drain() {
            let place = (fetched.topic_address(), fetched.partition());
            if run != Some(place) {
                run = Some(place);
                current = fetched.topic_name().and_then(|topic| self.assigned.get_mut(topic, fetched.partition()));
            }
            let polled = match &mut current {
                // Almost all: straight into its place, for each move of an event is a copy.
                Some(assigned) if assigned.flow == Flow::Running && fetched.code() == 0 => {
                    if let Some(message) = assigned.take_record(fetched) {
                        out.push(Polled::Message(message));
                    }
                    continue;
                }
                Some(assigned) => match assigned.take(fetched) {
                    Some(polled) => polled,
                    None => continue,
                },
                // Of the consumer as a whole; what comes from a partition that was taken away is nobody's.
                None if fetched.topic_name().is_none() => Polled::Error { partition: None, error: failure(&fetched, &self.name) },
                None => continue,
            };
            match &mut current {
                Some(assigned) if assigned.flow != Flow::Running => {
                    assigned.hold(polled);
                    if assigned.is_overfull() && assigned.flow == Flow::Paused {
                        assigned.flow = Flow::Suspended;
                        overfull.push(assigned.partition.clone());
                    }
                }
                _ => out.push(polled),
            }
        }
        self.stop_fetching(&overfull.iter().collect::<Vec<_>>())
    }

    fn fetch_from<'a>(&self, partitions: impl ExactSizeIterator<Item = (&'a TopicPartition, i64)>) -> Result<()> {
        if partitions.len() == 0 {
            return Ok(());
        }
        let list = PartitionList::with_offsets(partitions)?;
        self.queue.assign(&list).map_err(|native| from_native(native, Operation::Consume).at(format_args!("consumer {}", self.name)))
    }

    fn stop_fetching(&self, partitions: &[&TopicPartition]) -> Result<()> {
        if partitions.is_empty() {
            return Ok(());
        }
        let list = PartitionList::with_offsets(partitions.iter().map(|partition| (*partition, 0)))?;
        self.queue.unassign(&list).map_err(|native| from_native(native, Operation::Consume).at(format_args!("consumer {}", self.name)))
    }
}

impl Polled {
    /// The topic and partition it came from.
    fn partition(&self) -> Option<(&str, i32)> {
        match self {
            Self::Message(message) => Some((message.topic(), message.partition())),
            Self::Eof { partition, .. } | Self::OffsetOutOfRange { partition, .. } => Some((&partition.topic, partition.partition)),
            Self::Error { partition, .. } => partition.as_ref().map(|partition| (&*partition.topic, partition.partition)),
        }
    }
}

/// The error that an event carries.
fn failure(fetched: &FetchedMessage, place: &dyn std::fmt::Display) -> Error {
    from_native(NativeError::with_reason(fetched.code(), &fetched.error_text()), Operation::Consume).at(place)
}

impl std::fmt::Debug for DataConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataConsumer").field("name", &self.name).finish_non_exhaustive()
    }
}
