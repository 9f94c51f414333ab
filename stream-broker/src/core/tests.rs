//! What a broker on a disk keeps when it ends: cleanly, or killed in the middle of any write.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterConfigsRequest, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteRecordsRequest, DeleteTopicsRequest, EndTxnRequest, GroupId, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest,
    OffsetCommitRequest, ProduceRequest, ProducerId, SyncGroupRequest, TopicName, TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

mod simulation;

use super::CoreConfig;
use crate::harness::{Harness, body, text};
use crate::storage::tests::simulated::Simulated;
use crate::topic::partition::Isolation;

const NOT_COORDINATOR: i16 = 16;
const ILLEGAL_GENERATION: i16 = 22;
const STORAGE_ERROR: i16 = 56;

type Producer = (i64, i16);

fn config() -> CoreConfig {
    CoreConfig::default()
}

fn start(storage: &Simulated) -> Harness {
    Harness::on(storage, config(), 1_000_000)
}

fn create(broker: &mut Harness, name: &str, settings: &[(&str, &str)]) {
    let setting = |&(name, value): &(&str, &str)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)));
    let topic = CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(2)
        .with_replication_factor(1)
        .with_configs(settings.iter().map(setting).collect());
    let result = body!(CreateTopics, broker.call(7, CreateTopicsRequest::default().with_topics(vec![topic]))).topics.remove(0);
    assert_eq!(result.error_code, 0, "{:?}", result.error_message);
}

/// The transactional id, if there is one, and what it makes of a request.
fn init(broker: &mut Harness, id: Option<&str>) -> Producer {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(id.map(|id| TransactionalId(text(id))))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let response = body!(InitProducerId, broker.call(4, request));
    assert_eq!(response.error_code, 0);
    (response.producer_id.0, response.producer_epoch)
}

/// Writes one record to partition 0 of `t`; its offset, or the error code.
fn produce(broker: &mut Harness, producer: Producer, sequence: i32, id: Option<&str>) -> Result<i64, i16> {
    let record = Record {
        transactional: id.is_some(),
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: producer.0,
        producer_epoch: producer.1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence,
        timestamp: broker.now,
        key: Some(Bytes::from_static(b"key")),
        value: Some(Bytes::from(format!("value {sequence}"))),
        headers: Default::default(),
    };
    let mut records = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut records, [&record], &options).unwrap();
    let data = PartitionProduceData::default().with_index(0).with_records(Some(records.freeze()));
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_transactional_id(id.map(|id| TransactionalId(text(id))))
        .with_topic_data(vec![TopicProduceData::default().with_name(TopicName(text("t"))).with_partition_data(vec![data])]);
    let response = body!(Produce, broker.call(9, request)).responses.remove(0).partition_responses.remove(0);
    if response.error_code == 0 { Ok(response.base_offset) } else { Err(response.error_code) }
}

fn begin(broker: &mut Harness, producer: Producer, id: &str) {
    let topic = AddPartitionsToTxnTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![0]);
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(TransactionalId(text(id)))
        .with_v3_and_below_producer_id(ProducerId(producer.0))
        .with_v3_and_below_producer_epoch(producer.1)
        .with_v3_and_below_topics(vec![topic]);
    let results = body!(AddPartitionsToTxn, broker.call(3, request)).results_by_topic_v3_and_below;
    assert_eq!(results[0].results_by_partition[0].partition_error_code, 0);
}

fn commit_in(broker: &mut Harness, producer: Producer, id: &str, offset: i64) {
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(TransactionalId(text(id)))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_group_id(GroupId(text("g")));
    assert_eq!(body!(AddOffsetsToTxn, broker.call(3, request)).error_code, 0);
    let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = TxnOffsetCommitRequestTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(TransactionalId(text(id)))
        .with_group_id(GroupId(text("g")))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_generation_id(-1)
        .with_topics(vec![topic]);
    assert_eq!(body!(TxnOffsetCommit, broker.call(3, request)).topics[0].partitions[0].error_code, 0);
}

fn end(broker: &mut Harness, producer: Producer, id: &str, commit: bool) -> i16 {
    let request = EndTxnRequest::default()
        .with_transactional_id(TransactionalId(text(id)))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_committed(commit);
    body!(EndTxn, broker.call(3, request)).error_code
}

fn commit(broker: &mut Harness, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition]);
    let request =
        OffsetCommitRequest::default().with_group_id(GroupId(text("g"))).with_generation_id_or_member_epoch(-1).with_topics(vec![topic]);
    body!(OffsetCommit, broker.call(8, request)).topics[0].partitions[0].error_code
}

