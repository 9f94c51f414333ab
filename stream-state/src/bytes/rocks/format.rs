//! What the column family `offsets` says: the format's version, whose rows these are, and how far they reach.

use std::path::Path;

use rocksdb::{ColumnFamily, DB, WriteBatch};

use crate::bytes::Checkpoint;
use crate::error::StoreError;

/// The column family beside the rows.
pub(crate) const OFFSETS: &str = "offsets";

/// The version of the layout that this release writes. A release reads all earlier ones.
const VERSION: u32 = 1;

const FORMAT: &[u8] = b"format";
const IDENTITY: &[u8] = b"identity";
const CHECKPOINT: &[u8] = b"checkpoint";

/// Whose directory it is.
pub(crate) enum Found {
    /// Ours; without a checkpoint it was never written to.
    Ours(Option<Checkpoint>),
    /// Of something else.
    Foreign { reason: String },
}

pub(crate) fn read(db: &DB, identity: &str, directory: &Path) -> Result<Found, StoreError> {
    let damaged = |source: rocksdb::Error| StoreError::Corrupted { path: directory.to_owned(), source: source.into() };
    let Some(offsets) = db.cf_handle(OFFSETS) else {
        return Ok(Found::Foreign { reason: "the column family of offsets is missing".to_owned() });
    };
    let Some(version) = db.get_cf(offsets, FORMAT).map_err(damaged)? else {
        // Created, and the process died before its first write; or written by another program, Java's Kafka Streams for one.
        let mut rows = db.raw_iterator();
        rows.seek_to_first();
        rows.status().map_err(damaged)?;
        if rows.valid() {
            return Ok(Found::Foreign { reason: "its rows were not written by this library".to_owned() });
        }
        return Ok(Found::Ours(None));
    };
    match <[u8; 4]>::try_from(version.as_slice()).map(u32::from_be_bytes) {
        Ok(found) if found > VERSION => return Err(StoreError::NewerFormat { path: directory.to_owned(), found, known: VERSION }),
        Ok(_) => {}
        Err(_) => return Ok(Found::Foreign { reason: "its format's version cannot be read".to_owned() }),
    }
    let found = db.get_cf(offsets, IDENTITY).map_err(damaged)?.unwrap_or_default();
    if found != identity.as_bytes() {
        let reason = format!("it belongs to `{}`, not to `{identity}`", String::from_utf8_lossy(&found));
        return Ok(Found::Foreign { reason });
    }
    let checkpoint = db.get_cf(offsets, CHECKPOINT).map_err(damaged)?;
    Ok(match checkpoint.as_deref().map(decode) {
        None => Found::Ours(None),
        Some(Some(checkpoint)) => Found::Ours(Some(checkpoint)),
        Some(None) => Found::Foreign { reason: "its checkpoint cannot be read".to_owned() },
    })
}

pub(crate) fn write(batch: &mut WriteBatch, offsets: &ColumnFamily, identity: &str, checkpoint: &Checkpoint) {
    batch.put_cf(offsets, FORMAT, VERSION.to_be_bytes());
    batch.put_cf(offsets, IDENTITY, identity);
    batch.put_cf(offsets, CHECKPOINT, encode(checkpoint));
}

/// `known (1) ‖ position (8) ‖ time of flush (8) ‖ stream time (8) ‖ sequence (4)`, and when it is known `‖ topic id (16)`, big-endian.
fn encode(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(45);
    bytes.push(u8::from(checkpoint.position.is_some()));
    bytes.extend_from_slice(&checkpoint.position.unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(&checkpoint.flushed_at_ms.to_be_bytes());
    bytes.extend_from_slice(&checkpoint.stream_time.to_be_bytes());
    bytes.extend_from_slice(&checkpoint.sequence.to_be_bytes());
    bytes.extend(checkpoint.changelog_id.into_iter().flat_map(u128::to_be_bytes));
    bytes
}

fn decode(bytes: &[u8]) -> Option<Checkpoint> {
    let (known, rest) = bytes.split_first()?;
    let (position, rest) = rest.split_first_chunk::<8>()?;
    let (flushed_at, rest) = rest.split_first_chunk::<8>()?;
    let (stream_time, rest) = rest.split_first_chunk::<8>()?;
    let (sequence, rest) = rest.split_first_chunk::<4>()?;
    Some(Checkpoint {
        position: (*known == 1).then(|| i64::from_be_bytes(*position)),
        changelog_id: rest.first_chunk::<16>().map(|id| u128::from_be_bytes(*id)),
        flushed_at_ms: i64::from_be_bytes(*flushed_at),
        stream_time: i64::from_be_bytes(*stream_time),
        sequence: i32::from_be_bytes(*sequence),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_as_it_was_written() {
        for (position, changelog_id) in [(None, None), (Some(0), Some(u128::MAX)), (Some(i64::MAX), Some(1))] {
            let checkpoint = Checkpoint { position, changelog_id, flushed_at_ms: 5, stream_time: -1, sequence: 7 };
            assert_eq!(decode(&encode(&checkpoint)), Some(checkpoint));
        }
        assert_eq!(decode(&[1, 2]), None);
    }
}
