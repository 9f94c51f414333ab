//! Programs of the DSL against the answers of Kafka Streams 4.3.1: `describe()` text, every record on every topic, dropped records.
//!
//! Each case in `tests/cases` holds inputs and answers; the program of each is written here. Order counts within a topic; several
//! changelog records of one key within a step may be one, the last, because a commit logs each dirty key once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use stream_core::task::{DriverOptions, TaskDriver};
use stream_core::{Headers, Topology, TopologyError};
use stream_dsl::{Branched, Grouped, KStream, KTable, Materialized, Named, Repartitioned, StreamsBuilder, TimeWindows, Windowed};

type Text = Option<String>;
type Stream = KStream<Text, Text>;
type Program = fn(&StreamsBuilder);

fn text(value: &Text) -> String {
    value.clone().unwrap_or_else(|| "null".to_owned())
}

fn some(builder: &StreamsBuilder, topic: &str) -> Stream {
    builder.stream(topic)
}

/// Keys and values that are not null, as groupings need them.
fn present(stream: &Stream) -> KStream<String, String> {
    stream.non_null_key().non_null_value()
}

fn upper(value: &Text) -> Text {
    value.as_ref().map(|value| value.to_uppercase())
}

fn contains(part: &'static str) -> impl Fn(&Text, &Text) -> bool + Send + Sync + 'static {
    move |_, value| value.as_ref().is_some_and(|value| value.contains(part))
}

fn first_char(value: &str) -> Text {
    value.chars().next().map(String::from)
}

fn before_colon(value: &Text) -> Text {
    Some(value.as_ref()?.split_once(':')?.0.to_owned())
}

fn append(aggregate: String, value: &str) -> String {
    format!("{aggregate},{value}")
}

fn concat(aggregate: String, value: String) -> String {
    format!("{aggregate}+{value}")
}

fn out<K: stream_core::serdes::DefaultSerde + Clone, V: stream_core::serdes::DefaultSerde + Clone>(table: &KTable<K, V>, topic: &str) {
    table.to_stream().to(topic);
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn uncached<K, V>() -> Materialized<K, V> {
    Materialized::default().with_caching_disabled()
}

/// `to_stream` with a key selector is `to_stream` and `select_key`.
fn windows_out<V: stream_core::serdes::DefaultSerde + Clone>(table: &KTable<Windowed<String>, V>, topic: &str) {
    table.to_stream().select_key(|key, _| key.to_string()).to(topic);
}

fn tumbling(size: u64, grace: u64) -> TimeWindows {
    TimeWindows::of_size_and_grace(ms(size), ms(grace))
}

/// Appends, or deletes at a `!`; null values are aggregated as "" in windows (trap T7).
fn window_append(builder: &StreamsBuilder, windows: TimeWindows, materialized: Materialized<String, String>) {
    let table = some(builder, "in").non_null_key().group_by_key().windowed_by(windows).aggregate_with(
        String::new,
        |_, value: Text, aggregate| append(aggregate, &value.unwrap_or_default()),
        materialized.with_value_serde(stream_core::serdes::DefaultSerde::default_serde()),
    );
    windows_out(&table, "out");
}

fn window_count(builder: &StreamsBuilder, windows: TimeWindows, materialized: Materialized<String, i64>) {
    windows_out(&some(builder, "in").non_null_key().group_by_key().windowed_by(windows).count_with(materialized), "out");
}

fn programs() -> BTreeMap<&'static str, Program> {
    let programs: Vec<(&str, Program)> = vec![
        ("aggregate/aggregate-null-deletes", |b| {
            let table = present(&some(b, "in")).group_by_key().aggregate(
                || "I".to_owned(),
                |_, value: String, aggregate: String| (!value.contains('!')).then(|| append(aggregate, &value)),
            );
            out(&table, "out");
        }),
        ("aggregate/cache-merges-updates-of-one-record", |b| {
            let words = some(b, "in").flat_map_values(|value| {
                let words: Vec<Text> = value
                    .iter()
                    .flat_map(|value| value.split(' '))
                    .filter(|word| !word.is_empty())
                    .map(|word| Some(word.to_owned()))
                    .collect();
                words
            });
            let grouped = present(&words).group_by_key();
            out(&grouped.count_with(Materialized::named("with-cache")), "o1");
            out(&grouped.reduce_with(concat, Materialized::named("no-cache").with_caching_disabled()), "o2");
        }),
        ("aggregate/caching-is-invisible-here", |b| {
            out(&present(&some(b, "in")).group_by_key().count_with(Materialized::named("st")), "out")
        }),
        ("aggregate/changelog-topic-config", |b| {
            let configs =
                BTreeMap::from([("cleanup.policy".to_owned(), "delete".to_owned()), ("retention.ms".to_owned(), "1000".to_owned())]);
            out(&present(&some(b, "in")).group_by_key().count_with(Materialized::named("st").with_logging_enabled(configs)), "out");
        }),
        ("aggregate/count-by-long-key", |b| {
            let grouped = some(b, "in").non_null_value().group_by(|_, value: &String| value.len() as i64);
            out(&grouped.count_with(Materialized::named("by-length")), "out");
        }),
        ("aggregate/count", |b| out(&present(&some(b, "in")).group_by_key().count(), "out")),
        ("aggregate/group-by-key-after-key-change", |b| {
            let changed = some(b, "in").select_key(|_, value| value.clone()).map_values(upper);
            out(&present(&changed).group_by_key().reduce(concat), "out");
        }),
        ("aggregate/group-by-repartitions", |b| {
            out(&present(&some(b, "in").select_key(|_, value| before_colon(value))).group_by_key().count(), "out");
        }),
        ("aggregate/logging-disabled", |b| {
            out(&present(&some(b, "in")).group_by_key().count_with(Materialized::named("st").with_logging_disabled()), "out");
        }),
        ("aggregate/no-cache", |b| out(&present(&some(b, "in")).group_by_key().count_with(Materialized::named("st")), "out")),
        ("aggregate/reduce-first-value", |b| out(&present(&some(b, "in")).group_by_key().reduce(concat), "out")),
        ("aggregate/reduce-null-deletes", |b| {
            let reducer = |aggregate: String, value: String| (!value.contains('!')).then(|| concat(aggregate, value));
            out(&present(&some(b, "in")).group_by_key().reduce_with(reducer, Materialized::named("st")), "out");
        }),
        ("aggregate/result-keeps-headers", |b| out(&present(&some(b, "in")).group_by_key().count(), "out")),
        ("aggregate/result-timestamp-is-max", |b| {
            let materialized = Materialized::named("st").with_value_serde(stream_core::serdes::DefaultSerde::default_serde());
            let table = present(&some(b, "in")).group_by_key().aggregate_with(
                String::new,
                |_, value: String, sum| append(sum, &value),
                materialized,
            );
            out(&table, "out");
        }),
        ("aggregate/two-aggregates-of-one-grouping", |b| {
            let grouped = some(b, "in").non_null_value().group_by_with(|_, value: &String| value.clone(), Grouped::named("by-value"));
            out(&grouped.count(), "counts");
            out(&grouped.aggregate(String::new, |key, value: String, sum| format!("{sum},{key}={value}")), "lists");
        }),
        ("aggregate/two-aggregates-of-one-unnamed-grouping", |b| {
            let grouped = present(&some(b, "in").select_key(|_, value| value.clone())).group_by_key();
            out(&grouped.count(), "counts");
            out(&grouped.aggregate(String::new, |_, value: String, sum| append(sum, &value)), "lists");
        }),
        ("aggregate/word-count", |b| {
            let words = some(b, "in").flat_map_values(|value| {
                let words: Vec<Text> = value
                    .iter()
                    .flat_map(|value| value.split(' '))
                    .filter(|word| !word.is_empty())
                    .map(|word| Some(word.to_owned()))
                    .collect();
                words
            });
            let grouped = present(&words.select_key(|_, word| word.clone())).group_by_key();
            out(&grouped.count_with(Materialized::named("counts")), "out");
        }),
        ("join-stream-table/inner", |b| {
            let (stream, table) = (some(b, "in"), b.table::<String, String>("tab"));
            present(&stream).join(&table, |one, two| format!("{one}|{two}")).to("out");
        }),
        ("join-stream-table/left", |b| {
            let (stream, table) = (some(b, "in"), b.table::<String, String>("tab"));
            present(&stream).left_join(&table, |one, two| format!("{one}|{}", text(&two.cloned()))).to("out");
        }),
        ("join-stream-table/join-with-aggregate", |b| {
            let stream = present(&some(b, "in"));
            let counts = stream.group_by_key().count();
            stream.join(&counts, |one, two| format!("{one}|{two}")).to("out");
        }),
        ("stateless/fan-out-order", |b| {
            let append = |suffix: &'static str| move |value: &Text| value.as_ref().map(|value| format!("{value}{suffix}"));
            let stream = some(b, "in");
            let first = stream.map_values(append("1"));
            first.to("o1");
            stream.map_values(append("2")).to("o2");
            first.map_values(append("3")).to("o3");
        }),
        ("stateless/filter-and-filter-not", |b| {
            let even = |_: &Text, value: &Text| value.as_ref().is_some_and(|value| value.len() % 2 == 0);
            let stream = some(b, "in");
            stream.filter(even).to("even");
            stream.filter_not(even).to("rest");
        }),
        ("stateless/merge-two-topics", |b| some(b, "in1").merge(&some(b, "in2")).to("out")),
        ("stateless/merge-with-own-branch", |b| {
            let stream = some(b, "in");
            stream.merge(&stream.map_values(upper)).to("out");
        }),
        ("stateless/repartition-named-with-partitions", |b| {
            let options = Repartitioned::default().with_name("shuffle").with_number_of_partitions(4);
            out(&present(&some(b, "in").select_key(|_, value| value.clone()).repartition_with(options)).group_by_key().count(), "out");
        }),
        ("stateless/repartition-unnamed", |b| some(b, "in").repartition().map_values(upper).to("out")),
        ("stateless/same-topic-consumed-twice", |b| {
            let (one, two) = (some(b, "in"), some(b, "in"));
            one.map_values(upper).to("o1");
            two.to("o2");
        }),
        ("stateless/source-many-topics", |b| b.stream::<Text, Text>(["in1", "in2"]).map_values(upper).to("out")),
        ("stateless/split-first-match-wins", |b| {
            let branches = some(b, "in")
                .split()
                .branch(contains("a"), Branched::default())
                .branch(contains("b"), Branched::default())
                .default_branch(Branched::default());
            for (suffix, topic) in [("1", "out-a"), ("2", "out-b"), ("0", "out-rest")] {
                let (_, branch) = branches.iter().find(|(name, _)| name.ends_with(&format!("-0000000001{suffix}"))).expect("a branch");
                branch.to(topic);
            }
        }),
        ("stateless/split-names-prefix-and-index", |b| {
            let branches = some(b, "in")
                .split_named(Named::new("pre-"))
                .branch(contains("a"), Branched::named("first"))
                .branch(contains("b"), Branched::default())
                .default_branch(Branched::default());
            branches["pre-first"].to("o1");
            branches["pre-2"].to("o2");
            branches["pre-0"].to("o0");
        }),
        ("stateless/split-no-default-drops-silently", |b| {
            let branches = some(b, "in").split().branch(contains("a"), Branched::default()).no_default_branch();
            branches.values().next().expect("a branch").to("out");
        }),
        ("stateless/through-a-topic", |b| {
            some(b, "in").map_values(|value| value.as_ref().map(|value| format!("{value}!"))).to("mid");
            some(b, "mid").map_values(|value| value.as_ref().map(|value| format!("{value}?"))).to("out");
        }),
        ("table/source-materialized", |b| {
            let table: KTable<String, String> = b.table_with("in", Default::default(), Materialized::named("store"));
            out(&table, "out");
        }),
        ("table/source-without-store", |b| out(&b.table::<String, String>("in"), "out")),
        ("table/map-values-chain-getter", |b| {
            let table = b.table::<String, String>("in").map_values(|value| value.to_uppercase()).filter(|_, value| value.contains('X'));
            present(&some(b, "st")).join(&table, |one, two| format!("{one}|{two}")).to("out");
        }),
        ("window-hopping/ascending-emission", |b| window_count(b, tumbling(10, 100).advance_by(ms(2)), uncached())),
        ("window-hopping/partially-late", |b| window_append(b, tumbling(10, 0).advance_by(ms(5)), uncached())),
        ("window-hopping/partially-late-cached", |b| window_append(b, tumbling(10, 0).advance_by(ms(5)), Materialized::default())),
        ("window-tumbling/after-repartition", |b| {
            let keyed = some(b, "in").select_key(|_, value| first_char(&value.clone().unwrap_or_default()));
            windows_out(&keyed.non_null_key().group_by_key().windowed_by(tumbling(10, 0)).count_with(uncached()), "out");
        }),
        ("window-tumbling/basic", |b| window_count(b, tumbling(10, 0), uncached())),
        ("window-tumbling/grace-boundary", |b| window_append(b, tumbling(10, 5), uncached())),
        ("window-tumbling/headers-kept", |b| window_count(b, tumbling(10, 0), uncached())),
        ("window-tumbling/late-is-dropped", |b| window_append(b, tumbling(10, 0), uncached())),
        ("window-tumbling/late-is-dropped-cached", |b| window_append(b, tumbling(10, 0), Materialized::default())),
        ("window-tumbling/result-timestamp", |b| window_append(b, tumbling(10, 10), uncached())),
        ("window-tumbling/any-key-moves-time", |b| window_append(b, tumbling(10, 0), uncached())),
        ("window-tumbling/null-key-does-not-move-time", |b| window_append(b, tumbling(10, 0), uncached())),
        ("window-tumbling/retention-larger", |b| {
            window_count(b, tumbling(10, 5), Materialized::named("st").with_retention(ms(500)).with_caching_disabled());
        }),
    ];
    programs.into_iter().collect()
}

fn build(program: Program) -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    program(&builder);
    builder.build()
}