fn set_retention(broker: &mut Harness, value: &str) {
    let setting = AlterableConfig::default().with_name(text("retention.ms")).with_value(Some(text(value)));
    let small = AlterableConfig::default().with_name(text("internal.segment.bytes")).with_value(Some(text("400")));
    let resource = AlterConfigsResource::default().with_resource_type(2).with_resource_name(text("t")).with_configs(vec![setting, small]);
    let request = AlterConfigsRequest::default().with_resources(vec![resource]);
    assert_eq!(body!(AlterConfigs, broker.call(2, request)).responses[0].error_code, 0);
}

fn delete_records(broker: &mut Harness, offset: i64) {
    let partition = DeleteRecordsPartition::default().with_offset(offset);
    let topic = DeleteRecordsTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]);
    assert_eq!(body!(DeleteRecords, broker.call(2, request)).topics[0].partitions[0].error_code, 0);
}

/// What a client was told of the broker's state.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    start: i64,
    end: i64,
    committed: Option<i64>,
    retention: String,
    /// All records of partition 0, as they are in the log.
    records: Vec<u8>,
}

fn records(broker: &Harness, from: i64) -> Vec<u8> {
    let partition = broker.core.topics.partition("t", 0).unwrap();
    let mut all = Vec::new();
    let mut offset = from;
    while offset < partition.log.end_offset() {
        let bytes = partition.read(offset, 1 << 20, Isolation::ReadUncommitted, true).unwrap();
        assert!(!bytes.is_empty(), "nothing at {offset}");
        let mut rest = &bytes[..];
        while let Some(header) = crate::log::batch::BatchHeader::read(rest) {
            offset = header.last_offset() + 1;
            rest = &rest[header.size..];
        }
        all.extend_from_slice(&bytes);
    }
    all
}

fn facts(broker: &Harness) -> Option<Facts> {
    let topic = broker.core.topics.get("t")?;
    let log = &topic.partition(0)?.log;
    Some(Facts {
        start: log.start_offset(),
        end: log.end_offset(),
        committed: broker.core.groups.get(&text("g")).and_then(|group| group.offsets().get("t", 0)).map(|offset| offset.offset),
        retention: topic.config().value("retention.ms"),
        records: records(broker, log.start_offset()),
    })
}

/// Everything that a restart has to bring back, as text.
fn state(broker: &Harness) -> String {
    let mut text = format!("cluster {}\n", broker.core.cluster_id);
    for (name, topic) in broker.core.topics.iter() {
        text += &format!("{name} {} {:?}\n", topic.id, topic.config().overrides());
        for partition in topic.partitions().iter().filter(|partition| partition.log.end_offset() > 0) {
            let log = &partition.log;
            text += &format!("{}..{} stable {}\n", log.start_offset(), log.end_offset(), partition.last_stable_offset());
            let mut producers: Vec<_> = partition.producers.active().collect();
            producers.sort_by_key(|producer| producer.producer_id);
            text += &format!("{producers:?}\n{:?}\n", partition.aborted.iter().collect::<Vec<_>>());
        }
    }
    for group in broker.core.groups.iter() {
        if let Some(group) = group.classic() {
            text += &format!("{} {:?} {} {:?}\n", group.id.as_str(), group.state, group.generation, group.protocol);
        }
        for (topic, partitions) in group.offsets().iter() {
            text += &format!("{topic} {:?}\n", partitions.collect::<Vec<_>>());
        }
        text += &format!("pending {:?}\n", group.offsets().is_pending("t", 0));
    }
    let mut transactions: Vec<_> = broker.core.transactions.iter().map(|transaction| format!("{transaction:?}\n")).collect();
    transactions.sort();
    // The epoch before the last is not written down, as in Kafka.
    let unknown = transactions.concat();
    text + &unknown
}

/// A bit of everything, with a transaction left open at the end. After each step `note` is called.
fn scenario(broker: &mut Harness, mut note: impl FnMut(&Harness)) -> (Producer, Producer) {
    create(broker, "t", &[("internal.segment.bytes", "400"), ("retention.ms", "-1")]);
    note(broker);
    let idempotent = init(broker, None);
    for sequence in 0..5 {
        produce(broker, idempotent, sequence, None).unwrap();
        note(broker);
        assert_eq!(commit(broker, i64::from(sequence)), 0);
        note(broker);
    }
    let transactional = init(broker, Some("id"));
    note(broker);
    for (sequence, commits) in [(0, true), (1, false), (2, true)] {
        begin(broker, transactional, "id");
        produce(broker, transactional, sequence, Some("id")).unwrap();
        note(broker);
        commit_in(broker, transactional, "id", i64::from(100 + sequence));
        note(broker);
        assert_eq!(end(broker, transactional, "id", commits), 0);
        note(broker);
    }
    set_retention(broker, "77777777");
    note(broker);
    delete_records(broker, 3);
    note(broker);
    begin(broker, transactional, "id");
    produce(broker, transactional, 3, Some("id")).unwrap();
    commit_in(broker, transactional, "id", 200);
    note(broker);
    (idempotent, transactional)
}

