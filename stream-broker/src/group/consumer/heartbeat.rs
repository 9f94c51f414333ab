//! ConsumerGroupHeartbeat: everything that a member tells and is told.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ConsumerGroupHeartbeatRequest;
use kafka_protocol::protocol::StrBytes;

use super::super::record::Key;
use super::member::{ConsumerMember, STATIC_LEAVE_EPOCH};
use super::reconciliation::Goal;
use super::{ConsumerGroup, ConsumerGroupSettings, Refusal, TopicPartition, subscription};
use crate::topic::Topics;

/// A heartbeat and who sent it.
pub(crate) struct Heartbeat {
    pub(crate) request: ConsumerGroupHeartbeatRequest,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
}

/// What a member is told.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) member_id: StrBytes,
    pub(crate) epoch: i32,
    /// What it may read from now on; `None` if that is what it was told before.
    pub(crate) assignment: Option<BTreeSet<TopicPartition>>,
}

impl ConsumerGroup {
    /// Handles the heartbeat of a member that does not leave.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID`, `FENCED_MEMBER_EPOCH`, `FENCED_INSTANCE_ID`, `UNRELEASED_INSTANCE_ID`, `INVALID_REGULAR_EXPRESSION`. The
    /// group is as it was then.
    pub(crate) fn heartbeat(
        &mut self,
        heartbeat: &Heartbeat,
        settings: ConsumerGroupSettings,
        topics: &Topics,
        now: i64,
    ) -> Result<Answer, Refusal> {
        let request = &heartbeat.request;
        let joins = request.member_epoch == 0;
        let owned: Option<BTreeSet<TopicPartition>> = request
            .topic_partitions
            .as_ref()
            .map(|topics| topics.iter().flat_map(|topic| topic.partitions.iter().map(|&index| (topic.topic_id, index))).collect());
        self.check_identity(request, owned.as_ref())?;
        if let Some(regex) = request.subscribed_topic_regex.as_ref().filter(|regex| !regex.is_empty()) {
            subscription::compile(regex)?;
        }
        let id = self.admit(request);
        let unknown = || Refusal::unknown_member(&request.member_id, &self.id);
        let before = self.members.get(&id).cloned().ok_or_else(unknown)?;
        let preferred = self.assignor();
        let updated = updated(&before, heartbeat);
        let topics_changed = updated.subscribed_topics != before.subscribed_topics;
        let regex_changed = updated.regex() != before.regex();
        if updated != before {
            self.unsaved.push(Key::ConsumerMember { group: self.id.to_string(), member: id.to_string() });
        }
        if let Some(instance_id) = &updated.instance_id {
            self.static_members.insert(instance_id.clone(), id.clone());
        }
        self.members.insert(id.clone(), updated);
        self.refresh_metadata(topics_changed || regex_changed || self.assignor() != preferred, topics);
        self.update_target(topics, settings.assignment_interval_ms, now);
        self.reconcile(&id, topics_changed || regex_changed, owned.as_ref(), topics, now);

        let unknown = || Refusal::unknown_member(&request.member_id, &self.id);
        let member = self.members.get_mut(&id).ok_or_else(unknown)?;
        member.session_deadline = now.saturating_add(i64::from(settings.session_timeout_ms));
        // A full request, as after an error, is answered in full.
        let subscribes = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
        let full = request.rebalance_timeout_ms != -1 && subscribes && owned.is_some();
        let tell = joins || full || member.assigned != before.assigned;
        Ok(Answer { member_id: id, epoch: member.epoch, assignment: tell.then(|| member.assigned.keys().copied().collect()) })
    }

    /// Checks that the member may be who it says it is.
    fn check_identity(&self, request: &ConsumerGroupHeartbeatRequest, owned: Option<&BTreeSet<TopicPartition>>) -> Result<(), Refusal> {
        let member_id = &request.member_id;
        let joins = request.member_epoch == 0;
        let member = match &request.instance_id {
            None => self.members.get(member_id),
            Some(instance_id) => {
                let former = self.static_members.get(instance_id).and_then(|id| self.members.get(id));
                match former {
                    // A static member comes back only after its former self has said that it is gone.
                    Some(former) if joins && former.epoch != STATIC_LEAVE_EPOCH => {
                        let owner = &former.id;
                        return Err(Refusal::new(
                            ResponseError::UnreleasedInstanceId,
                            format!(
                                "Static member {member_id} with instance id {instance_id} cannot join the group because the instance id \
                                 is owned by {owner} member."
                            ),
                        ));
                    }
                    None if !joins => return Err(Refusal::unknown_instance(instance_id)),
                    Some(former) if !joins && former.id != *member_id => {
                        return Err(Refusal::fenced_instance(member_id, instance_id, &former.id));
                    }
                    former => former,
                }
            }
        };
        match member {
            Some(member) if !joins => check_epoch(member, request.member_epoch, owned),
            None if !joins => Err(Refusal::unknown_member(member_id, &self.id)),
            _ => Ok(()),
        }
    }

