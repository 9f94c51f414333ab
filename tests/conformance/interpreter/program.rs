//! From the statements of a case to a program of the DSL.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kstreams::core::config::StreamsConfig;
use kstreams::core::serdes::SerdeRef;
use kstreams::core::time::{FailOnInvalidTimestamp, LogAndSkipOnInvalidTimestamp, UsePartitionTimeOnInvalidTimestamp};
use kstreams::core::topology::{AutoOffsetReset, Consumed, Regex, SourceTopics};
use kstreams::core::{Topology, TopologyError};
use kstreams::dsl::{
    GlobalKTable, KGroupedStream, KGroupedTable, KStream, KTable, Materialized, Named, StoreSupplier, StoreType, StreamsBuilder, Windowed,
};
use kstreams::state::Stores;
use serde_json::Value;
use tempfile::TempDir;

use super::datum::{Datum, Nullable, Type, Visible};
use super::extractors::ValueNumber;
use super::processors::{CaseProcessor, Spec};
use super::stores::{self, Declared};
use super::windows::{Cogroup, InWindows};

/// A stream or table with the types of its keys and values.
#[derive(Clone)]
pub struct Typed<S> {
    pub node: S,
    pub key: Type,
    pub value: Type,
}

/// What an id stands for. Streams of tables have keys that are not null, counts are numbers.
#[derive(Clone)]
pub enum Bound {
    Stream(Typed<KStream<Nullable, Nullable>>),
    CountStream(Typed<KStream<Nullable, Option<i64>>>),
    Changes(Typed<KStream<Datum, Nullable>>),
    CountChanges(Typed<KStream<Datum, Option<i64>>>),
    WindowChanges(Typed<KStream<Windowed<Datum>, Nullable>>),
    WindowCountChanges(Typed<KStream<Windowed<Datum>, Option<i64>>>),
    Table(Typed<KTable<Datum, Datum>>),
    GlobalTable(Typed<GlobalKTable<Datum, Datum>>),
    Counts(Typed<KTable<Datum, i64>>),
    WindowTable(Typed<KTable<Windowed<Datum>, Datum>>),
    WindowCounts(Typed<KTable<Windowed<Datum>, i64>>),
    /// Values may be null: windows take them (trap T7).
    Grouped(Typed<Rc<KGroupedStream<Datum, Nullable>>>),
    Cogrouped(Typed<Cogroup>),
    /// With the statement's windows.
    Windowed(Typed<(InWindows, Value)>),
    GroupedTable(Typed<Rc<KGroupedTable<Datum, Datum>>>),
}

/// Finds the variant of a stream or table of these types.
pub trait Bind: Sized {
    fn bind(self) -> Bound;
}

macro_rules! bind {
    ($($variant:ident: $node:ty;)*) => {$(
        impl Bind for Typed<$node> {
            fn bind(self) -> Bound {
                Bound::$variant(self)
            }
        }
    )*};
}

bind! {
    Stream: KStream<Nullable, Nullable>;
    CountStream: KStream<Nullable, Option<i64>>;
    Changes: KStream<Datum, Nullable>;
    CountChanges: KStream<Datum, Option<i64>>;
    WindowChanges: KStream<Windowed<Datum>, Nullable>;
    WindowCountChanges: KStream<Windowed<Datum>, Option<i64>>;
    Table: KTable<Datum, Datum>;
    Counts: KTable<Datum, i64>;
    WindowTable: KTable<Windowed<Datum>, Datum>;
    WindowCounts: KTable<Windowed<Datum>, i64>;
}

/// Why a case is left out.
pub type NotYet = String;
pub type Done<T> = Result<T, NotYet>;

/// What `peek` and `foreach` saw.
pub type Seen = Arc<Mutex<Vec<Value>>>;

