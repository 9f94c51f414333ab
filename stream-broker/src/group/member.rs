//! A member of a classic group.

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::protocol::StrBytes;

use crate::core::Ticket;

/// A request that waits for the group. The ticket is gone once its connection has closed: the member still counts as
/// (re)joined, as it does in Kafka, but there is nobody to answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parked {
    pub(crate) ticket: Option<Ticket>,
    pub(crate) version: i16,
}

/// A member of a classic group, with what it sent when it joined last.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: StrBytes,
    pub(crate) instance_id: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    /// Assignors by preference, each with the member's metadata for it.
    pub(crate) protocols: Vec<JoinGroupRequestProtocol>,
    pub(crate) assignment: Bytes,
    /// True until the first generation that includes it. Such a member may not know its id yet, so it cannot send
    /// heartbeats and its session must not end while its first join is parked.
    pub(crate) is_new: bool,
    pub(crate) join: Option<Parked>,
    pub(crate) sync: Option<Parked>,
    /// When the session ends; `None` while a parked request stands for the heartbeat.
    pub(crate) session_deadline: Option<i64>,
}

impl Member {
    pub(crate) fn supports(&self, protocol: &StrBytes) -> bool {
        self.protocols.iter().any(|p| p.name == *protocol)
    }

    /// The metadata for a protocol; empty if the member does not support it.
    pub(crate) fn metadata(&self, protocol: &StrBytes) -> Bytes {
        self.protocols.iter().find(|p| p.name == *protocol).map(|p| p.metadata.clone()).unwrap_or_default()
    }

    /// Whether the protocols are the same, in the same order, with the same metadata.
    pub(crate) fn matches(&self, protocols: &[JoinGroupRequestProtocol]) -> bool {
        self.protocols.len() == protocols.len()
            && self.protocols.iter().zip(protocols).all(|(ours, theirs)| ours.name == theirs.name && ours.metadata == theirs.metadata)
    }

    /// A sign of life: the session starts anew.
    pub(crate) fn renew_session(&mut self, now: i64) {
        self.session_deadline = Some(now + i64::from(self.session_timeout_ms));
    }

    /// Whether the end of the session removes the member. A parked request stands for a heartbeat, except the first
    /// join of a new member, which has a deadline of its own.
    pub(crate) fn expires(&self) -> bool {
        self.is_new || (self.join.is_none() && self.sync.is_none())
    }

    /// Forgets the tickets of a closed connection.
    pub(crate) fn disconnected(&mut self, connection: u64) {
        for parked in [&mut self.join, &mut self.sync].into_iter().flatten() {
            if parked.ticket.is_some_and(|t| t.connection == connection) {
                parked.ticket = None;
            }
        }
    }
}
