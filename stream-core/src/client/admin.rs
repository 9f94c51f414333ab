//! [`Admin`]: asks the cluster and changes it, in blocking calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::Properties;
use super::context::ClientContext;
use super::error::{Operation, code, from_native};
use super::native::admin::NativeAdmin;
use super::native::{Callbacks, NativeError, PartitionEntry, PartitionList};
use crate::error::{Error, Result, ResultExt};
use crate::id::TopicPartition;

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas; -1 for the broker's default.
    pub replication_factor: i16,
    /// Its configs, by Kafka's names.
    pub configs: BTreeMap<String, String>,
}

/// What became of a topic that was to be created.
#[derive(Debug)]
pub enum TopicCreation {
    /// It was created.
    Created,
    /// It exists already, possibly with other settings.
    Exists,
    /// It could not be created.
    Failed(Error),
}

/// A topic as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// How many partitions it has.
    pub partitions: i32,
    /// Its id, which changes when it is deleted and created anew; `None` from brokers before 2.8.
    pub topic_id: Option<Uuid>,
}

/// Which offset of a log is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetSpec {
    /// Of the first record that is still there.
    Earliest,
    /// Behind the last record.
    Latest,
    /// Of the first record with this or a later timestamp (ms since the epoch); behind the last record when there is none.
    Timestamp(i64),
}

/// Which records are taken to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    /// All: the end is the high watermark.
    ReadUncommitted,
    /// Those before the first open transaction: the end is the last stable offset.
    ReadCommitted,
}

/// What a group committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The offset of the next record to process.
    pub offset: i64,
    /// What was committed beside it.
    pub metadata: String,
}

/// A group and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its state, by Kafka's name (`Stable`, `PreparingRebalance`, `Empty`, `Dead`, …).
    pub state: String,
    /// The members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// The id that the coordinator gave it.
    pub member_id: String,
    /// Its `client.id`.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// Its `group.instance.id`.
    pub instance: Option<String>,
    /// The partitions that it owns.
    pub assignment: Vec<TopicPartition>,
}

/// Admin requests. Every call blocks for its timeout at most, so it is made from threads that process nothing; several threads may share
/// it. An error of kind [`Retriable`](crate::ErrorKind::Retriable) means that the same call can be made again.
#[derive(Debug)]
pub struct Admin {
    native: NativeAdmin,
}

impl Admin {
    /// Creates a client for admin requests.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when librdkafka does not take the properties. An unreachable cluster is no error yet.
    pub fn new(properties: &Properties, name: &str, context: &Arc<dyn ClientContext>) -> Result<Self> {
        Ok(Self { native: NativeAdmin::new(properties, Callbacks::new(name, context))? })
    }

    /// Requests end with an error of kind [`Closed`](crate::ErrorKind::Closed) as soon as `is_over` says so.
    pub(crate) fn given_up_when(mut self, is_over: Arc<dyn Fn() -> bool + Send + Sync>) -> Self {
        self.native.given_up_when(is_over);
        self
    }

    /// Creates topics; the answer tells each one's fate. It may take a moment more until every broker knows a new topic.
    ///
    /// # Errors
    /// When the request as a whole fails.
    pub fn create_topics(&self, topics: Vec<NewTopic>, timeout: Duration) -> Result<BTreeMap<String, TopicCreation>> {
        if topics.is_empty() {
            return Ok(BTreeMap::new());
        }
        let results = self.native.create_topics(&topics, timeout).at(|| "creating topics")?;
        let fate = |(name, result): (String, Result<(), NativeError>)| {
            let fate = match result {
                Ok(()) => TopicCreation::Created,
                Err(native) if native.code == code::TOPIC_ALREADY_EXISTS => TopicCreation::Exists,
                Err(native) => TopicCreation::Failed(from_native(native, Operation::Administer).at(format_args!("topic {name}"))),
            };
            (name, fate)
        };
        Ok(results.into_iter().map(fate).collect())
    }

