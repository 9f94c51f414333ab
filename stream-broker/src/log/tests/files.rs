//! Logs in files: read as those in memory are, and found again after any end.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::storage::tests::simulated::Simulated;

fn folder(storage: &Simulated) -> LogFolder {
    LogFolder { storage: Arc::new(storage.clone()), path: Arc::from(Path::new("t-0")) }
}

fn reopen(storage: &Simulated, recovery_point: i64) -> Log {
    let checkpoint = Checkpoint { recovery_point, start_offset: 0 };
    Log::open(folder(storage), checkpoint, ROLL.index_interval).unwrap()
}

fn filled(storage: &Simulated, batches: usize) -> Log {
    let mut log = Log::new(Some(folder(storage)));
    for index in 0..batches {
        append(&mut log, 100 + index, 1_000 + index as i64, ROLL);
    }
    log
}

#[test]
fn every_batch_is_found_by_offset_and_by_time() {
    let storage = Simulated::default();
    let log = filled(&storage, 400);
    assert!(log.segments.len() > 5);
    for max_bytes in [0, 1, 700, 5_000, 1 << 20] {
        assert_eq!(read_through(&log, 0, max_bytes), (0..400).collect::<Vec<_>>(), "max {max_bytes}");
    }
    for offset in [0, 1, 77, 255, 399] {
        assert_eq!(offsets(&log.read(offset, 0, 400, true).unwrap()), [offset]);
        assert_eq!(log.offset_for_time(1_000 + offset).unwrap().map(|found| found.offset), Some(offset));
        let rest: usize = (offset..400).map(|index| 100 + index as usize).sum();
        assert_eq!(log.bytes_between(offset, 400).unwrap(), rest);
    }
    assert_eq!(log.greatest_timestamp().unwrap().map(|found| found.offset), Some(399));
    assert_eq!(log.offset_for_time(1_400).unwrap(), None);
}

#[test]
fn an_index_leads_close_to_the_batch_that_is_sought() {
    let storage = Simulated::default();
    let log = filled(&storage, 400);
    let file = log.segments[2].file().unwrap();
    let (base, end) = (log.segments[2].base_offset(), log.segments[2].end_offset());
    assert!(file.offsets.len() > 4);
    for offset in base..end {
        let position = file.position_of(offset).unwrap();
        let indexed = file.offsets.position_for((offset - base) as u32);
        assert!(position >= indexed && position - indexed <= 2_500, "{position} from {indexed}");
    }
}

#[test]
fn a_log_is_the_same_after_a_clean_end_and_after_a_crash() {
    let storage = Simulated::default();
    let mut log = filled(&storage, 300);
    let killed = reopen(&storage.copy(), 0);
    log.close().unwrap();
    let closed = reopen(&storage.copy(), i64::MAX);
    for mut reopened in [killed, closed] {
        assert_eq!((reopened.end_offset(), reopened.size()), (300, log.size()));
        assert_eq!(reopened.segment_bounds().collect::<Vec<_>>(), log.segment_bounds().collect::<Vec<_>>());
        assert_eq!(read_through(&reopened, 0, 700), (0..300).collect::<Vec<_>>());
        assert_eq!(reopened.offset_for_time(1_111).unwrap().map(|found| found.offset), Some(111));
        assert_eq!(append(&mut reopened, 100, 5_000, ROLL), 300);
        assert_eq!(reopened.greatest_timestamp().unwrap().map(|found| found.offset), Some(300));
    }
}

#[test]
fn indexes_that_are_lost_or_damaged_are_made_anew() {
    let storage = Simulated::default();
    let mut log = filled(&storage, 300);
    log.close().unwrap();
    let base = log.segments[1].base_offset();
    for cut in [0, 5] {
        for extension in ["index", "timeindex"] {
            let storage = storage.copy();
            storage.edit(&format!("t-0/{base:020}.{extension}"), |content| content.truncate(cut));
            let reopened = reopen(&storage, i64::MAX);
            assert_eq!(read_through(&reopened, 0, 700), (0..300).collect::<Vec<_>>());
            assert_eq!(reopened.offset_for_time(1_000 + base + 3).unwrap().map(|found| found.offset), Some(base + 3));
        }
    }
}

#[test]
fn a_log_that_is_cut_at_any_byte_ends_with_its_last_whole_batch() {
    let storage = Simulated::default();
    let log = filled(&storage, 40);
    let (active, base) = (log.segments.back().unwrap().size(), log.active_base_offset());
    drop(log);
    let file = format!("t-0/{base:020}.log");
    for cut in 0..=active {
        let storage = storage.copy();
        storage.edit(&file, |content| content.truncate(cut));
        let mut whole = 0;
        let expected = (base..40).take_while(|offset| {
            whole += 100 + *offset as usize;
            whole <= cut
        });
        let expected = base + expected.count() as i64;
        let mut reopened = reopen(&storage, 0);
        assert_eq!(reopened.end_offset(), expected, "cut at {cut}");
        assert_eq!(append(&mut reopened, 100, 0, ROLL), expected);
        assert_eq!(read_through(&reopened, 0, 1 << 20), (0..=expected).collect::<Vec<_>>());
    }
}

#[test]
fn a_flipped_bit_ends_the_log_before_its_batch_and_drops_what_follows() {
    let storage = Simulated::default();
    let log = filled(&storage, 200);
    let (base, end) = log.segment_bounds().nth(1).unwrap();
    let storage = storage.copy();
    storage.edit(&format!("t-0/{base:020}.log"), |content| {
        let last = content.len() - 1;
        content[last] ^= 1;
    });
    let mut reopened = reopen(&storage, 0);
    assert_eq!(reopened.end_offset(), end - 1);
    assert_eq!(reopened.segments.len(), 2);
    assert_eq!(append(&mut reopened, 100, 0, ROLL), end - 1);
    // Below the recovery point nothing is looked at: it was made durable.
    assert_eq!(reopen(&storage.copy(), i64::MAX).segments.len(), 2);
}

#[test]
fn deleting_below_an_offset_deletes_files_and_survives() {
    let storage = Simulated::default();
    let mut log = filled(&storage, 300);
    let files = storage.files().len();
    log.delete_below(200);
    assert!(storage.files().len() < files - 5);
    assert_eq!(read_through(&log, 200, 700), (200..300).collect::<Vec<_>>());
    let first = log.segment_bounds().next().unwrap().0;
    assert!(first > 150 && first <= 200);
    let reopened = Log::open(folder(&storage.copy()), Checkpoint { recovery_point: 0, start_offset: 200 }, 1_000).unwrap();
    assert_eq!((reopened.start_offset(), reopened.end_offset()), (200, 300));
    assert_eq!(reopen(&storage.copy(), 0).start_offset(), first);
}

#[test]
fn a_log_whose_index_is_full_goes_on_in_a_new_segment() {
    let storage = Simulated::default();
    let mut log = Log::new(Some(folder(&storage)));
    let roll = RollPolicy { bytes: 1 << 30, index_entries: 3, ..ROLL };
    for _ in 0..50 {
        append(&mut log, 400, 0, roll);
    }
    assert!(log.segments.len() > 2, "{}", log.segments.len());
    assert!(log.segments.iter().all(|segment| segment.file().unwrap().offsets.len() <= 3));
}
