//! Topics and their partitions.

mod checkpoint;
pub(crate) mod config;
pub(crate) mod config_definition;
pub(crate) mod internal;
pub(crate) mod log_dir;
mod metadata_record;
pub(crate) mod name;
pub(crate) mod partition;
mod restart;
pub(crate) mod topic_id;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use uuid::Uuid;

use crate::core::CoreConfig;
use config::{TopicConfig, TopicDefaults};
use log_dir::LogDir;
use metadata_record::MetadataRecord;
use partition::Partition;

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    partitions: Vec<Partition>,
    config: Arc<TopicConfig>,
}

impl Topic {
    pub(crate) fn config(&self) -> &TopicConfig {
        &self.config
    }

    pub(crate) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }

    fn set_config(&mut self, config: TopicConfig) {
        self.config = Arc::new(config);
        for partition in &mut self.partitions {
            partition.set_config(Arc::clone(&self.config));
        }
    }
}

/// All topics, in the order of their names.
#[derive(Debug)]
pub(crate) struct Topics {
    topics: BTreeMap<String, Topic>,
    names: HashMap<Uuid, String>,
    /// Rises when a topic comes, goes or grows.
    version: u64,
    defaults: TopicDefaults,
    node_id: i32,
    internal: internal::InternalTopics,
    /// Where the logs are, if not in memory.
    log_dir: Option<LogDir>,
    log_memory_bytes: u64,
    producer_id_expiration_ms: i64,
    /// Bytes of all logs at the last count, and what was produced since. Deletions are seen at the next count.
    log_bytes: u64,
    /// Producer ids below may have been given out, by this broker or one before it.
    reserved_producer_ids: i64,
}

impl Topics {
    pub(crate) fn new(config: &CoreConfig) -> Self {
        Topics {
            topics: BTreeMap::new(),
            names: HashMap::new(),
            version: 0,
            defaults: config.topic_defaults,
            node_id: config.node_id,
            internal: config.internal_topics,
            log_dir: None,
            log_memory_bytes: config.log_memory_bytes,
            producer_id_expiration_ms: config.producer_id_expiration_ms,
            log_bytes: 0,
            reserved_producer_ids: 0,
        }
    }

