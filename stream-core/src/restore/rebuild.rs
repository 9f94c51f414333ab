//! When the rows of a store cannot be brought up to date from its changelog, so that it must be rebuilt from the beginning.
//!
//! A crash is no such reason. (Files that cannot be read are the fourth one; the store itself finds that when it is opened.)

use super::cluster::ChangelogTopic;
use crate::id::TopicPartition;

/// Of `delete.retention.ms` this part, and at most an hour, is not relied on: clocks differ, and a restoration takes its time.
const MARGIN: i64 = 10;
const MAX_MARGIN_MS: i64 = 60 * 60 * 1000;

/// How far the rows of a store reach.
pub(super) struct Rows {
    /// The next offset that they need.
    pub(super) position: i64,
    /// The id of the topic that they came from, when known.
    pub(super) changelog_id: Option<u128>,
    /// Since when they have seen every deletion, ms since the epoch.
    pub(super) complete_since_ms: i64,
}

/// What a changelog partition has.
pub(super) struct Log<'a> {
    pub(super) partition: &'a TopicPartition,
    pub(super) topic: &'a ChangelogTopic,
    pub(super) first: i64,
    /// `None` when positions behind the end are in order: a source topic is read to the committed offset only.
    pub(super) end: Option<i64>,
}

/// Why the rows must be given up; `None`: the store goes on from where it is.
pub(super) fn reason(rows: &Rows, log: &Log<'_>, now_ms: i64) -> Option<String> {
    let Log { partition, topic, first, end } = log;
    let position = rows.position;
    if let (Some(then), Some(now)) = (rows.changelog_id, topic.id)
        && then != now
    {
        return Some(format!(
            "changelog {partition} was deleted and made anew: its topic id is {}, the rows came from {}",
            uuid::Uuid::from_u128(now),
            uuid::Uuid::from_u128(then)
        ));
    }
    if let Some(end) = end
        && position > *end
    {
        return Some(format!("its position {position} is behind the end {end} of changelog {partition}"));
    }
    if position < *first {
        return Some(format!("its position {position} is before the first offset {first} of changelog {partition}"));
    }
    let (age, retention) = (now_ms.saturating_sub(rows.complete_since_ms), topic.delete_retention_ms?);
    (age > retention - (retention / MARGIN).min(MAX_MARGIN_MS)).then(|| {
        format!("its last flush was {age} ms ago, and changelog {partition} keeps deletions for {retention} ms (`delete.retention.ms`)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;

    fn reason_of(rows: Rows, id: Option<u128>, delete_retention_ms: Option<i64>, end: Option<i64>) -> Option<String> {
        let partition = TopicPartition::new("changelog", 3);
        let topic = ChangelogTopic { id, delete_retention_ms };
        reason(&rows, &Log { partition: &partition, topic: &topic, first: 10, end }, 1_000 * HOUR)
    }

    fn rows(position: i64, changelog_id: Option<u128>, hours: i64) -> Rows {
        Rows { position, changelog_id, complete_since_ms: (1_000 - hours) * HOUR }
    }

    #[test]
    fn rows_within_the_log_that_are_young_enough_are_kept() {
        for position in [10, 20] {
            for id in [None, Some(7)] {
                assert_eq!(reason_of(rows(position, id, 22), Some(7), Some(24 * HOUR), Some(20)), None);
            }
        }
    }

    #[test]
    fn a_position_outside_of_the_log_is_a_reason() {
        for (position, text) in [(9, "before the first offset 10"), (21, "behind the end 20")] {
            let reason = reason_of(rows(position, None, 0), None, None, Some(20)).expect("a reason");
            assert!(reason.contains(text) && reason.contains("changelog-3"), "{reason}");
        }
        assert_eq!(reason_of(rows(21, None, 0), None, None, None), None, "of a source topic no more is read than was committed");
    }

    #[test]
    fn another_topic_of_the_same_name_is_a_reason_whatever_its_offsets() {
        let reason = reason_of(rows(15, Some(7), 0), Some(8), None, Some(20)).expect("a reason");
        assert!(reason.contains("made anew"), "{reason}");
        // Brokers before 2.8 have no ids.
        assert_eq!(reason_of(rows(15, Some(7), 0), None, None, Some(20)), None);
    }

    #[test]
    fn a_flush_that_is_older_than_deletions_are_kept_less_a_margin_is_a_reason() {
        let day = Some(24 * HOUR);
        assert_eq!(reason_of(rows(15, None, 23), None, day, Some(20)), None);
        let reason = reason_of(rows(15, None, 24), None, day, Some(20)).expect("within the margin");
        assert!(reason.contains("delete.retention.ms"), "{reason}");
        assert_eq!(reason_of(rows(15, None, 24), None, None, Some(20)), None, "nothing is compacted");
    }
}
