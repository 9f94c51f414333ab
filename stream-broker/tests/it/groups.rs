//! Consumer groups, by an ordinary client library.

use std::time::{Duration, Instant};

use crate::support::{Target, now};
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use stream_broker::BrokerConfig;

const WAIT: Duration = Duration::from_secs(20);
const PARTITIONS: usize = 6;

struct Bench {
    target: Target,
    topic: &'static str,
    group: String,
}

impl Bench {
    fn new(topic: &'static str) -> Bench {
        let config = BrokerConfig::default().group_min_session_timeout(Duration::from_millis(500));
        let target = Target::with(config);
        target.create_topic(topic, PARTITIONS as i32, &[]);
        let group = format!("{topic}-{}", now());
        Bench { target, topic, group }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.target.bootstrap_servers())
            .set("group.id", &self.group)
            .set("heartbeat.interval.ms", "100")
            .set("fetch.wait.max.ms", "50")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest");
        config
    }

    fn member(&self, settings: &[(&str, &str)]) -> BaseConsumer {
        let mut config = self.config();
        for (name, value) in settings {
            config.set(*name, *value);
        }
        let member: BaseConsumer = config.create().unwrap();
        member.subscribe(&[self.topic]).unwrap();
        member
    }

    fn produce(&self, count: usize) {
        let producer: BaseProducer = self.config().create().unwrap();
        for index in 0..count {
            let record = BaseRecord::<(), _>::to(self.topic).partition((index % PARTITIONS) as i32).payload("v");
            producer.send(record).unwrap();
        }
        producer.flush(WAIT).unwrap();
    }
}

/// The next record; polls end early when they have served a rebalance.
fn next(member: &BaseConsumer) -> BorrowedMessage<'_> {
    let begun = Instant::now();
    loop {
        if let Some(message) = member.poll(Duration::from_millis(50)) {
            return message.unwrap();
        }
        assert!(begun.elapsed() < WAIT, "no record comes");
    }
}

/// What a member has been assigned. librdkafka's own list would keep the consumer from being destroyed while it lives.
fn partitions(member: &BaseConsumer) -> Vec<i32> {
    let assignment = member.assignment().unwrap();
    assignment.elements().iter().map(|e| e.partition()).collect()
}

/// Ends a member, and fails where that would never come back.
fn close(member: BaseConsumer) {
    let (closing, closed) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        drop(member);
        drop(closing);
    });
    assert_eq!(closed.recv_timeout(WAIT), Err(std::sync::mpsc::RecvTimeoutError::Disconnected), "the member does not end");
}

/// Polls the members until each has as many partitions as is expected of it; returns the time that took.
fn await_assignments(members: &[(&BaseConsumer, usize)]) -> Duration {
    let begun = Instant::now();
    loop {
        for (member, _) in members {
            if let Some(Err(error)) = member.poll(Duration::from_millis(5)) {
                panic!("{error}");
            }
        }
        let counts: Vec<usize> = members.iter().map(|(member, _)| member.assignment().unwrap().count()).collect();
        if members.iter().map(|(_, count)| *count).eq(counts.iter().copied()) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < WAIT, "{counts:?}");
    }
}

#[test]
fn members_share_the_partitions_and_take_over_from_one_that_leaves() {
    for assignor in ["range", "cooperative-sticky"] {
        let bench = Bench::new("group-share");
        let settings = [("partition.assignment.strategy", assignor)];
        let first = bench.member(&settings);
        await_assignments(&[(&first, 6)]);
        let second = bench.member(&settings);
        await_assignments(&[(&first, 3), (&second, 3)]);
        let third = bench.member(&settings);
        await_assignments(&[(&first, 2), (&second, 2), (&third, 2)]);
        drop(second);
        await_assignments(&[(&first, 3), (&third, 3)]);
        drop(first);
        await_assignments(&[(&third, 6)]);
    }
}