#[test]
fn a_clean_end_and_a_kill_leave_the_same_state() {
    let storage = Simulated::default();
    let mut broker = start(&storage);
    scenario(&mut broker, |_| {});
    let before = state(&broker);
    let killed = start(&storage.copy());
    assert_eq!(state(&killed), before);
    let now = broker.now;
    broker.core.close(now).unwrap();
    drop(broker);
    let restarted = start(&storage.copy());
    assert_eq!(state(&restarted), before);
    // And once more, by a broker that was killed after it came back.
    assert_eq!(state(&start(&storage.copy())), before);
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill_in_the_middle_of_any_write() {
    let storage = Simulated::default();
    let mut broker = start(&storage);
    let mut history: Vec<(usize, Option<Facts>)> = vec![(0, None)];
    let (idempotent, transactional) = scenario(&mut broker, |broker| history.push((storage.changes(), facts(broker))));
    let mut checked = 0;
    for changes in 0..=storage.changes() {
        let known = history.partition_point(|(at, _)| *at <= changes) - 1;
        let last = &history[known].1;
        let next = &history.get(known + 1).unwrap_or(&history[known]).1;
        for torn in [0, 1, 7, 20, 60, 61, 65, 70, 80, 100] {
            let Some(left) = storage.after(changes, torn) else { continue };
            let mut broker = start(&left);
            checked += 1;
            let found = facts(&broker);
            let context = format!("after {changes} changes and {torn} bytes");
            let Some(last) = last else {
                continue;
            };
            let found = found.unwrap_or_else(|| panic!("the topic is lost {context}"));
            let either = |field: fn(&Facts) -> String| {
                let (found, last, next) = (field(&found), field(last), next.as_ref().map(field));
                assert!(found == last || Some(&found) == next.as_ref(), "{context}: {found}, not {last} or {next:?}");
            };
            either(|facts| facts.start.to_string());
            either(|facts| format!("{:?}", facts.committed));
            either(|facts| facts.retention.clone());
            assert!(found.end >= last.end, "{context}: records are lost");
            if found.start == last.start {
                assert!(found.records.starts_with(&last.records), "{context}: records have changed");
            }
            // Idempotent producers go on where they were: with a retry of the last batch, or the next one.
            if last.end == 5 {
                assert_eq!(produce(&mut broker, idempotent, 4, None), Ok(4), "{context}");
                assert!(produce(&mut broker, idempotent, 5, None).is_ok(), "{context}");
            }
            if known + 1 == history.len() {
                assert_eq!(end(&mut broker, transactional, "id", true), 0, "{context}");
                assert_eq!(facts(&broker).unwrap().committed, Some(200), "{context}");
            }
        }
    }
    assert!(checked > 300, "{checked} kills");
}

#[test]
fn a_transaction_that_was_decided_is_carried_out_at_the_start() {
    let storage = Simulated::default();
    let mut broker = start(&storage);
    let (_, transactional) = scenario(&mut broker, |_| {});
    let before = storage.changes();
    assert_eq!(end(&mut broker, transactional, "id", true), 0);
    let finished = state(&broker);
    // From the moment at which the decision is written, the outcome is the same.
    for changes in before + 1..=storage.changes() {
        let broker = start(&storage.after(changes, 0).unwrap());
        let partition = broker.core.topics.partition("t", 0).unwrap();
        assert_eq!(partition.last_stable_offset(), partition.log.end_offset(), "after {changes} changes");
        assert_eq!(facts(&broker).unwrap().committed, Some(200), "after {changes} changes");
        assert_eq!(broker.core.transactions.get(&text("id")).unwrap().state.name(), "CompleteCommit");
    }
    assert_eq!(state(&start(&storage.copy())), finished);
}

#[test]
fn a_transaction_that_was_open_times_out_after_a_restart() {
    let storage = Simulated::default();
    let mut broker = start(&storage);
    scenario(&mut broker, |_| {});
    let mut restarted = start(&storage.copy());
    assert!(restarted.core.topics.partition("t", 0).unwrap().producers.first_open_offset().is_some());
    restarted.pass(60_001);
    assert_eq!(restarted.core.topics.partition("t", 0).unwrap().producers.first_open_offset(), None);
    assert_eq!(restarted.core.transactions.get(&text("id")).unwrap().state.name(), "CompleteAbort");
}

#[test]
fn a_full_disk_is_an_error_that_clients_retry_and_leaves_no_trace() {
    let storage = Simulated::default();
    let mut broker = start(&storage);
    let (idempotent, transactional) = scenario(&mut broker, |_| {});
    let before = state(&broker);
    storage.set_full(true);
    assert_eq!(produce(&mut broker, idempotent, 5, None), Err(STORAGE_ERROR));
    assert_eq!(commit(&mut broker, 7), NOT_COORDINATOR);
    assert_eq!(end(&mut broker, transactional, "id", true), NOT_COORDINATOR);
    assert_eq!(state(&broker), before);
    storage.set_full(false);
    assert!(produce(&mut broker, idempotent, 5, None).is_ok());
    assert_eq!(commit(&mut broker, 7), 0);
    assert_eq!(end(&mut broker, transactional, "id", true), 0);
    assert_eq!(state(&start(&storage.copy())), state(&broker));
}

#[test]
fn members_of_a_group_go_on_after_a_restart() {
    let storage = Simulated::default();
    let mut broker = start(&storage);
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"metadata"));
    let request = JoinGroupRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let joined = body!(JoinGroup, broker.call(3, request));
    assert_eq!(joined.error_code, 0);
    let assignment =
        SyncGroupRequestAssignment::default().with_member_id(joined.member_id.clone()).with_assignment(Bytes::from_static(b"all"));
    let request = SyncGroupRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![assignment]);
    assert_eq!(body!(SyncGroup, broker.call(3, request)).error_code, 0);

    let left = storage.copy();
    let mut restarted = start(&left);
    let heartbeat = |generation: i32| {
        HeartbeatRequest::default()
            .with_group_id(GroupId(text("g")))
            .with_generation_id(generation)
            .with_member_id(joined.member_id.clone())
    };
    assert_eq!(body!(Heartbeat, restarted.call(3, heartbeat(joined.generation_id))).error_code, 0);
    assert_eq!(body!(Heartbeat, restarted.call(3, heartbeat(joined.generation_id + 1))).error_code, ILLEGAL_GENERATION);
    let member = restarted.core.groups.get(&text("g")).unwrap().classic().unwrap().members.values().next().unwrap();
    assert_eq!((&member.assignment[..], member.client_id.as_str()), (&b"all"[..], "client"));
    // A member that does not come back is missed, as if there had been no restart.
    restarted.pass(10_001);
    assert_eq!(restarted.core.groups.get(&text("g")).unwrap().state_name(), "Empty");
    assert_eq!(start(&left.copy()).core.groups.get(&text("g")).unwrap().classic().unwrap().generation, joined.generation_id + 1);
}

