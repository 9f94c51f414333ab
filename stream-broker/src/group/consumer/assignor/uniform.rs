//! The uniform assignor: members have as many partitions as each other, as far as their subscriptions allow, and a partition moves
//! only if that is needed for it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Subscriber, TopicPartition};

pub(super) fn assign(subscribers: &[Subscriber<'_>], partitions: &BTreeMap<Uuid, i32>) -> Vec<BTreeSet<TopicPartition>> {
    let is_valid = |subscriber: &Subscriber<'_>, &(topic, index): &TopicPartition| {
        subscriber.topics.contains(&topic) && partitions.get(&topic).is_some_and(|&count| index < count)
    };
    let mut assignment: Vec<BTreeSet<TopicPartition>> = subscribers
        .iter()
        .map(|subscriber| subscriber.current.iter().filter(|partition| is_valid(subscriber, partition)).copied().collect())
        .collect();
    let taken: BTreeSet<TopicPartition> = assignment.iter().flatten().copied().collect();
    let mut topics: Vec<(Uuid, i32, Vec<usize>)> = partitions
        .iter()
        .map(|(&topic, &count)| {
            let readers = (0..subscribers.len()).filter(|&index| subscribers[index].topics.contains(&topic)).collect();
            (topic, count, readers)
        })
        .collect();
    // Topics with few readers leave least choice, so they go first.
    topics.sort_by_key(|(_, count, readers)| (readers.len(), Reverse(*count)));
    for (topic, count, readers) in &topics {
        for partition in (0..*count).map(|index| (*topic, index)).filter(|partition| !taken.contains(partition)) {
            if let Some(&reader) = readers.iter().min_by_key(|&&reader| assignment[reader].len()) {
                assignment[reader].insert(partition);
            }
        }
    }
    // Every move makes two members more equal than they were, so this ends.
    while let Some((from, to, partition)) = best_move(&topics, &assignment) {
        assignment[from].remove(&partition);
        assignment[to].insert(partition);
    }
    assignment
}

/// The partition whose move makes up for the greatest difference between two readers of its topic, if that is more than one: from
/// whom, to whom, and which. Looked for in all topics, or a member would give to one and get from another what it had.
fn best_move(topics: &[(Uuid, i32, Vec<usize>)], assignment: &[BTreeSet<TopicPartition>]) -> Option<(usize, usize, TopicPartition)> {
    let held = |reader: usize| assignment[reader].len();
    let moves = topics.iter().filter_map(|(topic, _, readers)| {
        let last_of = |reader: usize| assignment[reader].range((*topic, 0)..=(*topic, i32::MAX)).next_back().copied();
        let givers = readers.iter().filter_map(|&reader| Some((held(reader), reader, last_of(reader)?)));
        let (most, from, partition) = givers.max_by_key(|&(most, reader, _)| (most, Reverse(reader)))?;
        let to = readers.iter().copied().min_by_key(|&reader| held(reader))?;
        Some((most - held(to), (from, to, partition)))
    });
    moves.max_by_key(|(difference, _)| *difference).filter(|(difference, _)| *difference > 1).map(|(_, best)| best)
}
