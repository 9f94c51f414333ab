//! Topics and their partitions.

pub(crate) mod config;
pub(crate) mod config_definition;
pub(crate) mod name;
pub(crate) mod partition;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use crate::core::CoreConfig;
use config::{TopicConfig, TopicDefaults};
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

    pub(crate) fn set_config(&mut self, config: TopicConfig) {
        self.config = Arc::new(config);
        for partition in &mut self.partitions {
            partition.set_config(Arc::clone(&self.config));
        }
    }

    /// Adds empty partitions until there are `count`.
    pub(crate) fn grow_to(&mut self, count: i32) {
        while self.partition_count() < count {
            self.partitions.push(Partition::new(Arc::clone(&self.config)));
        }
    }
}

/// All topics, in the order of their names.
#[derive(Debug)]
pub(crate) struct Topics {
    topics: BTreeMap<String, Topic>,
    names: HashMap<Uuid, String>,
    defaults: TopicDefaults,
    log_memory_bytes: u64,
    producer_id_expiration_ms: i64,
    /// Bytes of all logs at the last count, and what was produced since. Deletions are seen at the next count.
    log_bytes: u64,
}

impl Topics {
    pub(crate) fn new(config: &CoreConfig) -> Self {
        Topics {
            topics: BTreeMap::new(),
            names: HashMap::new(),
            defaults: config.topic_defaults,
            log_memory_bytes: config.log_memory_bytes,
            producer_id_expiration_ms: config.producer_id_expiration_ms,
            log_bytes: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.topics.get_mut(name)
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
        self.get_mut(topic)?.partition_mut(partition)
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
    pub(crate) fn create(&mut self, name: &str, id: Uuid, partitions: i32, config: TopicConfig) {
        let mut topic = Topic { id, partitions: Vec::new(), config: Arc::new(config) };
        topic.grow_to(partitions);
        self.names.insert(id, name.to_owned());
        self.topics.insert(name.to_owned(), topic);
    }

    /// Removes a topic and its records.
    pub(crate) fn delete(&mut self, name: &str) -> Option<Topic> {
        let topic = self.topics.remove(name)?;
        self.names.remove(&topic.id);
        self.count_log_bytes();
        Some(topic)
    }

    /// Applies retention to every partition.
    pub(crate) fn enforce_retention(&mut self, now: i64) {
        for topic in self.topics.values_mut() {
            for partition in &mut topic.partitions {
                partition.enforce_retention(self.producer_id_expiration_ms, now);
            }
        }
        self.count_log_bytes();
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
