use super::*;
use crate::error::Error;

#[derive(Debug, PartialEq)]
struct Row {
    offset: i64,
    /// What the extractor gives; `None`: the record is left out.
    timestamp: Option<i64>,
}

impl QueuedMessage for Row {
    fn offset(&self) -> i64 {
        self.offset
    }
}

fn group(slots: usize, idle_ms: i64) -> PartitionGroup<Row> {
    PartitionGroup::new(slots, TaskIdle::from_ms(idle_ms))
}

/// Adds rows with these times, at offsets from `offset` on.
fn add(group: &mut PartitionGroup<Row>, slot: usize, offset: i64, times: &[i64]) {
    let rows = times.iter().zip(offset..).map(|(time, offset)| Row { offset, timestamp: (*time >= 0).then_some(*time) });
    group.add(slot, rows);
}

fn read(_slot: usize, row: &Row, _partition_time: i64) -> Result<Head> {
    Ok(row.timestamp.map_or(Head::Skipped, |timestamp| Head::Ready { timestamp }))
}

fn choose(group: &mut PartitionGroup<Row>, now_ms: u64) -> Choice {
    group.choose(Duration::from_millis(now_ms), read).unwrap()
}

/// Takes whatever is next; slot and time.
fn step(group: &mut PartitionGroup<Row>) -> Option<(usize, i64)> {
    match choose(group, 0) {
        Choice::Process { slot, .. } => group.take(slot).and_then(|row| Some((slot, row.timestamp?))),
        Choice::Wait { .. } | Choice::Empty => None,
    }
}

fn drain(group: &mut PartitionGroup<Row>) -> Vec<(usize, i64)> {
    std::iter::from_fn(|| step(group)).collect()
}

fn process(slot: usize) -> Choice {
    Choice::Process { slot, enforced: false }
}

#[test]
fn the_head_with_the_smallest_timestamp_is_next() {
    let mut group = group(2, -1);
    add(&mut group, 0, 0, &[1, 3, 5]);
    add(&mut group, 1, 0, &[2, 4, 6]);
    assert_eq!((group.buffered_in(0), group.buffered_in(1)), (3, 3));
    assert_eq!(drain(&mut group), [(0, 1), (1, 2), (0, 3), (1, 4), (0, 5), (1, 6)]);
    assert_eq!((group.buffered_in(0), group.buffered_in(1), group.stream_time()), (0, 0, 6));
}

#[test]
fn a_small_timestamp_behind_a_head_is_not_seen() {
    // Trap T104.
    let mut group = group(2, -1);
    add(&mut group, 0, 0, &[1, 5]);
    add(&mut group, 1, 0, &[3, 2]);
    assert_eq!(drain(&mut group), [(0, 1), (1, 3), (1, 2), (0, 5)]);
}

#[test]
fn stream_time_and_partition_time_move_when_a_record_is_taken_and_never_back() {
    // Trap T106.
    let mut group = group(2, -1);
    assert_eq!((group.stream_time(), group.partition_time(0)), (-1, -1));
    add(&mut group, 0, 0, &[10, 4]);
    assert_eq!(choose(&mut group, 0), process(0));
    assert_eq!((group.stream_time(), group.partition_time(0)), (-1, -1), "a head has not been taken yet");
    step(&mut group);
    assert_eq!((group.stream_time(), group.partition_time(0)), (10, 10));
    step(&mut group);
    add(&mut group, 1, 0, &[7]);
    step(&mut group);
    assert_eq!((group.stream_time(), group.partition_time(0), group.partition_time(1)), (10, 10, 7));
}

#[test]
fn times_are_restored_from_commit_metadata() {
    let mut group = group(2, -1);
    group.set_partition_time(0, 50);
    group.set_partition_time(1, 30);
    assert_eq!((group.stream_time(), group.partition_time(1)), (50, 30));
    add(&mut group, 1, 0, &[20]);
    step(&mut group);
    assert_eq!((group.stream_time(), group.partition_time(1)), (50, 30));
}

