//! Bytes in: a source node reads a record when it becomes the head of its queue, and pushes it when the task chooses it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::{Data, Lifecycle, NodeFactory, Outlet, PunctuationId, Stopped, TaskContext, WiredNode, Wiring};
use crate::client::Message;
use crate::error::{Error, Result, ResultExt};
use crate::record::{RawRecord, Record};
use crate::serdes::{self, Role, SerdeContext, SerdeRef};
use crate::time::{ConsumedRecord, TimestampExtractor};

/// What became of a record that moved to the head of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// It waits for the task to choose it.
    Ready { timestamp: i64 },
    /// It was left out, and counted.
    Skipped,
}

/// A source node, for the task's record queues.
pub(crate) trait SourceInlet {
    /// Reads a record into slot `slot` (one per queue). An error of kind `Retriable` means: the serde cannot read it now.
    fn admit(&mut self, slot: usize, raw: &RawRecord<'_>, partition_time: i64, task: &mut TaskContext) -> Result<Head>;

    /// Pushes the record of a slot to the children.
    fn process(&mut self, slot: usize, task: &mut TaskContext) -> Result<(), Stopped>;
}

pub(crate) struct SourceFactory<K, V> {
    pub(crate) key: SerdeRef<K>,
    pub(crate) value: SerdeRef<V>,
    /// `None`: the one that the configuration names.
    pub(crate) extractor: Option<Arc<dyn TimestampExtractor<K, V>>>,
}

struct SourceNode<K, V> {
    name: Arc<str>,
    key: SerdeRef<K>,
    value: SerdeRef<V>,
    extractor: Option<Arc<dyn TimestampExtractor<K, V>>>,
    heads: Vec<Option<Record<K, V>>>,
    outlet: Outlet<K, V>,
}

impl<K: Data, V: Data> NodeFactory for SourceFactory<K, V> {
    fn wire(&self, wiring: &mut Wiring<'_>) -> Result<WiredNode> {
        let node = Rc::new(RefCell::new(SourceNode {
            name: Arc::clone(wiring.node),
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            extractor: self.extractor.clone(),
            heads: Vec::new(),
            outlet: wiring.outlet()?,
        }));
        Ok(WiredNode { inlet: None, lifecycle: Rc::clone(&node) as _, source: Some(node) })
    }
}

impl<K: Data, V: Data> SourceNode<K, V> {
    /// What becomes of a record that a serde cannot read.
    #[cold]
    fn unreadable(&self, raw: &RawRecord<'_>, error: serdes::SerdeError, task: &mut TaskContext) -> Result<Head> {
        if error.is_retriable() {
            return Err(Error::retriable("a serde cannot read the record now").with_source(error).at(self.place(raw)));
        }
        task.current.set_source(raw.topic, raw.partition, raw.offset);
        task.current.replace_headers(raw.headers.clone());
        // The record is still in its queue: the handler sees a copy.
        task.message = Some(Message::from(raw.to_owned_record()));
        let answer = task.deserialization_failed(&self.name, raw.timestamp, error.into());
        task.message = None;
        match answer {
            Ok(()) => Ok(Head::Skipped),
            Err(Stopped) => Err(task.take_failure().unwrap_or_else(|| Error::internal("a task stopped without a reason"))),
        }
    }

    fn place(&self, raw: &RawRecord<'_>) -> String {
        format!("node {}, record {}-{} offset {}", self.name, raw.topic, raw.partition, raw.offset)
    }
}

impl<K: Data, V: Data> SourceInlet for SourceNode<K, V> {
    fn admit(&mut self, slot: usize, raw: &RawRecord<'_>, partition_time: i64, task: &mut TaskContext) -> Result<Head> {
        let context = |role| SerdeContext { topic: raw.topic, headers: &raw.headers, role };
        let key = match serdes::deserialize(&*self.key, raw.key, &context(Role::Key)) {
            Ok(key) => key,
            Err(error) => return self.unreadable(raw, error, task),
        };
        let value = match serdes::deserialize(&*self.value, raw.value, &context(Role::Value)) {
            Ok(value) => value,
            Err(error) => return self.unreadable(raw, error, task),
        };
        let consumed = ConsumedRecord {
            key: &key,
            value: &value,
            timestamp: raw.timestamp,
            topic: raw.topic,
            partition: raw.partition,
            offset: raw.offset,
            headers: &raw.headers,
        };
        let extracted = match &self.extractor {
            Some(extractor) => extractor.extract(&consumed, partition_time, task.system_time),
            None => task.handlers.default_timestamp_extractor.extract(&consumed, partition_time, task.system_time),
        };
        let timestamp = extracted.map_err(|error| Error::user("the timestamp extractor failed", error)).at(|| self.place(raw))?;
        if timestamp < 0 {
            task.current.set_source(raw.topic, raw.partition, raw.offset);
            task.drop_record(&self.name, "negative timestamp");
            return Ok(Head::Skipped);
        }
        if self.heads.len() <= slot {
            self.heads.resize_with(slot + 1, || None);
        }
        self.heads[slot] = Some(Record { key, value, timestamp, headers: raw.headers.clone() });
        Ok(Head::Ready { timestamp })
    }

    fn process(&mut self, slot: usize, task: &mut TaskContext) -> Result<(), Stopped> {
        match self.heads.get_mut(slot).and_then(Option::take) {
            Some(record) => {
                task.current.replace_timestamp(record.timestamp);
                if !(record.headers.is_empty() && task.current.headers().is_empty()) {
                    task.current.replace_headers(record.headers.clone());
                }
                self.outlet.push(record, task)
            }
            None => Err(task.stop(Error::internal("a source node was asked for a record that it does not hold"))),
        }
    }
}

impl<K: Data, V: Data> Lifecycle for SourceNode<K, V> {
    fn init(&mut self, _task: &mut TaskContext) -> Result<()> {
        Ok(())
    }

    fn drain(&mut self, _task: &mut TaskContext) -> Result<(), Stopped> {
        Ok(())
    }

    fn punctuate(&mut self, _id: PunctuationId, _timestamp: i64, _task: &mut TaskContext) -> Result<(), Stopped> {
        Ok(())
    }

    fn woken(&mut self, _task: &mut TaskContext) -> Result<(), Stopped> {
        Ok(())
    }

    fn close(&mut self) {
        self.heads.clear();
    }
}
