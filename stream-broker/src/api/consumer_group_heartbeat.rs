//! ConsumerGroupHeartbeat (KIP-848): see `group::consumer`.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::group::consumer::{ASSIGNORS, Assignor, Heartbeat, Refusal, by_topic};

/// First version whose clients choose their member ids themselves (KIP-1082).
const CLIENT_GENERATED_ID: i16 = 1;
const LEAVE_EPOCH: i32 = -1;
const STATIC_LEAVE_EPOCH: i32 = -2;

pub(crate) fn handle(core: &mut Core, mut request: ConsumerGroupHeartbeatRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let beaten = check(&request, ctx.version).and_then(|()| {
        if request.member_id.is_empty() && request.member_epoch == 0 {
            request.member_id = StrBytes::from_string(core.ids.uuid().to_string());
        }
        let heartbeat = Heartbeat {
            request,
            client_id: StrBytes::from_string(ctx.client_id.clone()),
            client_host: StrBytes::from_string(ctx.client_host.clone()),
        };
        core.groups.consumer_heartbeat(&heartbeat, &core.topics, now)
    });
    let response = ConsumerGroupHeartbeatResponse::default();
    let response = match beaten {
        Err(Refusal { error, message }) => response.with_error_code(error.code()).with_error_message(Some(StrBytes::from_string(message))),
        Ok(answer) => {
            let topics = |partitions| {
                let topics = by_topic(partitions).into_iter();
                topics.map(|(id, indexes)| TopicPartitions::default().with_topic_id(id).with_partitions(indexes)).collect()
            };
            let assignment = answer.assignment.map(|partitions| Assignment::default().with_topic_partitions(topics(partitions)));
            // Who leaves is not to come again.
            let interval = if answer.epoch < 0 { 0 } else { core.config.consumer_groups.heartbeat_interval_ms };
            response
                .with_member_id(Some(answer.member_id))
                .with_member_epoch(answer.epoch)
                .with_heartbeat_interval_ms(interval)
                .with_assignment(assignment)
        }
    };
    out.answer(ctx.ticket, response);
}

/// Checks what can be said without looking at the group.
fn check(request: &ConsumerGroupHeartbeatRequest, version: i16) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(ResponseError::InvalidRequest, message));
    let is_blank = |text: &str| text.trim().is_empty();
    let epoch = request.member_epoch;
    if (version >= CLIENT_GENERATED_ID || epoch > 0 || epoch == LEAVE_EPOCH) && is_blank(&request.member_id) {
        return invalid("MemberId can't be empty.");
    }
    if is_blank(&request.group_id) {
        return invalid("GroupId can't be empty.");
    }
    if request.instance_id.as_ref().is_some_and(|text| is_blank(text)) {
        return invalid("InstanceId can't be empty.");
    }
    if request.rack_id.as_ref().is_some_and(|text| is_blank(text)) {
        return invalid("RackId can't be empty.");
    }
    match epoch {
        0 if request.rebalance_timeout_ms == -1 => return invalid("RebalanceTimeoutMs must be provided in first request."),
        0 if request.topic_partitions.as_ref().is_none_or(|partitions| !partitions.is_empty()) => {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        0 if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() => {
            return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
        }
        STATIC_LEAVE_EPOCH if request.instance_id.is_none() => return invalid("InstanceId can't be null."),
        ..STATIC_LEAVE_EPOCH => return invalid("MemberEpoch is invalid."),
        _ => {}
    }
    match &request.server_assignor {
        Some(name) if Assignor::from_name(name).is_none() => {
            let message = format!(
                "ServerAssignor {} is not supported. Supported assignors: {}.",
                name.as_str(),
                ASSIGNORS.map(Assignor::name).join(", ")
            );
            Err(Refusal::new(ResponseError::UnsupportedAssignor, message))
        }
        _ => Ok(()),
    }
}
