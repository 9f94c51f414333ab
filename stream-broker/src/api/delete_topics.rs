//! `DeleteTopics`, by name or by id.

use std::io;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::Ctx;
use crate::core::{Core, Outbox};

pub(crate) fn handle(core: &mut Core, request: DeleteTopicsRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Uuid::nil()));
    let by_state = request.topics.into_iter().map(|t| (t.name, t.topic_id));
    let mut responses = Vec::new();
    for (name, id) in by_name.chain(by_state).collect::<Vec<_>>() {
        let found = match &name {
            Some(name) => Some(name.to_string()),
            None => core.topics.name_of(id).map(str::to_owned),
        };
        let result = DeletableTopicResult::default();
        responses.push(match found.map_or(Ok(None), |name| delete(core, name, now, out)) {
            Ok(Some((name, id))) => result.with_name(Some(TopicName(StrBytes::from_string(name)))).with_topic_id(id),
            Ok(None) => {
                let error = if name.is_some() { ResponseError::UnknownTopicOrPartition } else { ResponseError::UnknownTopicId };
                result
                    .with_name(name)
                    .with_topic_id(id)
                    .with_error_code(error.code())
                    .with_error_message(Some(StrBytes::from_static_str("This server does not host this topic.")))
            }
            Err(error) => result
                .with_name(name)
                .with_topic_id(id)
                .with_error_code(ResponseError::KafkaStorageError.code())
                .with_error_message(Some(StrBytes::from_string(error.to_string()))),
        });
    }
    out.answer(ctx.ticket, DeleteTopicsResponse::default().with_responses(responses));
}

fn delete(core: &mut Core, name: String, now: i64, out: &mut Outbox) -> io::Result<Option<(String, Uuid)>> {
    let Some(topic) = core.topics.delete(&name, now)? else {
        return Ok(None);
    };
    core.groups.topic_deleted(&name);
    for partition in 0..topic.partition_count() {
        core.wake_fetches(&name, partition, now, out);
    }
    Ok(Some((name, topic.id)))
}
