//! The group coordinator: classic and consumer groups, and the offsets that they commit.
//!
//! [`Groups`] finds the group of a request and keeps its deadlines; what happens inside a group is in [`classic`] and its
//! siblings, or in [`consumer`].

mod classic;
mod commit;
pub(crate) mod consumer;
mod group_type;
mod join;
mod log;
mod member;
mod membership;
mod offsets;
mod protocol;
mod rebalance;
mod record;
mod reply;
mod state;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{HeartbeatRequest, SyncGroupRequest};
use kafka_protocol::protocol::StrBytes;

use crate::core::{CoreConfig, Outbox};
use crate::topic::internal::partition_for;

pub(crate) use classic::ClassicGroup;
pub(crate) use commit::Committer;
pub(crate) use group_type::Group;
pub(crate) use join::Join;
pub(crate) use log::{commit, save};
pub(crate) use member::Parked;
pub(crate) use offsets::CommittedOffset;
pub(crate) use state::{DEAD, State};

use consumer::ConsumerGroupSettings;
use record::Key;

/// `offsets.retention.check.interval.ms`
const OFFSETS_RETENTION_CHECK_INTERVAL_MS: i64 = 600_000;
/// First version of OffsetCommit whose clients understand GROUP_ID_NOT_FOUND.
const GROUP_ID_NOT_FOUND: i16 = 9;

#[derive(Debug)]
struct Entry {
    group: Group,
    /// The deadline of this group in `Groups::deadlines`. Never later than the group's own, but it may be earlier:
    /// heartbeats only move deadlines back, and are too frequent to keep it exact.
    scheduled: Option<i64>,
}

/// A change that is to be written to `__consumer_offsets`: the present value of this key, or that it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    key: Key,
}

/// All groups of the broker.
#[derive(Debug)]
pub(crate) struct Groups {
    groups: BTreeMap<StrBytes, Entry>,
    deadlines: BTreeSet<(i64, StrBytes)>,
    next_expiry_check: Option<i64>,
    /// Groups whose offsets wait for the end of a producer's transaction, by producer id.
    pending: HashMap<i64, BTreeSet<StrBytes>>,
    changes: Vec<Change>,
    initial_rebalance_delay_ms: i64,
    min_session_timeout_ms: i32,
    max_session_timeout_ms: i32,
    max_size: usize,
    offsets_retention_ms: i64,
    consumer_settings: ConsumerGroupSettings,
}

impl Groups {
    pub(crate) fn new(config: &CoreConfig) -> Self {
        Groups {
            groups: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            next_expiry_check: None,
            pending: HashMap::new(),
            changes: Vec::new(),
            initial_rebalance_delay_ms: config.initial_rebalance_delay_ms.max(0),
            min_session_timeout_ms: config.group_min_session_timeout_ms,
            max_session_timeout_ms: config.group_max_session_timeout_ms,
            max_size: config.group_max_size,
            offsets_retention_ms: config.offsets_retention_ms,
            consumer_settings: config.consumer_groups,
        }
    }

    pub(crate) fn get(&self, group_id: &StrBytes) -> Option<&Group> {
        self.groups.get(group_id).map(|entry| &entry.group)
    }

