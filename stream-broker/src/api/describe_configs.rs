//! `DescribeConfigs` of topics and of the broker.

use kafka_protocol::ResponseError as Code;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use super::config_resource::{RESOURCE_BROKER, RESOURCE_TOPIC, Refusal, SOURCE_DEFAULT, SOURCE_STATIC_BROKER, SOURCE_TOPIC};
use crate::core::{Core, CoreConfig, Outbox};
use crate::topic::config::TopicConfig;
use crate::topic::config_definition::{ConfigType, DEFINITIONS};

pub(crate) fn handle(core: &mut Core, request: DescribeConfigsRequest, ctx: &Ctx, _now: i64, out: &mut Outbox) {
    let results = request
        .resources
        .into_iter()
        .map(|resource| {
            let described = describe(core, &resource, request.include_synonyms);
            let result =
                DescribeConfigsResult::default().with_resource_type(resource.resource_type).with_resource_name(resource.resource_name);
            match described {
                Ok(configs) => result.with_error_message(None).with_configs(configs),
                Err(refusal) => {
                    result.with_error_code(refusal.code.code()).with_error_message(Some(StrBytes::from_string(refusal.message)))
                }
            }
        })
        .collect();
    out.answer(ctx.ticket, DescribeConfigsResponse::default().with_results(results));
}

fn describe(core: &Core, resource: &DescribeConfigsResource, synonyms: bool) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let name = resource.resource_name.as_str();
    let mut configs = match resource.resource_type {
        RESOURCE_TOPIC => {
            let topic = core
                .topics
                .get(name)
                .ok_or_else(|| Refusal::new(Code::UnknownTopicOrPartition, format!("The topic '{name}' does not exist.")))?;
            topic_configs(topic.config(), synonyms)
        }
        // The empty name stands for the dynamic defaults of all brokers; there are none.
        RESOURCE_BROKER if name.is_empty() => Vec::new(),
        RESOURCE_BROKER if name == core.config.node_id.to_string() => broker_configs(&core.config, synonyms),
        RESOURCE_BROKER => {
            return Err(Refusal::new(
                Code::InvalidRequest,
                format!("Unexpected broker id, expected {} but received {name}", core.config.node_id),
            ));
        }
        other => {
            return Err(Refusal::new(Code::InvalidRequest, format!("resource type {other} has no configurations here")));
        }
    };
    if let Some(keys) = &resource.configuration_keys {
        configs.retain(|config| keys.contains(&config.name));
    }
    Ok(configs)
}

fn topic_configs(config: &TopicConfig, synonyms: bool) -> Vec<DescribeConfigsResourceResult> {
    DEFINITIONS
        .iter()
        .filter(|definition| !definition.internal)
        .map(|definition| {
            let set = config.overrides().get(definition.name);
            let mut sources = Vec::new();
            if synonyms {
                if let Some(value) = set {
                    sources.push(synonym(definition.name, value, SOURCE_TOPIC));
                }
                if let Some(name) = definition.synonym {
                    sources.push(synonym(name, &config.default_value(definition), SOURCE_DEFAULT));
                }
            }
            entry(definition.name, config.value(definition.name), definition.config_type)
                .with_config_source(if set.is_some() { SOURCE_TOPIC } else { SOURCE_DEFAULT })
                .with_synonyms(sources)
        })
        .collect()
}

fn broker_configs(config: &CoreConfig, synonyms: bool) -> Vec<DescribeConfigsResourceResult> {
    use ConfigType::{Boolean, Int, Long, String as Text};
    let own = [
        ("auto.create.topics.enable", config.auto_create_topics.to_string(), Boolean),
        ("group.initial.rebalance.delay.ms", config.initial_rebalance_delay_ms.to_string(), Int),
        ("group.max.session.timeout.ms", config.group_max_session_timeout_ms.to_string(), Int),
        ("group.min.session.timeout.ms", config.group_min_session_timeout_ms.to_string(), Int),
        ("log.retention.check.interval.ms", config.retention_check_interval_ms.to_string(), Long),
        ("log.retention.ms", config.topic_defaults.retention_ms.to_string(), Long),
        ("message.max.bytes", config.topic_defaults.message_max_bytes.to_string(), Int),
        ("node.id", config.node_id.to_string(), Int),
        ("num.partitions", config.num_partitions.to_string(), Int),
        ("offset.metadata.max.bytes", config.offset_metadata_max_bytes.to_string(), Int),
        ("offsets.retention.minutes", (config.offsets_retention_ms / 60_000).to_string(), Int),
        ("producer.id.expiration.ms", config.producer_id_expiration_ms.to_string(), Int),
        ("transaction.max.timeout.ms", config.transaction_max_timeout_ms.to_string(), Int),
        ("transactional.id.expiration.ms", config.transactional_id_expiration_ms.to_string(), Int),
        ("default.replication.factor", "1".to_owned(), Int),
        ("process.roles", "broker,controller".to_owned(), Text),
    ];
    let own_names: Vec<&str> = own.iter().map(|(name, ..)| *name).collect();
    let mut configs: Vec<_> = own
        .into_iter()
        .map(|(name, value, config_type)| {
            let sources = if synonyms { vec![synonym(name, &value, SOURCE_STATIC_BROKER)] } else { Vec::new() };
            entry(name, value, config_type).with_config_source(SOURCE_STATIC_BROKER).with_read_only(true).with_synonyms(sources)
        })
        .collect();
    configs.extend(DEFINITIONS.iter().filter_map(|definition| {
        let name = definition.synonym.filter(|name| !own_names.contains(name))?;
        Some(entry(name, definition.default.to_owned(), definition.config_type).with_config_source(SOURCE_DEFAULT).with_read_only(true))
    }));
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    configs
}

fn entry(name: &'static str, value: String, config_type: ConfigType) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_string(value)))
        .with_config_type(config_type as i8)
        .with_documentation(None)
}

fn synonym(name: &'static str, value: &str, source: i8) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_string(value.to_owned())))
        .with_source(source)
}
