//! Snapshots of a partition's producers in files, in Kafka's format: `<offset>.snapshot` says what was known when the log ended at
//! that offset. One is written with each new segment and at a clean end, so that only the records behind it are read at a start.

use std::io;
use std::path::Path;

use bytes::{Buf, BufMut};

use super::LogFolder;
use super::producer_state::SnapshotEntry;
use super::recovery::base_offsets;
use super::segment_file::path;

const VERSION: i16 = 1;
const EXTENSION: &str = "snapshot";
/// Version and checksum; the checksum covers what follows.
const HEADER_BYTES: usize = 6;
const ENTRY_BYTES: usize = 46;

fn encode(entries: &[SnapshotEntry]) -> Vec<u8> {
    let mut body = Vec::with_capacity(4 + entries.len() * ENTRY_BYTES);
    body.put_i32(entries.len() as i32);
    for entry in entries {
        body.put_i64(entry.producer_id);
        body.put_i16(entry.epoch);
        body.put_i32(entry.last_sequence);
        body.put_i64(entry.last_offset);
        body.put_i32(entry.offset_delta);
        body.put_i64(entry.timestamp);
        body.put_i32(entry.coordinator_epoch);
        body.put_i64(entry.open_since.unwrap_or(-1));
    }
    let mut file = Vec::with_capacity(HEADER_BYTES + body.len());
    file.put_i16(VERSION);
    file.put_u32(crc32c::crc32c(&body));
    file.extend_from_slice(&body);
    file
}

/// The entries of a snapshot; `None` if it is damaged or of another version.
fn decode(mut file: &[u8]) -> Option<Vec<SnapshotEntry>> {
    let version = file.try_get_i16().ok()?;
    let checksum = file.try_get_u32().ok()?;
    if version != VERSION || crc32c::crc32c(file) != checksum {
        return None;
    }
    let count = usize::try_from(file.try_get_i32().ok()?).ok()?;
    if file.remaining() != count.checked_mul(ENTRY_BYTES)? {
        return None;
    }
    let entry = |_| SnapshotEntry {
        producer_id: file.get_i64(),
        epoch: file.get_i16(),
        last_sequence: file.get_i32(),
        last_offset: file.get_i64(),
        offset_delta: file.get_i32(),
        timestamp: file.get_i64(),
        coordinator_epoch: file.get_i32(),
        open_since: Some(file.get_i64()).filter(|&offset| offset >= 0),
    };
    Some((0..count).map(entry).collect())
}

/// Writes the snapshot for a log that ends at `offset`, and deletes those that no recovery needs: the ones before the first segment,
/// and between two segments the ones of earlier clean ends.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn save(folder: &LogFolder, offset: i64, entries: &[SnapshotEntry], segment_bases: &[i64]) -> io::Result<()> {
    let file = path(&folder.path, offset, EXTENSION);
    let content = encode(entries);
    folder.storage.write(&file, 0, &content)?;
    folder.storage.truncate(&file, content.len() as u64)?;
    for other in base_offsets(&*folder.storage, &folder.path, EXTENSION)? {
        if other != offset && !segment_bases.contains(&other) {
            folder.storage.delete(&path(&folder.path, other, EXTENSION))?;
        }
    }
    Ok(())
}

/// The newest whole snapshot of a log that ends at `end_offset`, and its offset. Damaged ones and those beyond the end, which are of
/// records that are gone, are deleted.
///
/// # Errors
/// A file cannot be read or deleted.
pub(crate) fn load(folder: &LogFolder, end_offset: i64) -> io::Result<Option<(i64, Vec<SnapshotEntry>)>> {
    let mut offsets = base_offsets(&*folder.storage, &folder.path, EXTENSION)?;
    offsets.sort_unstable();
    for offset in offsets.into_iter().rev() {
        let file = path(&folder.path, offset, EXTENSION);
        let entries = if offset > end_offset { None } else { read(folder, &file)? };
        match entries {
            Some(entries) => return Ok(Some((offset, entries))),
            None => folder.storage.delete(&file)?,
        }
    }
    Ok(None)
}

fn read(folder: &LogFolder, file: &Path) -> io::Result<Option<Vec<SnapshotEntry>>> {
    Ok(folder.storage.read_all(file)?.and_then(|content| decode(&content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_reads_back_and_a_damaged_one_does_not() {
        let entry = SnapshotEntry {
            producer_id: 7,
            epoch: 3,
            last_sequence: 41,
            last_offset: 99,
            offset_delta: 4,
            timestamp: 1_000,
            coordinator_epoch: 0,
            open_since: Some(95),
        };
        let entries = vec![entry, SnapshotEntry { producer_id: 8, open_since: None, ..entry }];
        let file = encode(&entries);
        assert_eq!(decode(&file), Some(entries));
        for cut in 0..file.len() {
            assert_eq!(decode(&file[..cut]), None, "cut at {cut}");
            let mut damaged = file.clone();
            damaged[cut] ^= 1;
            assert_eq!(decode(&damaged), None, "damaged at {cut}");
        }
    }
}