#[test]
fn an_extractor_sees_the_time_of_records_taken_not_of_those_queued() {
    // Trap T107.
    let mut group = group(1, -1);
    add(&mut group, 0, 0, &[5, 9, 7]);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let choice = group.choose(Duration::ZERO, |slot, row, partition_time| {
            seen.push((row.offset, partition_time));
            read(slot, row, partition_time)
        });
        assert_eq!(choice.unwrap(), process(0));
        group.take(0);
    }
    assert_eq!(seen, [(0, -1), (1, 5), (2, 9)]);
}

#[test]
fn a_head_is_read_once_however_often_the_choice_is_asked() {
    let mut group = group(1, -1);
    add(&mut group, 0, 0, &[5]);
    let mut reads = 0;
    for _ in 0..3 {
        let choice = group.choose(Duration::ZERO, |slot, row, time| {
            reads += 1;
            read(slot, row, time)
        });
        assert_eq!(choice.unwrap(), process(0));
    }
    assert_eq!(reads, 1);
}

#[test]
fn a_record_that_cannot_be_read_now_stays_and_is_read_again() {
    let mut group = group(2, -1);
    add(&mut group, 0, 7, &[1]);
    add(&mut group, 1, 0, &[2]);
    let failure = group.choose(Duration::ZERO, |_, _, _| Err(Error::retriable("not now")));
    assert!(failure.is_err());
    assert_eq!((group.buffered_in(0), group.position(0)), (1, Some(7)));
    assert_eq!(drain(&mut group), [(0, 1), (1, 2)]);
}

#[test]
fn records_left_out_move_the_position_also_when_all_are() {
    // Trap T108.
    let mut group = group(1, -1);
    add(&mut group, 0, 10, &[-1, -1, 3, -1]);
    assert_eq!(choose(&mut group, 0), process(0));
    assert_eq!((group.buffered_in(0), group.position(0)), (2, Some(12)));
    step(&mut group);
    assert_eq!(choose(&mut group, 0), Choice::Empty);
    assert_eq!((group.buffered_in(0), group.position(0)), (0, Some(14)));
    assert_eq!(group.partition_time(0), 3, "a record that was left out has no time");
    add(&mut group, 0, 14, &[8]);
    assert_eq!(step(&mut group), Some((0, 8)));
}

#[test]
fn the_position_is_the_first_unprocessed_record_else_the_end_that_was_seen() {
    // Trap T109.
    let mut group = group(1, -1);
    assert_eq!(group.position(0), None);
    add(&mut group, 0, 5, &[1, 2]);
    assert_eq!(group.position(0), Some(5));
    step(&mut group);
    assert_eq!(group.position(0), Some(6));
    // A commit marker lies at 7, and an aborted transaction behind it.
    group.end_seen(0, 12);
    assert_eq!(group.position(0), Some(6), "a record is buffered still");
    step(&mut group);
    assert_eq!(group.position(0), Some(12));
    add(&mut group, 0, 20, &[3]);
    assert_eq!(group.position(0), Some(20));
    step(&mut group);
    assert_eq!(group.position(0), Some(21), "the end was seen before that record");
}

#[test]
fn an_idle_partition_commits_the_end_that_it_was_read_to() {
    let mut group = group(1, 0);
    group.end_seen(0, 40);
    assert_eq!(choose(&mut group, 0), Choice::Empty);
    assert_eq!(group.position(0), Some(40));
}

#[test]
fn without_idling_a_task_never_waits() {
    let mut group = group(2, -1);
    add(&mut group, 0, 0, &[1]);
    assert_eq!(choose(&mut group, 0), process(0));
}

#[test]
fn a_task_waits_for_a_partition_whose_end_was_not_seen() {
    // Trap T105: also with `max.task.idle.ms` = 0, and without a deadline.
    let mut group = group(2, 0);
    add(&mut group, 0, 0, &[1, 2]);
    for now in [0, 1_000_000] {
        assert_eq!(choose(&mut group, now), Choice::Wait { until: None });
    }
    group.end_seen(1, 0);
    assert_eq!(choose(&mut group, 0), Choice::Process { slot: 0, enforced: true });
}

