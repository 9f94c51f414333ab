//! How members go: on their own, for a while, taken out by an administrator, or because they were not heard of.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ConsumerGroupHeartbeatRequest;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::protocol::StrBytes;

use super::super::record::Key;
use super::member::STATIC_LEAVE_EPOCH;
use super::{ConsumerGroup, Refusal};

impl ConsumerGroup {
    /// Handles the last heartbeat of a member.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID`, `FENCED_INSTANCE_ID`.
    pub(crate) fn leave(&mut self, request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
        let member_id = &request.member_id;
        let id = match &request.instance_id {
            None => self.members.get_key_value(member_id).ok_or_else(|| Refusal::unknown_member(member_id, &self.id))?.0,
            Some(instance_id) => {
                let owner = self.static_members.get(instance_id).ok_or_else(|| Refusal::unknown_instance(instance_id))?;
                if owner != member_id {
                    return Err(Refusal::fenced_instance(member_id, instance_id, owner));
                }
                owner
            }
        };
        let id = id.clone();
        if request.instance_id.is_some() && request.member_epoch == STATIC_LEAVE_EPOCH {
            self.leave_for_a_while(&id);
        } else {
            self.fence(&[id]);
        }
        Ok(())
    }

    /// A static member restarts: its partitions wait for it until its session ends.
    fn leave_for_a_while(&mut self, id: &StrBytes) {
        if let Some(member) = self.members.get_mut(id) {
            member.epoch = STATIC_LEAVE_EPOCH;
            member.revoking.clear();
            member.rebalance_deadline = None;
            // Whoever comes back has them from the beginning, whatever its epoch will be.
            member.assigned.values_mut().for_each(|since| *since = 0);
            self.unsaved.push(Key::CurrentAssignment { group: self.id.to_string(), member: id.to_string() });
        }
    }

    /// LeaveGroup, by which an administrator takes members out; a result for each.
    pub(crate) fn remove_members(&mut self, leaving: &[MemberIdentity]) -> Vec<Result<(), ResponseError>> {
        let found: Vec<Result<StrBytes, ResponseError>> = leaving
            .iter()
            .map(|identity| {
                let id = match &identity.group_instance_id {
                    None => self.members.get_key_value(&identity.member_id).map(|(id, _)| id),
                    Some(instance_id) => self.static_members.get(instance_id),
                };
                let id = id.ok_or(ResponseError::UnknownMemberId)?;
                let fenced = !identity.member_id.is_empty() && identity.member_id != *id;
                if fenced { Err(ResponseError::FencedInstanceId) } else { Ok(id.clone()) }
            })
            .collect();
        self.fence(&found.iter().flatten().cloned().collect::<Vec<_>>());
        found.into_iter().map(|found| found.map(|_| ())).collect()
    }

    /// Takes members out: a new epoch begins, in which others get their partitions.
    fn fence(&mut self, ids: &[StrBytes]) {
        if ids.is_empty() {
            return;
        }
        for id in ids {
            self.remove(id);
        }
        self.forget_metadata();
        self.bump();
        if self.members.is_empty() {
            let group = self.id.to_string();
            let regexes = std::mem::take(&mut self.resolved).into_keys();
            self.unsaved.extend(regexes.map(|regex| Key::RegularExpression { group: group.clone(), regex }));
        }
    }

    /// Forgets a member, without beginning a new epoch.
    pub(super) fn remove(&mut self, id: &StrBytes) {
        let Some(member) = self.members.remove(id) else {
            return;
        };
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        self.target.remove(id);
        let (group, member) = (self.id.to_string(), id.to_string());
        self.unsaved.extend([
            Key::CurrentAssignment { group: group.clone(), member: member.clone() },
            Key::TargetAssignmentMember { group: group.clone(), member: member.clone() },
            Key::ConsumerMember { group, member },
        ]);
    }

    /// Takes out members whose session is over, and those that have not given up in time what they had to.
    pub(crate) fn tick(&mut self, now: i64) {
        let is_over = |member: &&super::ConsumerMember| {
            member.session_deadline <= now || member.rebalance_deadline.is_some_and(|deadline| deadline <= now)
        };
        let over: Vec<StrBytes> = self.members.values().filter(is_over).map(|member| member.id.clone()).collect();
        self.fence(&over);
    }
}
