//! The assignors of the coordinator.

mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::TopicPartition;

/// A member, as an assignor sees it.
#[derive(Debug)]
pub(super) struct Subscriber<'a> {
    pub(super) member_id: &'a str,
    pub(super) instance_id: Option<&'a str>,
    /// Topics that it subscribes to and that exist.
    pub(super) topics: BTreeSet<Uuid>,
    /// What the last target gave it.
    pub(super) current: &'a BTreeSet<TopicPartition>,
}

/// `group.consumer.assignors`, the default one first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Assignor {
    /// Everybody has as many partitions, and keeps what it had.
    #[default]
    Uniform,
    /// Of each topic a range of neighbours, so that equal partitions of several topics come together.
    Range,
}

pub(crate) const ASSIGNORS: [Assignor; 2] = [Assignor::Uniform, Assignor::Range];

impl Assignor {
    /// The name that clients choose by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        ASSIGNORS.into_iter().find(|assignor| assignor.name() == name)
    }

    /// Gives every partition of the topics to one of their subscribers. The answer has the order of the subscribers.
    pub(super) fn assign(self, subscribers: &[Subscriber<'_>], partitions: &BTreeMap<Uuid, i32>) -> Vec<BTreeSet<TopicPartition>> {
        match self {
            Assignor::Uniform => uniform::assign(subscribers, partitions),
            Assignor::Range => range::assign(subscribers, partitions),
        }
    }
}

#[cfg(test)]
mod tests;
