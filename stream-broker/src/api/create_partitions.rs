//! `CreatePartitions`: lets topics grow.

use kafka_protocol::ResponseError as Code;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use kafka_protocol::protocol::StrBytes;

use super::Ctx;
use super::config_resource::{self, Refusal};
use super::create_topics::MAX_PARTITIONS_PER_REQUEST;
use crate::core::{Core, Outbox};

pub(crate) fn handle(core: &mut Core, request: CreatePartitionsRequest, ctx: &Ctx, now: i64, out: &mut Outbox) {
    let results = request
        .topics
        .into_iter()
        .map(|topic| {
            let outcome = grow(core, &topic, request.validate_only, now);
            let result = CreatePartitionsTopicResult::default().with_name(topic.name);
            match outcome {
                Ok(()) => result,
                Err(refusal) => {
                    result.with_error_code(refusal.code.code()).with_error_message(Some(StrBytes::from_string(refusal.message)))
                }
            }
        })
        .collect();
    out.answer(ctx.ticket, CreatePartitionsResponse::default().with_results(results));
}

fn grow(core: &mut Core, asked: &CreatePartitionsTopic, validate_only: bool, now: i64) -> Result<(), Refusal> {
    let name: &str = &asked.name;
    let current = core
        .topics
        .get(name)
        .ok_or_else(|| Refusal::new(Code::UnknownTopicOrPartition, format!("The topic '{name}' does not exist.")))?
        .partition_count();
    let count = asked.count;
    if count == current {
        return Err(Refusal::new(Code::InvalidPartitions, format!("Topic already has {current} partition(s).")));
    }
    if count < current {
        return Err(Refusal::new(
            Code::InvalidPartitions,
            format!("The topic {name} currently has {current} partition(s); {count} would not be an increase."),
        ));
    }
    if count - current > MAX_PARTITIONS_PER_REQUEST {
        return Err(Refusal::new(Code::PolicyViolation, format!("a request creates at most {MAX_PARTITIONS_PER_REQUEST} partitions")));
    }
    if let Some(assignments) = &asked.assignments {
        if assignments.len() as i32 != count - current {
            return Err(Refusal::new(
                Code::InvalidReplicaAssignment,
                format!("{} assignments were given for {} new partitions", assignments.len(), count - current),
            ));
        }
        for assignment in assignments {
            let brokers: Vec<i32> = assignment.broker_ids.iter().map(|b| b.0).collect();
            config_resource::check_assignment(core, &brokers)?;
        }
    }
    if !validate_only {
        core.topics.grow(name, count, now)?;
    }
    Ok(())
}
