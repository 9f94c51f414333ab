//! The records of consumer groups in `__consumer_offsets`, in Kafka's format: one for the group, one for its target, and of each member
//! what it said, what it is to have and what it has.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::super::record::Key;
use super::member::{ConsumerMember, MemberState};
use super::{ConsumerGroup, TopicPartition};
use crate::wire::{get_compact_string, get_uvarint, put_compact_string, put_tagged_field, put_uvarint, tagged_field};

const VERSION: i16 = 0;
const METADATA_HASH: u32 = 0;
const ASSIGNMENT_TIMESTAMP: u32 = 0;
const ASSIGNMENT_EPOCHS: u32 = 0;

/// What is to be written for a key of this group; `None` if there is no such thing any more.
pub(crate) fn value(group: &ConsumerGroup, key: &Key) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    value.put_i16(VERSION);
    match key {
        Key::ConsumerGroup { .. } => {
            value.put_i32(group.epoch);
            put_uvarint(&mut value, 1);
            put_tagged_field(&mut value, METADATA_HASH, &group.metadata_hash.to_be_bytes());
        }
        Key::TargetAssignment { .. } => {
            value.put_i32(group.assignment_epoch);
            put_uvarint(&mut value, 1);
            put_tagged_field(&mut value, ASSIGNMENT_TIMESTAMP, &group.assigned_at.to_be_bytes());
        }
        Key::ConsumerMember { member, .. } => put_member(&mut value, group.members.get(member.as_bytes())?),
        Key::TargetAssignmentMember { member, .. } => put_target(&mut value, group.target.get(member.as_bytes())?),
        Key::CurrentAssignment { member, .. } => put_current(&mut value, group.members.get(member.as_bytes())?),
        Key::RegularExpression { regex, .. } => {
            put_texts(&mut value, group.resolved.get(regex)?);
            // The version of the metadata and the time of the match: the next start matches again.
            value.put_i64(0);
            value.put_i64(0);
            put_uvarint(&mut value, 0);
        }
        Key::Offset { .. } | Key::Group { .. } => return None,
    }
    Some(value)
}

impl ConsumerGroup {
    /// Takes over what a record says; without a value that there is no such thing. A record that cannot be read changes nothing.
    /// Sessions begin anew at `now`.
    pub(crate) fn replay(&mut self, key: &Key, value: Option<&[u8]>, session_deadline: i64) {
        let replayed = match value {
            Some(value) => self.replay_value(key, value, session_deadline),
            None => {
                self.replay_deletion(key);
                Some(())
            }
        };
        if replayed.is_none() {
            tracing::warn!(group = %self.id, ?key, "a record of a consumer group cannot be read");
        }
    }

    fn replay_value(&mut self, key: &Key, mut value: &[u8], session_deadline: i64) -> Option<()> {
        let value = &mut value;
        value.try_get_i16().ok().filter(|&version| version == VERSION)?;
        match key {
            Key::ConsumerGroup { .. } => {
                self.epoch = value.try_get_i32().ok()?;
                self.metadata_hash = tagged_field(value, METADATA_HASH)?.map_or(Some(0), |mut hash| hash.try_get_i64().ok())?;
            }
            Key::TargetAssignment { .. } => {
                self.assignment_epoch = value.try_get_i32().ok()?;
                self.assigned_at = tagged_field(value, ASSIGNMENT_TIMESTAMP)?.map_or(Some(0), |mut time| time.try_get_i64().ok())?;
            }
            Key::ConsumerMember { member, .. } => {
                let said = get_member(value, text(member))?;
                if let Some(instance_id) = &said.instance_id {
                    self.static_members.insert(instance_id.clone(), said.id.clone());
                }
                let present = self.replayed_member(member, session_deadline);
                let (epoch, previous_epoch, state) = (present.epoch, present.previous_epoch, present.state);
                let (assigned, revoking) = (std::mem::take(&mut present.assigned), std::mem::take(&mut present.revoking));
                *present = ConsumerMember { epoch, previous_epoch, state, assigned, revoking, session_deadline, ..said };
            }
            Key::TargetAssignmentMember { member, .. } => {
                let target = get_partitions(value)?.into_keys().collect();
                self.target.insert(text(member), target);
            }
            Key::CurrentAssignment { member, .. } => {
                let (epoch, previous_epoch) = (value.try_get_i32().ok()?, value.try_get_i32().ok()?);
                let state = MemberState::from_code(value.try_get_i8().ok()?)?;
                let (assigned, revoking) = (get_partitions(value)?, get_partitions(value)?);
                let rebalance_deadline =
                    (state == MemberState::UnrevokedPartitions).then_some(session_deadline).filter(|_| !revoking.is_empty());
                let present = self.replayed_member(member, session_deadline);
                let said = std::mem::replace(present, ConsumerMember::new(text(member)));
                *present = ConsumerMember { epoch, previous_epoch, state, assigned, revoking, rebalance_deadline, ..said };
            }
            Key::RegularExpression { regex, .. } => {
                self.resolved.insert(regex.clone(), get_texts(value)?);
            }
            Key::Offset { .. } | Key::Group { .. } => {}
        }
        Some(())
    }

