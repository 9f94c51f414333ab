//! Programs in the types that users write: strings and numbers, serdes by default, null only where a type says so. That the operators do
//! what Kafka Streams' do is shown by the cases of the root package.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stream_core::Topology;
use stream_core::serdes::{DefaultSerde, Serde, SerdeContext, SerdeError, SerdeRef};
use stream_dsl::{Branched, Grouped, KTable, Materialized, Named, StreamsBuilder, TimeWindows};
use stream_testkit::TopologyTestDriver;

fn text(text: &str) -> String {
    text.to_owned()
}

fn build(program: impl FnOnce(&StreamsBuilder)) -> Topology {
    let builder = StreamsBuilder::new();
    program(&builder);
    builder.build().expect("a topology")
}

fn pipe(driver: &TopologyTestDriver, topic: &str, records: &[(&str, &str)]) {
    let mut input = driver.create_input_topic::<String, String>(topic);
    input.pipe_key_values(records.iter().map(|(key, value)| (text(key), text(value)))).expect("processed");
}

#[test]
fn a_stream_narrows_what_may_be_null_before_it_groups() {
    let topology = build(|builder| {
        let lines = builder.stream::<Option<String>, Option<String>>("in");
        lines.non_null_key().non_null_value().group_by_key().count().to_stream().map_values(|count| count.unwrap_or(0)).to("out");
    });
    let driver = TopologyTestDriver::new(&topology).expect("a driver");
    let mut input = driver.create_input_topic::<Option<String>, Option<String>>("in");
    for (key, value) in [(None, Some("x")), (Some("a"), None), (Some("a"), Some("x"))] {
        input.pipe_input(key.map(text), value.map(text)).expect("processed");
    }
    let counts = driver.create_output_topic::<String, i64>("out").read_key_values_to_list().expect("counts");
    assert_eq!(counts, [(text("a"), 1)]);
    let reasons: Vec<String> = driver.dropped_records().into_iter().map(|dropped| dropped.reason).collect();
    assert_eq!(reasons, ["null key", "null value"]);
}

#[test]
fn a_type_that_holds_no_null_makes_null_a_bad_record() {
    let topology = build(|builder| builder.stream::<String, String>("in").to("out"));
    let driver = TopologyTestDriver::new(&topology).expect("a driver");
    let mut input = driver.create_input_topic::<Option<String>, String>("in");
    let error = input.pipe_value(text("x")).expect_err("the key is null");
    assert!(error.to_string().contains("Option<_>"), "{error}");
}

/// The smallest and the largest of some numbers.
#[derive(Clone, Copy, Debug)]
struct Extremes {
    low: i64,
    high: i64,
}

struct ExtremesSerde;

impl Serde<Extremes> for ExtremesSerde {
    fn serialize(&self, extremes: &Extremes, out: &mut Vec<u8>, _cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.extend_from_slice(&extremes.low.to_be_bytes());
        out.extend_from_slice(&extremes.high.to_be_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], _cx: &SerdeContext<'_>) -> Result<Extremes, SerdeError> {
        let number = |bytes: &[u8]| bytes.try_into().map(i64::from_be_bytes).map_err(|_| SerdeError::bad("extremes have 16 bytes"));
        let (low, high) = bytes.split_at_checked(8).ok_or_else(|| SerdeError::bad("extremes have 16 bytes"))?;
        Ok(Extremes { low: number(low)?, high: number(high)? })
    }
}

impl DefaultSerde for Extremes {
    fn default_serde() -> SerdeRef<Self> {
        Arc::new(ExtremesSerde)
    }
}

#[test]
fn an_aggregate_may_be_of_any_type_that_has_a_serde() {
    let topology = build(|builder| {
        let sales = builder.stream::<String, i64>("sales").group_by_key();
        let widen = |_: &String, sale: i64, so_far: Extremes| Some(Extremes { low: so_far.low.min(sale), high: so_far.high.max(sale) });
        let extremes = sales.aggregate(|| Extremes { low: i64::MAX, high: i64::MIN }, widen);
        extremes.to_stream().map_values(|extremes| extremes.map_or(0, |extremes| extremes.high - extremes.low)).to("spread");
    });
    let driver = TopologyTestDriver::new(&topology).expect("a driver");
    driver.create_input_topic("sales").pipe_key_values([5_i64, 3, 9].map(|sale| (text("shop"), sale))).expect("processed");
    assert_eq!(driver.create_output_topic::<String, i64>("spread").read_values_to_list().expect("spreads"), [0, 2, 6]);
}

