//! `__consumer_offsets`: what groups commit and who their members are, written before anybody is told.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::offsets::CommittedOffset;
use super::record::{self, Key};
use super::{Change, ClassicGroup, Group, Groups, consumer};
use crate::core::Core;
use crate::log::batch::{BatchHeader, HEADER_BYTES};
use crate::log::compression::uncompressed_records;
use crate::log::records::{RawRecord, Records};
use crate::mistake::{self, Mistake};
use crate::topic::Topics;
use crate::topic::internal::{CONSUMER_OFFSETS, partition_for};
use crate::transaction::Producer;

/// A record to write: a key, and a value or the lack of one.
type Entry = (Vec<u8>, Option<Vec<u8>>);

/// Writes the offsets that a member commits, all or none, and makes them the group's: at once, or with a `producer` when its
/// transaction ends. The request was accepted by the group.
///
/// # Errors
/// `NOT_COORDINATOR` if the disk fails, which clients retry.
pub(crate) fn commit(
    core: &mut Core,
    group_id: &StrBytes,
    offsets: Vec<(String, i32, CommittedOffset)>,
    producer: Option<Producer>,
    now: i64,
) -> Result<(), ResponseError> {
    if offsets.is_empty() {
        return Ok(());
    }
    let entry = |(topic, partition, offset): &(String, i32, CommittedOffset)| {
        let key = Key::Offset { group: group_id.to_string(), topic: topic.clone(), partition: *partition };
        (key.encode(), Some(record::offset_value(offset)))
    };
    let entries: Vec<Entry> = offsets.iter().map(entry).collect();
    let writer = producer.map(|producer| (producer.id, producer.epoch));
    let entries = if mistake::is_made(Mistake::CommitUnwritten) { Vec::new() } else { entries };
    let first = write(core, group_id, &entries, writer, now).map_err(|error| {
        tracing::warn!(%group_id, %error, "offsets cannot be written");
        ResponseError::NotCoordinator
    })?;
    let group = core.groups.get_or_create(group_id, now);
    for ((topic, partition, offset), delta) in offsets.into_iter().zip(0..) {
        let offset = CommittedOffset { position: first + delta, ..offset };
        match producer {
            Some(producer) => group.offsets_mut().commit_in_transaction(producer.id, &topic, partition, offset),
            None => group.offsets_mut().commit(&topic, partition, offset),
        }
    }
    if let Some(producer) = producer {
        core.groups.note_pending(group_id, producer.id);
    }
    Ok(())
}

/// Writes what has changed in groups besides commits. If the disk fails, it is written with what changes next: a group that is
/// lost so would only have its members join again.
pub(crate) fn save(core: &mut Core, now: i64) {
    let changes = std::mem::take(&mut core.groups.changes);
    // Several changes of one thing are one record: its present value.
    let keys: BTreeSet<Key> = changes.into_iter().map(|change| change.key).collect();
    let mut groups: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for key in keys {
        groups.entry(key.group().to_owned()).or_default().push(key);
    }
    for (id, keys) in groups {
        let id = StrBytes::from_string(id);
        let group = core.groups.get(&id);
        let entries: Vec<Entry> = keys.iter().map(|key| (key.encode(), group.and_then(|group| value(group, key)))).collect();
        if let Err(error) = write(core, &id, &entries, None, now) {
            tracing::warn!(group = %id, %error, "changes of a group cannot be written");
            core.groups.changes.extend(keys.into_iter().map(|key| Change { key }));
        }
    }
}

/// The value of a key in a group, besides committed offsets; `None` if there is none any more.
fn value(group: &Group, key: &Key) -> Option<Vec<u8>> {
    match (group, key) {
        (_, Key::Offset { .. }) => None,
        (Group::Classic(group), Key::Group { .. }) => Some(record::group_value(group)),
        (Group::Classic(_), _) => None,
        (Group::Consumer(group), key) => consumer::value(group, key),
    }
}

fn write(core: &mut Core, group_id: &StrBytes, entries: &[Entry], producer: Option<(i64, i16)>, now: i64) -> io::Result<i64> {
    core.topics.create_internal(CONSUMER_OFFSETS, &mut core.ids, now)?;
    core.topics.append_internal(CONSUMER_OFFSETS, group_id, entries, producer, now)
}