    fn replay_deletion(&mut self, key: &Key) {
        match key {
            Key::ConsumerMember { member, .. } => {
                let gone = self.members.remove(member.as_bytes());
                // Its instance may have a new member by now.
                if let Some(instance_id) = gone.and_then(|gone| gone.instance_id)
                    && self.static_members.get(&instance_id).is_some_and(|owner| owner.as_str() == member)
                {
                    self.static_members.remove(&instance_id);
                }
            }
            Key::TargetAssignmentMember { member, .. } => {
                self.target.remove(member.as_bytes());
            }
            Key::RegularExpression { regex, .. } => {
                self.resolved.remove(regex);
            }
            // Only together with the member, or with the whole group.
            Key::CurrentAssignment { .. } | Key::ConsumerGroup { .. } | Key::TargetAssignment { .. } => {}
            Key::Offset { .. } | Key::Group { .. } => {}
        }
    }

    fn replayed_member(&mut self, member: &str, session_deadline: i64) -> &mut ConsumerMember {
        let id = text(member);
        self.members.entry(id.clone()).or_insert_with(|| ConsumerMember { session_deadline, ..ConsumerMember::new(id) })
    }
}

fn put_member(value: &mut Vec<u8>, member: &ConsumerMember) {
    let optional = |text: &Option<StrBytes>| text.as_ref().map(|text| text.as_str().to_owned());
    put_compact_string(value, optional(&member.instance_id).as_deref());
    put_compact_string(value, optional(&member.rack_id).as_deref());
    put_compact_string(value, Some(member.client_id.as_str()));
    put_compact_string(value, Some(member.client_host.as_str()));
    put_texts(value, &member.subscribed_topics);
    put_compact_string(value, optional(&member.subscribed_regex).as_deref());
    value.put_i32(member.rebalance_timeout_ms);
    put_compact_string(value, optional(&member.server_assignor).as_deref());
    put_uvarint(value, 0);
}

fn get_member(value: &mut &[u8], id: StrBytes) -> Option<ConsumerMember> {
    let optional = |value: &mut &[u8]| Some(get_compact_string(value)?.map(StrBytes::from_string));
    let (instance_id, rack_id) = (optional(value)?, optional(value)?);
    let (client_id, client_host) = (optional(value)??, optional(value)??);
    let subscribed_topics = get_texts(value)?;
    let subscribed_regex = optional(value)?;
    let rebalance_timeout_ms = value.try_get_i32().ok()?;
    let server_assignor = optional(value)?;
    Some(ConsumerMember {
        instance_id,
        rack_id,
        client_id,
        client_host,
        subscribed_topics,
        subscribed_regex,
        rebalance_timeout_ms,
        server_assignor,
        ..ConsumerMember::new(id)
    })
}

fn put_target(value: &mut Vec<u8>, target: &BTreeSet<TopicPartition>) {
    put_partitions(value, target.iter().map(|&partition| (partition, None)));
    put_uvarint(value, 0);
}

fn put_current(value: &mut Vec<u8>, member: &ConsumerMember) {
    value.put_i32(member.epoch);
    value.put_i32(member.previous_epoch);
    value.put_i8(member.state.code());
    for partitions in [&member.assigned, &member.revoking] {
        put_partitions(value, partitions.iter().map(|(&partition, &since)| (partition, Some(since))));
    }
    put_uvarint(value, 0);
}

/// Partitions by topic, and the epochs that each was given in, if they are known.
fn put_partitions(value: &mut Vec<u8>, partitions: impl Iterator<Item = (TopicPartition, Option<i32>)>) {
    let mut topics: BTreeMap<Uuid, Vec<(i32, Option<i32>)>> = BTreeMap::new();
    for ((topic, index), since) in partitions {
        topics.entry(topic).or_default().push((index, since));
    }
    put_uvarint(value, topics.len() as u32 + 1);
    for (topic, partitions) in topics {
        value.put_u128(topic.as_u128());
        put_uvarint(value, partitions.len() as u32 + 1);
        partitions.iter().for_each(|(index, _)| value.put_i32(*index));
        let epochs: Option<Vec<i32>> = partitions.iter().map(|(_, since)| *since).collect();
        match epochs {
            None => put_uvarint(value, 0),
            Some(epochs) => {
                let mut field = Vec::new();
                put_uvarint(&mut field, epochs.len() as u32 + 1);
                epochs.iter().for_each(|&since| field.put_i32(since));
                put_uvarint(value, 1);
                put_tagged_field(value, ASSIGNMENT_EPOCHS, &field);
            }
        }
    }
}

fn get_partitions(value: &mut &[u8]) -> Option<BTreeMap<TopicPartition, i32>> {
    let mut partitions = BTreeMap::new();
    for _ in 1..get_uvarint(value)?.max(1) {
        let topic = Uuid::from_u128(value.try_get_u128().ok()?);
        let indexes = get_numbers(value)?;
        let epochs = match tagged_field(value, ASSIGNMENT_EPOCHS)? {
            Some(mut field) => get_numbers(&mut field)?,
            None => Vec::new(),
        };
        let since = epochs.into_iter().chain(std::iter::repeat(0));
        partitions.extend(indexes.into_iter().map(|index| (topic, index)).zip(since));
    }
    Some(partitions)
}

fn get_numbers(value: &mut &[u8]) -> Option<Vec<i32>> {
    (1..get_uvarint(value)?.max(1)).map(|_| value.try_get_i32().ok()).collect()
}

fn put_texts(value: &mut Vec<u8>, texts: &BTreeSet<String>) {
    put_uvarint(value, texts.len() as u32 + 1);
    texts.iter().for_each(|text| put_compact_string(value, Some(text)));
}

fn get_texts(value: &mut &[u8]) -> Option<BTreeSet<String>> {
    (1..get_uvarint(value)?.max(1)).map(|_| get_compact_string(value)?).collect()
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