#[test]
fn windows_are_keys_that_show_where_they_begin_and_end() {
    let topology = build(|builder| {
        let clicks = builder.stream::<String, String>("clicks").group_by_key();
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
        clicks.windowed_by(windows).count().to_stream().select_key(|window, _| window.to_string()).to("out");
    });
    let driver = TopologyTestDriver::new(&topology).expect("a driver");
    let mut clicks = driver.create_input_topic::<String, String>("clicks");
    for time in [1, 9, 10] {
        clicks.pipe_input_at(text("ada"), text("home"), time).expect("processed");
    }
    let counts: BTreeMap<String, Option<i64>> = driver.create_output_topic("out").read_key_values_to_map().expect("counts");
    assert_eq!(counts, BTreeMap::from([(text("ada@0/10"), Some(2)), (text("ada@10/20"), Some(1))]));
}

#[test]
fn a_join_gives_its_function_the_types_of_both_sides() {
    let topology = build(|builder| {
        let prices: KTable<String, i64> = builder.table("prices");
        let orders = builder.stream::<String, i64>("orders");
        orders.join(&prices, |amount, price| amount * price).to("totals");
        orders.left_join(&prices, |amount, price| price.map_or(0, |price| amount * price)).to("totals-or-0");
    });
    let driver = TopologyTestDriver::new(&topology).expect("a driver");
    driver.create_input_topic("prices").pipe_input(text("tea"), 4_i64).expect("processed");
    let mut orders = driver.create_input_topic("orders");
    orders.pipe_key_values([(text("tea"), 2_i64), (text("salt"), 3)]).expect("processed");
    assert_eq!(driver.create_output_topic::<String, i64>("totals").read_values_to_list().expect("totals"), [8]);
    assert_eq!(driver.create_output_topic::<String, i64>("totals-or-0").read_values_to_list().expect("totals"), [8, 0]);
}

#[test]
fn branches_are_found_by_their_names() {
    let topology = build(|builder| {
        let lines = builder.stream::<String, String>("in").split_named(Named::new("by-"));
        let is = |prefix: &'static str| move |_: &String, value: &String| value.starts_with(prefix);
        let branches = lines.branch(is("error"), Branched::named("error")).default_branch(Branched::named("rest"));
        branches["by-error"].to("errors");
        branches["by-rest"].to("others");
    });
    let driver = TopologyTestDriver::new(&topology).expect("a driver");
    pipe(&driver, "in", &[("a", "error 1"), ("b", "fine"), ("c", "error 2")]);
    assert_eq!(driver.create_output_topic::<String, String>("errors").queue_size(), 2);
    assert_eq!(driver.create_output_topic::<String, String>("others").read_key_value().expect("one"), (text("b"), text("fine")));
}

#[test]
fn names_of_groupings_and_stores_become_names_of_topics() {
    let topology = build(|builder| {
        let orders = builder.stream::<String, String>("orders");
        let by_customer = orders.group_by_with(|_, order: &String| order.clone(), Grouped::named("by-customer"));
        by_customer.count_with(Materialized::named("orders-per-customer")).to_stream().to("out");
    });
    let driver = TopologyTestDriver::builder(&topology).application_id("shop").build().expect("a driver");
    pipe(&driver, "orders", &[("1", "ada"), ("2", "ada")]);
    let topics: Vec<String> = driver.produced_topic_names().into_iter().collect();
    assert_eq!(topics, ["out", "shop-by-customer-repartition", "shop-orders-per-customer-changelog"]);
    assert_eq!(driver.store_names().expect("stores"), ["orders-per-customer"]);
}
