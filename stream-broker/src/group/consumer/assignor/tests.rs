use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Assignor, Subscriber, TopicPartition};

fn topic(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn assign(
    assignor: Assignor,
    subscriptions: &[(&str, &[u128])],
    counts: &[(u128, i32)],
    current: &[BTreeSet<TopicPartition>],
) -> Vec<BTreeSet<TopicPartition>> {
    let nothing = BTreeSet::new();
    let subscribers: Vec<Subscriber<'_>> = subscriptions
        .iter()
        .enumerate()
        .map(|(index, (id, topics))| Subscriber {
            member_id: id,
            instance_id: None,
            topics: topics.iter().copied().map(topic).collect(),
            current: current.get(index).unwrap_or(&nothing),
        })
        .collect();
    let counts: BTreeMap<Uuid, i32> = counts.iter().map(|&(number, count)| (topic(number), count)).collect();
    assignor.assign(&subscribers, &counts)
}

fn sizes(assignment: &[BTreeSet<TopicPartition>]) -> Vec<usize> {
    assignment.iter().map(BTreeSet::len).collect()
}

#[test]
fn every_partition_has_one_owner_that_subscribes_to_it_whatever_came_before() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for assignor in super::ASSIGNORS {
        for _ in 0..300 {
            let counts: Vec<(u128, i32)> = (0..1 + next(4)).map(|number| (u128::from(number), 1 + next(9) as i32)).collect();
            let mut current: Vec<BTreeSet<TopicPartition>> = Vec::new();
            for _ in 0..4 {
                let topics: Vec<Vec<u128>> =
                    (0..1 + next(6)).map(|_| counts.iter().map(|&(number, _)| number).filter(|_| next(3) > 0).collect()).collect();
                let names: Vec<String> = (0..topics.len()).map(|index| format!("m{index}")).collect();
                let subscriptions: Vec<(&str, &[u128])> = names.iter().map(String::as_str).zip(topics.iter().map(Vec::as_slice)).collect();
                let assignment = assign(assignor, &subscriptions, &counts, &current);
                for &(number, count) in &counts {
                    let read = topics.iter().any(|topics| topics.contains(&number));
                    for index in 0..count {
                        let owners = assignment.iter().filter(|part| part.contains(&(topic(number), index))).count();
                        assert_eq!(owners, usize::from(read), "{assignor:?} {subscriptions:?} {counts:?}");
                    }
                }
                for (part, topics) in assignment.iter().zip(&topics) {
                    assert!(part.iter().all(|(id, _)| topics.iter().any(|&number| topic(number) == *id)));
                }
                current = assignment;
            }
        }
    }
}

#[test]
fn uniform_is_level_and_moves_no_more_than_it_must() {
    let all: &[u128] = &[1, 2];
    let counts = [(1, 5), (2, 6)];
    let alone = assign(Assignor::Uniform, &[("a", all)], &counts, &[]);
    assert_eq!(sizes(&alone), [11]);
    let both = assign(Assignor::Uniform, &[("a", all), ("b", all)], &counts, &alone);
    assert_eq!(sizes(&both), [6, 5]);
    assert!(both[0].is_subset(&alone[0]), "the first keeps what it can");
    let three = assign(Assignor::Uniform, &[("a", all), ("b", all), ("c", all)], &counts, &both);
    assert_eq!(sizes(&three), [4, 4, 3]);
    assert!(three[0].is_subset(&both[0]) && three[1].is_subset(&both[1]));
    let back = assign(Assignor::Uniform, &[("a", all), ("b", all)], &counts, &three[..2]);
    assert_eq!(sizes(&back), [6, 5]);
    assert!(three[0].is_subset(&back[0]) && three[1].is_subset(&back[1]), "only what the third had is given away");
    let grown = assign(Assignor::Uniform, &[("a", all), ("b", all)], &[(1, 5), (2, 9)], &back);
    assert_eq!(sizes(&grown), [7, 7]);
}

#[test]
fn uniform_gives_the_only_reader_its_topic_and_the_others_the_rest() {
    let assignment = assign(Assignor::Uniform, &[("a", &[1, 2]), ("b", &[2]), ("c", &[2])], &[(1, 4), (2, 4)], &[]);
    assert_eq!(sizes(&assignment), [4, 2, 2]);
}

#[test]
fn range_gives_a_member_the_same_numbers_of_topics_with_equal_counts() {
    let all: &[u128] = &[1, 2];
    let assignment = assign(Assignor::Range, &[("b", all), ("a", all), ("c", all)], &[(1, 7), (2, 7)], &[]);
    let numbers = |part: &BTreeSet<TopicPartition>, of: u128| -> Vec<i32> {
        part.iter().filter(|(id, _)| *id == topic(of)).map(|(_, index)| *index).collect()
    };
    let expected: [&[i32]; 3] = [&[3, 4], &[0, 1, 2], &[5, 6]];
    for (part, expected) in assignment.iter().zip(expected) {
        assert_eq!((numbers(part, 1), numbers(part, 2)), (expected.to_vec(), expected.to_vec()));
    }
}
