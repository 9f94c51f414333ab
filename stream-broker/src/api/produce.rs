//! `Produce`: appends one record batch to each of several partitions.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::core::{Core, Outbox, Ticket};
use crate::log::batch::BatchHeader;
use crate::log::compression::ZSTD;
use crate::topic::internal;
use crate::topic::partition::{AppendError, Appended};
use crate::transaction::{self, Producer, TransactionVersion};

/// The first version that names topics by their ids (KIP-516).
const TOPIC_IDS: i16 = 13;
/// The first version whose clients know `TRANSACTION_ABORTABLE` (KIP-890).
const KNOWS_ABORTABLE: i16 = 11;
/// The first version that adds partitions to the transaction by itself (KIP-890, version 2).
const ADDS_PARTITIONS: i16 = 12;
/// The first version whose clients may send zstd (KIP-110).
const KNOWS_ZSTD: i16 = 7;

pub(crate) fn handle(core: &mut Core, request: ProduceRequest, ticket: Ticket, version: i16, now: i64, out: &mut Outbox) {
    let acks = request.acks;
    let unauthorized = request.transactional_id.is_none() && has_transactional(&request);
    let transactional_id = request.transactional_id.map(|id| id.0);
    let mut failed = false;
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for TopicProduceData { name, topic_id, partition_data, .. } in request.topic_data {
        let name = match (version >= TOPIC_IDS).then(|| core.topics.name_of(topic_id)) {
            None => Some(name),
            Some(found) => found.map(|found| TopicName(StrBytes::from_string(found.to_owned()))),
        };
        let topic_name = name.as_ref().map_or("", |name| name.as_str());
        let mut partitions = Vec::with_capacity(partition_data.len());
        for data in partition_data {
            let index = data.index;
            let outcome = if name.is_none() {
                Err(Failure::new(ResponseError::UnknownTopicId, format!("there is no topic with the id {topic_id}")))
            } else if unauthorized {
                Err(Failure::new(
                    ResponseError::TransactionalIdAuthorizationFailed,
                    "a transactional batch was sent without a transactional id",
                ))
            } else {
                append(core, topic_name, data, &Terms { acks, version, transactional_id: transactional_id.as_ref() }, now)
            };
            if outcome.as_ref().is_ok_and(|appended| appended.bytes > 0) {
                core.wake_fetches(topic_name, index, now, out);
            }
            failed |= outcome.is_err();
            let log_start = core.topics.partition(topic_name, index).map_or(-1, |p| p.log.start_offset());
            partitions.push(partition_response(index, outcome, log_start));
        }
        let response = TopicProduceResponse::default().with_name(name.unwrap_or_default()).with_topic_id(topic_id);
        responses.push(response.with_partition_responses(partitions));
    }
    match (acks, failed) {
        (0, false) => out.silence(ticket),
        // Without a response the only way to report the failure is to close the connection: the client asks for metadata anew.
        (0, true) => out.close(ticket),
        _ => out.answer(ticket, ProduceResponse::default().with_responses(responses)),
    }
}

fn has_transactional(request: &ProduceRequest) -> bool {
    request
        .topic_data
        .iter()
        .flat_map(|topic| &topic.partition_data)
        .filter_map(|partition| BatchHeader::read(partition.records.as_ref()?))
        .any(|header| header.is_transactional())
}

/// Why a batch was not appended, and whether the log itself refused it: then the answer has where the log begins.
struct Failure {
    error: AppendError,
    by_log: bool,
}

impl Failure {
    fn new(code: ResponseError, message: impl Into<String>) -> Self {
        Failure { error: AppendError::new(code, message), by_log: false }
    }

    fn of_log(error: AppendError) -> Self {
        use ResponseError as Code;
        let before =
            matches!(error.code, Code::CorruptMessage | Code::MessageTooLarge | Code::RecordListTooLarge | Code::KafkaStorageError);
        Failure { error, by_log: !before }
    }
}

/// What a request says of all its batches.
struct Terms<'a> {
    acks: i16,
    version: i16,
    transactional_id: Option<&'a StrBytes>,
}

