//! Topics: create, delete, describe, list, read their configs.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::time::Duration;

use rdkafka_sys as rd;
use uuid::Uuid;

use super::{NativeAdmin, elements, plain, wait_for_change};
use crate::client::admin::{NewTopic, TopicInfo};
use crate::client::error::{Operation, from_native};
use crate::client::native::{ErrorText, NativeError, c_string, ffi, string, timeout_ms};
use crate::error::{Error, Result};

/// One result per name.
type PerName<T> = Vec<(String, Result<T, NativeError>)>;

struct NewTopicHandle(*mut rd::rd_kafka_NewTopic_t);

impl Drop for NewTopicHandle {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_NewTopic_destroy(self.0) }
    }
}

impl NewTopicHandle {
    fn new(topic: &NewTopic) -> Result<Self> {
        let name = c_string(&topic.name, "a topic name")?;
        let mut text = ErrorText::new();
        // SAFETY: the strings are copied; the buffer has the stated length.
        unsafe {
            let handle = rd::rd_kafka_NewTopic_new(
                name.as_ptr(),
                topic.partitions,
                i32::from(topic.replication_factor),
                text.as_mut_ptr(),
                text.len(),
            );
            if handle.is_null() {
                return Err(Error::invalid(format!("topic {} cannot be created: {text}", topic.name)));
            }
            let handle = Self(handle);
            for (key, value) in &topic.configs {
                let (key, value) = (c_string(key, "a topic config")?, c_string(value, "a topic config")?);
                rd::rd_kafka_NewTopic_set_config(handle.0, key.as_ptr(), value.as_ptr());
            }
            Ok(handle)
        }
    }
}

impl NativeAdmin {
    pub(crate) fn create_topics(&self, topics: &[NewTopic], timeout: Duration) -> Result<PerName<()>> {
        let handles = topics.iter().map(NewTopicHandle::new).collect::<Result<Vec<_>>>()?;
        let mut pointers: Vec<_> = handles.iter().map(|handle| handle.0).collect();
        // SAFETY: the handles live during the call and are copied; the result lives in the answer.
        unsafe {
            let answer = self.request(
                rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS,
                timeout,
                wait_for_change(timeout),
                |rk, options, queue| rd::rd_kafka_CreateTopics(rk, pointers.as_mut_ptr(), pointers.len(), options, queue),
            )?;
            let mut count = 0;
            let result = rd::rd_kafka_event_CreateTopics_result(answer.0.as_ptr());
            let results = rd::rd_kafka_CreateTopics_result_topics(result, &raw mut count);
            Ok(topic_results(results, count))
        }
    }

    pub(crate) fn delete_topics(&self, names: &[&str], timeout: Duration) -> Result<PerName<()>> {
        let names = names.iter().map(|name| c_string(name, "a topic name")).collect::<Result<Vec<_>>>()?;
        // SAFETY: the handles are ours, copied by the call, and destroyed once; the result lives in the answer.
        unsafe {
            let mut handles: Vec<_> = names.iter().map(|name| rd::rd_kafka_DeleteTopic_new(name.as_ptr())).collect();
            let answer = self.request(
                rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS,
                timeout,
                wait_for_change(timeout),
                |rk, options, queue| rd::rd_kafka_DeleteTopics(rk, handles.as_mut_ptr(), handles.len(), options, queue),
            );
            rd::rd_kafka_DeleteTopic_destroy_array(handles.as_mut_ptr(), handles.len());
            let answer = answer?;
            let mut count = 0;
            let result = rd::rd_kafka_event_DeleteTopics_result(answer.0.as_ptr());
            let results = rd::rd_kafka_DeleteTopics_result_topics(result, &raw mut count);
            Ok(topic_results(results, count))
        }
    }

    pub(crate) fn describe_topics(&self, names: &[&str], timeout: Duration) -> Result<PerName<TopicInfo>> {
        let names = names.iter().map(|name| c_string(name, "a topic name")).collect::<Result<Vec<CString>>>()?;
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: the collection is ours, copies the names, and is destroyed once; the result lives in the answer.
        unsafe {
            let collection = rd::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            let answer = self.request(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout, plain, |rk, options, queue| {
                rd::rd_kafka_DescribeTopics(rk, collection, options, queue);
            });
            rd::rd_kafka_TopicCollection_destroy(collection);
            let answer = answer?;
            let mut count = 0;
            let result = rd::rd_kafka_event_DescribeTopics_result(answer.0.as_ptr());
            let topics = rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
            Ok(elements(topics, count)
                .iter()
                .map(|topic| (string(rd::rd_kafka_TopicDescription_name(*topic)), description(*topic)))
                .collect())
        }
    }

