//! The records of `__consumer_offsets`, in Kafka's format: committed offsets by group and partition, and the members of groups.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::protocol::StrBytes;

use super::classic::ClassicGroup;
use super::member::Member;
use super::offsets::CommittedOffset;
use super::state::State;
use crate::wire::{get_bytes, get_string, put_bytes, put_string};

/// Versions of keys; they tell the kinds of records apart.
const OFFSET_KEY: i16 = 1;
const OLD_OFFSET_KEY: i16 = 0;
const GROUP_KEY: i16 = 2;
const CONSUMER_GROUP_KEY: i16 = 3;
const CONSUMER_MEMBER_KEY: i16 = 5;
const TARGET_ASSIGNMENT_KEY: i16 = 6;
const TARGET_ASSIGNMENT_MEMBER_KEY: i16 = 7;
const CURRENT_ASSIGNMENT_KEY: i16 = 8;
const REGULAR_EXPRESSION_KEY: i16 = 16;

/// Versions of values: 1 has the time at which the offset expires, 3 the leader epoch.
const EXPIRING_OFFSET: i16 = 1;
const OFFSET: i16 = 3;
/// The version of a group's value that knows static members.
const GROUP: i16 = 3;

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Offset {
        group: String,
        topic: String,
        partition: i32,
    },
    /// A classic group and its members.
    Group {
        group: String,
    },
    /// A consumer group and its epoch.
    ConsumerGroup {
        group: String,
    },
    /// What a member of a consumer group says about itself.
    ConsumerMember {
        group: String,
        member: String,
    },
    /// The epoch of a target assignment.
    TargetAssignment {
        group: String,
    },
    /// What a member is to have.
    TargetAssignmentMember {
        group: String,
        member: String,
    },
    /// What a member has.
    CurrentAssignment {
        group: String,
        member: String,
    },
    /// What a regular expression matches.
    RegularExpression {
        group: String,
        regex: String,
    },
}

