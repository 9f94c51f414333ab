//! `Metadata`: the broker, the topics and their partitions. The first mention of a topic may create it.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use crate::core::{Core, Outbox};
use crate::log::LEADER_EPOCH;
use crate::topic::{Topic, internal, name};

/// Authorised operations are not reported.
const NOT_REQUESTED: i32 = i32::MIN;

pub(crate) fn handle(core: &mut Core, request: MetadataRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let may_create = core.config.auto_create_topics && (ctx.version < 4 || request.allow_auto_topic_creation);
    // Version 0 has no null array: the empty one means all topics.
    let asked = request.topics.filter(|topics| !(ctx.version == 0 && topics.is_empty()));
    let topics = match asked {
        None => core.topics.iter().map(|(name, topic)| describe(core, name, topic)).collect(),
        Some(asked) => asked.into_iter().map(|topic| answer(core, topic, may_create, now)).collect(),
    };
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(core.config.node_id))
        .with_host(StrBytes::from_string(core.config.advertised_host.clone()))
        .with_port(i32::from(core.config.advertised_port));
    out.answer(
        ctx.ticket,
        MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_cluster_id(Some(StrBytes::from_string(core.cluster_id.clone())))
            .with_controller_id(BrokerId(core.config.node_id))
            .with_cluster_authorized_operations(NOT_REQUESTED)
            .with_topics(topics),
    );
}

fn answer(core: &mut Core, asked: MetadataRequestTopic, may_create: bool, now: i64) -> MetadataResponseTopic {
    let Some(topic_name) = asked.name else {
        let id = asked.topic_id;
        return match core.topics.name_of(id).and_then(|name| Some((name, core.topics.get(name)?))) {
            Some((name, topic)) => describe(core, name, topic),
            None => refuse(None, ResponseError::UnknownTopicId).with_topic_id(id),
        };
    };
    if let Some(topic) = core.topics.get(&topic_name) {
        return describe(core, &topic_name, topic);
    }
    if name::objection(&topic_name).is_some() {
        return refuse(Some(topic_name), ResponseError::InvalidTopicException);
    }
    if !may_create {
        return refuse(Some(topic_name), ResponseError::UnknownTopicOrPartition);
    }
    if core.topics.colliding(&topic_name).is_some() {
        return refuse(Some(topic_name), ResponseError::InvalidTopicException);
    }
    let Ok(config) = core.topics.new_config(Default::default()) else {
        return refuse(Some(topic_name), ResponseError::InvalidConfig);
    };
    let id = core.ids.uuid();
    if let Err(error) = core.topics.create(&topic_name, id, core.config.num_partitions, config, now) {
        tracing::warn!(topic = %topic_name.as_str(), %error, "a topic cannot be created");
        return refuse(Some(topic_name), ResponseError::KafkaStorageError);
    }
    match core.topics.get(&topic_name) {
        Some(topic) => describe(core, &topic_name, topic),
        None => refuse(Some(topic_name), ResponseError::UnknownTopicOrPartition),
    }
}

fn describe(core: &Core, name: &str, topic: &Topic) -> MetadataResponseTopic {
    let node = BrokerId(core.config.node_id);
    let partitions = (0..topic.partition_count())
        .map(|index| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(node)
                .with_leader_epoch(LEADER_EPOCH)
                .with_replica_nodes(vec![node])
                .with_isr_nodes(vec![node])
        })
        .collect();
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))))
        .with_topic_id(topic.id)
        .with_is_internal(internal::is_internal(name))
        .with_partitions(partitions)
        .with_topic_authorized_operations(NOT_REQUESTED)
}

fn refuse(name: Option<TopicName>, error: ResponseError) -> MetadataResponseTopic {
    MetadataResponseTopic::default().with_error_code(error.code()).with_name(name).with_topic_authorized_operations(NOT_REQUESTED)
}
