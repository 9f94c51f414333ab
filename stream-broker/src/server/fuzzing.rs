//! The broker under bytes from a stranger: what a fuzzer calls. Everything between a socket and the core takes part, without a socket.

use std::net::{IpAddr, Ipv4Addr};

use bytes::{Bytes, BytesMut};

use super::frame::{self, FrameError, Incoming};
use crate::core::{Core, CoreConfig, Outbox, Outcome, Request, Ticket};
use crate::topic::internal::InternalTopics;

/// Time that passes from a frame to the next, in milliseconds.
const PACE_MS: i64 = 10;

/// A broker that is fed frames, each from a connection of its own.
pub struct FuzzTarget {
    core: Core,
    out: Outbox,
    now: i64,
    connection: u64,
}

impl Default for FuzzTarget {
    fn default() -> Self {
        let config = CoreConfig {
            internal_topics: InternalTopics { offsets_partitions: 2, transaction_partitions: 2, segment_bytes: 1 << 20 },
            log_memory_bytes: 64 << 20,
            ..CoreConfig::default()
        };
        FuzzTarget { core: Core::new(config), out: Outbox::default(), now: 1_700_000_000_000, connection: 0 }
    }
}

impl FuzzTarget {
    /// Handles a frame, without its length, as if a client had sent it, and closes the connection. Whether it was a request that could
    /// be read.
    ///
    /// # Errors
    /// What a client could be told, but is a mistake of the broker: the decoder panicked, or an answer cannot be sent.
    pub fn frame(&mut self, frame: &[u8]) -> Result<bool, String> {
        self.now += PACE_MS;
        self.connection += 1;
        let (origin, client_id, body) = match frame::decode(Bytes::copy_from_slice(frame)) {
            Ok(Incoming::Request { origin, client_id, body }) => (origin, client_id, body),
            Ok(Incoming::UnknownApiVersions { .. }) => return Ok(false),
            Err(error @ FrameError::Malformed { panicked: true, .. }) => return Err(error.to_string()),
            Err(_) => return Ok(false),
        };
        let ticket = Ticket { connection: self.connection, request: 0 };
        let client_host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let request = Request { ticket, version: origin.version, client_id: client_id.as_deref(), client_host, body };
        self.core.handle(request, self.now, &mut self.out);
        let mut failure = None;
        for (answered, outcome) in self.out.drain() {
            if let (true, Outcome::Answer(response)) = (answered == ticket, outcome)
                && let Err(error) = frame::encode(origin, &response, &mut BytesMut::new())
            {
                failure = Some(error.to_string());
            }
        }
        self.core.disconnected(self.connection);
        if self.core.next_deadline().is_some_and(|due| due <= self.now) {
            self.core.tick(self.now, &mut self.out);
            self.out.drain();
        }
        failure.map_or(Ok(true), Err)
    }
}

#[cfg(test)]
mod tests;
