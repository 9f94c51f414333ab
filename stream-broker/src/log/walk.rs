//! Going through the batches of a segment's file.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use super::batch::{BatchHeader, HEADER_BYTES};
use crate::storage::Storage;

/// What is read at once.
const WINDOW_BYTES: usize = 256 << 10;

/// How much of each batch a walk needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The visitor gets the header alone.
    Headers,
    /// The visitor gets the whole batch.
    Batches,
}

/// Calls `visit` with position, header and bytes of each batch between two positions of a file, until it breaks. Returns where the
/// walk ended: behind the last whole batch, or at the one that the visitor broke at. What follows there is no batch, or a part of one.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn walk(
    storage: &dyn Storage,
    file: &Path,
    from: u64,
    to: u64,
    detail: Detail,
    mut visit: impl FnMut(u64, &BatchHeader, &[u8]) -> ControlFlow<()>,
) -> io::Result<u64> {
    let mut window = Vec::new();
    let mut window_start = from;
    let mut position = from;
    loop {
        let mut wanted = HEADER_BYTES;
        // At most twice: once for the header, once for the batch that it announces.
        let batch = loop {
            if to - position < wanted as u64 {
                return Ok(position);
            }
            let begin = usize::try_from(position - window_start).unwrap_or(usize::MAX);
            if begin.saturating_add(wanted) > window.len() {
                let length = (to - position).min(WINDOW_BYTES.max(wanted) as u64) as usize;
                window.resize(length, 0);
                storage.read(file, position, &mut window)?;
                window_start = position;
                continue;
            }
            let bytes = &window[begin..];
            let Some(header) = bytes.first_chunk::<HEADER_BYTES>().and_then(BatchHeader::parse) else {
                return Ok(position);
            };
            if header.size as u64 > to - position {
                return Ok(position);
            }
            if detail == Detail::Headers {
                break (header, &bytes[..HEADER_BYTES]);
            }
            if header.size <= bytes.len() {
                break (header, &bytes[..header.size]);
            }
            wanted = header.size;
        };
        let (header, bytes) = batch;
        if visit(position, &header, bytes).is_break() {
            return Ok(position);
        }
        position += header.size as u64;
    }
}
