//! Which protocol type and assignor a group runs.

use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::protocol::StrBytes;

use super::classic::ClassicGroup;

impl ClassicGroup {
    /// Whether a member with these protocols can be part of the group: the type is the group's, and at least one
    /// assignor is known to every member. An empty group takes any.
    pub(crate) fn accepts_protocols(&self, protocol_type: &StrBytes, protocols: &[JoinGroupRequestProtocol]) -> bool {
        if protocol_type.is_empty() || protocols.is_empty() {
            return false;
        }
        if self.members.is_empty() {
            return true;
        }
        self.protocol_type.as_ref() == Some(protocol_type) && protocols.iter().any(|p| self.members.values().all(|m| m.supports(&p.name)))
    }

    /// Lets every member vote for its most preferred assignor among those that all support. Equal votes go to the one
    /// that the leader prefers, so that the choice does not depend on the order of members.
    pub(crate) fn elect_protocol(&self) -> Option<StrBytes> {
        let reference = self.leader.as_ref().and_then(|id| self.members.get(id)).or_else(|| self.members.values().next())?;
        let candidates = || reference.protocols.iter().map(|p| &p.name).filter(|name| self.members.values().all(|m| m.supports(name)));
        let votes = |candidate: &StrBytes| {
            self.members
                .values()
                .filter(|m| m.protocols.iter().map(|p| &p.name).find(|name| candidates().any(|c| c == *name)) == Some(candidate))
                .count()
        };
        // `max_by_key` keeps the last of equals; the leader's preference is the first.
        candidates().collect::<Vec<_>>().into_iter().rev().max_by_key(|c| votes(c)).cloned()
    }
}
