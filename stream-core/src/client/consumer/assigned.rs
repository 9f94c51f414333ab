//! What a consumer knows of the partitions that it was assigned.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{Polled, failure};
use crate::client::error::code;
use crate::client::message::Message;
use crate::client::native::client::NativeClient;
use crate::client::native::message::{ConsumedTopic, FetchedMessage};
use crate::id::TopicPartition;

/// How much a paused partition holds back before it is suspended: about what librdkafka prefetches.
const HELD_ENTRIES: usize = 10_000;
const HELD_BYTES: usize = 8 << 20;

/// Whether records of a partition come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// They do.
    Running,
    /// They are fetched and held back.
    Paused,
    /// Paused with so much held back that they are not fetched either.
    Suspended,
}

/// One assigned partition.
pub(super) struct AssignedPartition {
    pub(super) partition: TopicPartition,
    pub(super) flow: Flow,
    /// The offset behind what came last.
    pub(super) next: i64,
    /// What is older was fetched before the last seek.
    start: i64,
    topic: Arc<ConsumedTopic>,
    held: VecDeque<Polled>,
    held_bytes: usize,
}

impl AssignedPartition {
    /// What a fetched message is for the caller; `None` when it came from before a seek.
    #[inline]
    pub(super) fn take(&mut self, fetched: FetchedMessage) -> Option<Polled> {
        match fetched.code() {
            0 => self.take_record(fetched).map(Polled::Message),
            code::PARTITION_EOF => {
                let position = fetched.offset();
                if position < self.start {
                    return None;
                }
                self.next = position;
                Some(Polled::Eof { partition: self.partition.clone(), position })
            }
            code::OFFSET_OUT_OF_RANGE | code::AUTO_OFFSET_RESET | code::LOG_TRUNCATION => {
                Some(Polled::OffsetOutOfRange { partition: self.partition.clone(), error: failure(&fetched, &self.partition) })
            }
            _ => Some(Polled::Error { partition: Some(self.partition.clone()), error: failure(&fetched, &self.partition) }),
        }
    }

    /// As [`take`](Self::take), for a record.
    #[inline]
    pub(super) fn take_record(&mut self, fetched: FetchedMessage) -> Option<Message> {
        let offset = fetched.offset();
        if offset < self.start {
            return None;
        }
        self.next = offset + 1;
        Some(Message::Native(fetched.into_message(&self.topic)))
    }

    pub(super) fn hold(&mut self, polled: Polled) {
        if let Polled::Message(message) = &polled {
            self.held_bytes += message.size_bytes();
        }
        self.held.push_back(polled);
    }

    pub(super) fn is_overfull(&self) -> bool {
        self.held.len() >= HELD_ENTRIES || self.held_bytes >= HELD_BYTES
    }

    /// Takes out what was held back, in order.
    pub(super) fn release(&mut self) -> VecDeque<Polled> {
        self.held_bytes = 0;
        std::mem::take(&mut self.held)
    }

    /// Begins at `offset`. What is paused is not fetched until it is resumed.
    pub(super) fn restart(&mut self, offset: i64) {
        self.release();
        (self.start, self.next) = (offset, offset);
        if self.flow == Flow::Paused {
            self.flow = Flow::Suspended;
        }
    }
}

/// All assigned partitions, by topic and number.
#[derive(Default)]
pub(super) struct Assignment(HashMap<Arc<str>, AssignedTopic>);

struct AssignedTopic {
    topic: Arc<ConsumedTopic>,
    partitions: HashMap<i32, AssignedPartition>,
}

impl Assignment {
    pub(super) fn contains(&self, partition: &TopicPartition) -> bool {
        self.get(&partition.topic, partition.partition).is_some()
    }

    /// Whether a partition of this topic is assigned.
    pub(super) fn knows(&self, topic: &str) -> bool {
        self.0.contains_key(topic)
    }

    pub(super) fn get(&self, topic: &str, partition: i32) -> Option<&AssignedPartition> {
        self.0.get(topic)?.partitions.get(&partition)
    }

    pub(super) fn get_mut(&mut self, topic: &str, partition: i32) -> Option<&mut AssignedPartition> {
        self.0.get_mut(topic)?.partitions.get_mut(&partition)
    }

    pub(super) fn insert(&mut self, partition: &TopicPartition, offset: i64, client: &Arc<NativeClient>) {
        let topic = self.0.entry(Arc::clone(&partition.topic)).or_insert_with(|| AssignedTopic {
            topic: ConsumedTopic::new(Arc::clone(&partition.topic), client),
            partitions: HashMap::new(),
        });
        let assigned = AssignedPartition {
            // The topic's own name, so that all partitions share one.
            partition: TopicPartition::new(Arc::clone(&topic.topic.name), partition.partition),
            flow: Flow::Running,
            next: offset,
            start: offset,
            topic: Arc::clone(&topic.topic),
            held: VecDeque::new(),
            held_bytes: 0,
        };
        topic.partitions.insert(partition.partition, assigned);
    }

    pub(super) fn remove(&mut self, partition: &TopicPartition) -> Option<AssignedPartition> {
        let topic = self.0.get_mut(&partition.topic)?;
        let removed = topic.partitions.remove(&partition.partition);
        if topic.partitions.is_empty() {
            self.0.remove(&partition.topic);
        }
        removed
    }
}