    pub(crate) fn list_topics(&self, timeout: Duration) -> Result<Vec<String>> {
        let client = self.client();
        let mut metadata: *const rd::rd_kafka_metadata = std::ptr::null();
        // SAFETY: the client is live; the metadata is ours, read within its counts, and destroyed once.
        unsafe {
            let code = ffi::rd_kafka_metadata(client.rk(), 1, std::ptr::null_mut(), &raw mut metadata, timeout_ms(timeout).max(1));
            if code != 0 {
                return Err(from_native(NativeError::from_code(code), Operation::Administer));
            }
            let topics = elements((*metadata).topics.cast_const(), usize::try_from((*metadata).topic_cnt).unwrap_or(0));
            let names = topics.iter().filter(|topic| ffi::code(&raw const topic.err) == 0).map(|topic| string(topic.topic)).collect();
            rd::rd_kafka_metadata_destroy(metadata);
            Ok(names)
        }
    }

    pub(crate) fn topic_configs(&self, names: &[&str], timeout: Duration) -> Result<PerName<BTreeMap<String, String>>> {
        let names = names.iter().map(|name| c_string(name, "a topic name")).collect::<Result<Vec<_>>>()?;
        // SAFETY: the handles are ours, copied by the call, and destroyed once; the result lives in the answer.
        unsafe {
            let mut handles: Vec<_> = names
                .iter()
                .map(|name| rd::rd_kafka_ConfigResource_new(rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, name.as_ptr()))
                .collect();
            let answer = self.request(rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout, plain, |rk, options, queue| {
                rd::rd_kafka_DescribeConfigs(rk, handles.as_mut_ptr(), handles.len(), options, queue);
            });
            rd::rd_kafka_ConfigResource_destroy_array(handles.as_mut_ptr(), handles.len());
            let answer = answer?;
            let mut count = 0;
            let result = rd::rd_kafka_event_DescribeConfigs_result(answer.0.as_ptr());
            let resources = rd::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
            Ok(elements(resources, count)
                .iter()
                .map(|resource| (string(rd::rd_kafka_ConfigResource_name(*resource)), configs(*resource)))
                .collect())
        }
    }
}

/// # Safety
/// `results` has `count` live elements.
unsafe fn topic_results(results: *const *const rd::rd_kafka_topic_result_t, count: usize) -> PerName<()> {
    // SAFETY: by contract; texts are copied.
    unsafe {
        let read = |result: &*const rd::rd_kafka_topic_result_t| {
            let outcome = match ffi::rd_kafka_topic_result_error(*result) {
                0 => Ok(()),
                code => Err(NativeError::with_reason(code, &string(rd::rd_kafka_topic_result_error_string(*result)))),
            };
            (string(rd::rd_kafka_topic_result_name(*result)), outcome)
        };
        elements(results, count).iter().map(read).collect()
    }
}

/// # Safety
/// `topic` is live.
unsafe fn description(topic: *const rd::rd_kafka_TopicDescription_t) -> Result<TopicInfo, NativeError> {
    // SAFETY: by contract; the error stays the description's.
    unsafe {
        let error = rd::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() && ffi::rd_kafka_error_code(error) != 0 {
            return Err(NativeError::read(error));
        }
        let mut partitions = 0;
        rd::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        let id = rd::rd_kafka_TopicDescription_topic_id(topic);
        let id = Uuid::from_u64_pair(
            rd::rd_kafka_Uuid_most_significant_bits(id).cast_unsigned(),
            rd::rd_kafka_Uuid_least_significant_bits(id).cast_unsigned(),
        );
        Ok(TopicInfo { partitions: i32::try_from(partitions).unwrap_or(i32::MAX), topic_id: (!id.is_nil()).then_some(id) })
    }
}

/// # Safety
/// `resource` is live.
unsafe fn configs(resource: *const rd::rd_kafka_ConfigResource_t) -> Result<BTreeMap<String, String>, NativeError> {
    // SAFETY: by contract; texts are copied.
    unsafe {
        let code = ffi::rd_kafka_ConfigResource_error(resource);
        if code != 0 {
            return Err(NativeError::with_reason(code, &string(rd::rd_kafka_ConfigResource_error_string(resource))));
        }
        let mut count = 0;
        let entries = rd::rd_kafka_ConfigResource_configs(resource, &raw mut count);
        let read = |entry: &*const rd::rd_kafka_ConfigEntry_t| {
            (string(rd::rd_kafka_ConfigEntry_name(*entry)), string(rd::rd_kafka_ConfigEntry_value(*entry)))
        };
        Ok(elements(entries, count).iter().map(read).collect())
    }
}
