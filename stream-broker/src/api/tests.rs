//! Every response must fit every version that is announced: a field that a version lacks makes the encoder fail, and the
//! client would see nothing but a closed connection.

use std::net::{IpAddr, Ipv4Addr};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    CreateTopicsRequest, DescribeConfigsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest, TopicName,
    describe_configs_request::DescribeConfigsResource,
};
use kafka_protocol::protocol::StrBytes;

use super::*;
use crate::core::{CoreConfig, Outcome};

fn topic(name: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(name))
}

fn request(api: ApiKey, name: &'static str, version: i16) -> RequestKind {
    match api {
        ApiKey::Produce => ProduceRequest::default()
            .with_acks(1)
            .with_topic_data(vec![
                TopicProduceData::default()
                    .with_name(topic(name))
                    .with_partition_data(vec![PartitionProduceData::default().with_records(Some(Bytes::new()))]),
            ])
            .into(),
        ApiKey::Fetch => FetchRequest::default()
            .with_topics(vec![FetchTopic::default().with_topic(topic(name)).with_partitions(vec![FetchPartition::default()])])
            .into(),
        ApiKey::ListOffsets => ListOffsetsRequest::default()
            .with_topics(vec![
                ListOffsetsTopic::default()
                    .with_name(topic(name))
                    .with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-1)]),
            ])
            .into(),
        ApiKey::Metadata => {
            MetadataRequest::default().with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(topic(name)))])).into()
        }
        ApiKey::CreateTopics => CreateTopicsRequest::default()
            .with_topics(vec![
                CreatableTopic::default()
                    .with_name(TopicName(StrBytes::from_string(format!("created-{version}"))))
                    .with_num_partitions(1)
                    .with_replication_factor(1),
            ])
            .into(),
        ApiKey::DescribeConfigs => DescribeConfigsRequest::default()
            .with_include_synonyms(true)
            .with_resources(vec![
                DescribeConfigsResource::default().with_resource_type(2).with_resource_name(topic(name).0).with_configuration_keys(None),
                DescribeConfigsResource::default()
                    .with_resource_type(4)
                    .with_resource_name(StrBytes::from_static_str("1"))
                    .with_configuration_keys(None),
            ])
            .into(),
        other => {
            // Zeroes are empty texts and arrays; in flexible versions, where zero is null, ones are.
            let filler = u8::from(other.request_header_version(version) >= 2);
            let mut body = Bytes::from(vec![filler; 512]);
            RequestKind::decode(other, &mut body, version).unwrap_or_else(|e| panic!("{other:?} {version}: {e:#}"))
        }
    }
}

#[test]
fn every_response_fits_every_announced_version() {
    for &(api, min, max) in SUPPORTED {
        for version in min..=max {
            for name in ["known", "unknown"] {
                let mut core = Core::new(CoreConfig { auto_create_topics: false, ..CoreConfig::default() });
                let config = core.topics.new_config(Default::default()).unwrap();
                let id = core.ids.uuid();
                core.topics.create("known", id, 2, config, 0).unwrap();
                let mut out = Outbox::default();
                let ticket = Ticket { connection: 1, request: 1 };
                let request = Request {
                    ticket,
                    version,
                    client_id: Some("test"),
                    client_host: IpAddr::V4(Ipv4Addr::LOCALHOST),
                    body: request(api, name, version),
                };
                core.handle(request, 1_000, &mut out);
                core.tick(100_000, &mut out);
                for (_, outcome) in out.drain() {
                    let Outcome::Answer(response) = outcome else {
                        continue;
                    };
                    let mut bytes = BytesMut::new();
                    response.encode(&mut bytes, version).unwrap_or_else(|e| panic!("{api:?} {version} {name}: {e:#}"));
                }
            }
        }
    }
}
