//! Topics in a directory: found again at the start, written down while the broker runs and when it ends.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use uuid::Uuid;

use super::checkpoint::Offsets;
use super::config::TopicConfig;
use super::log_dir::LogDir;
use super::metadata_record::MetadataRecord;
use super::partition::Partition;
use super::{Topic, Topics};
use crate::core::CoreConfig;

/// Producer ids that are set aside at once, as in Kafka: one note in the metadata log for so many.
const PRODUCER_ID_BLOCK: i64 = 1000;

/// What the metadata log says of a topic.
struct Described {
    name: String,
    partitions: i32,
    overrides: BTreeMap<String, String>,
}

#[derive(Default)]
struct Metadata {
    topics: BTreeMap<Uuid, Described>,
    next_producer_id: i64,
}

impl Metadata {
    fn apply(&mut self, record: MetadataRecord) {
        match record {
            MetadataRecord::Topic { name, id } => {
                self.topics.entry(id).or_insert(Described { name, partitions: 0, overrides: BTreeMap::new() });
            }
            MetadataRecord::Partition { topic, index, .. } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    topic.partitions = topic.partitions.max(index + 1);
                }
            }
            MetadataRecord::Config { topic, name, value } => {
                for described in self.topics.values_mut().filter(|described| described.name == topic) {
                    match &value {
                        Some(value) => described.overrides.insert(name.clone(), value.clone()),
                        None => described.overrides.remove(&name),
                    };
                }
            }
            MetadataRecord::RemoveTopic { id } => {
                self.topics.remove(&id);
            }
            MetadataRecord::ProducerIds { next, .. } => self.next_producer_id = self.next_producer_id.max(next),
        }
    }

    fn records(&self, node: i32) -> Vec<MetadataRecord> {
        let mut records = vec![MetadataRecord::ProducerIds { node, next: self.next_producer_id }];
        for (&id, topic) in &self.topics {
            records.push(MetadataRecord::Topic { name: topic.name.clone(), id });
            records.extend((0..topic.partitions).map(|index| MetadataRecord::Partition { topic: id, index, node }));
            records.extend(topic.overrides.iter().map(|(name, value)| MetadataRecord::Config {
                topic: topic.name.clone(),
                name: name.clone(),
                value: Some(value.clone()),
            }));
        }
        records
    }
}

