//! Members of a group, driven by the test's thread, on the embedded broker or the cluster that `KSTREAMS_BOOTSTRAP_SERVERS` names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use stream_broker::{Broker, BrokerConfig};
use stream_core::TaskId;
use stream_core::client::{Admin, ClientContext, CommitOffset, DeliveryReports, NewTopic, Producer, Properties, TracingContext};
use stream_core::error::{Error, Result};
use stream_core::id::TopicPartition;
use stream_core::membership::{AnchoredConfig, AnchoredMembership, GroupEvent, Membership, Plan};
use stream_core::time::{Clock, SystemClock};

/// Long enough for any of the tests' steps, on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const SESSION: Duration = Duration::from_secs(6);

pub fn context() -> Arc<dyn ClientContext> {
    Arc::new(TracingContext)
}

/// A cluster with topics and a group of the test's own.
pub struct Cluster {
    pub bootstrap: String,
    pub group: String,
    broker: Option<Broker>,
}

impl Cluster {
    pub fn start(test: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (broker, bootstrap) = match std::env::var("KSTREAMS_BOOTSTRAP_SERVERS") {
            Ok(bootstrap) => (None, bootstrap),
            Err(_) => {
                let broker = Broker::start(BrokerConfig::default().initial_rebalance_delay(Duration::ZERO)).expect("a broker starts");
                let bootstrap = broker.bootstrap_servers();
                (Some(broker), bootstrap)
            }
        };
        let group = format!("{test}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Self { bootstrap, group, broker }
    }

    /// The topic of that short name.
    pub fn topic(&self, name: &str) -> Arc<str> {
        topic(&self.group, name)
    }

    /// Makes topics, and the plan in which each is the anchor of one sub-topology.
    pub fn anchors(&self, topics: &[(&str, i32)], fingerprint: &str) -> Plan {
        let admin = Admin::new(&self.properties(), "test", &context()).unwrap();
        for (name, partitions) in topics {
            let topic =
                NewTopic { name: self.topic(name).to_string(), partitions: *partitions, replication_factor: 1, configs: BTreeMap::new() };
            admin.create_topics(vec![topic], PATIENCE).expect("the topic is created");
        }
        plan(&self.group, topics, fingerprint)
    }

    pub fn properties(&self) -> Properties {
        Properties::from([("bootstrap.servers".to_owned(), self.bootstrap.clone())])
    }

    pub fn join(&self, name: &str, plan: &Plan) -> Member {
        self.join_with(name, plan, &[], &(Arc::new(SystemClock::new()) as _))
    }

    pub fn join_with(&self, name: &str, plan: &Plan, properties: &[(&str, &str)], clock: &Arc<dyn Clock>) -> Member {
        Member::join(&self.bootstrap, &self.group, name, plan, properties, clock)
    }

    pub fn transactional_producer(&self) -> Producer {
        let id = format!("{}-producer", self.group);
        let producer = Producer::new(&self.properties(), Some(&id), DeliveryReports::FailuresOnly, "test", &context()).unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer
    }

    /// From here on the embedded broker answers nothing. `false`: this cluster is not the test's own.
    pub fn fall_silent(&self) -> bool {
        self.broker.as_ref().is_some_and(|broker| broker.pause_network().is_ok())
    }

    /// Cuts all connections of the embedded broker.
    pub fn cut_connections(&self) {
        if let Some(broker) = &self.broker {
            broker.cut_connections().unwrap();
        }
    }

    pub fn committed(&self, topic: &str, partition: i32) -> Option<i64> {
        let admin = Admin::new(&self.properties(), "test", &context()).unwrap();
        let partition = TopicPartition::new(self.topic(topic), partition);
        let committed = admin.committed_offsets(&self.group, std::slice::from_ref(&partition), PATIENCE).unwrap();
        committed.get(&partition).map(|committed| committed.offset)
    }
}

pub fn topic(group: &str, name: &str) -> Arc<str> {
    format!("{group}-{name}").into()
}

pub fn plan(group: &str, topics: &[(&str, i32)], fingerprint: &str) -> Plan {
    let anchors = topics.iter().zip(0..).map(|((name, partitions), subtopology)| (subtopology, (topic(group, name), *partitions)));
    Plan { anchors: anchors.collect(), fingerprint: fingerprint.into() }
}

/// A process of the application: releases what it is asked for, unless it is told to hold on to it.
pub struct Member {
    pub name: String,
    pub membership: AnchoredMembership,
    pub holds_on: bool,
    pub revoking: BTreeSet<TaskId>,
    /// What it was last told that it may run.
    pub assigned: Option<BTreeSet<TaskId>>,
    pub waiting: Option<String>,
    pub lost: Vec<String>,
    pub shutdown_by: Option<String>,
    pub failure: Option<Error>,
}

impl Member {
    pub fn join(bootstrap: &str, group: &str, name: &str, plan: &Plan, properties: &[(&str, &str)], clock: &Arc<dyn Clock>) -> Self {
        let session = SESSION.as_millis().to_string();
        let mut all = Properties::new();
        for (key, value) in
            [("bootstrap.servers", bootstrap), ("client.id", name), ("session.timeout.ms", &session), ("heartbeat.interval.ms", "200")]
                .iter()
                .chain(properties)
        {
            all.insert((*key).into(), (*value).into());
        }
        let config = AnchoredConfig { application_id: group.into(), properties: all };
        Self {
            name: name.into(),
            membership: AnchoredMembership::join(config, &context(), clock, plan.clone()).expect("the member is made"),
            holds_on: false,
            revoking: BTreeSet::new(),
            assigned: None,
            waiting: None,
            lost: Vec::new(),
            shutdown_by: None,
            failure: None,
        }
    }