#[test]
fn a_deleted_topic_does_not_come_back_and_one_of_its_name_is_empty() {
    let storage = Simulated::default();
    let mut broker = start(&storage);
    scenario(&mut broker, |_| {});
    let request = DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text("t"))]);
    let before = storage.changes();
    assert_eq!(body!(DeleteTopics, broker.call(5, request)).responses[0].error_code, 0);
    for changes in before + 1..=storage.changes() {
        let left = storage.after(changes, 0).unwrap();
        let mut broker = start(&left);
        assert!(broker.core.topics.get("t").is_none());
        assert!(left.files().iter().all(|file| !file.starts_with("t-0")), "its folder is gone");
        create(&mut broker, "t", &[]);
        let mut again = start(&left.copy());
        assert_eq!(facts(&again).map(|facts| (facts.start, facts.end)), Some((0, 0)));
        let producer = init(&mut again, None);
        assert_eq!(produce(&mut again, producer, 0, None), Ok(0));
    }
    let restarted = start(&storage.copy());
    assert!(
        restarted
            .core
            .groups
            .get(&text("g"))
            .is_none_or(|group| !group.offsets().is_pending("t", 0) && group.offsets().get("t", 0).is_none())
    );
}

#[test]
fn offsets_go_on_after_retention_has_deleted_every_record() {
    let storage = Simulated::default();
    let mut broker = start(&storage);
    create(&mut broker, "t", &[("retention.ms", "1000")]);
    let producer = init(&mut broker, None);
    for sequence in 0..3 {
        produce(&mut broker, producer, sequence, None).unwrap();
    }
    // Beyond the interval of the check.
    broker.pass(310_000);
    assert_eq!(facts(&broker).map(|facts| (facts.start, facts.end)), Some((3, 3)));
    let mut restarted = start(&storage.copy());
    assert_eq!(facts(&restarted).map(|facts| (facts.start, facts.end)), Some((3, 3)));
    assert_eq!(produce(&mut restarted, producer, 2, None), Ok(2), "a retry of the last batch, which is deleted");
    assert_eq!(produce(&mut restarted, producer, 3, None), Ok(3));
}

