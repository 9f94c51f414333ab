//! The target assignment: what each member of the group is to have in this epoch.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::super::record::Key;
use super::assignor::{Assignor, Subscriber};
use super::{ConsumerGroup, TopicPartition};
use crate::topic::Topics;

impl ConsumerGroup {
    /// The assignor that most members prefer; the default one if none prefers any.
    pub(crate) fn assignor(&self) -> Assignor {
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for assignor in self.members.values().filter_map(|member| Assignor::from_name(member.server_assignor.as_ref()?)) {
            *votes.entry(assignor).or_default() += 1;
        }
        votes.into_iter().rev().max_by_key(|(_, votes)| *votes).map_or(Assignor::default(), |(assignor, _)| assignor)
    }

    /// Computes the target of the present epoch, unless it is there, or the last one is not older than the interval: then a later
    /// heartbeat does.
    pub(super) fn update_target(&mut self, topics: &Topics, interval_ms: i64, now: i64) {
        let too_early = self.assigned_at > 0 && (self.assigned_at..self.assigned_at.saturating_add(interval_ms)).contains(&now);
        if self.assignment_epoch >= self.epoch || too_early {
            return;
        }
        let nothing = BTreeSet::new();
        let subscribers: Vec<Subscriber<'_>> = self
            .members
            .values()
            .map(|member| Subscriber {
                member_id: &member.id,
                instance_id: member.instance_id.as_deref(),
                topics: self.subscribed_ids(member, topics),
                current: self.target.get(&member.id).unwrap_or(&nothing),
            })
            .collect();
        let ids = subscribers.iter().flat_map(|subscriber| &subscriber.topics).copied();
        let counts: BTreeMap<Uuid, i32> = ids.filter_map(|id| Some((id, topics.get(topics.name_of(id)?)?.partition_count()))).collect();
        let assigned = self.assignor().assign(&subscribers, &counts);
        let target: BTreeMap<_, BTreeSet<TopicPartition>> = self.members.keys().cloned().zip(assigned).collect();
        let group = self.id.to_string();
        for member in self.target.keys().chain(target.keys()) {
            if self.target.get(member) != target.get(member) {
                self.unsaved.push(Key::TargetAssignmentMember { group: group.clone(), member: member.to_string() });
            }
        }
        self.target = target;
        self.assignment_epoch = self.epoch;
        self.assigned_at = now;
        self.unsaved.push(Key::TargetAssignment { group });
    }
}
