//! Topics and their settings.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, MetadataRequest,
};

use super::random::Random;
use super::side::Side;
use crate::support::{text, topic_name};

const TOPIC: i8 = 2;
const SETTINGS: &[&str] = &["cleanup.policy", "retention.ms", "segment.bytes", "min.insync.replicas", "no.such.setting", "flush.ms"];
const VALUES: &[&str] = &["compact", "delete", "1", "-1", "86400000", "1048576", "x", "compact,delete", ""];

/// Only checked: what a cluster creates it shows in its own time.
pub fn create(random: &mut Random, side: &mut Side) -> (String, String) {
    let version = random.version(2, 7);
    let name = random.pick(&["new", "t0", "bad name", "..", "", "new.one"]);
    let name = if name.is_empty() || name == ".." { name.to_owned() } else { format!("{}-{name}", side.prefix) };
    let partitions = random.pick(&[1, 3, 0, -1, -2]);
    let replicas = random.pick(&[1, 1, -1, 0, 3]);
    let mut topic =
        CreatableTopic::default().with_name(topic_name(&name)).with_num_partitions(partitions).with_replication_factor(replicas);
    let mut settings = String::new();
    if random.one_in(3) {
        let (setting, value) = (random.pick(SETTINGS), random.pick(VALUES));
        settings = format!("{setting}={value}");
        topic = topic.with_configs(vec![CreatableTopicConfig::default().with_name(text(setting)).with_value(Some(text(value)))]);
    }
    let request = CreateTopicsRequest::default().with_validate_only(true).with_timeout_ms(5_000).with_topics(vec![topic]);
    let answer = side.client.call(version, &request);
    let topic = &answer.topics[0];
    let name = name.replace(&side.prefix, "~");
    let asked = format!("create topic v{version} '{name}' {partitions} x {replicas} {settings}");
    (asked, format!("{} {} {}", topic.error_code, topic.num_partitions, topic.replication_factor))
}

pub fn create_partitions(random: &mut Random, side: &mut Side) -> (String, String) {
    let version = random.version(0, 3);
    let (topic, name) = side.any_topic(random);
    let count = random.pick(&[0, 1, 2, 3, -1]);
    let topics = vec![CreatePartitionsTopic::default().with_name(topic_name(&name)).with_count(count).with_assignments(None)];
    let request = CreatePartitionsRequest::default().with_validate_only(true).with_timeout_ms(5_000).with_topics(topics);
    let answer = side.client.call(version, &request);
    (format!("create partitions v{version} {topic} {count}"), format!("{}", answer.results[0].error_code))
}

pub fn describe_configs(random: &mut Random, side: &mut Side) -> (String, String) {
    let version = random.version(1, 4);
    let (topic, name) = side.any_topic(random);
    let keys = if random.one_in(3) { None } else { Some(vec![text(random.pick(SETTINGS)), text(random.pick(SETTINGS))]) };
    let resource =
        DescribeConfigsResource::default().with_resource_type(TOPIC).with_resource_name(text(&name)).with_configuration_keys(keys);
    let answer = side.client.call(version, &DescribeConfigsRequest::default().with_resources(vec![resource]));
    let result = &answer.results[0];
    let mut configs: Vec<_> = result.configs.iter().map(|c| (c.name.to_string(), c.config_source, c.read_only, c.is_sensitive)).collect();
    configs.sort();
    // `kafka/start.sh` sets a few defaults of its own.
    let values: Vec<_> = result.configs.iter().filter(|c| c.config_source == 1).map(|c| (c.name.to_string(), c.value.clone())).collect();
    let names: Vec<_> = configs.iter().map(|(name, ..)| name).collect();
    (format!("describe configs v{version} {topic}"), format!("{} {names:?} {values:?}", result.error_code))
}

pub fn alter_configs(random: &mut Random, side: &mut Side) -> (String, String) {
    let version = random.version(0, 1);
    let (topic, name) = side.any_topic(random);
    let (setting, value) = (random.pick(&["retention.ms", "min.insync.replicas", "no.such.setting", "flush.ms"]), random.pick(VALUES));
    let operation = random.below(5) as i8;
    let config = AlterableConfig::default().with_name(text(setting)).with_config_operation(operation).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default().with_resource_type(TOPIC).with_resource_name(text(&name)).with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_validate_only(true).with_resources(vec![resource]);
    let answer = side.client.call(version, &request);
    let code = answer.responses[0].error_code;
    (format!("alter config v{version} {topic} {setting} {operation} '{value}'"), format!("{code}"))
}

pub fn metadata(random: &mut Random, side: &mut Side) -> (String, String) {
    let version = random.version(0, 13);
    let (topic, name) = side.any_topic(random);
    let by_id = version >= 12 && topic < side.topic_ids.len() && random.one_in(2);
    let id = side.topic_ids.get(topic).copied().unwrap_or_default();
    let asked = match by_id {
        true => MetadataRequestTopic::default().with_name(None).with_topic_id(id),
        false => MetadataRequestTopic::default().with_name(Some(topic_name(&name))),
    };
    let request = MetadataRequest::default().with_topics(Some(vec![asked]));
    let request = if version >= 4 { request.with_allow_auto_topic_creation(false) } else { request };
    let mut answer = side.client.call(version, &request);
    answer.brokers.clear();
    for topic in &mut answer.topics {
        topic.partitions.sort_by_key(|partition| partition.partition_index);
    }
    (format!("metadata v{version} {topic}, by id {by_id}"), format!("{:?}", answer.topics))
}
