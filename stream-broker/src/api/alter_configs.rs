//! `AlterConfigs`: replaces all that is set on a resource. `IncrementalAlterConfigs` superseded it.

use kafka_protocol::ResponseError as Code;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use super::config_resource::{self, Refusal};
use crate::core::{Core, Outbox};

pub(crate) fn handle(core: &mut Core, request: AlterConfigsRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let responses = request
        .resources
        .into_iter()
        .map(|resource| {
            let outcome = config_resource::alter(core, resource.resource_type, &resource.resource_name, request.validate_only, now, |_| {
                resource
                    .configs
                    .iter()
                    .map(|config| match &config.value {
                        Some(value) => Ok((config.name.to_string(), value.to_string())),
                        None => Err(Refusal::new(Code::InvalidRequest, format!("Null value not supported for: {}", config.name))),
                    })
                    .collect()
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
    out.answer(ctx.ticket, AlterConfigsResponse::default().with_responses(responses));
}
