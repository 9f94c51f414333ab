//! JoinGroup: how members come into a group and into its next generation.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;

use super::classic::{ClassicGroup, Timer};
use super::member::{Member, Parked};
use super::reply;
use super::state::State;
use crate::core::Outbox;

/// How long a new member may be parked in its first join. It cannot send heartbeats there, because it may not know its
/// id, so its session timeout does not apply.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 5 * 60_000;
/// First version whose clients understand MEMBER_ID_REQUIRED (KIP-394).
const MEMBER_ID_REQUIRED: i16 = 4;
/// First version whose clients understand `SkipAssignment` (KIP-814).
const SKIP_ASSIGNMENT: i16 = 9;

/// A JoinGroup request and what is known about who sent it.
pub(crate) struct Join {
    pub(crate) parked: Parked,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    /// An id that no member had before, for a member that has none yet.
    pub(crate) fresh_member_id: StrBytes,
    pub(crate) request: JoinGroupRequest,
}

impl Join {
    fn rebalance_timeout_ms(&self) -> i32 {
        // Version 0 has no such field: its members wait as long as their session.
        if self.request.rebalance_timeout_ms < 0 { self.request.session_timeout_ms } else { self.request.rebalance_timeout_ms }
    }

    fn refuse(self, error: ResponseError, out: &mut Outbox) {
        reply::join_error(self.parked, self.request.member_id, error, out);
    }
}

impl ClassicGroup {
    /// Handles a join. It is answered at once, or parked in the member until the next generation begins.
    pub(crate) fn join(&mut self, join: Join, max_size: usize, initial_delay_ms: i64, now: i64, out: &mut Outbox) {
        if !self.has_room_for(&join.request.member_id, max_size) {
            return join.refuse(ResponseError::GroupMaxSizeReached, out);
        }
        if !self.accepts_protocols(&join.request.protocol_type, &join.request.protocols) {
            return join.refuse(ResponseError::InconsistentGroupProtocol, out);
        }
        if !join.request.member_id.is_empty() {
            return self.join_known(join, initial_delay_ms, now, out);
        }
        let member_id = join.fresh_member_id.clone();
        match join.request.group_instance_id.clone() {
            Some(instance_id) => match self.static_members.get(&instance_id).cloned() {
                Some(old_id) => self.replace_static(&old_id, member_id, join, initial_delay_ms, now, out),
                None => self.add(member_id, join, initial_delay_ms, now, out),
            },
            None if join.parked.version >= MEMBER_ID_REQUIRED => {
                self.pending.insert(member_id.clone(), now + i64::from(join.request.session_timeout_ms));
                reply::join_error(join.parked, member_id, ResponseError::MemberIdRequired, out);
            }
            None => self.add(member_id, join, initial_delay_ms, now, out),
        }
    }

