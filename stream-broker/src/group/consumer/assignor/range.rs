//! The range assignor: of each topic, every subscriber gets neighbouring partitions, in the order of the members. With equal
//! subscriptions and counts a member has the same numbers of all topics, which is what joins need.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Subscriber, TopicPartition};

pub(super) fn assign(subscribers: &[Subscriber<'_>], partitions: &BTreeMap<Uuid, i32>) -> Vec<BTreeSet<TopicPartition>> {
    let mut assignment = vec![BTreeSet::new(); subscribers.len()];
    let mut order: Vec<usize> = (0..subscribers.len()).collect();
    // Static members come first, by their instance ids, so that a restart changes nothing.
    order.sort_by_key(|&index| (subscribers[index].instance_id.is_none(), subscribers[index].instance_id, subscribers[index].member_id));
    for (&topic, &count) in partitions {
        let readers: Vec<usize> = order.iter().copied().filter(|&index| subscribers[index].topics.contains(&topic)).collect();
        let mut next = 0;
        for (&reader, place) in readers.iter().zip(0..) {
            let readers = readers.len() as i32;
            let share = count / readers + i32::from(place < count % readers);
            assignment[reader].extend((next..next + share).map(|index| (topic, index)));
            next += share;
        }
    }
    assignment
}