/// The bytes of a key or value: text as UTF-8, numbers as 8 bytes, `{"hex"}` raw.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Number(number) => Some(number.as_i64().expect("a whole number").to_be_bytes().to_vec()),
        other => {
            let hex = other["hex"].as_str().expect("hex");
            Some((0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect())
        }
    }
}

fn headers(value: &Value) -> Headers {
    let mut headers = Headers::new();
    for header in value.as_array().into_iter().flatten() {
        headers.add(header[0].as_str().expect("a name"), bytes(&header[1]).as_deref());
    }
    headers
}

type Row = (Option<Vec<u8>>, Option<Vec<u8>>, i64, Headers);

/// Records by topic. Of a changelog's records of one key only the last one counts.
fn by_topic(records: impl Iterator<Item = (String, Row)>) -> BTreeMap<String, Vec<Row>> {
    let mut topics: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for (topic, row) in records {
        let rows = topics.entry(topic.clone()).or_default();
        if topic.ends_with("-changelog") {
            rows.retain(|known| known.0 != row.0);
        }
        rows.push(row);
    }
    topics
}

fn differences(name: &str, case: &Value, program: Program) -> Vec<String> {
    let mut differences = Vec::new();
    let topology = match build(program) {
        Ok(topology) => topology,
        Err(error) => return vec![format!("{name}: cannot be built: {error}")],
    };
    let wanted: Vec<&str> =
        case["expected"]["describe"].as_array().expect("describe").iter().map(|line| line.as_str().expect("text")).collect();
    let got = topology.describe().to_string();
    if got.trim_end() != wanted.join("\n").trim_end() {
        differences.push(format!("{name}: describe\n--- wanted\n{}\n--- got\n{got}", wanted.join("\n")));
    }
    let state = tempfile::tempdir().expect("a folder");
    let mut options = DriverOptions::new("app", state.path());
    options.caching_enabled = case["config"]["statestore.cache.max.bytes"] != 0;
    let mut driver = TaskDriver::new(&topology, &options).expect("a driver");
    for (index, step) in case["steps"].as_array().expect("steps").iter().enumerate() {
        let topic = step["pipe"].as_str().expect("only pipes");
        let produced = driver
            .pipe(topic, bytes(&step["key"]), bytes(&step["value"]), step["ts"].as_i64().expect("ts"), headers(&step["headers"]))
            .expect("processed");
        let got = by_topic(
            produced.into_iter().map(|record| (record.topic.to_string(), (record.key, record.value, record.timestamp, record.headers))),
        );
        let wanted = by_topic(case["expected"]["steps"][index]["records"].as_array().into_iter().flatten().map(|record| {
            let row = (bytes(&record["key"]), bytes(&record["value"]), record["ts"].as_i64().expect("ts"), headers(&record["headers"]));
            (record["topic"].as_str().expect("a topic").to_owned(), row)
        }));
        if got != wanted {
            differences.push(format!("{name}, step {index}:\n--- wanted {wanted:?}\n--- got    {got:?}"));
        }
    }
    if let Some(dropped) = case["expected"]["dropped"].as_u64() {
        let got = driver.metrics().dropped.get();
        if got != dropped {
            differences.push(format!("{name}: {got} records dropped, wanted {dropped}"));
        }
    }
    differences
}

#[test]
fn programs_behave_as_in_kafka_streams() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let programs = programs();
    let mut all = Vec::new();
    for (name, program) in &programs {
        let file = cases.join(format!("{name}.json"));
        let case: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("a case")).expect("JSON");
        all.extend(differences(name, &case, *program));
    }
    println!("{} cases: {} differences", programs.len(), all.len());
    assert!(all.is_empty(), "{}", all.join("\n\n"));
}
