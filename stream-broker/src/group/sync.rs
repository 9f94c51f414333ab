//! SyncGroup: the leader hands in the assignment, everybody fetches its part.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::SyncGroupRequest;
use kafka_protocol::protocol::StrBytes;

use super::classic::{ClassicGroup, Timer};
use super::member::Parked;
use super::reply;
use super::state::State;
use crate::core::Outbox;

impl ClassicGroup {
    /// Handles a sync. It is parked in the member until the leader's assignment is there.
    pub(crate) fn sync(&mut self, parked: Parked, request: SyncGroupRequest, now: i64, out: &mut Outbox) {
        if let Err(error) = self.check_sync(&request) {
            return reply::sync_error(parked, error, out);
        }
        self.pending_sync.remove(&request.member_id);
        if self.pending_sync.is_empty() && matches!(self.timer, Some(Timer::Sync { .. })) {
            self.timer = None;
        }
        if let Some(member) = self.members.get_mut(&request.member_id) {
            // As for joins: a repeated request takes the place of the one before.
            if let Some(older) = member.sync.replace(parked) {
                reply::sync_error(older, ResponseError::RebalanceInProgress, out);
            }
        }
        if self.state == State::CompletingRebalance {
            if !self.is_leader(&request.member_id) {
                return;
            }
            let mut assignments: BTreeMap<StrBytes, Bytes> = request.assignments.into_iter().map(|a| (a.member_id, a.assignment)).collect();
            for member in self.members.values_mut() {
                // A member that the leader forgot gets nothing, not what it had before.
                member.assignment = assignments.remove(&member.id).unwrap_or_default();
            }
            self.enter(State::Stable, now);
            self.unsaved = true;
        }
        for member in self.members.values_mut() {
            if let Some(parked) = member.sync.take() {
                member.renew_session(now);
                reply::synced(parked, self.protocol_type.clone(), self.protocol.clone(), member.assignment.clone(), out);
            }
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ResponseError> {
        self.check_generation(&request.member_id, request.group_instance_id.as_ref(), request.generation_id)?;
        let differs = |theirs: &Option<StrBytes>, ours: &Option<StrBytes>| theirs.is_some() && theirs != ours;
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol_name, &self.protocol) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match self.state {
            State::Empty => Err(ResponseError::UnknownMemberId),
            State::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }
}