impl Topics {
    /// The topics in a directory, as the last broker left them.
    ///
    /// # Errors
    /// The disk; `InvalidData` if a topic's settings are not those of a topic.
    pub(crate) fn open(config: &CoreConfig, mut log_dir: LogDir, now: i64) -> io::Result<Self> {
        let mut metadata = Metadata::default();
        for record in log_dir.metadata_records()? {
            metadata.apply(record);
        }
        log_dir.shorten_metadata(&metadata.records(config.node_id), now)?;
        log_dir.delete_orphans(|name, index, id| {
            metadata.topics.get(&id).is_some_and(|topic| topic.name == name && index < topic.partitions)
        })?;
        log_dir.keep_checkpoints(|name, index| metadata.topics.values().any(|topic| topic.name == name && index < topic.partitions))?;
        let mut topics = Topics::new(config);
        topics.reserved_producer_ids = metadata.next_producer_id;
        for (id, described) in metadata.topics {
            let Described { name, partitions, overrides } = described;
            let config = TopicConfig::new(overrides, config.topic_defaults)
                .map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, format!("topic '{name}': {problem}")))?;
            let mut topic = Topic { id, partitions: Vec::new(), config: Arc::new(config) };
            for index in 0..partitions {
                let (folder, checkpoint) = (log_dir.folder(&name, index), log_dir.checkpoint(&name, index));
                let mut partition = Partition::open(Arc::clone(&topic.config), id, folder, checkpoint)
                    .map_err(|error| io::Error::new(error.kind(), format!("partition {name}-{index}: {error}")))?;
                partition.cleaned_to = log_dir.cleaned.get(&(name.clone(), index)).copied().unwrap_or(0);
                topic.partitions.push(partition);
            }
            topics.names.insert(id, name.clone());
            topics.topics.insert(name, topic);
        }
        topics.log_dir = Some(log_dir);
        topics.count_log_bytes();
        Ok(topics)
    }

    /// The first producer id that no broker of this directory has given out.
    pub(crate) fn first_free_producer_id(&self) -> i64 {
        self.reserved_producer_ids
    }

    /// Sets producer ids aside, if `next` is none of those that are.
    ///
    /// # Errors
    /// The disk; `next` must not be given out.
    pub(crate) fn reserve_producer_id(&mut self, next: i64, now: i64) -> io::Result<()> {
        if next < self.reserved_producer_ids {
            return Ok(());
        }
        let reserved = next + PRODUCER_ID_BLOCK;
        if let Some(log_dir) = &mut self.log_dir {
            log_dir.record(&[MetadataRecord::ProducerIds { node: self.node_id, next: reserved }], now)?;
        }
        self.reserved_producer_ids = reserved;
        Ok(())
    }

    /// Whether the logs are in a directory.
    pub(crate) fn log_dir(&self) -> Option<&LogDir> {
        self.log_dir.as_ref()
    }

    /// Writes down where logs begin (`log-start-offset-checkpoint`), after some have been moved on.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn save_log_starts(&mut self) -> io::Result<()> {
        let starts = self.offsets_of(|partition| {
            let first = partition.log.segment_bounds().next().map_or(0, |(base, _)| base);
            Some(partition.log.start_offset()).filter(|&start| start > first)
        });
        self.log_dir.as_mut().map_or(Ok(()), |log_dir| log_dir.save_starts(starts))
    }

    /// Writes down what is durable. Segments that are no longer written to are made so first, as Kafka does after each roll.
    pub(crate) fn save_recovery_points(&mut self) {
        if self.log_dir.is_none() {
            return;
        }
        for (name, partition) in self.partitions_mut() {
            if let Err(error) = partition.log.flush(false) {
                tracing::warn!(topic = %name, %error, "segments cannot be made durable");
            }
        }
        let points = self.offsets_of(|partition| Some(partition.log.recovery_point()).filter(|&point| point > 0));
        let saved = self.log_dir.as_mut().map_or(Ok(()), |log_dir| log_dir.save_recovery_points(points));
        if let Err(error) = saved.and_then(|()| self.save_log_starts()) {
            tracing::warn!(%error, "checkpoints cannot be written");
        }
    }

    /// Writes down what was compacted.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn save_cleaned(&mut self) -> io::Result<()> {
        let cleaned = self.offsets_of(|partition| Some(partition.cleaned_to).filter(|&offset| offset > 0 && partition.config().compacts()));
        self.log_dir.as_mut().map_or(Ok(()), |log_dir| log_dir.save_cleaned(cleaned))
    }

    /// Makes records durable that have waited for the `flush.ms` of their topic.
    pub(crate) fn flush_due(&mut self, now: i64) {
        for (name, topic) in self.topics.iter_mut().filter(|(_, topic)| topic.config.flush_ms < i64::MAX) {
            for partition in &mut topic.partitions {
                if let Err(error) = partition.flush_if_due(now) {
                    tracing::warn!(topic = %name, %error, "records cannot be made durable");
                }
            }
        }
    }

    /// Makes everything durable and says so, for a quick start of the next broker.
    ///
    /// # Errors
    /// The disk; the next broker looks at all that was not durable before.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if self.log_dir.is_none() {
            return Ok(());
        }
        for (_, partition) in self.partitions_mut() {
            partition.close()?;
        }
        self.save_recovery_points();
        self.save_cleaned()?;
        self.log_dir.as_mut().map_or(Ok(()), LogDir::mark_clean)
    }

    fn partitions_mut(&mut self) -> impl Iterator<Item = (&str, &mut Partition)> {
        self.topics.iter_mut().flat_map(|(name, topic)| topic.partitions.iter_mut().map(move |partition| (name.as_str(), partition)))
    }

    fn offsets_of(&self, offset: impl Fn(&Partition) -> Option<i64>) -> Offsets {
        let topics = self.topics.iter();
        topics
            .flat_map(|(name, topic)| topic.partitions.iter().zip(0..).map(move |(partition, index)| (name, index, partition)))
            .filter_map(|(name, index, partition)| Some(((name.clone(), index), offset(partition)?)))
            .collect()
    }
}