fn append(core: &mut Core, topic: &str, data: PartitionProduceData, terms: &Terms<'_>, now: i64) -> Result<Appended, Failure> {
    use ResponseError as Code;
    let &Terms { acks, version, .. } = terms;
    let Some(found) = core.topics.get(topic) else {
        return Err(unknown(topic, data.index));
    };
    let Some(partition) = found.partition(data.index) else {
        return Err(unknown(topic, data.index));
    };
    let records = data.records.unwrap_or_default();
    if records.is_empty() {
        return Err(Failure::new(Code::InvalidRecord, format!("there is no batch for {topic}-{}", data.index)));
    }
    if let Some(header) = BatchHeader::read(&records) {
        if header.compression() == ZSTD && version < KNOWS_ZSTD {
            return Err(Failure::new(Code::UnsupportedCompressionType, format!("zstd needs version {KNOWS_ZSTD} of the produce request")));
        }
        let producer = Producer { id: header.producer_id, epoch: header.producer_epoch };
        // A partition takes part in a transaction only after the coordinator was told (KIP-890), or the marker that ends the
        // transaction would not reach it and its records would hang for ever. Once open here it need not be asked again.
        if header.is_transactional() && header.has_producer() && !partition.producers.has_open_transaction(producer.id, producer.epoch) {
            let known = partition.producers.epoch(producer.id);
            if version >= ADDS_PARTITIONS {
                add_to_transaction(core, topic, data.index, producer, terms.transactional_id, now)?;
                // The sequence begins anew with each epoch, so a first batch that is none has lost others before it.
                if known.is_none() && header.base_sequence > 0 {
                    let text = format!(
                        "the first batch of producer {} in {topic}-{} has sequence {}",
                        producer.id, data.index, header.base_sequence
                    );
                    return Err(Failure { error: AppendError::new(Code::OutOfOrderSequenceNumber, text), by_log: true });
                }
            } else {
                check_transaction(core, topic, data.index, producer, terms)?;
            }
        }
    }
    if !matches!(acks, -1..=1) {
        return Err(Failure::new(Code::InvalidRequiredAcks, format!("acks is {acks}; it must be 0, 1 or -1 (all)")));
    }
    // Only the coordinators write to their topics, and who reads them relies on it.
    if internal::is_internal(topic) {
        return Err(Failure::new(Code::InvalidTopicException, format!("clients cannot write to the internal topic '{topic}'")));
    }
    if !core.topics.has_memory_for(records.len(), now) {
        return Err(Failure::new(
            Code::KafkaStorageError,
            format!("the logs have reached their memory budget of {} bytes", core.topics.log_memory_bytes()),
        ));
    }
    let Some(partition) = core.topics.partition_mut(topic, data.index) else {
        return Err(unknown(topic, data.index));
    };
    let appended = partition.append(&records, now).map_err(Failure::of_log)?;
    core.topics.grew(appended.bytes);
    Ok(appended)
}

/// Checks that the partition is part of the producer's open transaction.
fn check_transaction(core: &mut Core, topic: &str, index: i32, producer: Producer, terms: &Terms<'_>) -> Result<(), Failure> {
    let nobody = StrBytes::default();
    let id = terms.transactional_id.unwrap_or(&nobody);
    let code = match core.transactions.verify_partitions(id, producer, [(topic, index)]) {
        Ok(parts) if parts.contains(&true) => return Ok(()),
        Ok(_) if terms.version >= KNOWS_ABORTABLE => ResponseError::TransactionAbortable,
        Ok(_) => ResponseError::InvalidTxnState,
        // Whoever produces knows only the older name for it.
        Err(ResponseError::ProducerFenced) => ResponseError::InvalidProducerEpoch,
        // What makes every client send its batch again.
        Err(ResponseError::ConcurrentTransactions) => ResponseError::NotEnoughReplicas,
        Err(other) => other,
    };
    let Producer { id: producer_id, epoch } = producer;
    let text = format!("partition {topic}-{index} was not added to a transaction of producer {producer_id} with epoch {epoch}");
    Err(Failure::new(code, text))
}

/// Makes the partition part of the producer's transaction, which begins so if it has not yet.
fn add_to_transaction(
    core: &mut Core,
    topic: &str,
    index: i32,
    producer: Producer,
    transactional_id: Option<&StrBytes>,
    now: i64,
) -> Result<(), Failure> {
    let nobody = StrBytes::default();
    let id = transactional_id.unwrap_or(&nobody);
    let added = transaction::logged(core, id, now, |transactions| {
        transactions.add_partitions(id, producer, [(topic, index)], TransactionVersion::V2, now)
    });
    added.map_err(|error| {
        // Whoever produces knows only the older name for it.
        let code = if error == ResponseError::ProducerFenced { ResponseError::InvalidProducerEpoch } else { error };
        let Producer { id: producer_id, epoch } = producer;
        let text = format!(
            "partition {topic}-{index} cannot be added to the transaction of '{}', producer {producer_id} with epoch {epoch}: {error}",
            id.as_str()
        );
        Failure::new(code, text)
    })
}

fn unknown(topic: &str, partition: i32) -> Failure {
    Failure::new(ResponseError::UnknownTopicOrPartition, format!("there is no partition {topic}-{partition}"))
}

fn partition_response(index: i32, outcome: Result<Appended, Failure>, log_start: i64) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    match outcome {
        Ok(appended) => {
            response.with_base_offset(appended.base_offset).with_log_append_time_ms(appended.append_time).with_log_start_offset(log_start)
        }
        Err(Failure { error, by_log }) => response
            .with_error_code(error.code.code())
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(if by_log { log_start } else { -1 })
            .with_error_message(Some(StrBytes::from_string(error.message))),
    }
}
