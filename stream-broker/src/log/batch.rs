//! The header of a record batch (message format 2), read and patched by hand.
//!
//! Batches are stored as they were received. The checksum covers the bytes from `attributes` on, so the broker may write the
//! base offset and the leader epoch without touching it. Decoding whole records into a codec's types is out of the question:
//! it is slow, and codecs that keep headers in a map lose duplicate header keys.

use super::records;

/// Bytes before the first record.
pub(crate) const HEADER_BYTES: usize = 61;
/// `base_offset` and `batch_length`, which `batch_length` itself does not count.
pub(crate) const LENGTH_PREFIX_BYTES: usize = 12;

const LEADER_EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const LAST_OFFSET_DELTA_AT: usize = 23;
const BASE_TIMESTAMP_AT: usize = 27;
const MAX_TIMESTAMP_AT: usize = 35;
const PRODUCER_ID_AT: usize = 43;
const PRODUCER_EPOCH_AT: usize = 51;
const BASE_SEQUENCE_AT: usize = 53;
const RECORD_COUNT_AT: usize = 57;

const COMPRESSION_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

/// The fields of a batch header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    /// Size of the whole batch, the twelve bytes before the length's own count included.
    pub(crate) size: usize,
    pub(crate) magic: i8,
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`; `None` if there are too few bytes for one, or for the batch it announces.
    ///
    /// The message formats 0 and 1 have their magic byte at the same place; their other fields are meaningless here.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        BatchHeader::parse(header).filter(|header| header.size <= bytes.len())
    }

    /// Reads a header alone, whatever follows; `None` if it announces a batch that is too short to hold it.
    pub(crate) fn parse(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let length = usize::try_from(i32_at(header, 8)).ok()?;
        let size = length.checked_add(LENGTH_PREFIX_BYTES)?;
        if size < HEADER_BYTES {
            return None;
        }
        Some(BatchHeader {
            base_offset: i64_at(header, 0),
            size,
            magic: header[MAGIC_AT] as i8,
            crc: i32_at(header, CRC_AT) as u32,
            attributes: i16_at(header, ATTRIBUTES_AT),
            last_offset_delta: i32_at(header, LAST_OFFSET_DELTA_AT),
            base_timestamp: i64_at(header, BASE_TIMESTAMP_AT),
            max_timestamp: i64_at(header, MAX_TIMESTAMP_AT),
            producer_id: i64_at(header, PRODUCER_ID_AT),
            producer_epoch: i16_at(header, PRODUCER_EPOCH_AT),
            base_sequence: i32_at(header, BASE_SEQUENCE_AT),
            record_count: i32_at(header, RECORD_COUNT_AT),
        })
    }

    /// The codec's number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub(crate) fn compression(&self) -> i16 {
        self.attributes & COMPRESSION_MASK
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether all records bear the time of the append instead of their own.
    pub(crate) fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    pub(crate) fn has_producer(&self) -> bool {
        self.producer_id >= 0
    }

    /// The offset of the last record that the batch had when it was written; compaction keeps it.
    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// When tombstones and markers in the batch may go (KIP-534). The cleaner keeps it in place of the base timestamp.
    pub(crate) fn delete_horizon(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// What the timestamps of the records are counted from.
    pub(crate) fn first_timestamp(&self) -> i64 {
        self.base_timestamp
    }

    /// The sequence number of the last record; sequences wrap from `i32::MAX` to 0.
    pub(crate) fn last_sequence(&self) -> i32 {
        sequence_after(self.base_sequence, self.last_offset_delta)
    }
}

/// Whether the length of the batch at the start of `bytes` leaves no room for a header.
pub(crate) fn announces_too_little(bytes: &[u8]) -> bool {
    bytes.first_chunk::<LENGTH_PREFIX_BYTES>().is_some_and(|&[.., a, b, c, d]| {
        let length = i32::from_be_bytes([a, b, c, d]);
        length < (HEADER_BYTES - LENGTH_PREFIX_BYTES) as i32
    })
}

/// The sequence number `delta` records after `sequence`.
pub(crate) fn sequence_after(sequence: i32, delta: i32) -> i32 {
    // Modulo 2^31: the sum of two non-negative i32 fits an i64.
    ((i64::from(sequence) + i64::from(delta)) & i64::from(i32::MAX)) as i32
}

/// Whether the checksum of the batch at the start of `batch` is right.
pub(crate) fn checksum_is_right(header: &BatchHeader, batch: &[u8]) -> bool {
    crc32c::crc32c(&batch[ATTRIBUTES_AT..header.size]) == header.crc
}

/// Writes the offset and leader epoch that the log assigns. The checksum stays right.
pub(crate) fn patch_position(batch: &mut [u8], base_offset: i64, leader_epoch: i32) {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[LEADER_EPOCH_AT..LEADER_EPOCH_AT + 4].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Gives the batch the time of its append and makes the checksum right again.
pub(crate) fn patch_append_time(batch: &mut [u8], now: i64) {
    let attributes = i16::from_be_bytes([batch[ATTRIBUTES_AT], batch[ATTRIBUTES_AT + 1]]);
    batch[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&(attributes | LOG_APPEND_TIME).to_be_bytes());
    batch[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&now.to_be_bytes());
    write_checksum(batch);
}

/// The batch that ends a producer's transaction in a partition: one control record.
pub(crate) fn control_batch(producer_id: i64, producer_epoch: i16, commit: bool, coordinator_epoch: i32, now: i64) -> Vec<u8> {
    // key: version 0, type (0 abort, 1 commit); value: version 0, coordinator epoch.
    let mut key = [0; 4];
    key[2..].copy_from_slice(&i16::from(commit).to_be_bytes());
    let mut value = [0; 6];
    value[2..].copy_from_slice(&coordinator_epoch.to_be_bytes());
    let mut records = Vec::new();
    records::write(&mut records, 0, 0, Some(&key), Some(&value));
    let header = BatchHeader {
        attributes: TRANSACTIONAL | CONTROL,
        base_timestamp: now,
        max_timestamp: now,
        producer_id,
        producer_epoch,
        ..BatchHeader::plain(1)
    };
    header.encode(&records)
}

/// A batch that the broker itself writes to one of its topics, of keys and values; a null value is a tombstone. With a
/// `producer` (id, epoch) it is part of that producer's transaction.
pub(crate) fn internal_batch(entries: &[(Vec<u8>, Option<Vec<u8>>)], producer: Option<(i64, i16)>, now: i64) -> Vec<u8> {
    let mut records = Vec::new();
    for ((key, value), offset_delta) in entries.iter().zip(0..) {
        records::write(&mut records, 0, offset_delta, Some(key), value.as_deref());
    }
    let (producer_id, producer_epoch) = producer.unwrap_or((-1, -1));
    let header = BatchHeader {
        attributes: if producer.is_some() { TRANSACTIONAL } else { 0 },
        base_timestamp: now,
        max_timestamp: now,
        producer_id,
        producer_epoch,
        ..BatchHeader::plain(entries.len() as i32)
    };
    header.encode(&records)
}

impl BatchHeader {
    /// The header of an uncompressed batch of `count` records without a producer.
    fn plain(count: i32) -> Self {
        BatchHeader {
            base_offset: 0,
            size: 0,
            magic: 2,
            crc: 0,
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: count,
        }
    }

    /// The same header with a delete horizon, from which the timestamps of its records are counted.
    pub(crate) fn with_delete_horizon(mut self, horizon: i64) -> Self {
        self.attributes |= DELETE_HORIZON;
        self.base_timestamp = horizon;
        self
    }

    /// The same header for records that are not compressed.
    pub(crate) fn without_compression(mut self) -> Self {
        self.attributes &= !COMPRESSION_MASK;
        self
    }

    /// A whole batch: this header and `payload`, the records as the header's codec has them. Size and checksum are computed.
    pub(crate) fn encode(&self, payload: &[u8]) -> Vec<u8> {
        let mut batch = Vec::with_capacity(HEADER_BYTES + payload.len());
        batch.extend_from_slice(&self.base_offset.to_be_bytes());
        batch.extend_from_slice(&((HEADER_BYTES - LENGTH_PREFIX_BYTES + payload.len()) as i32).to_be_bytes());
        batch.extend_from_slice(&super::LEADER_EPOCH.to_be_bytes());
        batch.push(self.magic as u8);
        batch.extend_from_slice(&0_u32.to_be_bytes()); // checksum, written below
        batch.extend_from_slice(&self.attributes.to_be_bytes());
        batch.extend_from_slice(&self.last_offset_delta.to_be_bytes());
        batch.extend_from_slice(&self.base_timestamp.to_be_bytes());
        batch.extend_from_slice(&self.max_timestamp.to_be_bytes());
        batch.extend_from_slice(&self.producer_id.to_be_bytes());
        batch.extend_from_slice(&self.producer_epoch.to_be_bytes());
        batch.extend_from_slice(&self.base_sequence.to_be_bytes());
        batch.extend_from_slice(&self.record_count.to_be_bytes());
        batch.extend_from_slice(payload);
        write_checksum(&mut batch);
        batch
    }
}

fn write_checksum(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[ATTRIBUTES_AT..]);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
}

fn i16_at(header: &[u8; HEADER_BYTES], at: usize) -> i16 {
    i16::from_be_bytes([header[at], header[at + 1]])
}

fn i32_at(header: &[u8; HEADER_BYTES], at: usize) -> i32 {
    i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

fn i64_at(header: &[u8; HEADER_BYTES], at: usize) -> i64 {
    (i64::from(i32_at(header, at)) << 32) | i64::from(i32_at(header, at + 4) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_batch_reads_back_with_a_right_checksum() {
        let batch = control_batch(7, 3, true, 0, 1_000);
        let header = BatchHeader::read(&batch).unwrap();
        assert_eq!(header.size, batch.len());
        assert!(header.is_control() && header.is_transactional());
        assert_eq!((header.producer_id, header.producer_epoch), (7, 3));
        assert_eq!(header.record_count, 1);
        assert!(checksum_is_right(&header, &batch));
    }

    #[test]
    fn patching_the_position_keeps_the_checksum_right() {
        let mut batch = control_batch(7, 3, false, 0, 1_000);
        patch_position(&mut batch, i64::MAX - 5, 9);
        let header = BatchHeader::read(&batch).unwrap();
        assert_eq!(header.base_offset, i64::MAX - 5);
        assert!(checksum_is_right(&header, &batch));
    }

    #[test]
    fn the_append_time_replaces_the_maximum_and_renews_the_checksum() {
        let mut batch = control_batch(7, 3, false, 0, 1_000);
        patch_append_time(&mut batch, 5_000);
        let header = BatchHeader::read(&batch).unwrap();
        assert!(header.is_log_append_time());
        assert_eq!(header.max_timestamp, 5_000);
        assert!(checksum_is_right(&header, &batch));
    }

    #[test]
    fn a_truncated_batch_is_not_read() {
        let batch = control_batch(7, 3, false, 0, 1_000);
        assert_eq!(BatchHeader::read(&batch[..batch.len() - 1]), None);
        assert_eq!(BatchHeader::read(&batch[..20]), None);
    }

    #[test]
    fn a_length_below_the_header_is_not_read() {
        let mut batch = control_batch(7, 3, false, 0, 1_000);
        batch[8..12].copy_from_slice(&5_i32.to_be_bytes());
        assert_eq!(BatchHeader::read(&batch), None);
        batch[8..12].copy_from_slice(&(-1_i32).to_be_bytes());
        assert_eq!(BatchHeader::read(&batch), None);
    }

    #[test]
    fn sequences_wrap_to_zero_after_the_greatest() {
        assert_eq!(sequence_after(i32::MAX, 1), 0);
        assert_eq!(sequence_after(i32::MAX - 1, 3), 1);
    }
}