    /// Which topics there are, and how many partitions each has, is the same while this number is.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.topics.iter().map(|(name, t)| (name.as_str(), t))
    }

    /// The name of the topic with this id.
    pub(crate) fn name_of(&self, id: Uuid) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        self.get(topic)?.partition(partition)
    }

    pub(crate) fn partition_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Partition> {
        self.topics.get_mut(topic)?.partition_mut(partition)
    }

    /// The configuration of a new topic with these overrides.
    ///
    /// # Errors
    /// As [`TopicConfig::new`].
    pub(crate) fn new_config(&self, overrides: BTreeMap<String, String>) -> Result<TopicConfig, String> {
        TopicConfig::new(overrides, self.defaults)
    }

    /// The existing topic that cannot be told from `name` in a metric, if there is one.
    pub(crate) fn colliding(&self, name: &str) -> Option<&str> {
        if !name.contains(['.', '_']) {
            return None;
        }
        let key = name::collision_key(name);
        self.topics.keys().find(|other| name::collision_key(other) == key).map(String::as_str)
    }

    /// Adds a topic. The caller has checked the name, that it is free, and the count.
    ///
    /// # Errors
    /// The disk; there is no such topic then.
    pub(crate) fn create(&mut self, name: &str, id: Uuid, partitions: i32, config: TopicConfig, now: i64) -> io::Result<()> {
        if let Some(log_dir) = &mut self.log_dir {
            let mut records = vec![MetadataRecord::Topic { name: name.to_owned(), id }];
            records.extend((0..partitions).map(|index| MetadataRecord::Partition { topic: id, index, node: self.node_id }));
            records.extend(config.overrides().iter().map(|(setting, value)| MetadataRecord::Config {
                topic: name.to_owned(),
                name: setting.clone(),
                value: Some(value.clone()),
            }));
            log_dir.record(&records, now)?;
        }
        let mut topic = Topic { id, partitions: Vec::new(), config: Arc::new(config) };
        self.add_partitions(name, &mut topic, partitions);
        self.names.insert(id, name.to_owned());
        self.topics.insert(name.to_owned(), topic);
        self.version += 1;
        Ok(())
    }

    /// Adds empty partitions until there are `count`.
    ///
    /// # Errors
    /// The disk; the topic is as before.
    pub(crate) fn grow(&mut self, name: &str, count: i32, now: i64) -> io::Result<()> {
        let Some(mut topic) = self.topics.remove(name) else {
            return Ok(());
        };
        let recorded = self.log_dir.as_mut().map_or(Ok(()), |log_dir| {
            let added = topic.partition_count()..count;
            let record = |index| MetadataRecord::Partition { topic: topic.id, index, node: self.node_id };
            log_dir.record(&added.map(record).collect::<Vec<_>>(), now)
        });
        if recorded.is_ok() {
            self.add_partitions(name, &mut topic, count);
        }
        self.topics.insert(name.to_owned(), topic);
        self.version += 1;
        recorded
    }

    fn add_partitions(&self, name: &str, topic: &mut Topic, count: i32) {
        while topic.partition_count() < count {
            let folder = self.log_dir.as_ref().map(|log_dir| log_dir.folder(name, topic.partition_count()));
            topic.partitions.push(Partition::new(Arc::clone(&topic.config), topic.id, folder));
        }
    }

    /// Changes the configuration of a topic.
    ///
    /// # Errors
    /// The disk; the topic is as before.
    pub(crate) fn set_config(&mut self, name: &str, config: TopicConfig, now: i64) -> io::Result<()> {
        let Some(topic) = self.topics.get_mut(name) else {
            return Ok(());
        };
        if let Some(log_dir) = &mut self.log_dir {
            let old = topic.config.overrides();
            let new = config.overrides();
            let unset = old.keys().filter(|setting| !new.contains_key(*setting)).map(|setting| (setting, None));
            let set = new.iter().filter(|(setting, value)| old.get(*setting) != Some(value)).map(|(setting, value)| (setting, Some(value)));
            let record = |(setting, value): (&String, Option<&String>)| MetadataRecord::Config {
                topic: name.to_owned(),
                name: setting.clone(),
                value: value.cloned(),
            };
            let records: Vec<_> = unset.chain(set).map(record).collect();
            log_dir.record(&records, now)?;
        }
        topic.set_config(config);
        Ok(())
    }

    /// Removes a topic and its records. `None` if there is no such topic.
    ///
    /// # Errors
    /// The disk; the topic is still there.
    pub(crate) fn delete(&mut self, name: &str, now: i64) -> io::Result<Option<Topic>> {
        let Some(topic) = self.topics.get(name) else {
            return Ok(None);
        };
        if let Some(log_dir) = &mut self.log_dir {
            log_dir.record(&[MetadataRecord::RemoveTopic { id: topic.id }], now)?;
            if let Err(error) = log_dir.delete_topic(name, topic.partition_count()) {
                // The next start deletes what belongs to no topic.
                tracing::warn!(topic = name, %error, "files of a deleted topic stay on the disk");
            }
        }
        let topic = self.topics.remove(name);
        self.version += 1;
        self.names.retain(|_, other| other != name);
        self.count_log_bytes();
        Ok(topic)
    }

    /// Applies retention to every partition.
    pub(crate) fn enforce_retention(&mut self, now: i64) {
        for (name, topic) in &mut self.topics {
            for (partition, index) in topic.partitions.iter_mut().zip(0..) {
                if let Err(error) = partition.enforce_retention(self.producer_id_expiration_ms, now) {
                    tracing::warn!(topic = %name, partition = index, %error, "retention failed");
                }
            }
        }
        self.count_log_bytes();
    }

    /// Compacts the partition that has most to clean; false if there is none. One at a time: requests go on in between.
    pub(crate) fn clean_dirtiest(&mut self, now: i64) -> bool {
        let partitions = self.topics.iter_mut().filter(|(_, topic)| topic.config.compacts());
        let partitions = partitions.flat_map(|(name, topic)| topic.partitions.iter_mut().map(move |partition| (name, partition)));
        let dirty = partitions.filter_map(|(name, partition)| Some((partition.dirty_ratio(now)?, name.clone(), partition)));
        let Some((_, name, partition)) = dirty.max_by(|(one, ..), (other, ..)| one.total_cmp(other)) else {
            return false;
        };
        let cleaned = partition.clean(now);
        if let Err(error) = cleaned.and_then(|()| self.save_cleaned()) {
            tracing::warn!(topic = %name, %error, "a log cannot be compacted");
            return false;
        }
        self.count_log_bytes();
        true
    }

    /// Whether the logs may take `bytes` more. Retention is applied first if they may not.
    pub(crate) fn has_memory_for(&mut self, bytes: usize, now: i64) -> bool {
        let fits = |held: u64| held.saturating_add(bytes as u64) <= self.log_memory_bytes;
        if fits(self.log_bytes) {
            return true;
        }
        self.enforce_retention(now);
        self.log_bytes.saturating_add(bytes as u64) <= self.log_memory_bytes
    }

    /// Takes note that a log grew.
    pub(crate) fn grew(&mut self, bytes: usize) {
        self.log_bytes += bytes as u64;
    }

    /// The budget of [`Topics::has_memory_for`].
    pub(crate) fn log_memory_bytes(&self) -> u64 {
        self.log_memory_bytes
    }

    /// Bytes of all logs, counted now.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.topics.values().flat_map(|t| &t.partitions).map(|p| p.log.size() as u64).sum()
    }

    fn count_log_bytes(&mut self) {
        self.log_bytes = self.total_bytes();
    }
}
