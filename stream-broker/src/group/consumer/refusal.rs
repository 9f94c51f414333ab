//! Why a heartbeat is refused.

use kafka_protocol::ResponseError;

/// The code and the text that the client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error: ResponseError,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(error: ResponseError, message: impl Into<String>) -> Self {
        Refusal { error, message: message.into() }
    }

    pub(crate) fn unknown_member(member_id: &str, group_id: &str) -> Self {
        Refusal::new(ResponseError::UnknownMemberId, format!("Member {member_id} is not a member of group {group_id}."))
    }

    pub(crate) fn unknown_instance(instance_id: &str) -> Self {
        Refusal::new(ResponseError::UnknownMemberId, format!("Instance id {instance_id} is unknown."))
    }

    pub(crate) fn fenced_instance(member_id: &str, instance_id: &str, owner: &str) -> Self {
        let message = format!("Static member {member_id} with instance id {instance_id} was fenced by member {owner}.");
        Refusal::new(ResponseError::FencedInstanceId, message)
    }
}