pub struct Program<'a> {
    config: &'a Value,
    pub statements: &'a [Value],
    builder: StreamsBuilder,
    /// From the first statement of the topology's own on; an error of one of them is told when all statements are done.
    topology: Option<Result<Topology, TopologyError>>,
    pub bound: HashMap<String, Bound>,
    pub branches: BTreeMap<String, Vec<String>>,
    pub seen: Seen,
    /// Where `print` writes to, by label.
    pub printed: BTreeMap<String, PathBuf>,
    pub folder: TempDir,
}

/// What came of the statements.
pub struct Built {
    pub topology: Result<Topology, TopologyError>,
    pub branches: BTreeMap<String, Vec<String>>,
    pub seen: Seen,
    printed: BTreeMap<String, PathBuf>,
    /// Removed with this.
    _folder: TempDir,
}

impl Built {
    /// The lines that each `print` wrote.
    pub fn printed(&self) -> BTreeMap<String, Vec<String>> {
        let lines = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect();
        self.printed.iter().map(|(label, path)| (label.clone(), lines(path))).collect()
    }
}

/// Topic configs of a store's changelog; `None` when it logs nothing.
pub fn topic_configs(spec: &Value) -> Option<BTreeMap<String, String>> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let configs = spec["topic-config"].as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect();
    (spec["logging"] != false).then_some(configs)
}

/// The supplier of a store without windows.
fn key_value_supplier(spec: &Value) -> Done<Option<StoreSupplier>> {
    let Some(kind) = spec["store"].as_str() else { return Ok(None) };
    let name = string(spec, "name")?;
    if !spec["store-retention-ms"].is_null() {
        return out(format_args!("store supplier of windows {kind}"));
    }
    Ok(Some(match kind {
        "in-memory" => Stores::in_memory_key_value_store(name).into(),
        "persistent" | "persistent-timestamped" => Stores::persistent_key_value_store(name).into(),
        "lru" => Stores::lru_map(name, max_entries(spec)?).into(),
        "versioned" => stores::versioned_supplier(spec)?.into(),
        other => return out(format_args!("store supplier {other}")),
    }))
}

/// How many rows a bounded store keeps.
pub fn max_entries(spec: &Value) -> Done<usize> {
    spec["max-entries"].as_u64().and_then(|entries| usize::try_from(entries).ok()).ok_or_else(|| "max-entries".to_owned())
}

pub fn out<T>(what: impl std::fmt::Display) -> Done<T> {
    Err(what.to_string())
}

pub fn string<'a>(statement: &'a Value, field: &str) -> Done<&'a str> {
    statement[field].as_str().ok_or_else(|| format!("{}: {field}", statement["op"]))
}

pub fn named(statement: &Value) -> Named {
    statement["name"].as_str().map_or_else(Named::default, Named::new)
}

pub fn known<T>(function: Option<T>, statement: &Value, field: &str) -> Done<T> {
    function.ok_or_else(|| format!("function {}", statement[field]))
}

