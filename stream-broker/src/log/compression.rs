//! Compression of a batch's records: undone for validation and look-ups by time, while the batch itself stays as it was received;
//! done again when compaction takes records out of a batch.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::panic::catch_unwind;

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
const XERIAL_BLOCK_BYTES: usize = 32 << 10;

/// The uncompressed records of a batch.
///
/// # Errors
/// The codec is unknown, its data is damaged, or the records exceed the limit of memory.
pub(crate) fn uncompressed_records<'a>(header: &BatchHeader, batch: &'a [u8]) -> io::Result<Cow<'a, [u8]>> {
    let payload = &batch[HEADER_BYTES..header.size];
    let codec = header.compression();
    if codec == NONE {
        return Ok(Cow::Borrowed(payload));
    }
    // A decoder that panics on damaged data must cost the batch, not the broker.
    catch_unwind(|| decompress(codec, payload)).unwrap_or_else(|_| Err(io::Error::other("the decoder panicked"))).map(Cow::Owned)
}

fn decompress(codec: i16, payload: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        GZIP => read_all(flate2::read::MultiGzDecoder::new(payload)),
        SNAPPY => snappy(payload),
        LZ4 => read_all(lz4_flex::frame::FrameDecoder::new(payload)),
        ZSTD => read_all(ruzstd::decoding::StreamingDecoder::new(payload).map_err(io::Error::other)?),
        unknown => Err(io::Error::other(format!("unknown codec {unknown}"))),
    }
}

/// Records in a codec, as a client would have compressed them.
///
/// # Errors
/// The codec is unknown.
pub(crate) fn compressed(codec: i16, records: &[u8]) -> io::Result<Cow<'_, [u8]>> {
    match codec {
        NONE => return Ok(Cow::Borrowed(records)),
        GZIP => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(records)?;
            encoder.finish()
        }
        SNAPPY => xerial(records),
        LZ4 => {
            // Java's reader takes blocks that do not refer to earlier ones.
            let info = lz4_flex::frame::FrameInfo::new().block_mode(lz4_flex::frame::BlockMode::Independent);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(records)?;
            encoder.finish().map_err(io::Error::other)
        }
        ZSTD => Ok(ruzstd::encoding::compress_to_vec(records, ruzstd::encoding::CompressionLevel::Fastest)),
        unknown => Err(io::Error::other(format!("unknown codec {unknown}"))),
    }
    .map(Cow::Owned)
}

/// Snappy in the frame of the Java library, which all clients of Kafka know.
fn xerial(records: &[u8]) -> io::Result<Vec<u8>> {
    let mut framed = XERIAL_MARK.to_vec();
    framed.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    for part in records.chunks(XERIAL_BLOCK_BYTES) {
        let block = snap::raw::Encoder::new().compress_vec(part).map_err(io::Error::other)?;
        framed.extend_from_slice(&(block.len() as u32).to_be_bytes());
        framed.extend_from_slice(&block);
    }
    Ok(framed)
}

fn read_all(decoder: impl Read) -> io::Result<Vec<u8>> {
    let mut records = Vec::new();
    decoder.take(MAX_UNCOMPRESSED_BYTES + 1).read_to_end(&mut records)?;
    if records.len() as u64 > MAX_UNCOMPRESSED_BYTES {
        return Err(too_large());
    }
    Ok(records)
}

fn snappy(payload: &[u8]) -> io::Result<Vec<u8>> {
    if !payload.starts_with(XERIAL_MARK) {
        return snappy_block(payload, 0);
    }
    let mut rest = payload.get(XERIAL_HEADER_BYTES..).ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (length, blocks) = rest.split_first_chunk::<4>().ok_or(io::ErrorKind::UnexpectedEof)?;
        let (block, after) = blocks.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
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
    snap::raw::Decoder::new().decompress_vec(block).map_err(io::Error::other)
}

fn too_large() -> io::Error {
    io::Error::other(format!("the records are larger than {MAX_UNCOMPRESSED_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"to be, or not to be, that is the question: to be, or not to be";

    fn snappy_block(text: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(text).unwrap()
    }

    fn all() -> Vec<(i16, Vec<u8>)> {
        let mut all: Vec<_> =
            [GZIP, SNAPPY, LZ4, ZSTD].into_iter().map(|codec| (codec, compressed(codec, TEXT).unwrap().into_owned())).collect();
        // As the C library has it: without the frame.
        all.push((SNAPPY, snappy_block(TEXT)));
        all
    }

    #[test]
    fn every_codec_gives_the_records_back() {
        for (codec, payload) in all() {
            assert_eq!(decompress(codec, &payload).unwrap(), TEXT, "codec {codec}");
        }
    }

    #[test]
    fn damaged_data_never_ends_the_broker() {
        for (codec, payload) in all() {
            for cut in 0..payload.len() {
                let _ = catch_unwind(|| decompress(codec, &payload[..cut]));
                let mut damaged = payload.clone();
                damaged[cut] ^= 0x55;
                let _ = catch_unwind(|| decompress(codec, &damaged));
            }
            assert!(decompress(codec, &payload[..payload.len() / 2]).is_err());
        }
        assert!(decompress(7, TEXT).is_err());
    }
}
