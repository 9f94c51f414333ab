//! One of the two brokers, and what it has told.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{FindCoordinatorRequest, GroupId, MetadataRequest, TransactionalId};
use kafka_protocol::protocol::{Request, StrBytes};
use uuid::Uuid;

use super::random::Random;
use crate::support::{Client, text, topic_name};

const TOPICS: usize = 3;
const GROUPS: usize = 3;
const SLOTS: usize = 3;

/// A producer as this broker knows it, and the next sequence number in each partition.
#[derive(Clone, Debug, Default)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
    pub sequences: [[i32; 2]; TOPICS],
}

/// A member of a group.
#[derive(Clone, Debug, Default)]
pub struct Member {
    pub id: String,
    pub generation: i32,
    pub owned: Vec<i32>,
}

pub struct Side {
    pub client: Client,
    pub prefix: String,
    pub topic_ids: Vec<Uuid>,
    /// Transactional producers; the last is only idempotent.
    pub producers: Vec<Producer>,
    /// The only member of each classic group.
    pub classic: Vec<Member>,
    /// Two members of each consumer group.
    pub consumers: Vec<[Member; 2]>,
    /// What replaces an id of this broker in its answers.
    pub names: Vec<(String, String)>,
    /// The end of the records' time: the same on both sides.
    pub time: i64,
}

impl Side {
    pub fn new(address: SocketAddr, prefix: &str) -> Side {
        let member = || Member { id: String::new(), generation: -1, owned: Vec::new() };
        let consumer = |name: &str| Member { id: format!("{prefix}-{name}"), generation: 0, owned: Vec::new() };
        let mut side = Side {
            client: Client::connect(address),
            prefix: prefix.to_owned(),
            topic_ids: Vec::new(),
            producers: vec![Producer { id: -1, epoch: -1, ..Producer::default() }; SLOTS],
            classic: (0..GROUPS).map(|_| member()).collect(),
            consumers: (0..GROUPS).map(|_| [consumer("a"), consumer("b")]).collect(),
            names: Vec::new(),
            time: 1_700_000_000_000,
        };
        for index in 0..TOPICS {
            side.client.create_topic(&side.topic(index), 2, &[]);
        }
        for index in 0..TOPICS {
            let name = side.topic(index);
            let id = side.await_topic(&name, 2);
            side.name(id.to_string(), format!("topic-{index}"));
            side.topic_ids.push(id);
        }
        for key_type in [0, 1] {
            let find = FindCoordinatorRequest::default().with_key(text("any")).with_key_type(key_type);
            let begun = Instant::now();
            while side.client.call(2, &find).error_code != 0 {
                assert!(begun.elapsed() < Duration::from_secs(20));
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        side
    }

    /// Waits until a topic can be used; its id.
    pub fn await_topic(&mut self, name: &str, partitions: usize) -> Uuid {
        let begun = Instant::now();
        let request = MetadataRequest::default()
            .with_allow_auto_topic_creation(false)
            .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(topic_name(name)))]));
        loop {
            let topic = self.client.call(12, &request).topics.remove(0);
            if topic.error_code == 0
                && topic.partitions.len() == partitions
                && (0..partitions).all(|index| self.client.list_offset(name, index as i32, -1).error_code == 0)
            {
                return topic.topic_id;
            }
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The name of a topic; one more than there are.
    pub fn topic(&self, index: usize) -> String {
        format!("{}-t{index}", self.prefix)
    }

    pub fn any_topic(&self, random: &mut Random) -> (usize, String) {
        let index = if random.one_in(12) { TOPICS } else { random.below(TOPICS) };
        (index, self.topic(index))
    }

    pub fn any_partition(random: &mut Random) -> i32 {
        if random.one_in(12) { 7 } else { random.below(2) as i32 }
    }

    pub fn group(&self, index: usize) -> GroupId {
        GroupId(text(&format!("{}-g{index}", self.prefix)))
    }

    pub fn consumer_group(&self, index: usize) -> GroupId {
        GroupId(text(&format!("{}-c{index}", self.prefix)))
    }

    pub fn any_group(&self, random: &mut Random) -> (usize, GroupId) {
        let index = random.below(GROUPS);
        (index, self.group(index))
    }

    pub fn transactional_id(&self, slot: usize) -> TransactionalId {
        TransactionalId(text(&format!("{}-x{slot}", self.prefix)))
    }

    pub fn any_slot(random: &mut Random) -> usize {
        random.below(SLOTS)
    }

    /// An id that is replaced in the answers.
    pub fn name(&mut self, id: String, name: String) {
        if !id.is_empty() && !self.names.iter().any(|(known, _)| *known == id) {
            self.names.push((id, name));
        }
    }

    pub fn name_member(&mut self, id: &StrBytes, group: usize) {
        self.name(id.to_string(), format!("member-of-{group}"));
    }

    /// Sends a request until its coordinator is ready and the last transaction over.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response
    where
        R::Response: Debug,
    {
        let begun = Instant::now();
        loop {
            let response = self.client.call(version, request);
            let shown = format!("{response:?}");
            let waits = [14, 15, 16, 51].iter().any(|code| shown.contains(&format!("error_code: {code},")));
            if !waits || begun.elapsed() > Duration::from_secs(5) {
                return response;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
