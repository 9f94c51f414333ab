//! From one generation to the next: who is waited for, and what happens when the waiting ends.

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::classic::{ClassicGroup, Timer};
use super::reply;
use super::state::State;
use crate::core::Outbox;
use crate::mistake::{self, Mistake};

impl ClassicGroup {
    /// Opens a join phase, unless one is open; ends it if everybody is there.
    ///
    /// `initial_delay_ms` is `group.initial.rebalance.delay.ms`, by which a group that was empty waits for more members.
    pub(crate) fn rebalance(&mut self, initial_delay_ms: i64, now: i64, out: &mut Outbox) {
        if self.state == State::PreparingRebalance {
            self.complete_join_if_ready(now, out);
            return;
        }
        // Whoever waits for an assignment of the generation that ends has to join again.
        for member in self.members.values_mut() {
            if let Some(parked) = member.sync.take() {
                reply::sync_error(parked, ResponseError::RebalanceInProgress, out);
                member.renew_session(now);
            }
        }
        self.pending_sync.clear();
        let was_empty = self.state == State::Empty;
        self.enter(State::PreparingRebalance, now);
        self.joined_during_delay = false;
        if was_empty {
            self.timer = Some(Timer::InitialDelay {
                until: now + initial_delay_ms,
                remaining: (self.rebalance_timeout_ms() - initial_delay_ms).max(0),
            });
        } else {
            self.timer = Some(Timer::Join { until: now + self.rebalance_timeout_ms() });
        }
        self.complete_join_if_ready(now, out);
        self.timer_expired(initial_delay_ms, now, out);
    }

    /// Ends the join phase if every member has joined and no id that was handed out is outstanding. The initial delay is
    /// always waited for.
    pub(crate) fn complete_join_if_ready(&mut self, now: i64, out: &mut Outbox) {
        let everybody = self.pending.is_empty() && self.members.values().all(|m| m.join.is_some());
        if everybody && matches!(self.timer, Some(Timer::Join { .. })) {
            self.complete_join(now, out);
        }
    }

    /// Does what the phase timer is for, if its time has come.
    pub(crate) fn timer_expired(&mut self, initial_delay_ms: i64, now: i64, out: &mut Outbox) {
        let Some(timer) = self.timer.filter(|t| t.until() <= now) else {
            return;
        };
        match timer {
            Timer::InitialDelay { remaining, .. } if self.joined_during_delay && remaining > 0 => {
                let delay = initial_delay_ms.min(remaining);
                self.joined_during_delay = false;
                self.timer = Some(Timer::InitialDelay { until: now + delay, remaining: remaining - delay });
            }
            Timer::InitialDelay { .. } | Timer::Join { .. } => self.complete_join(now, out),
            Timer::Sync { .. } => self.sync_timed_out(initial_delay_ms, now, out),
        }
    }

    /// Begins the next generation with those who joined. Dynamic members that did not are left behind; static ones keep
    /// their place, because only their session decides about them.
    fn complete_join(&mut self, now: i64, out: &mut Outbox) {
        self.timer = None;
        let absent: Vec<StrBytes> =
            self.members.values().filter(|m| m.join.is_none() && m.instance_id.is_none()).map(|m| m.id.clone()).collect();
        for id in absent {
            self.remove_member(&id, out);
        }
        if !self.members.is_empty() && !self.elect_leader() {
            // Only static members are left and none has rejoined: wait until one does or their sessions end.
            self.timer = Some(Timer::Join { until: now + self.rebalance_timeout_ms().max(1) });
            return;
        }
        self.generation += i32::from(!mistake::is_made(Mistake::GenerationKept));
        if self.members.is_empty() {
            self.protocol = None;
            self.enter(State::Empty, now);
            self.unsaved = true;
            return;
        }
        self.protocol = self.elect_protocol();
        self.enter(State::CompletingRebalance, now);
        self.pending_sync = self.members.keys().cloned().collect();
        self.timer = Some(Timer::Sync { until: now + self.rebalance_timeout_ms() });
        let ids: Vec<StrBytes> = self.members.keys().cloned().collect();
        for id in ids {
            let response = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.is_new = false;
                member.renew_session(now);
                if let Some(parked) = member.join.take() {
                    reply::joined(parked, response, out);
                }
            }
        }
    }

    /// Keeps the leader if it has joined, else makes the first member that has the leader. False if nobody has.
    fn elect_leader(&mut self) -> bool {
        let joined = |group: &Self, id: &StrBytes| group.members.get(id).is_some_and(|m| m.join.is_some());
        if self.leader.as_ref().is_some_and(|id| joined(self, id)) {
            return true;
        }
        let next = self.members.keys().find(|id| joined(self, id)).cloned();
        if next.is_some() {
            self.leader = next;
            return true;
        }
        false
    }

    /// Members that took part in the join but never came for their assignment hold partitions that nobody reads.
    fn sync_timed_out(&mut self, initial_delay_ms: i64, now: i64, out: &mut Outbox) {
        self.timer = None;
        let silent = std::mem::take(&mut self.pending_sync);
        if silent.is_empty() {
            return;
        }
        for id in &silent {
            self.remove_member(id, out);
        }
        self.rebalance(initial_delay_ms, now, out);
    }

    /// Takes a member out of the group and ends its parked requests. The caller rebalances.
    pub(crate) fn remove_member(&mut self, member_id: &StrBytes, out: &mut Outbox) {
        let Some(member) = self.members.remove(member_id) else {
            return;
        };
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        if let Some(parked) = member.join {
            reply::join_error(parked, member.id.clone(), ResponseError::UnknownMemberId, out);
        }
        if let Some(parked) = member.sync {
            reply::sync_error(parked, ResponseError::UnknownMemberId, out);
        }
        self.pending_sync.remove(member_id);
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }
}
