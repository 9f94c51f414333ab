//! What the APIs about topics and configurations share: resources, sources of values, and refusals with a reason.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError as Code;

use crate::core::Core;
use crate::topic::config::TopicConfig;

/// Types of resources that can have configurations.
pub(super) const RESOURCE_TOPIC: i8 = 2;
pub(super) const RESOURCE_BROKER: i8 = 4;

/// Where a value comes from.
pub(super) const SOURCE_TOPIC: i8 = 1;
pub(super) const SOURCE_STATIC_BROKER: i8 = 4;
pub(super) const SOURCE_DEFAULT: i8 = 5;

/// Why a part of a request was not done.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Refusal { code, message: message.into() }
    }
}

/// Clients retry a failure of the disk.
impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Refusal::new(Code::KafkaStorageError, error.to_string())
    }
}

/// Changes the overrides of a resource, or only checks the change.
pub(super) fn alter(
    core: &mut Core,
    resource_type: i8,
    resource_name: &str,
    validate_only: bool,
    now: i64,
    change: impl FnOnce(&TopicConfig) -> Result<BTreeMap<String, String>, Refusal>,
) -> Result<(), Refusal> {
    match resource_type {
        RESOURCE_TOPIC => {}
        RESOURCE_BROKER => {
            return Err(Refusal::new(Code::InvalidRequest, "the configuration of this broker is fixed at its start"));
        }
        other => {
            return Err(Refusal::new(Code::InvalidRequest, format!("resource type {other} has no configurations here")));
        }
    }
    // The change is checked first, also that of a topic that does not exist.
    let present = core.topics.get(resource_name).map(|topic| topic.config().clone());
    let exists = present.is_some();
    let invalid = |objection| Refusal::new(Code::InvalidConfig, objection);
    let present = present.map_or_else(|| core.topics.new_config(BTreeMap::new()).map_err(invalid), Ok)?;
    let config = present.with_overrides(change(&present)?).map_err(invalid)?;
    if !exists {
        return Err(Refusal::new(Code::UnknownTopicOrPartition, format!("The topic '{resource_name}' does not exist.")));
    }
    if !validate_only {
        core.topics.set_config(resource_name, config, now)?;
    }
    Ok(())
}

/// Checks the replicas that a client chose for a partition: there is one broker.
pub(super) fn check_assignment(core: &Core, brokers: &[i32]) -> Result<(), Refusal> {
    if brokers == [core.config.node_id] {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidReplicaAssignment,
        format!("the replicas {brokers:?} are not available: the only broker is {}", core.config.node_id),
    ))
}