    fn has_room_for(&self, member_id: &StrBytes, max_size: usize) -> bool {
        let member = self.members.get(member_id);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => {
                let joined = self.members.values().filter(|m| m.join.is_some()).count();
                member.is_some_and(|m| m.join.is_some()) || joined < max_size
            }
            State::CompletingRebalance | State::Stable => member.is_some() || self.members.len() < max_size,
        }
    }

    fn join_known(&mut self, join: Join, initial_delay_ms: i64, now: i64, out: &mut Outbox) {
        let member_id = join.request.member_id.clone();
        if self.pending.contains_key(&member_id) {
            if join.request.group_instance_id.is_some() {
                // Ids are handed out to dynamic members only.
                return join.refuse(ResponseError::UnknownMemberId, out);
            }
            self.pending.remove(&member_id);
            return self.add(member_id, join, initial_delay_ms, now, out);
        }
        if let Err(error) = self.check_member(&member_id, join.request.group_instance_id.as_ref()) {
            return join.refuse(error, out);
        }
        let unchanged = self.members.get(&member_id).is_some_and(|m| m.matches(&join.request.protocols));
        match self.state {
            State::Empty => join.refuse(ResponseError::UnknownMemberId, out),
            // The member may have lost the answer to its join: it gets the same one again.
            State::CompletingRebalance if unchanged => {
                let response = self.joined(&member_id);
                reply::joined(join.parked, response, out);
            }
            // A follower rejoins without a reason. The leader never does: it has seen something change, for instance
            // the partition count of a topic, and wants to assign anew.
            State::Stable if unchanged && !self.is_leader(&member_id) => {
                let response = self.joined(&member_id);
                reply::joined(join.parked, response, out);
            }
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                self.update(&member_id, join, now, out);
                self.rebalance(initial_delay_ms, now, out);
            }
        }
    }

    /// Adds a member and lets it wait for the next generation.
    fn add(&mut self, member_id: StrBytes, join: Join, initial_delay_ms: i64, now: i64, out: &mut Outbox) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.request.protocol_type.clone());
        }
        if matches!(self.timer, Some(Timer::InitialDelay { .. })) {
            self.joined_during_delay = true;
        }
        if let Some(instance_id) = &join.request.group_instance_id {
            self.static_members.insert(instance_id.clone(), member_id.clone());
        }
        self.leader.get_or_insert_with(|| member_id.clone());
        let member = Member {
            id: member_id.clone(),
            instance_id: join.request.group_instance_id.clone(),
            rebalance_timeout_ms: join.rebalance_timeout_ms(),
            session_timeout_ms: join.request.session_timeout_ms,
            client_id: join.client_id,
            client_host: join.client_host,
            protocols: join.request.protocols,
            assignment: Bytes::new(),
            is_new: true,
            join: Some(join.parked),
            sync: None,
            session_deadline: Some(now + NEW_MEMBER_JOIN_TIMEOUT_MS),
        };
        self.members.insert(member_id, member);
        self.rebalance(initial_delay_ms, now, out);
    }

    /// Takes over what a known member sent, and parks its join.
    fn update(&mut self, member_id: &StrBytes, join: Join, now: i64, out: &mut Outbox) {
        let rebalance_timeout_ms = join.rebalance_timeout_ms();
        let Some(member) = self.members.get_mut(member_id) else {
            return;
        };
        member.rebalance_timeout_ms = rebalance_timeout_ms;
        member.session_timeout_ms = join.request.session_timeout_ms;
        member.protocols = join.request.protocols;
        if !member.is_new {
            member.renew_session(now);
        }
        // A client that reconnected and sends its join again: nobody reads the older answer, but every request gets one.
        if let Some(older) = member.join.replace(join.parked) {
            reply::join_error(older, member_id.clone(), ResponseError::RebalanceInProgress, out);
        }
    }

    /// A static member comes back without its member id: it takes the place of its former self, which is fenced. In a
    /// stable group whose assignor stays the same, nobody else notices.
    fn replace_static(&mut self, old_id: &StrBytes, new_id: StrBytes, join: Join, initial_delay_ms: i64, now: i64, out: &mut Outbox) {
        let Some(mut member) = self.members.remove(old_id) else {
            return;
        };
        if let Some(parked) = member.join.take() {
            reply::join_error(parked, old_id.clone(), ResponseError::FencedInstanceId, out);
        }
        if let Some(parked) = member.sync.take() {
            reply::sync_error(parked, ResponseError::FencedInstanceId, out);
        }
        let was_leader = self.is_leader(old_id);
        if was_leader {
            self.leader = Some(new_id.clone());
        }
        if self.pending_sync.remove(old_id) {
            self.pending_sync.insert(new_id.clone());
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), new_id.clone());
        }
        member.id = new_id.clone();
        member.client_id = join.client_id.clone();
        member.client_host = join.client_host.clone();
        self.members.insert(new_id.clone(), member);
        let parked = join.parked;
        self.update(&new_id, join, now, out);

        if self.state != State::Stable || self.elect_protocol() != self.protocol {
            return self.rebalance(initial_delay_ms, now, out);
        }
        if let Some(member) = self.members.get_mut(&new_id) {
            member.join = None;
        }
        self.unsaved = true;
        let mut response = self.joined(&new_id);
        if was_leader {
            // The leader must not assign anew: the others would not come for it. Clients that cannot be told so are made
            // to believe that they follow their former self.
            if parked.version >= SKIP_ASSIGNMENT {
                response.skip_assignment = true;
            } else {
                response.leader = old_id.clone();
                response.members.clear();
            }
        }
        reply::joined(parked, response, out);
    }

    /// The answer to a member's join in the current generation: the leader also gets everybody's metadata.
    pub(crate) fn joined(&self, member_id: &StrBytes) -> JoinGroupResponse {
        let members = match &self.protocol {
            Some(protocol) if self.is_leader(member_id) => self
                .members
                .values()
                .map(|m| {
                    JoinGroupResponseMember::default()
                        .with_member_id(m.id.clone())
                        .with_group_instance_id(m.instance_id.clone())
                        .with_metadata(m.metadata(protocol))
                })
                .collect(),
            _ => Vec::new(),
        };
        JoinGroupResponse::default()
            .with_generation_id(self.generation)
            .with_protocol_type(self.protocol_type.clone())
            .with_protocol_name(self.protocol.clone())
            .with_leader(self.leader.clone().unwrap_or_default())
            .with_member_id(member_id.clone())
            .with_members(members)
    }
}
