//! Bytes out: a sink node serializes its records, chooses topic and partition, and emits them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::{
    Data, Inlet, Lifecycle, NodeFactory, OutgoingRecord, PunctuationId, Push, SinkTopic, Stopped, TaskContext, TopicContext, WiredNode,
    Wiring,
};
use crate::error::{Error, Result};
use crate::partition::{self, Partitions, StreamPartitioner};
use crate::record::Record;
use crate::serdes::{self, Role, SerdeContext, SerdeRef};

pub(crate) struct SinkFactory<K, V> {
    pub(crate) topic: SinkTopic<K, V>,
    pub(crate) key: SerdeRef<K>,
    pub(crate) value: SerdeRef<V>,
    pub(crate) partitioner: Option<Arc<dyn StreamPartitioner<K, V>>>,
}

struct SinkNode<K, V> {
    name: Arc<str>,
    topic: SinkTopic<K, V>,
    key: SerdeRef<K>,
    value: SerdeRef<V>,
    partitioner: Option<Arc<dyn StreamPartitioner<K, V>>>,
    internal_topics: Arc<BTreeSet<Arc<str>>>,
}

impl<K: Data, V: Data> NodeFactory for SinkFactory<K, V> {
    fn wire(&self, wiring: &mut Wiring<'_>) -> Result<WiredNode> {
        let topic = match &self.topic {
            SinkTopic::Named(name) => SinkTopic::Named((wiring.topic_name)(name)),
            SinkTopic::Extracted(extractor) => SinkTopic::Extracted(Arc::clone(extractor)),
        };
        let node = Rc::new(RefCell::new(SinkNode {
            name: Arc::clone(wiring.node),
            topic,
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            partitioner: self.partitioner.clone(),
            internal_topics: Arc::clone(wiring.internal_topics),
        }));
        let inlet: Inlet<K, V> = Rc::clone(&node) as _;
        Ok(WiredNode { inlet: Some(Rc::new(inlet)), lifecycle: node, source: None })
    }
}

impl<K: Data, V: Data> SinkNode<K, V> {
    fn partitions(&self, topic: &Arc<str>, record: &Record<K, V>, task: &mut TaskContext) -> Result<Partitions> {
        let Some(partitioner) = &self.partitioner else {
            return Ok(Partitions::ByKey);
        };
        let count = task.emit.partition_count(topic)?;
        let partitions = partitioner
            .partitions(topic, &record.key, &record.value, count)
            .map_err(|error| Error::user(format!("the partitioner of topic {topic} failed"), error))?;
        if let Partitions::Only(chosen) = &partitions {
            if let Some(wrong) = chosen.iter().find(|partition| !(0..count).contains(*partition)) {
                return Err(Error::invalid(format!("the partitioner chose partition {wrong} of topic {topic}, which has {count}")));
            }
        }
        Ok(partitions)
    }

    /// The partition of a key of which only a part decides; `None` where the producer hashes all its bytes.
    fn partition_of(&self, topic: &Arc<str>, key: &[u8], task: &mut TaskContext) -> Result<Option<i32>> {
        let deciding = self.key.partitioning_bytes(key);
        if deciding.len() == key.len() {
            return Ok(None);
        }
        Ok(Some(partition::for_key(deciding, task.emit.partition_count(topic)?)))
    }

    fn send(
        &self,
        topic: &Arc<str>,
        record: &Record<K, V>,
        partitions: &Partitions,
        key_buffer: &mut Vec<u8>,
        value_buffer: &mut Vec<u8>,
        task: &mut TaskContext,
    ) -> Result<(), Stopped> {
        let context = |role| SerdeContext { topic, headers: &record.headers, role };
        let bytes = serdes::serialize(&*self.key, &record.key, key_buffer, &context(Role::Key))
            .and_then(|key| Ok((key, serdes::serialize(&*self.value, &record.value, value_buffer, &context(Role::Value))?)));
        let (key, value) = match bytes {
            Ok(bytes) => bytes,
            Err(error) => return task.production_failed(&self.name, topic, record.timestamp, error.into()),
        };
        let chosen: &[i32] = match partitions {
            Partitions::ByKey => &[],
            Partitions::Only(chosen) if chosen.is_empty() => {
                task.drop_record(&self.name, "the partitioner chose no partition");
                return Ok(());
            }
            Partitions::Only(chosen) => chosen,
        };
        let by_key = match (partitions, key) {
            (Partitions::ByKey, Some(key)) => match self.partition_of(topic, key, task) {
                Ok(partition) => partition,
                Err(error) => return Err(task.stop(error.at(format_args!("node {}", self.name)))),
            },
            _ => None,
        };
        let mut outgoing = OutgoingRecord { topic, partition: None, key, value, timestamp: record.timestamp, headers: &record.headers };
        for index in 0..chosen.len().max(1) {
            outgoing.partition = chosen.get(index).copied().or(by_key);
            match task.emit.emit(&outgoing) {
                Ok(()) => task.metrics.produced.add(1),
                Err(error) => return Err(task.stop(error.at(format_args!("node {}, topic {topic}", self.name)))),
            }
        }
        Ok(())
    }
}

impl<K: Data, V: Data> Push<K, V> for SinkNode<K, V> {
    fn push(&mut self, record: Record<K, V>, task: &mut TaskContext) -> Result<(), Stopped> {
        let extracted;
        let topic = match &self.topic {
            SinkTopic::Named(name) => name,
            SinkTopic::Extracted(extractor) => {
                let metadata = task.metadata();
                match extractor.topic(&record, &TopicContext { metadata: metadata.as_ref() }) {
                    // A record there would lack what the operators of the application put into it, and its partition would be anyone's.
                    Ok(topic) if self.internal_topics.contains(&topic) => {
                        let error = Error::invalid(format!("the topic extractor chose {topic}, an internal topic of this application"));
                        return Err(task.stop(error.at(format_args!("node {}", self.name))));
                    }
                    Ok(topic) => {
                        extracted = topic;
                        &extracted
                    }
                    Err(error) => return task.processing_failed(&self.name, record.timestamp, error),
                }
            }
        };
        let partitions = match self.partitions(topic, &record, task) {
            Ok(partitions) => partitions,
            Err(error) => return Err(task.stop(error.at(format_args!("node {}", self.name)))),
        };
        let (mut key_buffer, mut value_buffer) = (std::mem::take(&mut task.key_buffer), std::mem::take(&mut task.value_buffer));
        let sent = self.send(topic, &record, &partitions, &mut key_buffer, &mut value_buffer, task);
        (task.key_buffer, task.value_buffer) = (key_buffer, value_buffer);
        sent
    }
}

impl<K: Data, V: Data> Lifecycle for SinkNode<K, V> {
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

    fn close(&mut self) {}
}