#[test]
fn an_end_that_was_seen_before_the_last_record_says_nothing() {
    let mut group = group(2, 0);
    group.end_seen(1, 0);
    add(&mut group, 1, 0, &[1]);
    add(&mut group, 0, 0, &[1, 2]);
    assert_eq!(step(&mut group), Some((1, 1)));
    assert_eq!(choose(&mut group, 0), Choice::Wait { until: None });
    group.end_seen(1, 1);
    assert_eq!(choose(&mut group, 0), Choice::Process { slot: 0, enforced: true });
}

#[test]
fn a_task_idles_as_configured_when_nothing_is_left_to_fetch() {
    let mut group = group(2, 100);
    add(&mut group, 0, 0, &[1, 2]);
    group.end_seen(1, 0);
    let deadline = Some(Duration::from_millis(110));
    assert_eq!(choose(&mut group, 10), Choice::Wait { until: deadline });
    assert_eq!(choose(&mut group, 109), Choice::Wait { until: deadline });
    assert_eq!(choose(&mut group, 110), Choice::Process { slot: 0, enforced: true });
    group.take(0);
    // The deadline has passed once and for all, until a record comes.
    assert_eq!(choose(&mut group, 111), Choice::Process { slot: 0, enforced: true });
    add(&mut group, 1, 0, &[0]);
    assert_eq!(choose(&mut group, 112), process(1));
    group.take(1);
    group.end_seen(1, 1);
    assert_eq!(choose(&mut group, 120), Choice::Wait { until: Some(Duration::from_millis(220)) });
}

#[test]
fn with_all_partitions_buffered_nothing_is_waited_for_or_enforced() {
    let mut group = group(2, 100);
    add(&mut group, 0, 0, &[5]);
    add(&mut group, 1, 0, &[4]);
    assert_eq!(choose(&mut group, 0), process(1));
}

#[test]
fn an_empty_group_is_empty_however_long_it_idled() {
    let mut group = group(2, 0);
    assert_eq!(choose(&mut group, 0), Choice::Empty);
    group.end_seen(0, 3);
    group.end_seen(1, 3);
    assert_eq!(choose(&mut group, 1_000), Choice::Empty);
}

#[test]
fn buffered_records_are_counted_per_partition() {
    // Trap T115: one fetch may exceed the bound; a partition is resumed at or below it.
    let mut group = group(2, -1);
    add(&mut group, 0, 0, &[1, 2, 3, 4]);
    add(&mut group, 1, 0, &[9]);
    assert_eq!((group.buffered_in(0), group.buffered_in(1)), (4, 1));
    step(&mut group);
    assert_eq!((group.buffered_in(0), group.buffered_in(1)), (3, 1));
}

#[test]
fn only_what_was_chosen_can_be_taken() {
    let mut group = group(2, -1);
    assert!(group.take(0).is_none());
    add(&mut group, 0, 0, &[1]);
    add(&mut group, 1, 0, &[2]);
    assert_eq!(choose(&mut group, 0), process(0));
    assert!(group.take(1).is_none());
    assert_eq!(group.take(0), Some(Row { offset: 0, timestamp: Some(1) }));
}

#[test]
fn ties_come_in_the_order_of_a_java_priority_queue() {
    // Four partitions offered in order with equal times: poll moves the last to the root, so the order is neither FIFO nor by slot.
    let mut four = group(4, -1);
    for slot in 0..4 {
        add(&mut four, slot, 0, &[7]);
    }
    assert_eq!(drain(&mut four).iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [0, 3, 2, 1]);
    // A partition that has more is offered again behind the others.
    let mut two = group(2, -1);
    add(&mut two, 0, 0, &[7, 7]);
    add(&mut two, 1, 0, &[7, 7]);
    assert_eq!(drain(&mut two).iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [0, 1, 0, 1]);
}
