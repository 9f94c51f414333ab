//! Decompression of a batch's records, for validation and for look-ups by time. The batch itself stays as it was received.

use std::borrow::Cow;
use std::io::{self, Read};

use super::batch::{BatchHeader, HEADER_BYTES};

/// `attributes` values of the codecs.
const NONE: i16 = 0;
const GZIP: i16 = 1;
const SNAPPY: i16 = 2;
const LZ4: i16 = 3;
pub(crate) const ZSTD: i16 = 4;

/// What one batch may grow to. A small batch that expands without end must not take the broker's memory.
const MAX_UNCOMPRESSED_BYTES: u64 = 512 << 20;

/// The Java snappy library cuts its output into blocks, each with its length, behind this mark and two version numbers.
const XERIAL_MARK: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;

/// The uncompressed records of a batch.
///
/// # Errors
/// The codec is unknown, its data is damaged, or the records exceed the limit of memory.
pub(crate) fn uncompressed_records<'a>(
    header: &BatchHeader,
    batch: &'a [u8],
) -> io::Result<Cow<'a, [u8]>> {
    let payload = &batch[HEADER_BYTES..header.size];
    match header.compression() {
        NONE => Ok(Cow::Borrowed(payload)),
        GZIP => read_all(flate2::read::MultiGzDecoder::new(payload)),
        SNAPPY => snappy(payload).map(Cow::Owned),
        LZ4 => read_all(lz4_flex::frame::FrameDecoder::new(payload)),
        ZSTD => {
            let decoder =
                ruzstd::decoding::StreamingDecoder::new(payload).map_err(io::Error::other)?;
            read_all(decoder)
        }
        unknown => Err(io::Error::other(format!("unknown codec {unknown}"))),
    }
}

fn read_all<'a>(decoder: impl Read) -> io::Result<Cow<'a, [u8]>> {
    let mut records = Vec::new();
    decoder
        .take(MAX_UNCOMPRESSED_BYTES + 1)
        .read_to_end(&mut records)?;
    if records.len() as u64 > MAX_UNCOMPRESSED_BYTES {
        return Err(too_large());
    }
    Ok(Cow::Owned(records))
}

fn snappy(payload: &[u8]) -> io::Result<Vec<u8>> {
    if !payload.starts_with(XERIAL_MARK) {
        return snappy_block(payload, 0);
    }
    let mut rest = payload
        .get(XERIAL_HEADER_BYTES..)
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (length, blocks) = rest
            .split_first_chunk::<4>()
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let (block, after) = blocks
            .split_at_checked(u32::from_be_bytes(*length) as usize)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        records.extend_from_slice(&snappy_block(block, records.len())?);
        rest = after;
    }
    Ok(records)
}

fn snappy_block(block: &[u8], before: usize) -> io::Result<Vec<u8>> {
    let length = snap::raw::decompress_len(block).map_err(io::Error::other)?;
    if (before + length) as u64 > MAX_UNCOMPRESSED_BYTES {
        return Err(too_large());
    }
    snap::raw::Decoder::new()
        .decompress_vec(block)
        .map_err(io::Error::other)
}

fn too_large() -> io::Error {
    io::Error::other(format!(
        "the records are larger than {MAX_UNCOMPRESSED_BYTES} bytes"
    ))
}