    /// Deletes topics; those that do not exist are no error.
    ///
    /// # Errors
    /// When the request fails, or a topic cannot be deleted.
    pub fn delete_topics(&self, names: &[&str], timeout: Duration) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        for (name, result) in self.native.delete_topics(names, timeout).at(|| "deleting topics")? {
            match result {
                Err(native) if !is_missing(native.code) => {
                    return Err(from_native(native, Operation::Administer).at(format_args!("topic {name}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Those of the named topics that exist.
    ///
    /// # Errors
    /// When the request fails, or a topic may not be described.
    pub fn topics(&self, names: &[&str], timeout: Duration) -> Result<BTreeMap<String, TopicInfo>> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut topics = BTreeMap::new();
        for (name, result) in self.native.describe_topics(names, timeout).at(|| "describing topics")? {
            match result {
                Ok(info) => drop(topics.insert(name, info)),
                Err(native) if is_missing(native.code) => {}
                Err(native) => return Err(from_native(native, Operation::Administer).at(format_args!("topic {name}"))),
            }
        }
        Ok(topics)
    }

    /// The names of all topics that this principal may see, in order; internal ones of Kafka's (`__consumer_offsets`) are among them.
    ///
    /// # Errors
    /// When the request fails.
    pub fn list_topics(&self, timeout: Duration) -> Result<Vec<String>> {
        let mut names = self.native.list_topics(timeout).at(|| "listing topics")?;
        names.sort_unstable();
        Ok(names)
    }

    /// The configs of topics, with the broker's defaults.
    ///
    /// # Errors
    /// When the request fails, or a topic does not exist or may not be described.
    pub fn topic_configs(&self, names: &[&str], timeout: Duration) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let results = self.native.topic_configs(names, timeout).at(|| "reading topic configs")?;
        let read = |(name, result): (String, Result<_, NativeError>)| match result {
            Ok(configs) => Ok((name, configs)),
            Err(native) => Err(from_native(native, Operation::Administer).at(format_args!("topic {name}"))),
        };
        results.into_iter().map(read).collect()
    }

    /// Deletes the records before the given offsets; -1 deletes all up to the high watermark. Returns where each log begins then.
    ///
    /// # Errors
    /// When the request fails, or a partition refuses.
    pub fn delete_records(&self, before: &BTreeMap<TopicPartition, i64>, timeout: Duration) -> Result<BTreeMap<TopicPartition, i64>> {
        if before.is_empty() {
            return Ok(BTreeMap::new());
        }
        let list = PartitionList::with_offsets(before.iter().map(|(partition, offset)| (partition, *offset)))?;
        let entries = self.native.delete_records(&list, timeout).at(|| "deleting records")?;
        entries.into_iter().map(|entry| checked(&entry).map(|partition| (partition, entry.offset))).collect()
    }

    /// Offsets of logs. The answer has every partition that was asked for.
    ///
    /// # Errors
    /// When the request fails, or a partition does not exist.
    pub fn list_offsets(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        isolation: IsolationLevel,
        timeout: Duration,
    ) -> Result<BTreeMap<TopicPartition, i64>> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let asked = match spec {
            OffsetSpec::Earliest => -2,
            OffsetSpec::Latest => -1,
            // Negative timestamps would be taken for the two above.
            OffsetSpec::Timestamp(timestamp) => timestamp.max(0),
        };
        let list = PartitionList::with_offsets(partitions.iter().map(|partition| (partition, asked)))?;
        let entries = self.native.list_offsets(&list, isolation, timeout).at(|| "listing offsets")?;
        let mut offsets = BTreeMap::new();
        let mut behind_the_last = Vec::new();
        for entry in entries {
            let partition = checked(&entry)?;
            if entry.offset < 0 {
                behind_the_last.push(partition);
            } else {
                offsets.insert(partition, entry.offset);
            }
        }
        if !behind_the_last.is_empty() && spec != OffsetSpec::Latest {
            offsets.extend(self.list_offsets(&behind_the_last, OffsetSpec::Latest, isolation, timeout)?);
        }
        Ok(offsets)
    }

    /// What a group committed. Partitions without a committed offset are absent. Offsets that a transaction is still to decide about are
    /// never answered with older ones.
    ///
    /// # Errors
    /// When the request fails; [`ErrorKind::Retriable`](crate::ErrorKind::Retriable) while a transaction is undecided.
    pub fn committed_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let list = PartitionList::with_offsets(partitions.iter().map(|partition| (partition, 0)))?;
        let entries = self.native.committed_offsets(group, &list, timeout).at(|| format!("committed offsets of group {group}"))?;
        let mut committed = BTreeMap::new();
        for entry in entries {
            let partition = checked(&entry)?;
            if entry.offset >= 0 {
                committed.insert(partition, CommittedOffset { offset: entry.offset, metadata: entry.metadata });
            }
        }
        Ok(committed)
    }

    /// A group's state and members; a group that does not exist is `Dead` and empty.
    ///
    /// # Errors
    /// When the request fails.
    pub fn describe_group(&self, group: &str, timeout: Duration) -> Result<GroupDescription> {
        let (state, members) = self.native.describe_group(group, timeout).at(|| format!("describing group {group}"))?;
        let members = members.into_iter().map(|member| GroupMember {
            member_id: member.member,
            client_id: member.client_id,
            client_host: member.client_host,
            instance: member.instance,
            assignment: member.assignment.into_iter().map(|entry| TopicPartition::new(entry.topic, entry.partition)).collect(),
        });
        Ok(GroupDescription { state, members: members.collect() })
    }
}

fn is_missing(error: i32) -> bool {
    [code::UNKNOWN_TOPIC_OR_PARTITION, code::UNKNOWN_TOPIC, code::UNKNOWN_TOPIC_ID].contains(&error)
}

/// The partition of an entry, or its error.
fn checked(entry: &PartitionEntry) -> Result<TopicPartition> {
    let partition = TopicPartition::new(entry.topic.as_str(), entry.partition);
    match entry.error {
        0 => Ok(partition),
        code => Err(from_native(NativeError::from_code(code), Operation::Administer).at(format_args!("partition {partition}"))),
    }
}