#[test]
fn a_static_member_that_restarts_keeps_its_partitions_without_a_rebalance() {
    let bench = Bench::new("group-static");
    let instance = |name| [("group.instance.id", name), ("session.timeout.ms", "10000")];
    let first = bench.member(&instance("one"));
    let second = bench.member(&instance("two"));
    await_assignments(&[(&first, 3), (&second, 3)]);
    let before = partitions(&second);
    drop(second);
    let second = bench.member(&instance("two"));
    let took = await_assignments(&[(&first, 3), (&second, 3)]);
    assert!(took < Duration::from_secs(8), "it was not waited for: {took:?}");
    assert_eq!(partitions(&second), before);
}

#[test]
fn a_member_that_stops_polling_is_replaced() {
    let bench = Bench::new("group-stuck");
    let session = if bench.target.is_embedded() { "1000" } else { "6000" };
    let settings = [("session.timeout.ms", session), ("max.poll.interval.ms", session)];
    let stuck = bench.member(&settings);
    await_assignments(&[(&stuck, 6)]);
    let other = bench.member(&settings);
    await_assignments(&[(&other, 6)]);
    // It hears that it has lost its partitions before it ends. librdkafka waits without limit for its group's answer to a rebalance event
    // that is served while the group is being closed, when that is closed already.
    let begun = Instant::now();
    while stuck.assignment().unwrap().count() > 0 {
        if let Some(Err(error)) = stuck.poll(Duration::from_millis(5)) {
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::PollExceeded), "{error}");
        }
        assert!(begun.elapsed() < WAIT, "it does not hear of it");
    }
    close(stuck);
}

#[test]
fn a_new_member_goes_on_where_the_last_one_committed() {
    let bench = Bench::new("group-resume");
    bench.produce(60);
    let first = bench.member(&[]);
    for _ in 0..60 {
        next(&first);
    }
    first.commit_consumer_state(CommitMode::Sync).unwrap();
    drop(first);
    bench.produce(6);
    let second = bench.member(&[]);
    for _ in 0..6 {
        let message = next(&second);
        assert_eq!(message.offset(), 10);
    }
    assert!(second.poll(Duration::from_millis(200)).is_none());
}

#[test]
fn whoever_is_not_a_member_cannot_commit_while_there_are_members() {
    let bench = Bench::new("group-stranger");
    let member = bench.member(&[]);
    await_assignments(&[(&member, 6)]);
    let stranger: BaseConsumer = bench.config().create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(bench.topic, 0, Offset::Offset(1)).unwrap();
    let refused = stranger.commit(&offsets, CommitMode::Sync).unwrap_err();
    assert_eq!(refused.rdkafka_error_code(), Some(RDKafkaErrorCode::UnknownMemberId));
    drop(member);
    stranger.commit(&offsets, CommitMode::Sync).unwrap();
}

#[test]
fn groups_are_listed_with_their_members_and_deleted_when_empty() {
    let bench = Bench::new("group-admin");
    let member = bench.member(&[("client.id", "the-client")]);
    await_assignments(&[(&member, 6)]);
    let list = || {
        let groups = member.fetch_group_list(Some(&bench.group), WAIT).unwrap();
        let group = groups.groups().first()?;
        let client = group.members().first().map(|m| m.client_id().to_owned());
        Some((group.state().to_owned(), client))
    };
    let client = Some("the-client".to_owned());
    assert_eq!(list(), Some(("Stable".to_owned(), client)));
    let admin: AdminClient<DefaultClientContext> = bench.config().create().unwrap();
    let delete = || {
        let deleting = admin.delete_groups(&[bench.group.as_str()], &AdminOptions::new());
        block_on(deleting).unwrap().remove(0)
    };
    let (_, refused) = delete().unwrap_err();
    assert_eq!(refused, RDKafkaErrorCode::NonEmptyGroup);
    member.unsubscribe();
    let begun = Instant::now();
    while list() != Some(("Empty".to_owned(), None)) {
        member.poll(Duration::from_millis(10));
        assert!(begun.elapsed() < WAIT);
    }
    delete().unwrap();
    assert_eq!(list(), None);
}

/// Waits for a future whose waker is another thread's.
fn block_on<F: Future>(future: F) -> F::Output {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};

    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park_timeout(WAIT),
        }
    }
}
