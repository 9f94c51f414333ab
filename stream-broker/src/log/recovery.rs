//! Finding the segments of a log again.
//!
//! After a clean end, and below the recovery point, files are as they were written and their indexes are trusted. What lies above
//! may be torn: each batch there is checked, the log ends before the first that is not whole, and the indexes are made anew.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::segment::{Batches, Segment, is_intact};
use super::segment_file::{CLEANED, SWAP, SegmentFile, path};
use super::walk::{Detail, walk};
use crate::storage::Storage;

/// Opens the segments in a folder, in the order of their offsets. `recovery_point` is the offset up to which all is durable.
///
/// # Errors
/// A file cannot be read or repaired.
pub(crate) fn open_segments(
    storage: &Arc<dyn Storage>,
    folder: &Arc<Path>,
    recovery_point: i64,
    interval: usize,
) -> io::Result<VecDeque<Segment>> {
    finish_cleaning(storage, folder)?;
    let mut bases = base_offsets(&**storage, folder, "log")?;
    bases.sort_unstable();
    let mut segments: VecDeque<Segment> = VecDeque::new();
    let mut position = 0;
    for (index, &base) in bases.iter().enumerate() {
        let mut file = SegmentFile::new(Arc::clone(storage), Arc::clone(folder), base);
        file.size = storage.size(&file.path("log"))?.unwrap_or(0);
        // The end of a segment is known only when the next one is seen.
        let next = bases.get(index + 1).copied();
        let trusted = next.unwrap_or(i64::MAX) <= recovery_point || recovery_point == i64::MAX;
        let loaded = if trusted { load(file, position)? } else { Err(file) };
        let (segment, torn) = match loaded {
            Ok(segment) => (segment, false),
            Err(file) => recover(file, position, interval)?,
        };
        position = segment.end_position();
        segments.push_back(segment);
        if torn {
            // What follows a gap was never acknowledged in this order.
            for &later in &bases[index + 1..] {
                SegmentFile::new(Arc::clone(storage), Arc::clone(folder), later).delete()?;
            }
            break;
        }
    }
    Ok(segments)
}

/// Ends what a cleaning had begun: a segment that is complete takes its place, one that is not is dropped.
fn finish_cleaning(storage: &Arc<dyn Storage>, folder: &Arc<Path>) -> io::Result<()> {
    for base in base_offsets(&**storage, folder, CLEANED)? {
        storage.delete(&path(folder, base, CLEANED))?;
    }
    for base in base_offsets(&**storage, folder, SWAP)? {
        let mut cleaned = SegmentFile::new(Arc::clone(storage), Arc::clone(folder), base);
        let swap = path(folder, base, SWAP);
        let size = storage.size(&swap)?.unwrap_or(0);
        let mut end = base + 1;
        walk(&**storage, &swap, 0, size, Detail::Headers, |_, header, _| {
            end = header.last_offset() + 1;
            ControlFlow::Continue(())
        })?;
        // Of the segments that it was made of some may be deleted already.
        for old in base_offsets(&**storage, folder, "log")?.into_iter().filter(|old| (base..end).contains(old)) {
            SegmentFile::new(Arc::clone(storage), Arc::clone(folder), old).delete()?;
        }
        for extension in ["index", "timeindex"] {
            storage.delete(&path(folder, base, extension))?;
        }
        cleaned.resume_swap();
        cleaned.take_place()?;
    }
    Ok(())
}

/// The offsets in the names of the files with an extension.
///
/// # Errors
/// The folder cannot be listed.
pub(crate) fn base_offsets(storage: &dyn Storage, folder: &Path, extension: &str) -> io::Result<Vec<i64>> {
    let names = storage.list(folder)?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(extension)?.strip_suffix('.')?.parse().ok()).collect())
}

/// Opens a segment by its indexes; gives the file back if they do not fit it.
fn load(mut file: SegmentFile, start_position: u64) -> io::Result<Result<Segment, SegmentFile>> {
    if !file.load_indexes()? {
        return Ok(Err(file));
    }
    let size = file.size;
    let base = base_of(&file);
    let from = file.offsets.last_position();
    let entries = file.offsets.len();
    let last_time = file.times.last();
    let mut first_timestamp = None;
    file.walk_headers(0, |_, header| {
        first_timestamp = Some(header.max_timestamp);
        ControlFlow::Break(())
    })?;
    let mut segment = Segment::new(base, start_position, Batches::Memory(Default::default()));
    if let Some((timestamp, relative)) = last_time {
        segment.set_max_timestamp(timestamp, base + i64::from(relative));
    }
    let mut last_batch = None;
    let end = file.walk_headers(from, |position, header| {
        if header.base_offset < base {
            return ControlFlow::Break(());
        }
        // Entries are in the index already; none is to be added.
        segment.note(header, None, position, usize::MAX);
        last_batch = Some((header.base_offset, position));
        ControlFlow::Continue(())
    })?;
    if end != size {
        return Ok(Err(file));
    }
    file.last_batch = last_batch;
    segment.batches = Batches::File(file);
    segment.loaded(first_timestamp, size, entries);
    Ok(Ok(segment))
}

/// Checks every batch of a segment, cuts off what is not whole, and makes the indexes. Also tells whether anything was cut off.
fn recover(file: SegmentFile, start_position: u64, interval: usize) -> io::Result<(Segment, bool)> {
    let base = base_of(&file);
    let size = file.size;
    // A new file value: indexes that were read from disk are not trusted here.
    let mut fresh = SegmentFile::new(Arc::clone(&file.storage), Arc::from(crate::storage::folder_of(&file.path("log"))), base);
    fresh.size = size;
    let mut segment = Segment::new(base, start_position, Batches::File(fresh));
    let mut last_batch = None;
    let end = file.walk_batches(0, |position, header, bytes| {
        if !is_intact(header, bytes, segment.end_offset()) {
            return ControlFlow::Break(());
        }
        segment.note(header, None, position, interval);
        last_batch = Some((header.base_offset, position));
        ControlFlow::Continue(())
    })?;
    if let Batches::File(fresh) = &mut segment.batches {
        fresh.last_batch = last_batch;
        if end < size {
            tracing::warn!(file = %fresh.path("log").display(), cut = size - end, "a torn end was cut off");
            fresh.truncate(end)?;
        }
    }
    Ok((segment, end < size))
}

fn base_of(file: &SegmentFile) -> i64 {
    file.path("log").file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(0)
}
