//! The state machine of an anchored membership: what the group said comes in, what to do goes out. No I/O and no clock.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::client_id;
use super::slots::Slots;
use crate::client::GroupDescription;
use crate::error::Error;
use crate::id::TaskId;
use crate::membership::{GroupEvent, Plan};

/// What the backend must do, in order.
#[derive(Debug)]
pub(super) enum Action {
    /// Answer the assign event of the client, so that the rebalance goes on.
    AnswerAssign,
    /// Answer its revoke event: from here on, others can get the tasks.
    AnswerRevoke,
    /// These tasks may be committed, with the token that is current now.
    Own(BTreeSet<TaskId>),
    /// No commit is possible any more.
    Disown(String),
    /// Tell the caller.
    Emit(GroupEvent),
    /// Leave with the old plan and join with the new one, when no lease is held.
    Join(Plan),
}

/// How sure it is that the granted tasks may start.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Check {
    /// Nothing to check: no rebalance since the last time, or it is not complete.
    None,
    /// The group must be read.
    Due,
    /// The tasks run; but the group gave some of the plan's tasks to nobody when it was last read, so it is to be read again.
    Incomplete,
}

/// One membership, over all its rebalances.
#[derive(Debug)]
pub(super) struct Session {
    plan: Plan,
    slots: Slots,
    /// What the group gave to this member and was not asked back.
    granted: BTreeSet<TaskId>,
    /// What may run, under `member`.
    running: BTreeSet<TaskId>,
    /// Asked back from the caller and not released yet; a part of `running`.
    revoking: BTreeSet<TaskId>,
    /// The client waits for the answer to a revoke event.
    is_revoke_unanswered: bool,
    /// The client waits for its answer until no lease is held.
    is_lost_unanswered: bool,
    member: Option<String>,
    check: Check,
    /// The member to which the last complete rebalance gave `granted`.
    confirmed: Option<String>,
    /// Anchors of which partitions were granted that the plan does not know.
    unplanned: BTreeSet<Arc<str>>,
    next_plan: Option<Plan>,
    is_shutdown_seen: bool,
    actions: VecDeque<Action>,
}

