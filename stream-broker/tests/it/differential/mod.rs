//! Two brokers are sent the same requests, made at random from a seed, and must give the same answers: ids, timestamps and throttling
//! aside. In `make test` both are embedded ones, which shows that a broker's answers depend on nothing else.
//! `tools/broker-clients/differential.sh` compares with Apache Kafka.

mod groups;
mod normal;
mod random;
mod records;
mod side;
mod topics;
mod transactions;

use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::Range;

use random::Random;
use side::Side;
use stream_broker::{Broker, BrokerConfig};

const STEPS: usize = 60;

/// One kind of request: says what it asks, and what comes back.
type Step = fn(&mut Random, &mut Side) -> (String, String);

/// The steps, each as often as it stands here.
const KINDS: &[Step] = &[
    records::produce,
    records::produce,
    records::produce,
    records::fetch,
    records::fetch,
    records::list_offsets,
    records::list_offsets,
    records::delete,
    records::offset_for_leader_epoch,
    topics::create,
    topics::create_partitions,
    topics::describe_configs,
    topics::alter_configs,
    topics::metadata,
    groups::commit,
    groups::commit,
    groups::fetch_offsets,
    groups::delete_offsets,
    groups::describe,
    groups::delete,
    groups::join,
    groups::sync,
    groups::heartbeat,
    groups::leave,
    groups::consumer_heartbeat,
    groups::consumer_heartbeat,
    groups::consumer_heartbeat,
    groups::consumer_describe,
    transactions::init,
    transactions::add_partitions,
    transactions::add_offsets,
    transactions::commit_offsets,
    transactions::end,
    transactions::end,
    transactions::describe,
    transactions::describe_producers,
];

/// Sends the sequence of a seed to both; the first answer that differs.
fn compare(seed: u64, one: SocketAddr, other: SocketAddr) -> Result<(), String> {
    // A cluster keeps what earlier runs have left.
    let prefix = format!("d{}-{seed}", crate::support::now());
    let mut sides = [Side::new(one, &prefix), Side::new(other, &prefix)];
    let mut story = Vec::new();
    for step in 0..STEPS {
        let mut answers = Vec::new();
        for side in &mut sides {
            let mut random = Random::new(seed, step as u64);
            let kind = KINDS[random.below(KINDS.len())];
            let (asked, answer) = kind(&mut random, side);
            answers.push((asked, normal::normalize(&answer, side)));
        }
        let ((asked, first), (_, second)) = (&answers[0], &answers[1]);
        story.push(format!("  {step:>3} {asked}"));
        if first != second {
            let before = story.join("\n");
            return Err(format!("seed {seed}, step {step}\n{before}\n  one:   {first}\n  other: {second}"));
        }
    }
    Ok(())
}

fn broker() -> Broker {
    // As `kafka/start.sh` starts it: the sequences depend on it.
    let config = BrokerConfig::default().auto_create_topics(false).num_partitions(4);
    Broker::start(config).expect("a broker starts")
}

#[test]
fn two_brokers_give_the_same_answers_to_the_same_requests() {
    let (one, other) = (broker(), broker());
    for seed in 0..40 {
        compare(seed, one.address(), other.address()).unwrap_or_else(|difference| panic!("{difference}"));
    }
}

/// `DIFFERENTIAL_REFERENCE=host:port` names Apache Kafka; `DIFFERENTIAL_SEEDS=from-to` the sequences.
#[test]
#[ignore = "needs Apache Kafka: tools/broker-clients/differential.sh"]
fn apache_kafka_gives_the_same_answers() {
    let reference = std::env::var("DIFFERENTIAL_REFERENCE").expect("DIFFERENTIAL_REFERENCE=host:port");
    let reference = reference.to_socket_addrs().expect("host:port").next().expect("an address");
    let seeds = std::env::var("DIFFERENTIAL_SEEDS").map_or(0..100, |seeds| parse(&seeds));
    let broker = broker();
    let differences: Vec<String> =
        seeds.clone().filter_map(|seed| compare(seed, broker.address(), reference).err()).inspect(|found| println!("{found}\n")).collect();
    assert!(differences.is_empty(), "{} of {} sequences differ", differences.len(), seeds.count());
}

fn parse(seeds: &str) -> Range<u64> {
    let (from, to) = seeds.split_once('-').expect("from-to");
    from.parse().expect("a number")..to.parse().expect("a number")
}
