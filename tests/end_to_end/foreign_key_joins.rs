//! A foreign-key join on a cluster: over three sub-topologies and topics of different partition counts, with a restart between.

use std::collections::BTreeMap;
use std::path::Path;

use crate::harness::{Cluster, PATIENCE, send};
use kstreams::core::app::{KafkaStreams, State};
use kstreams::core::config::StreamsConfig;
use kstreams::dsl::{KTable, StreamsBuilder};
use rdkafka::producer::{BaseRecord, Producer};

const ORDERS: usize = 300;
const CUSTOMERS: usize = 7;

struct Topics {
    orders: String,
    customers: String,
    output: String,
}

impl Topics {
    fn create(cluster: &Cluster) -> Self {
        Self {
            orders: cluster.topic("orders", 3, &[]),
            customers: cluster.topic("customers", 2, &[]),
            output: cluster.topic("output", 1, &[]),
        }
    }
}

fn start(cluster: &Cluster, state: &Path, application: &str, topics: &Topics) -> KafkaStreams {
    let builder = StreamsBuilder::new();
    let orders = builder.table::<String, String>(topics.orders.as_str());
    let customers = builder.table::<String, String>(topics.customers.as_str());
    let joined: KTable<String, String> =
        orders.left_join_foreign_key(&customers, |_, customer| customer.clone(), |order, customer| format!("{order}={customer:?}"));
    joined.to_stream().to(topics.output.as_str());
    let mut config = StreamsConfig::new(application, cluster.bootstrap_servers());
    let settings = [
        ("state.dir", state.display().to_string()),
        ("processing.guarantee", "exactly_once_v2".to_owned()),
        ("commit.interval.ms", "50".to_owned()),
        ("num.stream.threads", "2".to_owned()),
    ];
    for (name, value) in settings {
        config = config.set(name, value).expect("a setting");
    }
    let streams = KafkaStreams::new(builder.build().expect("a topology"), config).expect("an application");
    streams.start().expect("it starts");
    assert!(streams.wait_for(State::Running, PATIENCE), "{:?}", streams.failure());
    streams
}

/// Order `number` is in the partition that its number says, which is not the one that its key would go to.
fn write_orders(cluster: &Cluster, topics: &Topics, customer: impl Fn(usize) -> usize) {
    let producer = cluster.producer(&[]);
    for number in 0..ORDERS {
        let (key, value) = (format!("o{number:03}"), format!("c{}", customer(number)));
        let partition = i32::try_from(number % 3).expect("a partition");
        send(&producer, BaseRecord::<str, str>::to(&topics.orders).key(key.as_str()).payload(value.as_str()).partition(partition));
    }
    producer.flush(PATIENCE).expect("all records are acknowledged");
}

/// Reads on until the last result of each order is this one.
fn await_results(cluster: &Cluster, topics: &Topics, expected: &BTreeMap<String, String>) {
    let mut last = BTreeMap::new();
    cluster.read_until(&topics.output, PATIENCE, |row| {
        last.insert(row.key_text(), row.value_text());
        last == *expected
    });
    assert_eq!(last, *expected);
}

fn expected(customer: impl Fn(usize) -> usize, name: impl Fn(usize) -> Option<String>) -> BTreeMap<String, String> {
    let result = |number| format!("c{}={:?}", customer(number), name(customer(number)));
    (0..ORDERS).map(|number| (format!("o{number:03}"), result(number))).collect()
}

#[test]
fn t86_answers_go_to_the_partitions_that_asked() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let topics = Topics::create(&cluster);
    let application = cluster.unique("orders");
    let customers = |version: &str| {
        let rows: Vec<_> = (0..CUSTOMERS).map(|number| (Some(format!("c{number}")), format!("n{number}{version}"))).collect();
        cluster.produce(&topics.customers, rows);
    };
    let one = |number: usize| number % (CUSTOMERS + 1);
    let named = |version: &'static str| move |customer: usize| (customer < CUSTOMERS).then(|| format!("n{customer}{version}"));

    let streams = start(&cluster, state.path(), &application, &topics);
    write_orders(&cluster, &topics, one);
    await_results(&cluster, &topics, &expected(one, |_| None));
    customers("");
    await_results(&cluster, &topics, &expected(one, named("")));
    assert!(streams.close(PATIENCE));

    // Both sides change while the application is away.
    let other = |number: usize| (number / 3) % (CUSTOMERS + 1);
    write_orders(&cluster, &topics, other);
    customers("-new");
    let streams = start(&cluster, state.path(), &application, &topics);
    await_results(&cluster, &topics, &expected(other, named("-new")));
    assert!(streams.close(PATIENCE));
}
