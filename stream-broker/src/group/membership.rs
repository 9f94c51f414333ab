//! How members stay in a group and leave it: heartbeats, LeaveGroup, the end of a session.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::HeartbeatRequest;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::protocol::StrBytes;

use super::classic::ClassicGroup;
use super::state::State;
use crate::core::Outbox;

impl ClassicGroup {
    /// Renews the member's session and tells it whether to rejoin.
    ///
    /// # Errors
    /// `REBALANCE_IN_PROGRESS` while a join phase is open, else those of [`ClassicGroup::check_generation`].
    pub(crate) fn heartbeat(&mut self, request: &HeartbeatRequest, now: i64) -> Result<(), ResponseError> {
        self.check_generation(&request.member_id, request.group_instance_id.as_ref(), request.generation_id)?;
        self.renew_session(&request.member_id, now);
        match self.state {
            State::Empty => Err(ResponseError::UnknownMemberId),
            State::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            // Between join and sync the member may beat already.
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    /// A sign of life of a member. The first join of a new member has a deadline of its own.
    pub(crate) fn renew_session(&mut self, member_id: &StrBytes, now: i64) {
        if let Some(member) = self.members.get_mut(member_id).filter(|m| !m.is_new) {
            member.renew_session(now);
        }
    }

    /// Lets members go, each with its own result; then rebalances, once.
    pub(crate) fn leave(
        &mut self,
        leaving: &[MemberIdentity],
        initial_delay_ms: i64,
        now: i64,
        out: &mut Outbox,
    ) -> Vec<Result<(), ResponseError>> {
        let mut changed = false;
        let results = leaving
            .iter()
            .map(|identity| {
                if identity.group_instance_id.is_none() && self.pending.remove(&identity.member_id).is_some() {
                    changed = true;
                    return Ok(());
                }
                let member_id = self.leaving_member(identity)?;
                self.remove_member(&member_id, out);
                changed = true;
                Ok(())
            })
            .collect();
        if changed {
            self.members_changed(initial_delay_ms, now, out);
        }
        results
    }

    /// An instance may leave by its instance id alone: that is how an administrator removes a static member.
    fn leaving_member(&self, identity: &MemberIdentity) -> Result<StrBytes, ResponseError> {
        match &identity.group_instance_id {
            Some(instance_id) if identity.member_id.is_empty() => {
                self.static_members.get(instance_id).cloned().ok_or(ResponseError::UnknownMemberId)
            }
            instance_id => {
                self.check_member(&identity.member_id, instance_id.as_ref())?;
                Ok(identity.member_id.clone())
            }
        }
    }

    fn members_changed(&mut self, initial_delay_ms: i64, now: i64, out: &mut Outbox) {
        match self.state {
            State::Empty => {}
            State::PreparingRebalance => self.complete_join_if_ready(now, out),
            State::CompletingRebalance | State::Stable => self.rebalance(initial_delay_ms, now, out),
        }
    }

    /// Ends what is over at `now`: ids that were not used, sessions without a heartbeat, the phase.
    pub(crate) fn tick(&mut self, initial_delay_ms: i64, now: i64, out: &mut Outbox) {
        let ids = self.pending.len();
        self.pending.retain(|_, until| *until > now);
        let mut changed = self.pending.len() != ids;
        let over: Vec<StrBytes> =
            self.members.values().filter(|m| m.session_deadline.is_some_and(|d| d <= now)).map(|m| m.id.clone()).collect();
        for id in over {
            match self.members.get_mut(&id) {
                // Its next deadline is set when the parked request is answered.
                Some(member) if !member.expires() => member.session_deadline = None,
                _ => {
                    self.remove_member(&id, out);
                    changed = true;
                }
            }
        }
        if changed {
            self.members_changed(initial_delay_ms, now, out);
        }
        self.timer_expired(initial_delay_ms, now, out);
    }
}