impl<'a> Program<'a> {
    pub fn new(case: &'a Value) -> Self {
        let statements = case["topology"].as_array().map_or(&[][..], Vec::as_slice);
        let builder = StreamsBuilder::new();
        Self {
            config: &case["config"],
            statements,
            builder,
            topology: None,
            bound: HashMap::new(),
            branches: BTreeMap::new(),
            seen: Seen::default(),
            printed: BTreeMap::new(),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Runs all statements.
    pub fn build(mut self) -> Done<Built> {
        let config = self.streams_config()?;
        for statement in self.statements {
            let op = string(statement, "op")?;
            if self.topology.is_none() && Self::is_of_topology(op) {
                self.topology = Some(std::mem::take(&mut self.builder).build_with(&config));
            }
            match self.topology.take() {
                None => self.run(statement)?,
                Some(Ok(mut topology)) => self.topology = Some(self.on_topology(statement, &mut topology)?.map(|()| topology)),
                Some(Err(error)) => self.topology = Some(Err(error)),
            }
        }
        let topology = self.topology.unwrap_or_else(|| self.builder.build_with(&config));
        Ok(Built { topology, branches: self.branches, seen: self.seen, printed: self.printed, _folder: self.folder })
    }

    /// The settings that decide about the topology.
    fn streams_config(&self) -> Done<StreamsConfig> {
        let mut config = StreamsConfig::new("app", "localhost:9092");
        for name in ["topology.optimization", "ensure.explicit.internal.resource.naming", "dsl.store.suppliers.class"] {
            if let Some(value) = self.config[name].as_str() {
                config = config.set(name, value).map_err(|error| error.to_string())?;
            }
        }
        Ok(config)
    }

    pub fn get(&self, statement: &Value, field: &str) -> Done<Bound> {
        let id = string(statement, field)?;
        self.bound.get(id).cloned().ok_or_else(|| format!("nothing is bound to {id}"))
    }

    pub fn consumed<K: Visible, V: Visible>(&self, statement: &Value, keys: SerdeRef<K>, values: SerdeRef<V>) -> Done<Consumed<K, V>> {
        let mut consumed = Consumed::with(keys, values);
        if let Some(name) = statement["name"].as_str() {
            consumed = consumed.with_name(name);
        }
        consumed = match statement["extractor"].as_str() {
            None => consumed,
            Some("fail-on-invalid") => consumed.with_timestamp_extractor(FailOnInvalidTimestamp),
            Some("log-and-skip") => consumed.with_timestamp_extractor(LogAndSkipOnInvalidTimestamp),
            Some("partition-time") => consumed.with_timestamp_extractor(UsePartitionTimeOnInvalidTimestamp),
            Some(word) => match ValueNumber::of(word) {
                Some(extractor) => consumed.with_timestamp_extractor(extractor),
                None => return out(format_args!("extractor {word}")),
            },
        };
        Ok(match statement["reset"].as_str() {
            None => consumed,
            Some("earliest") => consumed.with_offset_reset(AutoOffsetReset::Earliest),
            Some("latest") => consumed.with_offset_reset(AutoOffsetReset::Latest),
            Some(_) => consumed.with_offset_reset(AutoOffsetReset::None),
        })
    }

    /// The options of a store; of an aggregation or source table also when the statement has none.
    pub fn materialized<K, V>(&self, statement: &Value, keys: SerdeRef<K>, values: SerdeRef<V>) -> Done<Materialized<K, V>> {
        let spec = &statement["materialized"];
        let mut materialized = match key_value_supplier(spec)? {
            Some(supplier) => Materialized::supplied(supplier),
            None => spec["name"].as_str().map_or_else(Materialized::default, Materialized::named),
        };
        if spec["store"] == "persistent" {
            materialized = materialized.without_timestamps();
        }
        self.materialized_from(spec, materialized.with_key_serde(keys).with_value_serde(values))
    }

    /// The options of a store that do not depend on its kind.
    pub fn materialized_from<K, V>(&self, spec: &Value, mut materialized: Materialized<K, V>) -> Done<Materialized<K, V>> {
        if let Some(store_type) = store_type(spec) {
            materialized = materialized.with_store_type(store_type);
        }
        if let Some(ms) = spec["retention-ms"].as_u64() {
            materialized = materialized.with_retention(Duration::from_millis(ms));
        }
        materialized = match topic_configs(spec) {
            Some(configs) => materialized.with_logging_enabled(configs),
            None => materialized.with_logging_disabled(),
        };
        Ok(if spec["caching"] == false { materialized.with_caching_disabled() } else { materialized })
    }

    fn run(&mut self, statement: &Value) -> Done<()> {
        let op = string(statement, "op")?;
        let bound = match op {
            "stream" => {
                let topics: SourceTopics = match (&statement["topic"], &statement["topics"]) {
                    (Value::String(topic), _) => topic.as_str().into(),
                    (_, Value::Array(topics)) => {
                        topics.iter().filter_map(|topic| Some(topic.as_str()?.to_owned())).collect::<Vec<_>>().into()
                    }
                    _ => Regex::new(string(statement, "pattern")?).map_err(|error| error.to_string())?.into(),
                };
                let (key, value) = (Type::of(&statement["key"]), Type::of(&statement["value"]));
                let consumed = self.consumed(statement, key.nullable(), value.nullable())?;
                Typed { node: self.builder.stream_with(topics, consumed), key, value }.bind()
            }
            "table" => {
                let (key, value) = (Type::of(&statement["key"]), Type::of(&statement["value"]));
                let consumed = self.consumed(statement, key.serde(), value.serde())?;
                let materialized = self.materialized(statement, key.serde(), value.serde())?;
                Typed { node: self.builder.table_with(string(statement, "topic")?, consumed, materialized), key, value }.bind()
            }
            "add-store" => {
                self.builder.add_shared_state_store(stores::factory(&statement["store"])?);
                return Ok(());
            }
            "add-global-store" => {
                let (key, value) = (Type::of(&statement["key"]), Type::of(&statement["value"]));
                let consumed = self.consumed(statement, key.nullable(), value.nullable())?;
                let (store, spec) = (Declared(stores::factory(&statement["store"])?), Spec::new(&statement["processor"])?);
                let supplier = move || CaseProcessor::<Nullable, Nullable>::new(spec.clone());
                self.builder.add_global_store(store, string(statement, "topic")?, consumed, supplier);
                return Ok(());
            }
            "global-table" => {
                let (key, value) = (Type::of(&statement["key"]), Type::of(&statement["value"]));
                let consumed = self.consumed(statement, key.serde(), value.serde())?;
                let materialized = self.materialized(statement, key.serde(), value.serde())?;
                let node = self.builder.global_table_with(string(statement, "topic")?, consumed, materialized);
                Bound::GlobalTable(Typed { node, key, value })
            }
            _ => match self.get(statement, "from")? {
                Bound::Stream(stream) => self.on_stream(statement, op, &stream)?,
                Bound::CountStream(stream) => self.on_stream(statement, op, &stream)?,
                Bound::Changes(stream) => self.on_stream(statement, op, &stream)?,
                Bound::CountChanges(stream) => self.on_stream(statement, op, &stream)?,
                Bound::WindowChanges(stream) => self.on_stream(statement, op, &stream)?,
                Bound::WindowCountChanges(stream) => self.on_stream(statement, op, &stream)?,
                Bound::Table(_) | Bound::Counts(_) if matches!(op, "fk-join" | "fk-left-join") => {
                    self.join_by_foreign_key(statement, op)?
                }
                Bound::Table(_) | Bound::Counts(_) | Bound::WindowTable(_) | Bound::WindowCounts(_)
                    if matches!(op, "join" | "left-join" | "outer-join") =>
                {
                    self.join_table(statement, op)?
                }
                Bound::Table(table) => self.on_table(statement, op, &table)?,
                Bound::Counts(table) => self.on_table(statement, op, &table)?,
                Bound::WindowTable(table) => self.on_table(statement, op, &table)?,
                Bound::WindowCounts(table) => self.on_table(statement, op, &table)?,
                grouped @ (Bound::Grouped(_) | Bound::Cogrouped(_)) if op == "windowed-by" => self.windowed_by(statement, &grouped)?,
                grouped @ (Bound::Grouped(_) | Bound::Cogrouped(_)) if op == "cogroup" => self.cogroup(statement, &grouped)?,
                Bound::Grouped(grouped) => self.aggregated(statement, op, &grouped)?,
                Bound::Cogrouped(cogroup) => self.aggregated_cogroup(statement, &cogroup)?,
                Bound::GlobalTable(_) => return out(format_args!("{op} on a global table")),
                Bound::Windowed(windowed) => self.aggregated_windows(statement, op, &windowed)?,
                Bound::GroupedTable(grouped) => self.aggregated_table(statement, op, &grouped)?,
            },
        };
        if let Some(id) = statement["id"].as_str() {
            self.bound.insert(id.to_owned(), bound);
        }
        Ok(())
    }
}

/// Where the stores of a statement are kept, if it says so.
pub fn store_type(spec: &Value) -> Option<StoreType> {
    spec["store-type"].as_str().map(|name| if name == "in-memory" { StoreType::InMemory } else { StoreType::Persistent })
}
