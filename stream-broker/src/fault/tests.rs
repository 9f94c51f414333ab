use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, ApiKey, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, FetchRequest, MetadataRequest,
    OffsetFetchRequest, ProduceRequest, RequestKind, TopicName, add_partitions_to_txn_request::AddPartitionsToTxnTopic,
    create_topics_request::CreatableTopic, delete_topics_request::DeleteTopicState, fetch_request::FetchPartition,
    fetch_request::FetchTopic, metadata_request::MetadataRequestTopic, produce_request::PartitionProduceData,
    produce_request::TopicProduceData,
};
use kafka_protocol::protocol::StrBytes;

use super::Api;
use super::refusal::refusal;
use super::scope::{Scope, partitioned, partitioned_mut};
use crate::api::SUPPORTED;

const CODE: i16 = 6;

fn name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// A request with no content, of each served kind.
fn empty_requests() -> Vec<(ApiKey, i16, i16, RequestKind)> {
    // Empty texts and empty lists: zeros in the older versions, ones in the flexible ones.
    let empty = |api: ApiKey, version: i16| {
        [0, 1].into_iter().find_map(|byte| RequestKind::decode(api, &mut bytes::Bytes::from(vec![byte; 256]), version).ok())
    };
    let all = SUPPORTED.iter();
    all.map(|&(api, min, max)| {
        let request = (min..=max).find_map(|version| empty(api, version)).unwrap_or_else(|| panic!("{api:?} without content"));
        (api, min, max, request)
    })
    .collect()
}

#[test]
fn every_served_request_has_a_name_and_can_be_refused_in_every_version() {
    let mut failures = Vec::new();
    for (api, min, max, request) in empty_requests() {
        assert!(Api::of(&request).is_some(), "{api:?} has no name");
        for version in min..=max {
            let encoded = match refusal(&request, version, CODE) {
                Some(answer) => answer.encode(&mut bytes::BytesMut::new(), version).map_err(|error| format!("{error:#}")),
                None => Err("no refusal".to_owned()),
            };
            failures.extend(encoded.err().map(|error| format!("{api:?} {version}: {error}")));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

fn produce(topics: &[(&str, &[i32])]) -> RequestKind {
    let partition = |index: &i32| PartitionProduceData::default().with_index(*index);
    let topic = |(topic, partitions): &(&str, &[i32])| {
        TopicProduceData::default().with_name(name(topic)).with_partition_data(partitions.iter().map(partition).collect())
    };
    ProduceRequest::default().with_topic_data(topics.iter().map(topic).collect()).into()
}

#[test]
fn what_a_request_asks_for_is_named_in_its_refusal() {
    let topics = vec![CreatableTopic::default().with_name(name("t"))];
    let requests: Vec<RequestKind> = vec![
        produce(&[("t", &[0, 1])]),
        MetadataRequest::default().with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(name("t")))])).into(),
        CreateTopicsRequest::default().with_topics(topics).into(),
        DeleteTopicsRequest::default().with_topics(vec![DeleteTopicState::default().with_name(Some(name("t")))]).into(),
        FetchRequest::default()
            .with_topics(vec![FetchTopic::default().with_topic(name("t")).with_partitions(vec![FetchPartition::default()])])
            .into(),
        AddPartitionsToTxnRequest::default()
            .with_v3_and_below_topics(vec![AddPartitionsToTxnTopic::default().with_name(name("t")).with_partitions(vec![1])])
            .into(),
    ];
    for request in requests {
        let answer = format!("{:?}", refusal(&request, 0, CODE));
        assert!(answer.contains("\"t\"") && answer.contains("error_code: 6"), "{answer}");
    }
    for request in [RequestKind::from(DescribeConfigsRequest::default()), OffsetFetchRequest::default().into()] {
        assert!(refusal(&request, 0, CODE).is_some());
    }
}

#[test]
fn some_partitions_are_refused_and_the_others_answered() {
    let scope = Scope { topic: Some("t".to_owned()), topic_id: None, partition: Some(1) };
    let whole = produce(&[("t", &[0, 1]), ("u", &[1])]);
    let mut rest = whole.clone();
    assert!(partitioned_mut(&mut rest).unwrap().withhold(&scope));
    assert_eq!(rest, produce(&[("t", &[0]), ("u", &[1])]));

    let asked = partitioned(&whole).unwrap();
    let mut answer = refusal(&whole, 9, 0).unwrap();
    asked.replace(&mut answer, &scope, asked.refusal(&scope, CODE));
    let answer = crate::harness::body!(Produce, answer);
    let codes: Vec<_> = answer
        .responses
        .iter()
        .flat_map(|topic| topic.partition_responses.iter().map(|p| (topic.name.to_string(), p.index, p.error_code)))
        .collect();
    assert_eq!(codes, [("t".to_owned(), 0, 0), ("u".to_owned(), 1, 0), ("t".to_owned(), 1, CODE)]);

    let mut only = produce(&[("t", &[1])]);
    assert!(!partitioned_mut(&mut only).unwrap().withhold(&scope));
}