impl Session {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            slots: Slots::of(&plan),
            plan,
            granted: BTreeSet::new(),
            running: BTreeSet::new(),
            revoking: BTreeSet::new(),
            is_revoke_unanswered: false,
            is_lost_unanswered: false,
            member: None,
            check: Check::None,
            confirmed: None,
            unplanned: BTreeSet::new(),
            next_plan: None,
            is_shutdown_seen: false,
            actions: VecDeque::new(),
        }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether the group is to be read: to decide if the granted tasks may start, or if all tasks have an owner.
    pub(super) fn is_check_due(&self) -> bool {
        self.check != Check::None && self.next_plan.is_none()
    }

    /// Whether the group gave some tasks to nobody when it was last read. For a moment that is so whenever tasks move. When it lasts,
    /// the member that assigns does not know of all topics yet: they were made just before, and its broker had not heard of them.
    pub(super) fn is_incomplete(&self) -> bool {
        self.check == Check::Incomplete
    }

    /// Whether a revocation waits for the leases to end; see [`leases_ended`](Self::leases_ended).
    pub(super) fn waits_for_leases(&self) -> bool {
        self.is_lost_unanswered || (self.next_plan.is_some() && self.running.is_empty())
    }

    /// Whether tasks run, or would run, under the current membership.
    pub(super) fn is_member(&self) -> bool {
        self.member.is_some()
    }

    /// The client offers partitions. `member` is who it is now.
    pub(super) fn offered(&mut self, partitions: &[(String, i32)], member: Option<&str>) {
        for (topic, partition) in partitions {
            match self.task(topic, *partition) {
                Some(task) => {
                    self.granted.insert(task);
                }
                None => {
                    self.unplanned.insert(Arc::from(topic.as_str()));
                }
            }
        }
        self.actions.push_back(Action::AnswerAssign);
        // Without a member id, the rebalance that this belongs to is void: the client is about to join anew.
        self.confirmed = member.map(str::to_owned);
        self.check = if member.is_some() { Check::Due } else { Check::None };
    }

    /// The client asks partitions back. When they are lost, they may run elsewhere already.
    pub(super) fn asked_back(&mut self, partitions: &[(String, i32)], is_lost: bool) {
        let tasks: BTreeSet<TaskId> = partitions.iter().filter_map(|(topic, partition)| self.task(topic, *partition)).collect();
        self.granted.retain(|task| !tasks.contains(task));
        self.unplanned.clear();
        self.check = Check::None;
        if is_lost {
            self.lost("the group gave its tasks away, as this process had not been heard of for `session.timeout.ms`");
            self.is_lost_unanswered = true;
            return;
        }
        let running: BTreeSet<TaskId> = tasks.intersection(&self.running).copied().collect();
        self.is_revoke_unanswered = true;
        self.revoke(running);
        self.answer_when_released();
    }

    /// Who the client is now. Another member id than the one under which the tasks run, or none, means that the membership has
    /// ended, also where the client says nothing: it skips the event when it happens during a rebalance.
    pub(super) fn member_is(&mut self, current: Option<&str>) {
        if self.member.is_some() && self.member.as_deref() != current {
            self.lost("the group does not know this member any more");
            if self.is_revoke_unanswered {
                self.is_revoke_unanswered = false;
                self.is_lost_unanswered = true;
            }
        }
        if self.confirmed.is_some() && self.confirmed.as_deref() != current {
            self.confirmed = None;
            self.check = Check::None;
        }
    }

    /// This process leaves: all tasks are lost. The session begins anew when it joins again.
    pub(super) fn left(&mut self, reason: &str) {
        self.lost(reason);
        self.granted.clear();
        self.unplanned.clear();
        self.confirmed = None;
        self.check = Check::None;
        self.is_lost_unanswered |= std::mem::take(&mut self.is_revoke_unanswered);
    }

    /// No lease is held: what waits for that goes on.
    pub(super) fn leases_ended(&mut self) {
        if std::mem::take(&mut self.is_lost_unanswered) {
            self.actions.push_back(Action::AnswerRevoke);
        }
        if self.running.is_empty()
            && let Some(plan) = self.next_plan.take()
        {
            *self = Self { actions: std::mem::take(&mut self.actions), ..Self::new(plan.clone()) };
            self.actions.push_back(Action::Disown("this process joins its group with a new plan".into()));
            self.actions.push_back(Action::Join(plan));
        }
    }

    /// The caller gave tasks up.
    pub(super) fn released(&mut self, tasks: &BTreeSet<TaskId>) {
        let released: BTreeSet<TaskId> = tasks.intersection(&self.revoking).copied().collect();
        if released.is_empty() {
            return;
        }
        self.revoking.retain(|task| !released.contains(task));
        self.running.retain(|task| !released.contains(task));
        self.actions.push_back(Action::Own(self.running.clone()));
        self.answer_when_released();
    }

    /// Takes a new plan: everything is given up first.
    pub(super) fn replan(&mut self, plan: Plan) {
        if plan == *self.next_plan.as_ref().unwrap_or(&self.plan) {
            return;
        }
        self.next_plan = Some(plan);
        self.revoke(self.running.clone());
    }

    /// The group was read. Returns whether the granted tasks could be decided on; if not, it is to be read again later.
    pub(super) fn described(&mut self, group: &GroupDescription, member: &str) -> bool {
        // Until all members have their assignment, the list of members can still change without another rebalance of ours.
        let is_complete = group.state.eq_ignore_ascii_case("stable") && group.members.iter().any(|other| other.member_id == member);
        if !is_complete || self.confirmed.as_deref() != Some(member) {
            return false;
        }
        if !self.is_shutdown_seen
            && let Some(by) = group.members.iter().find(|other| client_id::asks_for_shutdown(&other.client_id))
        {
            self.is_shutdown_seen = true;
            self.actions.push_back(Action::Emit(GroupEvent::ShutdownRequested { by: format!("{} at {}", by.client_id, by.client_host) }));
        }
        let mut waits: Vec<String> = group
            .members
            .iter()
            .filter(|other| !client_id::asks_for_shutdown(&other.client_id) && !client_id::shows(&other.client_id, &self.plan.fingerprint))
            .map(|other| {
                format!(
                    "member {} ({} at {}) sees other topics or partition counts than this process",
                    other.member_id, other.client_id, other.client_host
                )
            })
            .collect();
        waits.extend(self.unplanned.iter().map(|topic| format!("topic {topic} has more partitions than this process knows of")));
        if !waits.is_empty() {
            self.actions.push_back(Action::Emit(GroupEvent::Waiting { for_whom: waits.join("; ") }));
            return false;
        }
        let is_decided = self.check == Check::Incomplete;
        self.check = if self.is_complete(group) { Check::None } else { Check::Incomplete };
        if !is_decided {
            self.running = self.granted.clone();
            self.member = Some(member.to_owned());
            self.actions.push_back(Action::Own(self.running.clone()));
            self.actions.push_back(Action::Emit(GroupEvent::Assigned { tasks: self.running.clone() }));
        }
        true
    }

    /// Nothing can go on.
    pub(super) fn failed(&mut self, error: Error) {
        self.running.clear();
        self.revoking.clear();
        self.member = None;
        self.check = Check::None;
        self.next_plan = None;
        self.actions.push_back(Action::Disown(error.to_string()));
        self.actions.push_back(Action::Emit(GroupEvent::Fatal(error)));
    }

    /// Whether every task of the plan has an owner.
    fn is_complete(&self, group: &GroupDescription) -> bool {
        let owned: BTreeSet<TaskId> = group
            .members
            .iter()
            .flat_map(|member| &member.assignment)
            .filter_map(|partition| self.task(&partition.topic, partition.partition))
            .collect();
        owned.len() >= self.slots.len()
    }

    fn revoke(&mut self, tasks: BTreeSet<TaskId>) {
        let new: BTreeSet<TaskId> = tasks.difference(&self.revoking).copied().collect();
        if !new.is_empty() {
            self.revoking.extend(new.iter().copied());
            self.actions.push_back(Action::Emit(GroupEvent::Revoke { tasks: new }));
        }
    }

    fn answer_when_released(&mut self) {
        // With a new plan, the answer is to leave, and that comes when everything is released.
        if self.revoking.is_empty() && std::mem::take(&mut self.is_revoke_unanswered) {
            self.actions.push_back(Action::AnswerRevoke);
        }
    }

    fn lost(&mut self, reason: &str) {
        self.revoking.clear();
        self.actions.push_back(Action::Disown(reason.to_owned()));
        if self.member.take().is_some() {
            self.running.clear();
            self.actions.push_back(Action::Emit(GroupEvent::Lost { reason: reason.to_owned() }));
        }
    }

    fn task(&self, topic: &str, partition: i32) -> Option<TaskId> {
        self.slots.task(topic, partition)
    }
}

#[cfg(test)]
mod tests;
