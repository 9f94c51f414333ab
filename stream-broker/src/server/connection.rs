//! One client's connection: bytes that came in and are not a whole frame yet, bytes that are not sent yet, and the request
//! that is under way.

use std::io::{self, Read, Write};
use std::net::IpAddr;

use bytes::{Buf, Bytes, BytesMut};
use mio::net::TcpStream;

use super::frame::{LENGTH_BYTES, Origin};

/// An empty buffer larger than this is given back.
const KEPT_BUFFER_BYTES: usize = 256 << 10;

/// The request that a connection waits for.
///
/// There is at most one: as in Kafka, the next request of a connection is looked at only when the one before it is answered, so
/// answers leave in the order of requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) request: u64,
    pub(super) origin: Origin,
}

/// A length that no request may have.
#[derive(Debug, thiserror::Error)]
#[error("a frame of {length} bytes was announced; {max} are allowed")]
pub(super) struct FrameTooLarge {
    length: i32,
    max: usize,
}

/// What came of an attempt to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadOutcome {
    Some,
    /// Nothing more until the next readiness event.
    Drained,
    End,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: IpAddr,
    inbound: BytesMut,
    pub(super) outbound: BytesMut,
    pub(super) pending: Option<Pending>,
    /// Not read from, because it is over its quota.
    pub(super) muted: bool,
    /// Readiness is reported once; this remembers it until a read finds nothing.
    pub(super) readable: bool,
    /// Whether the connection stands in the run queue.
    pub(super) queued: bool,
    next_request: u64,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, peer: IpAddr) -> Self {
        Connection {
            stream,
            peer,
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            pending: None,
            muted: false,
            readable: true,
            queued: false,
            next_request: 0,
        }
    }

    /// Begins a request.
    pub(super) fn begin(&mut self, origin: Origin) -> u64 {
        let request = self.next_request;
        self.next_request += 1;
        self.pending = Some(Pending { request, origin });
        request
    }

    /// The next whole frame, without its length.
    ///
    /// # Errors
    /// The announced length is negative or above `max` bytes.
    pub(super) fn next_frame(&mut self, max: usize) -> Result<Option<Bytes>, FrameTooLarge> {
        let Some(length) = self.inbound.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*length);
        let size = match usize::try_from(length) {
            Ok(size) if size <= max => size,
            _ => return Err(FrameTooLarge { length, max }),
        };
        if self.inbound.len() < LENGTH_BYTES + size {
            return Ok(None);
        }
        self.inbound.advance(LENGTH_BYTES);
        let frame = self.inbound.split_to(size).freeze();
        if self.inbound.is_empty() {
            // The frame owns the memory now; a new buffer begins with the next read.
            self.inbound = BytesMut::new();
        }
        Ok(Some(frame))
    }

    /// Whether the next request has to wait.
    pub(super) fn is_blocked(&self) -> bool {
        self.pending.is_some() || self.muted
    }

    /// Reads once.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> io::Result<ReadOutcome> {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return Ok(ReadOutcome::End),
                Ok(count) => {
                    self.inbound.extend_from_slice(&scratch[..count]);
                    return Ok(ReadOutcome::Some);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(ReadOutcome::Drained);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends what can be sent without waiting.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.outbound.is_empty() {
            match self.stream.write(&self.outbound) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.outbound.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if self.outbound.capacity() > KEPT_BUFFER_BYTES {
            self.outbound = BytesMut::new();
        }
        Ok(())
    }
}
