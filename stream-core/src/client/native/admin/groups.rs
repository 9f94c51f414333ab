//! Groups: who is a member.

use std::ffi::CStr;
use std::time::Duration;

use rdkafka_sys as rd;

use super::{NativeAdmin, elements, plain};
use crate::client::error::code::GROUP_ID_NOT_FOUND;
use crate::client::error::{Operation, from_native};
use crate::client::native::partition_list::entries;
use crate::client::native::{NativeError, PartitionEntry, c_string, ffi, string};
use crate::error::{Error, Result};

/// A member of a group.
#[derive(Clone, Debug)]
pub(crate) struct MemberDescription {
    pub(crate) member: String,
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) assignment: Vec<PartitionEntry>,
}

impl NativeAdmin {
    /// The state of a group, by Kafka's name, and its members.
    pub(crate) fn describe_group(&self, group: &str, timeout: Duration) -> Result<(String, Vec<MemberDescription>)> {
        let group = c_string(group, "the group id")?;
        let mut groups = [group.as_ptr()];
        // SAFETY: the name is copied; the result lives in the answer, its texts are copied.
        unsafe {
            let answer =
                self.request(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, timeout, plain, |rk, options, queue| {
                    rd::rd_kafka_DescribeConsumerGroups(rk, groups.as_mut_ptr(), groups.len(), options, queue)
                })?;
            let mut count = 0;
            let result = rd::rd_kafka_event_DescribeConsumerGroups_result(answer.0.as_ptr());
            let groups = rd::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
            let Some(&group) = elements(groups, count).first() else {
                return Err(Error::internal("the description of a group is empty"));
            };
            let error = rd::rd_kafka_ConsumerGroupDescription_error(group);
            if !error.is_null() && ffi::rd_kafka_error_code(error) != 0 {
                // Brokers before 4.0 say `Dead` instead.
                if ffi::rd_kafka_error_code(error) == GROUP_ID_NOT_FOUND {
                    return Ok(("Dead".to_owned(), Vec::new()));
                }
                return Err(from_native(NativeError::read(error), Operation::Administer));
            }
            let state = string(rd::rd_kafka_consumer_group_state_name(rd::rd_kafka_ConsumerGroupDescription_state(group)));
            let members = (0..rd::rd_kafka_ConsumerGroupDescription_member_count(group))
                .map(|index| member(rd::rd_kafka_ConsumerGroupDescription_member(group, index)))
                .collect();
            Ok((state, members))
        }
    }
}

/// # Safety
/// `member` is live.
unsafe fn member(member: *const rd::rd_kafka_MemberDescription_t) -> MemberDescription {
    // SAFETY: by contract; texts are copied.
    unsafe {
        let instance = rd::rd_kafka_MemberDescription_group_instance_id(member);
        let assignment = rd::rd_kafka_MemberDescription_assignment(member);
        MemberDescription {
            member: string(rd::rd_kafka_MemberDescription_consumer_id(member)),
            instance: (!instance.is_null()).then(|| CStr::from_ptr(instance).to_string_lossy().into_owned()),
            client_id: string(rd::rd_kafka_MemberDescription_client_id(member)),
            client_host: string(rd::rd_kafka_MemberDescription_host(member)),
            assignment: if assignment.is_null() { Vec::new() } else { entries(rd::rd_kafka_MemberAssignment_partitions(assignment)) },
        }
    }
}