impl Groups {
    /// Takes over the groups that the topic knows.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn load(&mut self, topics: &Topics, now: i64) -> io::Result<()> {
        let partitions = topics.internal_partitions(CONSUMER_OFFSETS);
        let count = topics.internal_partition_count(CONSUMER_OFFSETS);
        for (partition, index) in partitions.iter().zip(0..) {
            partition.log.walk(partition.log.start_offset(), |header, batch| {
                if header.is_control() {
                    if let Some(commit) = decision(batch) {
                        self.complete(header.producer_id, commit, |group| partition_for(group, count) == index);
                    }
                } else if let Ok(records) = uncompressed_records(header, batch) {
                    let producer = header.is_transactional().then_some(header.producer_id);
                    for entry in Records::new(&records).map_while(Result::ok) {
                        self.replay(header, &entry, producer, now);
                    }
                }
                ControlFlow::Continue(())
            })?;
        }
        let ids: Vec<StrBytes> = self.groups.keys().cloned().collect();
        for id in ids {
            self.remove_if_blank(&id);
            self.reschedule(&id);
        }
        Ok(())
    }

    fn replay(&mut self, header: &BatchHeader, entry: &RawRecord<'_>, producer: Option<i64>, now: i64) {
        let position = header.base_offset + i64::from(entry.offset_delta);
        match entry.key.and_then(Key::decode) {
            Some(Key::Offset { group, topic, partition }) => {
                let id = StrBytes::from_string(group);
                let offset = entry.value.and_then(|value| record::decode_offset(value, position));
                match (offset, producer) {
                    (Some(offset), Some(producer)) => {
                        self.get_or_create(&id, now).offsets_mut().commit_in_transaction(producer, &topic, partition, offset);
                        self.note_pending(&id, producer);
                    }
                    (Some(offset), None) => self.get_or_create(&id, now).offsets_mut().commit(&topic, partition, offset),
                    (None, _) => {
                        if let Some(existing) = self.groups.get_mut(&id) {
                            // One of a deleted topic must not come back with the end of a transaction that was open then.
                            let offsets = existing.group.offsets_mut();
                            offsets.delete(&topic, partition);
                            offsets.delete_pending(&topic, partition);
                            offsets.take_deleted();
                        }
                    }
                }
            }
            Some(Key::Group { group }) => {
                let id = StrBytes::from_string(group);
                let loaded = entry.value.and_then(|value| record::decode_group(id.clone(), value, now));
                let present = self.get_or_create(&id, now);
                // The end of the classic group that a consumer group was before.
                if loaded.is_none() && present.consumer().is_some() {
                    return;
                }
                let offsets = std::mem::take(present.offsets_mut());
                *present = Group::Classic(loaded.unwrap_or_else(|| ClassicGroup::new(id, now)));
                *present.offsets_mut() = offsets;
            }
            Some(key) => self.replay_consumer(&key, entry.value, now),
            None => {}
        }
    }

    /// Takes over a record of a consumer group. The group is one as long as the record that carries its epoch is there.
    fn replay_consumer(&mut self, key: &Key, value: Option<&[u8]>, now: i64) {
        let id = StrBytes::from_string(key.group().to_owned());
        let session_deadline = now.saturating_add(i64::from(self.consumer_settings.session_timeout_ms));
        let present = self.get_or_create(&id, now);
        let ends = matches!(key, Key::ConsumerGroup { .. }) && value.is_none();
        match present {
            Group::Consumer(group) if ends => {
                let mut classic = ClassicGroup::new(id, now);
                classic.offsets = std::mem::take(&mut group.offsets);
                *present = Group::Classic(classic);
            }
            Group::Consumer(group) => group.replay(key, value, session_deadline),
            Group::Classic(classic) if value.is_some() => {
                let mut group = consumer::ConsumerGroup::new(id, std::mem::take(&mut classic.offsets));
                group.replay(key, value, session_deadline);
                *present = Group::Consumer(group);
            }
            Group::Classic(_) => {}
        }
    }
}

/// Whether a marker commits; `None` if the batch is no marker.
fn decision(batch: &[u8]) -> Option<bool> {
    match Records::new(batch.get(HEADER_BYTES..)?).next()?.ok()?.key? {
        [_, _, 0, kind] => Some(*kind == 1),
        _ => None,
    }
}
