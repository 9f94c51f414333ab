//! A group of either protocol: classic, where a member assigns, or consumer (KIP-848), where the coordinator does.

use std::collections::BTreeSet;

use kafka_protocol::protocol::StrBytes;

use super::classic::ClassicGroup;
use super::consumer::ConsumerGroup;
use super::offsets::Offsets;
use super::state::State;
use crate::core::Outbox;

/// The protocol type that both kinds of consumers have.
const CONSUMER: &str = "consumer";

/// See the module.
#[derive(Debug)]
pub(crate) enum Group {
    Classic(ClassicGroup),
    Consumer(ConsumerGroup),
}

impl Group {
    pub(crate) fn id(&self) -> &StrBytes {
        match self {
            Group::Classic(group) => &group.id,
            Group::Consumer(group) => &group.id,
        }
    }

    pub(crate) fn classic(&self) -> Option<&ClassicGroup> {
        match self {
            Group::Classic(group) => Some(group),
            Group::Consumer(_) => None,
        }
    }

    pub(crate) fn consumer(&self) -> Option<&ConsumerGroup> {
        match self {
            Group::Classic(_) => None,
            Group::Consumer(group) => Some(group),
        }
    }

    pub(crate) fn offsets(&self) -> &Offsets {
        match self {
            Group::Classic(group) => &group.offsets,
            Group::Consumer(group) => &group.offsets,
        }
    }

    pub(crate) fn offsets_mut(&mut self) -> &mut Offsets {
        match self {
            Group::Classic(group) => &mut group.offsets,
            Group::Consumer(group) => &mut group.offsets,
        }
    }

    /// The name of the state that the listings show.
    pub(crate) fn state_name(&self) -> &'static str {
        match self {
            Group::Classic(group) => group.state.name(),
            Group::Consumer(group) => group.state().name(),
        }
    }

    /// The name of the type, as ListGroups has it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Group::Classic(_) => "classic",
            Group::Consumer(_) => CONSUMER,
        }
    }

    pub(crate) fn protocol_type(&self) -> StrBytes {
        match self {
            Group::Classic(group) => group.protocol_type.clone().unwrap_or_default(),
            Group::Consumer(_) => StrBytes::from_static_str(CONSUMER),
        }
    }

    /// No members, and none about to come.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.state == State::Empty,
            Group::Consumer(group) => group.members.is_empty(),
        }
    }

    /// Nothing but offsets keeps the group, and it has none.
    pub(crate) fn is_unused(&self) -> bool {
        let awaited = self.classic().is_some_and(|group| !group.pending.is_empty());
        self.is_empty() && !awaited && self.offsets().is_empty()
    }

    /// Nothing would be lost if the group were forgotten: it never had members either.
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_blank(),
            Group::Consumer(group) => group.is_new() && group.members.is_empty() && group.offsets.is_empty(),
        }
    }

    /// The earliest time at which [`Group::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        match self {
            Group::Classic(group) => group.next_deadline(),
            Group::Consumer(group) => group.next_deadline(),
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn tick(&mut self, initial_delay_ms: i64, now: i64, out: &mut Outbox) {
        match self {
            Group::Classic(group) => group.tick(initial_delay_ms, now, out),
            Group::Consumer(group) => group.tick(now),
        }
    }

    pub(crate) fn disconnected(&mut self, connection: u64) {
        match self {
            Group::Classic(group) => group.disconnected(connection),
            // The answer to a heartbeat is never waited for.
            Group::Consumer(_) => {}
        }
    }

    /// Topics that the members subscribe to; `None` if it cannot be told.
    pub(crate) fn subscribed_topics(&self) -> Option<BTreeSet<String>> {
        match self {
            Group::Classic(group) => group.subscribed_topics(),
            Group::Consumer(group) => Some(group.subscribed_topics()),
        }
    }

    /// Deletes the offsets that nobody has needed for `retention_ms`.
    pub(crate) fn expire_offsets(&mut self, retention_ms: i64, now: i64) {
        match self {
            Group::Classic(group) => group.expire_offsets(retention_ms, now),
            Group::Consumer(group) => group.expire_offsets(retention_ms, now),
        }
    }
}