    /// Makes room for a member that joins, in the place of its former self if it is a static one; its id.
    fn admit(&mut self, request: &ConsumerGroupHeartbeatRequest) -> StrBytes {
        // Not the text of the request, which would keep its whole frame in memory.
        let id = owned_text(&request.member_id);
        if request.member_epoch != 0 {
            return id;
        }
        let former = request.instance_id.as_ref().and_then(|instance_id| self.static_members.get(instance_id).cloned());
        if let Some(former) = former
            && let Some(member) = self.members.get(&former).cloned()
        {
            let target = self.target.get(&former).cloned().unwrap_or_default();
            self.remove(&former);
            self.target.insert(id.clone(), target);
            self.members.insert(id.clone(), ConsumerMember { id: id.clone(), epoch: 0, previous_epoch: 0, ..member });
            let (group, member) = (self.id.to_string(), id.to_string());
            self.unsaved.extend([
                Key::ConsumerMember { group: group.clone(), member: member.clone() },
                Key::TargetAssignmentMember { group: group.clone(), member: member.clone() },
                Key::CurrentAssignment { group, member },
            ]);
        }
        self.members.entry(id.clone()).or_insert_with(|| ConsumerMember::new(id.clone()));
        id
    }

    /// Brings a member a step closer to its part of the target.
    fn reconcile(
        &mut self,
        id: &StrBytes,
        subscription_changed: bool,
        owned: Option<&BTreeSet<TopicPartition>>,
        topics: &Topics,
        now: i64,
    ) {
        let Some(mut member) = self.members.remove(id) else {
            return;
        };
        if subscription_changed || !member.has_reached(self.assignment_epoch) {
            let before = member.clone();
            let others = self.members.values().flat_map(|other| other.assigned.keys().chain(other.revoking.keys()));
            let nothing = BTreeSet::new();
            let goal = Goal {
                epoch: self.assignment_epoch,
                target: self.target.get(id).unwrap_or(&nothing),
                subscribed: &self.subscribed_ids(&member, topics),
                subscription_changed,
                owned,
                held_by_others: &others.copied().collect(),
            };
            member.reconcile(&goal);
            if member != before {
                self.unsaved.push(Key::CurrentAssignment { group: self.id.to_string(), member: id.to_string() });
                let revokes = member.state == super::member::MemberState::UnrevokedPartitions;
                member.rebalance_deadline = revokes.then(|| now.saturating_add(i64::from(member.rebalance_timeout_ms)));
            }
        }
        self.members.insert(id.clone(), member);
    }
}

/// The member with what the heartbeat says about it; what is null is as before.
fn updated(member: &ConsumerMember, heartbeat: &Heartbeat) -> ConsumerMember {
    let request = &heartbeat.request;
    let mut updated = member.clone();
    let take = |field: &mut Option<StrBytes>, told: &Option<StrBytes>| {
        if let Some(told) = told.as_ref().filter(|told| field.as_ref() != Some(told)) {
            *field = Some(owned_text(told));
        }
    };
    take(&mut updated.instance_id, &request.instance_id);
    take(&mut updated.rack_id, &request.rack_id);
    take(&mut updated.server_assignor, &request.server_assignor);
    take(&mut updated.subscribed_regex, &request.subscribed_topic_regex);
    if request.rebalance_timeout_ms != -1 {
        updated.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(names) = &request.subscribed_topic_names {
        updated.subscribed_topics = names.iter().map(|name| name.0.to_string()).collect();
    }
    updated.client_id = heartbeat.client_id.clone();
    updated.client_host = heartbeat.client_host.clone();
    updated
}

/// The answer that brought the present epoch may have been lost: the epoch before is accepted from a member that claims nothing
/// beyond what it has.
fn check_epoch(member: &ConsumerMember, received: i32, owned: Option<&BTreeSet<TopicPartition>>) -> Result<(), Refusal> {
    let known = member.epoch;
    let claims_no_more = || owned.is_some_and(|owned| owned.iter().all(|partition| member.assigned.contains_key(partition)));
    if received == known || (received < known && received == member.previous_epoch && claims_no_more()) {
        return Ok(());
    }
    let comparison = if received > known { "greater" } else { "smaller" };
    Err(Refusal::new(
        ResponseError::FencedMemberEpoch,
        format!(
            "The consumer group member has a {comparison} member epoch ({received}) than the one known by the group coordinator \
             ({known}). The member must abandon all its partitions and rejoin."
        ),
    ))
}

fn owned_text(text: &StrBytes) -> StrBytes {
    StrBytes::from_string(text.as_str().to_owned())
}