#[test]
fn the_topic_of_the_offsets_stays_small_and_keeps_the_last_ones() {
    let storage = Simulated::default();
    for mut broker in [start(&storage), Harness::new(config())] {
        create(&mut broker, "t", &[]);
        for offset in 0..30_000 {
            assert_eq!(commit(&mut broker, offset), 0);
        }
        let before = broker.core.topics.total_bytes();
        assert!(before > 3_000_000, "{before}");
        broker.pass(60_000);
        let after = broker.core.topics.total_bytes();
        assert!(after < before / 2, "{after} of {before}");
        assert_eq!(facts(&broker).unwrap().committed, Some(29_999));
    }
    let restarted = start(&storage.copy());
    assert_eq!(facts(&restarted).unwrap().committed, Some(29_999));
    let partition = restarted.core.topics.internal_partitions(crate::topic::internal::CONSUMER_OFFSETS);
    assert!(partition.iter().any(|partition| partition.cleaned_to > 20_000), "what was cleaned is remembered");
}

#[test]
fn a_loss_of_power_takes_what_the_settings_do_not_protect_and_no_more() {
    let end_after_loss = |settings: &[(&str, &str)], passed: i64| {
        let storage = Simulated::default();
        let mut broker = start(&storage);
        create(&mut broker, "t", settings);
        let producer = init(&mut broker, None);
        for sequence in 0..10 {
            produce(&mut broker, producer, sequence, None).unwrap();
        }
        broker.pass(passed);
        let left = start(&storage.after_power_loss());
        facts(&left).expect("a topic is durable once it is acknowledged").end
    };
    assert_eq!(end_after_loss(&[], 0), 0);
    assert_eq!(end_after_loss(&[("flush.messages", "1")], 0), 10);
    assert_eq!(end_after_loss(&[("flush.messages", "4")], 0), 8);
    assert_eq!(end_after_loss(&[("flush.ms", "5000")], 1_000), 0);
    assert_eq!(end_after_loss(&[("flush.ms", "5000")], 7_000), 10);
    // Closed segments are made durable each minute; of four records each, the active one has the last two.
    let segments = [("internal.segment.bytes", "330")];
    assert_eq!(end_after_loss(&segments, 1_000), 0);
    assert_eq!(end_after_loss(&segments, 61_000), 8);
}

#[test]
fn a_clean_end_makes_everything_durable() {
    let storage = Simulated::default();
    let mut broker = start(&storage);
    scenario(&mut broker, |_| {});
    let (before, now) = (state(&broker), broker.now);
    broker.core.close(now).unwrap();
    assert_eq!(state(&start(&storage.after_power_loss())), before);
}

#[test]
fn partitions_that_were_added_are_there_after_a_restart() {
    let storage = Simulated::default();
    let mut broker = start(&storage);
    create(&mut broker, "t", &[]);
    let topic = kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic::default()
        .with_name(TopicName(text("t")))
        .with_count(5)
        .with_assignments(None);
    let request = CreatePartitionsRequest::default().with_topics(vec![topic]);
    assert_eq!(body!(CreatePartitions, broker.call(3, request)).results[0].error_code, 0);
    assert_eq!(start(&storage.copy()).core.topics.get("t").unwrap().partition_count(), 5);
}

#[test]
fn a_producer_id_is_never_given_out_twice() {
    let storage = Simulated::default();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let mut broker = start(&storage);
        for _ in 0..3 {
            assert!(seen.insert(init(&mut broker, None).0));
        }
    }
}

#[test]
fn data_of_another_node_are_refused() {
    let storage = Simulated::default();
    start(&storage);
    let other = CoreConfig { node_id: 9, ..config() };
    let error = super::Core::open(other, std::sync::Arc::new(storage), 0).err().expect("refused");
    assert!(error.to_string().contains("belongs to node 1"), "{error}");
}
