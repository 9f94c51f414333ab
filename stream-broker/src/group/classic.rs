//! A classic consumer group: its members, its generation and its offsets.
//!
//! The transitions are in the sibling files: `join`, `rebalance`, `sync`, `membership` (heartbeat, leave, expiry) and
//! `commit`. All of them keep these invariants:
//!
//! - the group is `Empty` exactly when it has no members and no join phase is open;
//! - the leader is a member whenever there is one;
//! - every static instance id maps to a member that carries it.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::member::Member;
use super::offsets::Offsets;
use super::state::State;

use crate::mistake::{self, Mistake};

/// The timer of the phase that a group is in. Members have session deadlines of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {
    /// The delay before the first generation of a group that was empty; `remaining` is by how much it may still be
    /// prolonged when members keep arriving.
    InitialDelay { until: i64, remaining: i64 },
    /// Members that have not rejoined by then are left behind.
    Join { until: i64 },
    /// Members that have not fetched their assignment by then are removed.
    Sync { until: i64 },
}

impl Timer {
    pub(crate) fn until(self) -> i64 {
        match self {
            Timer::InitialDelay { until, .. } | Timer::Join { until } | Timer::Sync { until } => until,
        }
    }
}

/// A classic group.
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    pub(crate) id: StrBytes,
    pub(crate) state: State,
    /// When the group entered its state.
    pub(crate) state_since: i64,
    pub(crate) generation: i32,
    /// `None` for a group that only ever stored offsets.
    pub(crate) protocol_type: Option<StrBytes>,
    /// The assignor chosen for this generation.
    pub(crate) protocol: Option<StrBytes>,
    pub(crate) leader: Option<StrBytes>,
    pub(crate) members: BTreeMap<StrBytes, Member>,
    /// Member ids by `group.instance.id`.
    pub(crate) static_members: BTreeMap<StrBytes, StrBytes>,
    /// Ids handed out with MEMBER_ID_REQUIRED, and until when they may be used.
    pub(crate) pending: BTreeMap<StrBytes, i64>,
    /// Members of this generation that have not sent SyncGroup yet.
    pub(crate) pending_sync: BTreeSet<StrBytes>,
    pub(crate) timer: Option<Timer>,
    /// A member joined during the initial delay.
    pub(crate) joined_during_delay: bool,
    pub(crate) offsets: Offsets,
    /// The members are not those that were written down last.
    pub(crate) unsaved: bool,
}

impl ClassicGroup {
    pub(crate) fn new(id: StrBytes, now: i64) -> Self {
        ClassicGroup {
            id,
            state: State::Empty,
            state_since: now,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending: BTreeMap::new(),
            pending_sync: BTreeSet::new(),
            timer: None,
            joined_during_delay: false,
            offsets: Offsets::default(),
            unsaved: false,
        }
    }

    pub(crate) fn enter(&mut self, state: State, now: i64) {
        self.state = state;
        self.state_since = now;
    }

    pub(crate) fn is_leader(&self, member_id: &StrBytes) -> bool {
        self.leader.as_ref() == Some(member_id)
    }

    /// Nothing would be lost if the group were forgotten.
    pub(crate) fn is_blank(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty() && self.generation == 0 && self.offsets.is_empty()
    }

    /// How long a rebalance waits: as long as the most patient member asks for.
    pub(crate) fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|m| i64::from(m.rebalance_timeout_ms)).max().unwrap_or(0)
    }

    /// Checks that a request speaks for a member of this group.
    ///
    /// # Errors
    /// `FENCED_INSTANCE_ID` if another member has taken the instance id over; `UNKNOWN_MEMBER_ID` if the instance or the
    /// member is not in the group.
    pub(crate) fn check_member(&self, member_id: &StrBytes, instance_id: Option<&StrBytes>) -> Result<(), ResponseError> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(owner) if owner != member_id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ResponseError::UnknownMemberId) }
    }

    /// As [`ClassicGroup::check_member`], and the request is of the current generation.
    ///
    /// # Errors
    /// Also `ILLEGAL_GENERATION`.
    pub(crate) fn check_generation(
        &self,
        member_id: &StrBytes,
        instance_id: Option<&StrBytes>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        self.check_member(member_id, instance_id)?;
        if generation == self.generation || mistake::is_made(Mistake::GenerationUnchecked) {
            Ok(())
        } else {
            Err(ResponseError::IllegalGeneration)
        }
    }

    /// The earliest time at which [`ClassicGroup::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        let sessions = self.members.values().filter_map(|m| m.session_deadline);
        let pending = self.pending.values().copied();
        let timer = self.timer.map(Timer::until);
        sessions.chain(pending).chain(timer).min()
    }

    pub(crate) fn disconnected(&mut self, connection: u64) {
        for member in self.members.values_mut() {
            member.disconnected(connection);
        }
    }
}
