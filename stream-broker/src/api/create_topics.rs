//! `CreateTopics`.

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::ResponseError as Code;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use super::config_resource::{self, Refusal};
use crate::core::{Core, Outbox};
use crate::topic::config::TopicConfig;
use crate::topic::config_definition::DEFINITIONS;
use crate::topic::name;

/// What one request may create, as in Kafka's controller.
pub(super) const MAX_PARTITIONS_PER_REQUEST: i32 = 10_000;
/// Stands for the broker's default, for partitions as for replicas.
const DEFAULT: i32 = -1;

pub(crate) fn handle(core: &mut Core, request: CreateTopicsRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let mut mentions: HashMap<String, u32> = HashMap::new();
    for topic in &request.topics {
        *mentions.entry(topic.name.to_string()).or_default() += 1;
    }
    let topics = request
        .topics
        .into_iter()
        .map(|topic| {
            let result = CreatableTopicResult::default()
                .with_name(topic.name.clone())
                .with_num_partitions(-1)
                .with_replication_factor(-1)
                .with_error_message(None)
                .with_configs(None);
            let outcome = if mentions.get(topic.name.as_str()).is_some_and(|&n| n > 1) {
                Err(Refusal::new(Code::InvalidRequest, format!("the request names topic '{}' more than once", &*topic.name)))
            } else {
                create(core, &topic, request.validate_only, now)
            };
            match outcome {
                Ok(created) => result
                    .with_topic_id(created.id)
                    .with_num_partitions(created.partitions)
                    .with_replication_factor(1)
                    .with_configs(Some(created.configs)),
                Err(refusal) => {
                    result.with_error_code(refusal.code.code()).with_error_message(Some(StrBytes::from_string(refusal.message)))
                }
            }
        })
        .collect();
    out.answer(ctx.ticket, CreateTopicsResponse::default().with_topics(topics));
}

struct Created {
    id: uuid::Uuid,
    partitions: i32,
    configs: Vec<CreatableTopicConfigs>,
}

fn create(core: &mut Core, topic: &CreatableTopic, validate_only: bool, now: i64) -> Result<Created, Refusal> {
    let topic_name: &str = &topic.name;
    if let Some(objection) = name::objection(topic_name) {
        return Err(Refusal::new(Code::InvalidTopicException, objection));
    }
    if core.topics.get(topic_name).is_some() {
        return Err(Refusal::new(Code::TopicAlreadyExists, format!("Topic '{topic_name}' already exists.")));
    }
    if let Some(other) = core.topics.colliding(topic_name) {
        return Err(Refusal::new(Code::InvalidTopicException, format!("Topic '{topic_name}' collides with existing topic: {other}")));
    }
    let overrides: BTreeMap<String, String> =
        topic.configs.iter().filter_map(|c| Some((c.name.to_string(), c.value.as_ref()?.to_string()))).collect();
    let config = core.topics.new_config(overrides).map_err(|objection| Refusal::new(Code::InvalidConfig, objection))?;
    let partitions = partition_count(core, topic)?;
    let configs = describe(&config);
    let mut id = uuid::Uuid::nil();
    if !validate_only {
        id = core.ids.uuid();
        core.topics.create(topic_name, id, partitions, config, now)?;
    }
    Ok(Created { id, partitions, configs })
}

fn partition_count(core: &Core, topic: &CreatableTopic) -> Result<i32, Refusal> {
    let replicas = i32::from(topic.replication_factor);
    if !topic.assignments.is_empty() {
        if topic.num_partitions != DEFAULT || replicas != DEFAULT {
            return Err(Refusal::new(Code::InvalidRequest, "a manual assignment excludes a number of partitions and a replication factor"));
        }
        return assigned_count(core, &topic.assignments);
    }
    if replicas != DEFAULT && replicas < 1 {
        return Err(Refusal::new(Code::InvalidReplicationFactor, "Replication factor must be larger than 0."));
    }
    let partitions = match topic.num_partitions {
        DEFAULT => Ok(core.config.num_partitions),
        count if count < 1 => Err(Refusal::new(Code::InvalidPartitions, "Number of partitions must be larger than 0.")),
        count if count > MAX_PARTITIONS_PER_REQUEST => {
            Err(Refusal::new(Code::PolicyViolation, format!("a request creates at most {MAX_PARTITIONS_PER_REQUEST} partitions")))
        }
        count => Ok(count),
    }?;
    // The brokers are looked for last.
    if replicas > 1 {
        let text = format!("Unable to replicate the partition {replicas} time(s): this cluster has 1 broker");
        return Err(Refusal::new(Code::InvalidReplicationFactor, text));
    }
    Ok(partitions)
}

fn assigned_count(core: &Core, assignments: &[CreatableReplicaAssignment]) -> Result<i32, Refusal> {
    let mut indexes: Vec<i32> = assignments.iter().map(|a| a.partition_index).collect();
    indexes.sort_unstable();
    if !indexes.iter().copied().eq(0..assignments.len() as i32) {
        return Err(Refusal::new(
            Code::InvalidReplicaAssignment,
            "the partitions of a manual assignment are to be numbered from 0 without gaps",
        ));
    }
    for assignment in assignments {
        let brokers: Vec<i32> = assignment.broker_ids.iter().map(|b| b.0).collect();
        config_resource::check_assignment(core, &brokers)?;
    }
    Ok(assignments.len() as i32)
}

fn describe(config: &TopicConfig) -> Vec<CreatableTopicConfigs> {
    DEFINITIONS
        .iter()
        .filter(|definition| !definition.internal)
        .map(|definition| {
            let set = config.overrides().contains_key(definition.name);
            CreatableTopicConfigs::default()
                .with_name(StrBytes::from_static_str(definition.name))
                .with_value(Some(StrBytes::from_string(config.value(definition.name))))
                .with_config_source(if set { config_resource::SOURCE_TOPIC } else { config_resource::SOURCE_DEFAULT })
        })
        .collect()
}