    pub fn turn(&mut self) {
        match self.membership.poll(Duration::from_millis(5)).expect("the group can be polled") {
            Some(GroupEvent::Assigned { tasks }) => {
                self.assigned = Some(tasks);
                self.waiting = None;
            }
            Some(GroupEvent::Revoke { tasks }) => self.revoking.extend(tasks),
            Some(GroupEvent::Lost { reason }) => {
                self.lost.push(reason);
                self.assigned = None;
                self.revoking.clear();
            }
            Some(GroupEvent::Waiting { for_whom }) => self.waiting = Some(for_whom),
            Some(GroupEvent::ShutdownRequested { by }) => self.shutdown_by = Some(by),
            Some(GroupEvent::Fatal(error)) => self.failure = Some(error),
            Some(other) => panic!("{}: {other:?}", self.name),
            None => {}
        }
        if !self.holds_on && !self.revoking.is_empty() {
            self.release();
        }
    }

    pub fn release(&mut self) {
        let released = std::mem::take(&mut self.revoking);
        if let Some(assigned) = &mut self.assigned {
            assigned.retain(|task| !released.contains(task));
        }
        self.membership.released(&released).expect("released");
    }

    pub fn owned(&self) -> BTreeSet<TaskId> {
        self.membership.tokens().owned()
    }

    /// The generation that it commits with.
    pub fn generation(&self) -> i32 {
        self.membership.tokens().lease(&[]).map_or(-1, |lease| lease.token().generation)
    }

    /// Commits an offset for a task, outside of transactions.
    pub fn commit(&self, task: TaskId, topic: &Arc<str>, offset: i64) -> Result<()> {
        let tokens = self.membership.tokens();
        let lease = tokens.lease(&[task])?;
        self.membership.committer().commit(&lease, &[position(topic, task.partition, offset)])
    }
}

pub fn position(topic: &Arc<str>, partition: i32, offset: i64) -> CommitOffset {
    CommitOffset { partition: TopicPartition::new(Arc::clone(topic), partition), offset, metadata: "m".into(), leader_epoch: None }
}

/// Drives the members until the claim holds. At every step, no two of them own a task.
pub fn drive(members: &mut [&mut Member], claim: &str, mut holds: impl FnMut(&[&mut Member]) -> bool) {
    let started = Instant::now();
    loop {
        for member in members.iter_mut() {
            member.turn();
        }
        let mut seen = BTreeMap::new();
        for member in members.iter() {
            for task in member.owned() {
                if let Some(other) = seen.insert(task, member.name.clone()) {
                    panic!("task {task} is owned by {other} and {}", member.name);
                }
            }
        }
        if holds(members) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "not reached: {claim}; owned: {seen:?}");
    }
}

/// Whether the members own these numbers of tasks, in some order, and are told so.
pub fn own(members: &[&mut Member], counts: &[usize]) -> bool {
    let mut owned: Vec<usize> = members.iter().map(|member| member.owned().len()).collect();
    owned.sort_unstable();
    owned == counts && members.iter().all(|member| member.assigned.as_ref() == Some(&member.owned()))
}