    /// All groups, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().map(|entry| &entry.group)
    }

    /// JoinGroup: answers or parks it.
    pub(crate) fn join(&mut self, join: Join, now: i64, out: &mut Outbox) {
        let session = join.request.session_timeout_ms;
        let group_id = join.request.group_id.0.clone();
        let error = if group_id.is_empty() {
            Some(ResponseError::InvalidGroupId)
        } else if !(self.min_session_timeout_ms..=self.max_session_timeout_ms).contains(&session) {
            Some(ResponseError::InvalidSessionTimeout)
        } else if !join.request.member_id.is_empty() && !self.groups.contains_key(&group_id) {
            // Only a member without an id can be the first of its group.
            Some(ResponseError::UnknownMemberId)
        } else {
            None
        };
        if let Some(error) = error {
            return reply::join_error(join.parked, join.request.member_id, error, out);
        }
        let (max_size, delay) = (self.max_size, self.initial_rebalance_delay_ms);
        if join.request.member_id.is_empty() {
            self.downgrade_if_empty(&group_id, now);
        }
        match self.get_or_create(&group_id, now) {
            Group::Classic(group) => group.join(join, max_size, delay, now, out),
            // As Kafka does with `group.consumer.migration.policy=disabled`.
            Group::Consumer(_) => {
                let error = ResponseError::InconsistentGroupProtocol;
                return reply::join_error(join.parked, join.request.member_id, error, out);
            }
        }
        self.reschedule(&group_id);
        self.remove_if_blank(&group_id);
    }

    /// SyncGroup: answers or parks it.
    pub(crate) fn sync(&mut self, parked: Parked, request: SyncGroupRequest, now: i64, out: &mut Outbox) {
        let group_id = request.group_id.0.clone();
        match self.member_group(&group_id) {
            Ok(group) => {
                group.sync(parked, request, now, out);
                self.reschedule(&group_id);
            }
            Err(error) => reply::sync_error(parked, error, out),
        }
    }

    /// Heartbeat.
    ///
    /// # Errors
    /// Those of [`ClassicGroup::heartbeat`], and `INVALID_GROUP_ID`.
    pub(crate) fn heartbeat(&mut self, request: &HeartbeatRequest, now: i64) -> Result<(), ResponseError> {
        self.member_group(&request.group_id.0)?.heartbeat(request, now)
    }

    /// LeaveGroup: a result for each of the leaving members.
    ///
    /// # Errors
    /// `INVALID_GROUP_ID`, for the request as a whole.
    pub(crate) fn leave(
        &mut self,
        group_id: &StrBytes,
        leaving: &[MemberIdentity],
        now: i64,
        out: &mut Outbox,
    ) -> Result<Vec<Result<(), ResponseError>>, ResponseError> {
        let delay = self.initial_rebalance_delay_ms;
        if let Some(Group::Consumer(group)) = self.groups.get_mut(group_id).map(|entry| &mut entry.group) {
            let results = group.remove_members(leaving);
            self.reschedule(group_id);
            return Ok(results);
        }
        match self.member_group(group_id) {
            Ok(group) => {
                let results = group.leave(leaving, delay, now, out);
                self.reschedule(group_id);
                Ok(results)
            }
            Err(ResponseError::UnknownMemberId) => Ok(vec![Err(ResponseError::UnknownMemberId); leaving.len()]),
            Err(error) => Err(error),
        }
    }

    /// Checks an OffsetCommit of the given version. A group that does not exist comes into being if the client does not
    /// claim to be a member.
    ///
    /// # Errors
    /// Those of [`ClassicGroup::accept_commit`]; for a member of a group that does not exist `GROUP_ID_NOT_FOUND`, or
    /// `ILLEGAL_GENERATION` if the client is too old to know the former.
    pub(crate) fn accept_commit(
        &mut self,
        group_id: &StrBytes,
        committer: &Committer<'_>,
        version: i16,
        now: i64,
    ) -> Result<(), ResponseError> {
        if committer.generation >= 0 && !self.groups.contains_key(group_id) {
            return Err(if version >= GROUP_ID_NOT_FOUND { ResponseError::GroupIdNotFound } else { ResponseError::IllegalGeneration });
        }
        let verdict = match self.get_or_create(group_id, now) {
            Group::Classic(group) => group.accept_commit(committer, now),
            Group::Consumer(group) => group.accept_commit(committer, version),
        };
        // A group that was let in stays for a while, also if nothing of its commit can be stored.
        if verdict.is_err() {
            self.remove_if_blank(group_id);
        }
        verdict
    }

    /// Checks a TxnOffsetCommit.
    ///
    /// # Errors
    /// Those of [`ClassicGroup::accept_transactional_commit`]; `ILLEGAL_GENERATION` for a member of a group that does not
    /// exist.
    pub(crate) fn accept_transactional_commit(
        &mut self,
        group_id: &StrBytes,
        committer: &Committer<'_>,
        now: i64,
    ) -> Result<(), ResponseError> {
        if committer.generation >= 0 && !self.groups.contains_key(group_id) {
            return Err(ResponseError::IllegalGeneration);
        }
        let verdict = match self.get_or_create(group_id, now) {
            Group::Classic(group) => group.accept_transactional_commit(committer),
            Group::Consumer(group) => group.accept_transactional_commit(committer),
        };
        self.remove_if_blank(group_id);
        verdict
    }

    /// Whether a committer that was accepted may commit for this partition.
    pub(crate) fn may_commit(&self, group_id: &StrBytes, committer: &Committer<'_>, partition: &consumer::TopicPartition) -> bool {
        self.get(group_id).and_then(Group::consumer).is_none_or(|group| group.may_commit(committer, partition))
    }

    /// Makes the offsets that a producer committed in its transaction visible, or drops them.
    pub(crate) fn complete_transaction(&mut self, producer_id: i64, commit: bool) {
        self.complete(producer_id, commit, |_| true);
    }

    /// As [`Groups::complete_transaction`], in the groups of one of `count` partitions of `__consumer_offsets`.
    pub(crate) fn complete_transaction_in(&mut self, producer_id: i64, commit: bool, partition: i32, count: i32) {
        self.complete(producer_id, commit, |group| partition_for(group, count) == partition);
    }

    /// As [`Groups::complete_transaction`], in those groups that `concerns` names.
    fn complete(&mut self, producer_id: i64, commit: bool, concerns: impl Fn(&str) -> bool) {
        let Some(groups) = self.pending.get_mut(&producer_id) else {
            return;
        };
        let completed: Vec<StrBytes> = groups.iter().filter(|group| concerns(group)).cloned().collect();
        groups.retain(|group| !completed.contains(group));
        if groups.is_empty() {
            self.pending.remove(&producer_id);
        }
        for group_id in completed {
            if let Some(entry) = self.groups.get_mut(&group_id) {
                entry.group.offsets_mut().complete(producer_id, commit);
            }
            self.remove_if_blank(&group_id);
        }
    }

    /// Takes note that offsets of the group wait for the end of a producer's transaction.
    fn note_pending(&mut self, group_id: &StrBytes, producer_id: i64) {
        if let Some(entry) = self.groups.get(group_id) {
            self.pending.entry(producer_id).or_default().insert(entry.group.id().clone());
        }
    }

    /// Whether something is to be written to `__consumer_offsets`.
    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// DeleteGroups for one group, with its offsets.
    ///
    /// # Errors
    /// `GROUP_ID_NOT_FOUND`, `NON_EMPTY_GROUP`.
    pub(crate) fn delete(&mut self, group_id: &StrBytes) -> Result<(), ResponseError> {
        let group = self.get(group_id).ok_or(ResponseError::GroupIdNotFound)?;
        if !group.is_empty() {
            return Err(ResponseError::NonEmptyGroup);
        }
        if let Some(entry) = self.groups.get_mut(group_id) {
            entry.group.offsets_mut().retain(|_, _, _| false);
            note_changes(&mut self.changes, &mut entry.group);
        }
        self.remove(group_id);
        Ok(())
    }

    /// OffsetDelete for some partitions: a result for each.
    ///
    /// # Errors
    /// `GROUP_ID_NOT_FOUND`; `NON_EMPTY_GROUP` if it cannot be told what the members read.
    pub(crate) fn delete_offsets(
        &mut self,
        group_id: &StrBytes,
        partitions: &[(StrBytes, i32)],
    ) -> Result<Vec<Result<(), ResponseError>>, ResponseError> {
        let entry = self.groups.get_mut(group_id).ok_or(ResponseError::GroupIdNotFound)?;
        let group = &mut entry.group;
        let subscribed = group.subscribed_topics().ok_or(ResponseError::NonEmptyGroup)?;
        let results = partitions
            .iter()
            .map(|(topic, partition)| {
                if subscribed.contains(topic.as_str()) {
                    return Err(ResponseError::GroupSubscribedToTopic);
                }
                group.offsets_mut().delete(topic, *partition);
                Ok(())
            })
            .collect();
        note_changes(&mut self.changes, group);
        Ok(results)
    }

    /// Forgets the offsets of a deleted topic.
    pub(crate) fn topic_deleted(&mut self, topic: &str) {
        for entry in self.groups.values_mut() {
            entry.group.offsets_mut().topic_deleted(topic);
            note_changes(&mut self.changes, &mut entry.group);
        }
    }

    /// Forgets what a closed connection waited for. Its members stay: only their sessions end them.
    pub(crate) fn disconnected(&mut self, connection: u64) {
        for entry in self.groups.values_mut() {
            entry.group.disconnected(connection);
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn tick(&mut self, now: i64, out: &mut Outbox) {
        while let Some((deadline, _)) = self.deadlines.first()
            && *deadline <= now
            && let Some((_, group_id)) = self.deadlines.pop_first()
        {
            let delay = self.initial_rebalance_delay_ms;
            if let Some(entry) = self.groups.get_mut(&group_id) {
                entry.scheduled = None;
                entry.group.tick(delay, now, out);
            }
            self.reschedule(&group_id);
            self.remove_if_blank(&group_id);
        }
        let check = *self.next_expiry_check.get_or_insert(now + OFFSETS_RETENTION_CHECK_INTERVAL_MS);
        if check <= now {
            self.next_expiry_check = Some(now + OFFSETS_RETENTION_CHECK_INTERVAL_MS);
            let retention = self.offsets_retention_ms;
            let changes = &mut self.changes;
            self.groups.retain(|_, entry| {
                let group = &mut entry.group;
                group.expire_offsets(retention, now);
                note_changes(changes, group);
                let stays = !group.is_unused();
                if !stays {
                    changes.extend(last_changes(group));
                }
                stays
            });
        }
    }

    /// The earliest time at which [`Groups::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        let groups = self.deadlines.first().map(|(deadline, _)| *deadline);
        // An idle broker without groups need not wake up for their offsets.
        let expiry = self.next_expiry_check.filter(|_| !self.groups.is_empty());
        groups.into_iter().chain(expiry).min()
    }

    fn get_or_create(&mut self, group_id: &StrBytes, now: i64) -> &mut Group {
        // The id of the request is part of the frame that it came in, which would stay in memory as long as the group.
        let id = StrBytes::from_string(group_id.as_str().to_owned());
        let new = |id: &StrBytes| Entry { group: Group::Classic(ClassicGroup::new(id.clone(), now)), scheduled: None };
        let entry = self.groups.entry(id).or_insert_with_key(new);
        &mut entry.group
    }

    /// The group of a request that only members of classic groups send.
    fn member_group(&mut self, group_id: &StrBytes) -> Result<&mut ClassicGroup, ResponseError> {
        if group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        match self.groups.get_mut(group_id).map(|entry| &mut entry.group) {
            Some(Group::Classic(group)) => Ok(group),
            Some(Group::Consumer(_)) | None => Err(ResponseError::UnknownMemberId),
        }
    }

    fn reschedule(&mut self, group_id: &StrBytes) {
        let Some(entry) = self.groups.get_mut(group_id) else {
            return;
        };
        note_changes(&mut self.changes, &mut entry.group);
        let next = entry.group.next_deadline();
        if next == entry.scheduled {
            return;
        }
        if let Some(old) = entry.scheduled {
            self.deadlines.remove(&(old, group_id.clone()));
        }
        if let Some(next) = next {
            self.deadlines.insert((next, entry.group.id().clone()));
        }
        entry.scheduled = next;
    }

    fn remove(&mut self, group_id: &StrBytes) {
        if let Some(entry) = self.groups.remove(group_id) {
            self.changes.extend(last_changes(&entry.group));
            if let Some(deadline) = entry.scheduled {
                self.deadlines.remove(&(deadline, group_id.clone()));
            }
        }
    }

    fn remove_if_blank(&mut self, group_id: &StrBytes) {
        if self.get(group_id).is_some_and(Group::is_blank) {
            self.remove(group_id);
        }
    }
}

/// Collects what is to be written of a group.
fn note_changes(changes: &mut Vec<Change>, group: &mut Group) {
    let id = group.id().to_string();
    let deleted = group.offsets_mut().take_deleted().into_iter();
    changes.extend(deleted.map(|(topic, partition)| Change { key: Key::Offset { group: id.clone(), topic, partition } }));
    match group {
        Group::Classic(group) => {
            if std::mem::take(&mut group.unsaved) {
                changes.push(Change { key: Key::Group { group: id } });
            }
        }
        Group::Consumer(group) => changes.extend(std::mem::take(&mut group.unsaved).into_iter().map(|key| Change { key })),
    }
}

/// What is to be written when a group goes: that nothing is left of what was written of it.
fn last_changes(group: &Group) -> Vec<Change> {
    match group {
        Group::Classic(group) if group.generation == 0 => Vec::new(),
        Group::Classic(group) => vec![Change { key: Key::Group { group: group.id.to_string() } }],
        Group::Consumer(group) if group.is_new() => Vec::new(),
        Group::Consumer(group) => group.keys().map(|key| Change { key }).into(),
    }
}
