//! What a processor's context offers beside records and stores: metrics of its own and the application's settings.

use std::time::Duration;

use stream_core::config::StreamsConfig;
use stream_core::metrics::Sensor;
use stream_core::{BoxError, ErrorKind, InitContext, Processor, ProcessorContext, Record, Topology};
use stream_dsl::StreamsBuilder;
use stream_testkit::TopologyTestDriver;

/// Measures what passes.
#[derive(Default)]
struct Measure {
    passed: Option<Sensor>,
    lengths: Option<Sensor>,
    last: Option<Sensor>,
}

impl Processor for Measure {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        let metrics = cx.metrics();
        self.passed = Some(metrics.add_rate_total_sensor("shop", "orders", "pass", &[("country", "de")])?);
        self.lengths = Some(metrics.add_latency_rate_total_sensor("shop", "orders", "wait", &[])?);
        self.last = Some(metrics.add_gauge("shop", "orders", "last-length", &[])?);
        let refused = metrics.add_gauge("shop", "orders", "wait", &[]).expect_err("another kind");
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(metrics.add_gauge("shop", "", "x", &[]).is_err(), "an entity has a name");
        Ok(())
    }

    fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        let length = record.value.len() as f64;
        for (sensor, value) in [(&self.passed, 1.0), (&self.lengths, length), (&self.last, length)] {
            sensor.as_ref().ok_or("not initialised")?.record(value);
        }
        Ok(cx.forward(record)?)
    }
}

fn topology<P>(supplier: impl Fn() -> P + Send + Sync + 'static) -> Topology
where
    P: Processor<KeyIn = String, ValueIn = String, KeyOut = String, ValueOut = String>,
{
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").process(supplier, &[]).to("out");
    builder.build().expect("a topology")
}

#[test]
fn metrics_have_kafka_s_groups_names_and_tags_and_stay_when_the_task_starts_again() {
    let driver = TopologyTestDriver::new(&topology(Measure::default)).expect("a driver");
    let mut input = driver.create_input_topic::<String, String>("in");
    for value in ["ab", "abcd"] {
        input.pipe_input("k".to_owned(), value.to_owned()).expect("processed");
    }
    let metrics = driver.custom_metrics().expect("metrics");
    let value = |text: &str| metrics.iter().find(|(name, _)| name.to_string() == text).map(|(_, value)| *value);
    let pass = "kafka.streams:type=stream-shop-metrics,country=de,shop-id=orders,task-id=0_0:pass";
    let of_task = "kafka.streams:type=stream-shop-metrics,shop-id=orders,task-id=0_0";
    assert_eq!(value(&format!("{pass}-total")), Some(2.0));
    assert_eq!(value(&format!("{pass}-rate")), Some(2.0 / 30.0));
    for (name, expected) in [("wait-latency-avg", 3.0), ("wait-latency-max", 4.0), ("wait-total", 2.0), ("last-length", 4.0)] {
        assert_eq!(value(&format!("{of_task}:{name}")), Some(expected), "{name}");
    }
    driver.advance_wall_clock_time(Duration::from_secs(120)).expect("time passes");
    let rate = driver.custom_metrics().expect("metrics").into_iter().find(|(name, _)| name.name == "pass-rate");
    assert_eq!(rate.map(|(_, value)| value), Some(0.0));
}

/// Says what it was configured with.
#[derive(Default)]
struct Configured(String);

impl Processor for Configured {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        let configs = cx.app_configs();
        assert!(!configs.values().any(|value| value.contains("hidden")), "secrets are not among them: {configs:?}");
        let prices = cx.app_configs_with_prefix("prices.");
        self.0 = format!("{} {} {prices:?}", configs["num.stream.threads"], configs["producer.linger.ms"]);
        Ok(())
    }

    fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        Ok(cx.forward(record.with_value(self.0.clone()))?)
    }
}

#[test]
fn processors_read_the_settings_of_the_application_and_those_of_the_program() {
    let config = StreamsConfig::new("shop", "localhost:9092")
        .set("num.stream.threads", 3)
        .and_then(|config| config.set("producer.linger.ms", 7))
        .and_then(|config| config.set("sasl.password", "hidden"))
        .and_then(|config| config.with_app_config("prices.url", "http://prices"))
        .expect("a configuration");
    let topology = topology(Configured::default);
    let driver = TopologyTestDriver::builder(&topology).config(&config).build().expect("a driver");
    driver.create_input_topic::<String, String>("in").pipe_input("k".to_owned(), String::new()).expect("processed");
    let value = driver.create_output_topic::<String, String>("out").read_value().expect("a result");
    assert_eq!(value, r#"3 7 {"url": "http://prices"}"#);
}

#[test]
fn a_setting_of_the_program_s_own_has_a_name_that_nobody_else_has() {
    for name in ["state.dir", "producer.linger.ms", "linger.ms", "topic.retention.ms", ""] {
        let config = StreamsConfig::new("shop", "localhost:9092");
        let refused = config.with_app_config(name, 1).expect_err("the name is taken").to_string();
        assert!(refused.contains(&format!("`{name}`")) && refused.contains("take another name"), "{refused}");
    }
}

#[test]
fn stores_are_in_memory_where_the_setting_says_so_and_the_program_says_nothing() {
    use stream_dsl::{Materialized, StoreType};

    let build = |class: Option<&str>| {
        let builder = StreamsBuilder::new();
        let grouped = builder.stream::<String, String>("in").group_by_key();
        grouped.count_with(Materialized::named("default"));
        grouped.count_with(Materialized::named("explicit").with_store_type(StoreType::Persistent));
        let config = StreamsConfig::new("shop", "localhost:9092");
        let config = class.into_iter().try_fold(config, |config, class| config.set("dsl.store.suppliers.class", class));
        builder.build_with(&config.expect("a setting")).expect("a topology")
    };
    let on_disk = |topology: &Topology| {
        let folder = std::env::temp_dir().join(format!("kstreams-suppliers-{}", std::process::id()));
        let driver = TopologyTestDriver::builder(topology).state_dir(&folder).build().expect("a driver");
        driver.create_input_topic::<String, String>("in").pipe_input("k".to_owned(), "v".to_owned()).expect("processed");
        driver.flush_stores().expect("a flush");
        drop(driver);
        let stores = std::fs::read_dir(folder.join("test").join("0_0").join("rocksdb")).expect("a folder of stores");
        let mut names: Vec<String> = stores.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        std::fs::remove_dir_all(&folder).expect("the folder can be removed");
        names.sort();
        names
    };
    assert_eq!(on_disk(&build(None)), ["default", "explicit"]);
    for class in ["in-memory", "org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers"] {
        assert_eq!(on_disk(&build(Some(class))), ["explicit"], "{class}");
    }
    let refused = StreamsConfig::new("shop", "localhost:9092").set("dsl.store.suppliers.class", "MySuppliers").expect_err("unknown");
    assert!(refused.to_string().contains("Materialized::supplied"), "{refused}");
}