impl Key {
    pub(crate) fn group(&self) -> &str {
        match self {
            Key::Offset { group, .. }
            | Key::Group { group }
            | Key::ConsumerGroup { group }
            | Key::ConsumerMember { group, .. }
            | Key::TargetAssignment { group }
            | Key::TargetAssignmentMember { group, .. }
            | Key::CurrentAssignment { group, .. }
            | Key::RegularExpression { group, .. } => group,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut key = Vec::new();
        let (version, further) = match self {
            Key::Offset { topic, .. } => (OFFSET_KEY, Some(topic)),
            Key::Group { .. } => (GROUP_KEY, None),
            Key::ConsumerGroup { .. } => (CONSUMER_GROUP_KEY, None),
            Key::ConsumerMember { member, .. } => (CONSUMER_MEMBER_KEY, Some(member)),
            Key::TargetAssignment { .. } => (TARGET_ASSIGNMENT_KEY, None),
            Key::TargetAssignmentMember { member, .. } => (TARGET_ASSIGNMENT_MEMBER_KEY, Some(member)),
            Key::CurrentAssignment { member, .. } => (CURRENT_ASSIGNMENT_KEY, Some(member)),
            Key::RegularExpression { regex, .. } => (REGULAR_EXPRESSION_KEY, Some(regex)),
        };
        key.put_i16(version);
        put_string(&mut key, Some(self.group()));
        if let Some(further) = further {
            put_string(&mut key, Some(further));
        }
        if let Key::Offset { partition, .. } = self {
            key.put_i32(*partition);
        }
        key
    }

    /// Reads a key; `None` for the kinds that this broker does not keep.
    pub(crate) fn decode(mut key: &[u8]) -> Option<Self> {
        let version = key.try_get_i16().ok()?;
        let group = get_string(&mut key)??;
        let mut further = || get_string(&mut key)?;
        match version {
            OLD_OFFSET_KEY | OFFSET_KEY => Some(Key::Offset { group, topic: further()?, partition: key.try_get_i32().ok()? }),
            GROUP_KEY => Some(Key::Group { group }),
            CONSUMER_GROUP_KEY => Some(Key::ConsumerGroup { group }),
            CONSUMER_MEMBER_KEY => Some(Key::ConsumerMember { group, member: further()? }),
            TARGET_ASSIGNMENT_KEY => Some(Key::TargetAssignment { group }),
            TARGET_ASSIGNMENT_MEMBER_KEY => Some(Key::TargetAssignmentMember { group, member: further()? }),
            CURRENT_ASSIGNMENT_KEY => Some(Key::CurrentAssignment { group, member: further()? }),
            REGULAR_EXPRESSION_KEY => Some(Key::RegularExpression { group, regex: further()? }),
            _ => None,
        }
    }
}

pub(crate) fn offset_value(offset: &CommittedOffset) -> Vec<u8> {
    let mut value = Vec::new();
    value.put_i16(if offset.expires_at.is_some() { EXPIRING_OFFSET } else { OFFSET });
    value.put_i64(offset.offset);
    if offset.expires_at.is_none() {
        value.put_i32(offset.leader_epoch);
    }
    put_string(&mut value, Some(offset.metadata.as_str()));
    value.put_i64(offset.committed_at);
    if let Some(expires_at) = offset.expires_at {
        value.put_i64(expires_at);
    }
    value
}

/// The offset of a record at `position`; `None` if it cannot be read.
pub(crate) fn decode_offset(mut value: &[u8], position: i64) -> Option<CommittedOffset> {
    let value = &mut value;
    let version = value.try_get_i16().ok().filter(|version| (0..=OFFSET).contains(version))?;
    let offset = value.try_get_i64().ok()?;
    let leader_epoch = if version >= OFFSET { value.try_get_i32().ok()? } else { -1 };
    let metadata = StrBytes::from_string(get_string(value)??);
    let committed_at = value.try_get_i64().ok()?;
    let expires_at = if version == EXPIRING_OFFSET { Some(value.try_get_i64().ok()?).filter(|&at| at >= 0) } else { None };
    Some(CommittedOffset { offset, leader_epoch, metadata, committed_at, expires_at, position })
}

/// What is written of a group whose generation is complete, or that has no members. The members' metadata is that for the assignor
/// in use, as in Kafka.
pub(crate) fn group_value(group: &ClassicGroup) -> Vec<u8> {
    let mut value = Vec::new();
    value.put_i16(GROUP);
    put_string(&mut value, Some(group.protocol_type.as_ref().map_or("", |text| text.as_str())));
    value.put_i32(group.generation);
    put_string(&mut value, group.protocol.as_ref().map(|text| text.as_str()));
    put_string(&mut value, group.leader.as_ref().filter(|_| !group.members.is_empty()).map(|text| text.as_str()));
    value.put_i64(group.state_since);
    value.put_i32(group.members.len() as i32);
    for member in group.members.values() {
        put_string(&mut value, Some(member.id.as_str()));
        put_string(&mut value, member.instance_id.as_ref().map(|text| text.as_str()));
        put_string(&mut value, Some(member.client_id.as_str()));
        put_string(&mut value, Some(member.client_host.as_str()));
        value.put_i32(member.rebalance_timeout_ms);
        value.put_i32(member.session_timeout_ms);
        put_bytes(&mut value, &group.protocol.as_ref().map(|protocol| member.metadata(protocol)).unwrap_or_default());
        put_bytes(&mut value, &member.assignment);
    }
    value
}

/// The group of a record; `None` if it cannot be read. The sessions of its members begin anew at `now`: they could not send
/// heartbeats while there was no broker.
pub(crate) fn decode_group(id: StrBytes, mut value: &[u8], now: i64) -> Option<ClassicGroup> {
    let value = &mut value;
    if value.try_get_i16().ok()? != GROUP {
        return None;
    }
    let mut group = ClassicGroup::new(id, now);
    group.protocol_type = get_text(value)?.filter(|text| !text.is_empty());
    group.generation = value.try_get_i32().ok()?;
    group.protocol = get_text(value)?;
    group.leader = get_text(value)?;
    group.state_since = value.try_get_i64().ok()?;
    let mut members = BTreeMap::new();
    for _ in 0..value.try_get_i32().ok()? {
        let member = decode_member(value, group.protocol.as_ref(), now)?;
        if let Some(instance) = &member.instance_id {
            group.static_members.insert(instance.clone(), member.id.clone());
        }
        members.insert(member.id.clone(), member);
    }
    group.state = if members.is_empty() { State::Empty } else { State::Stable };
    group.members = members;
    group.pending_sync = BTreeSet::new();
    Some(group)
}

fn decode_member(value: &mut &[u8], protocol: Option<&StrBytes>, now: i64) -> Option<Member> {
    let id = get_text(value)??;
    let instance_id = get_text(value)?;
    let client_id = get_text(value)??;
    let client_host = get_text(value)??;
    let rebalance_timeout_ms = value.try_get_i32().ok()?;
    let session_timeout_ms = value.try_get_i32().ok()?;
    let metadata = Bytes::from(get_bytes(value)?);
    let assignment = Bytes::from(get_bytes(value)?);
    let assignor = |name: &StrBytes| JoinGroupRequestProtocol::default().with_name(name.clone()).with_metadata(metadata.clone());
    Some(Member {
        id,
        instance_id,
        client_id,
        client_host,
        rebalance_timeout_ms,
        session_timeout_ms,
        protocols: protocol.map(assignor).into_iter().collect(),
        assignment,
        is_new: false,
        join: None,
        sync: None,
        session_deadline: Some(now + i64::from(session_timeout_ms)),
    })
}

fn get_text(value: &mut &[u8]) -> Option<Option<StrBytes>> {
    Some(get_string(value)?.map(StrBytes::from_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_offsets_read_back() {
        let key = Key::Offset { group: "g".to_owned(), topic: "t".to_owned(), partition: 7 };
        assert_eq!(Key::decode(&key.encode()), Some(key));
        let (group, member) = (|| "g".to_owned(), || "m".to_owned());
        for key in [
            Key::Group { group: group() },
            Key::ConsumerGroup { group: group() },
            Key::ConsumerMember { group: group(), member: member() },
            Key::TargetAssignment { group: group() },
            Key::TargetAssignmentMember { group: group(), member: member() },
            Key::CurrentAssignment { group: group(), member: member() },
            Key::RegularExpression { group: group(), regex: "t.*".to_owned() },
        ] {
            assert_eq!(Key::decode(&key.encode()), Some(key));
        }
        for expires_at in [None, Some(9_000)] {
            let leader_epoch = if expires_at.is_some() { -1 } else { 5 };
            let metadata = StrBytes::from_static_str("m");
            let offset = CommittedOffset { offset: 42, leader_epoch, metadata, committed_at: 1_000, expires_at, position: 3 };
            let value = offset_value(&offset);
            assert_eq!(decode_offset(&value, 3), Some(offset));
            assert_eq!(decode_offset(&value[..value.len() - 1], 3), None);
        }
    }
}
