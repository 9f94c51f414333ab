//! The way of a heartbeat to its group, and of a group from one protocol to the other.

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::super::record::Key;
use super::super::{Change, Entry, Group, Groups};
use super::{Answer, ConsumerGroup, Heartbeat, Refusal};
use crate::topic::Topics;

impl Groups {
    /// ConsumerGroupHeartbeat of a valid request. A member that joins brings its group into being; a classic group without members
    /// becomes one, with its offsets.
    ///
    /// # Errors
    /// `GROUP_ID_NOT_FOUND`, also while a classic group has members, and those of [`ConsumerGroup::heartbeat`] and
    /// [`ConsumerGroup::leave`].
    pub(crate) fn consumer_heartbeat(&mut self, heartbeat: &Heartbeat, topics: &Topics, now: i64) -> Result<Answer, Refusal> {
        let settings = self.consumer_settings;
        let request = &heartbeat.request;
        let group_id = &request.group_id.0;
        let group = self.consumer_group(group_id, request.member_epoch == 0, now)?;
        let answer = if request.member_epoch < 0 {
            group.leave(request).map(|()| Answer { member_id: request.member_id.clone(), epoch: request.member_epoch, assignment: None })
        } else {
            group.heartbeat(heartbeat, settings, topics, now)
        };
        self.reschedule(group_id);
        self.remove_if_blank(group_id);
        answer
    }

    fn consumer_group(&mut self, group_id: &StrBytes, create: bool, now: i64) -> Result<&mut ConsumerGroup, Refusal> {
        let not_found = |message: String| Refusal::new(ResponseError::GroupIdNotFound, message);
        if !create && !self.groups.contains_key(group_id) {
            return Err(not_found(format!("Consumer group {group_id} not found.")));
        }
        if create {
            let group = self.get_or_create(group_id, now);
            let was_used = !group.is_blank();
            if let Group::Classic(classic) = group
                && group_is_empty(classic)
            {
                let (id, offsets) = (classic.id.clone(), std::mem::take(&mut classic.offsets));
                *group = Group::Consumer(ConsumerGroup::new(id, offsets));
                if was_used {
                    self.changes.push(Change { key: Key::Group { group: group_id.to_string() } });
                }
            }
        }
        match self.groups.get_mut(group_id).map(|entry| &mut entry.group) {
            Some(Group::Consumer(group)) => Ok(group),
            // As Kafka does with `group.consumer.migration.policy=disabled`.
            Some(Group::Classic(_)) if create => {
                Err(not_found(format!("Cannot upgrade classic group {group_id} to consumer group because online upgrade is disabled.")))
            }
            _ => Err(not_found(format!("Group {group_id} is not a consumer group."))),
        }
    }

    /// Lets a consumer group without members become a classic one, with its offsets, because a member of the classic protocol joins.
    pub(crate) fn downgrade_if_empty(&mut self, group_id: &StrBytes, now: i64) {
        let Some(Entry { group, .. }) = self.groups.get_mut(group_id) else {
            return;
        };
        if let Group::Consumer(consumer) = group
            && consumer.members.is_empty()
        {
            self.changes.extend(consumer.keys().map(|key| Change { key }));
            let mut classic = super::super::ClassicGroup::new(consumer.id.clone(), now);
            classic.offsets = std::mem::take(&mut consumer.offsets);
            *group = Group::Classic(classic);
        }
    }
}

fn group_is_empty(group: &super::super::ClassicGroup) -> bool {
    group.members.is_empty() && group.pending.is_empty()
}
