//! Bringing a member to its part of the target assignment: first it gives up, then it gets what others have given up.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::TopicPartition;
use super::member::{ConsumerMember, MemberState};

/// What a member is to be brought to, and what stands in the way.
pub(super) struct Goal<'a> {
    /// The epoch of the target assignment.
    pub(super) epoch: i32,
    pub(super) target: &'a BTreeSet<TopicPartition>,
    /// The topics that the member subscribes to now; the target may be from before.
    pub(super) subscribed: &'a BTreeSet<Uuid>,
    /// The subscription is not that of the last heartbeat.
    pub(super) subscription_changed: bool,
    /// The partitions that the member says it has; `None` if it does not say.
    pub(super) owned: Option<&'a BTreeSet<TopicPartition>>,
    /// The partitions that other members hold.
    pub(super) held_by_others: &'a BTreeSet<TopicPartition>,
}

impl ConsumerMember {
    /// Takes the next step towards the goal.
    pub(super) fn reconcile(&mut self, goal: &Goal<'_>) {
        match self.state {
            MemberState::Stable if self.epoch != goal.epoch => self.step(goal),
            MemberState::UnrevokedPartitions if !still_owns(&self.revoking, goal.owned) => self.step(goal),
            MemberState::UnreleasedPartitions => self.step(goal),
            MemberState::Stable | MemberState::UnrevokedPartitions => {
                if goal.subscription_changed {
                    self.give_up_unsubscribed(goal);
                }
            }
        }
    }

    fn step(&mut self, goal: &Goal<'_>) {
        let wanted: BTreeSet<TopicPartition> = goal.target.iter().filter(|(topic, _)| goal.subscribed.contains(topic)).copied().collect();
        let (mut kept, surplus): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.assigned).into_iter().partition(|(partition, _)| wanted.contains(partition));
        if still_owns(&surplus, goal.owned) {
            self.assigned = kept;
            self.revoking = surplus;
            self.state = MemberState::UnrevokedPartitions;
            self.enter_epoch(self.epoch);
            return;
        }
        let missing: Vec<TopicPartition> = wanted.into_iter().filter(|partition| !kept.contains_key(partition)).collect();
        let (unreleased, free): (Vec<_>, Vec<_>) = missing.into_iter().partition(|partition| goal.held_by_others.contains(partition));
        kept.extend(free.into_iter().map(|partition| (partition, goal.epoch)));
        self.assigned = kept;
        self.revoking = BTreeMap::new();
        self.state = if unreleased.is_empty() { MemberState::Stable } else { MemberState::UnreleasedPartitions };
        self.enter_epoch(goal.epoch);
    }

    /// A topic that is not subscribed to any more is given up at once, before there is a new target.
    fn give_up_unsubscribed(&mut self, goal: &Goal<'_>) {
        let (kept, surplus): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.assigned).into_iter().partition(|((topic, _), _)| goal.subscribed.contains(topic));
        self.assigned = kept;
        if surplus.is_empty() {
            return;
        }
        let mut revoking = self.revoking.clone();
        revoking.extend(surplus);
        if still_owns(&revoking, goal.owned) {
            self.revoking = revoking;
            self.state = MemberState::UnrevokedPartitions;
            self.enter_epoch(self.epoch);
        }
    }
}

/// Whether a member has not confirmed yet that it gave all of these up. One that does not say what it has confirms nothing.
fn still_owns(partitions: &BTreeMap<TopicPartition, i32>, owned: Option<&BTreeSet<TopicPartition>>) -> bool {
    match owned {
        None => !partitions.is_empty(),
        Some(owned) => owned.iter().any(|partition| partitions.contains_key(partition)),
    }
}
