//! Offsets: those that logs have, those that groups committed, and the records before an offset.

use std::time::Duration;

use rdkafka_sys as rd;

use super::{NativeAdmin, elements, wait_for_change};
use crate::client::admin::IsolationLevel;
use crate::client::error::{Operation, from_native};
use crate::client::native::partition_list::{entries, entry};
use crate::client::native::{NativeError, PartitionEntry, PartitionList, c_string};
use crate::error::{Error, Result};

impl NativeAdmin {
    /// For each partition the offset that its entry's offset (a timestamp or -1, -2) asks for.
    pub(crate) fn list_offsets(
        &self,
        partitions: &PartitionList,
        isolation: IsolationLevel,
        timeout: Duration,
    ) -> Result<Vec<PartitionEntry>> {
        let level = match isolation {
            IsolationLevel::ReadUncommitted => rd::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED,
            IsolationLevel::ReadCommitted => rd::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
        };
        // SAFETY: options and list are live, the list is copied; the result lives in the answer.
        unsafe {
            let answer = self.request(
                rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS,
                timeout,
                |options| NativeError::check(rd::rd_kafka_AdminOptions_set_isolation_level(options, level)),
                |rk, options, queue| rd::rd_kafka_ListOffsets(rk, partitions.as_ptr(), options, queue),
            )?;
            let mut count = 0;
            let result = rd::rd_kafka_event_ListOffsets_result(answer.0.as_ptr());
            let infos = rd::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
            Ok(elements(infos, count).iter().map(|info| entry(rd::rd_kafka_ListOffsetsResultInfo_topic_partition(*info))).collect())
        }
    }

    pub(crate) fn committed_offsets(&self, group: &str, partitions: &PartitionList, timeout: Duration) -> Result<Vec<PartitionEntry>> {
        let group = c_string(group, "the group id")?;
        // SAFETY: the request object is ours, copied by the call, and destroyed once; the result lives in the answer.
        unsafe {
            let mut requests = [rd::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), partitions.as_ptr())];
            let answer = self.request(
                rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
                timeout,
                // An open transaction may hold newer offsets: the answer waits for its end instead of showing those before it.
                |options| NativeError::check(rd::rd_kafka_AdminOptions_set_require_stable_offsets(options, 1)),
                |rk, options, queue| rd::rd_kafka_ListConsumerGroupOffsets(rk, requests.as_mut_ptr(), requests.len(), options, queue),
            );
            rd::rd_kafka_ListConsumerGroupOffsets_destroy(requests[0]);
            let answer = answer?;
            let mut count = 0;
            let result = rd::rd_kafka_event_ListConsumerGroupOffsets_result(answer.0.as_ptr());
            let groups = rd::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count);
            let Some(group) = elements(groups, count).first() else {
                return Err(Error::internal("the answer about committed offsets is empty"));
            };
            let error = rd::rd_kafka_group_result_error(*group);
            if !error.is_null() {
                return Err(from_native(NativeError::read(error), Operation::Administer));
            }
            Ok(entries(rd::rd_kafka_group_result_partitions(*group)))
        }
    }

    /// Deletes what lies before each entry's offset.
    pub(crate) fn delete_records(&self, before: &PartitionList, timeout: Duration) -> Result<Vec<PartitionEntry>> {
        // SAFETY: the request object is ours, copied by the call, and destroyed once; the result lives in the answer.
        unsafe {
            let mut requests = [rd::rd_kafka_DeleteRecords_new(before.as_ptr())];
            let answer = self.request(
                rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETERECORDS,
                timeout,
                wait_for_change(timeout),
                |rk, options, queue| rd::rd_kafka_DeleteRecords(rk, requests.as_mut_ptr(), requests.len(), options, queue),
            );
            rd::rd_kafka_DeleteRecords_destroy(requests[0]);
            let answer = answer?;
            let result = rd::rd_kafka_event_DeleteRecords_result(answer.0.as_ptr());
            Ok(entries(rd::rd_kafka_DeleteRecords_result_offsets(result)))
        }
    }
}
