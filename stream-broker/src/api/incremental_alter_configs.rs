//! `IncrementalAlterConfigs`: sets, unsets, and edits lists.

use std::collections::{BTreeMap, HashSet};

use kafka_protocol::ResponseError as Code;
use kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use super::config_resource::{self, Refusal};
use crate::core::{Core, Outbox};
use crate::topic::config::TopicConfig;
use crate::topic::config_definition::{self, ConfigType, elements};

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(crate) fn handle(core: &mut Core, request: IncrementalAlterConfigsRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let responses = request
        .resources
        .into_iter()
        .map(|resource| {
            let outcome =
                config_resource::alter(core, resource.resource_type, &resource.resource_name, request.validate_only, now, |config| {
                    apply(config, &resource.configs)
                });
            let response = AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name);
            match outcome {
                Ok(()) => response.with_error_message(None),
                Err(refusal) => {
                    response.with_error_code(refusal.code.code()).with_error_message(Some(StrBytes::from_string(refusal.message)))
                }
            }
        })
        .collect();
    out.answer(ctx.ticket, IncrementalAlterConfigsResponse::default().with_responses(responses));
}

fn apply(config: &TopicConfig, changes: &[AlterableConfig]) -> Result<BTreeMap<String, String>, Refusal> {
    let mut overrides = config.overrides().clone();
    let mut changed = HashSet::new();
    for change in changes {
        let name = change.name.as_str();
        if !changed.insert(name) {
            return Err(Refusal::new(Code::InvalidRequest, format!("configuration {name} is changed more than once")));
        }
        let value = match (&change.value, change.config_operation) {
            (_, DELETE) => {
                overrides.remove(name);
                continue;
            }
            (Some(value), _) => value.as_str(),
            (None, _) => {
                return Err(Refusal::new(Code::InvalidRequest, format!("Null value not supported for: {name}")));
            }
        };
        let new_value = match change.config_operation {
            SET => value.to_owned(),
            operation @ (APPEND | SUBTRACT) => edit_list(config, name, operation, value)?,
            unknown => {
                // Kafka has no better word for it.
                return Err(Refusal::new(Code::UnknownServerError, format!("operation {unknown} on configuration {name} is unknown")));
            }
        };
        overrides.insert(name.to_owned(), new_value);
    }
    Ok(overrides)
}

fn edit_list(config: &TopicConfig, name: &str, operation: i8, value: &str) -> Result<String, Refusal> {
    if config_definition::find(name).is_none_or(|d| d.config_type != ConfigType::List) {
        return Err(Refusal::new(Code::InvalidConfig, format!("configuration {name} is no list: elements cannot be added or removed")));
    }
    let current = config.value(name);
    let mut list: Vec<&str> = elements(&current).collect();
    for element in elements(value) {
        if operation == SUBTRACT {
            list.retain(|&e| e != element);
        } else if !list.contains(&element) {
            list.push(element);
        }
    }
    Ok(list.join(","))
}
