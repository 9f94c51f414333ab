//! From the statements of a case to a program of the DSL.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kstreams::core::serdes::SerdeRef;
use kstreams::core::time::{LogAndSkipOnInvalidTimestamp, UsePartitionTimeOnInvalidTimestamp};
use kstreams::core::topology::{AutoOffsetReset, Consumed, SourceTopics};
use kstreams::dsl::{
    GlobalKTable, KGroupedStream, KGroupedTable, KStream, KTable, Materialized, Named, StoreType, StreamsBuilder, TimeWindowedKStream,
    TimeWindows, Windowed,
};
use serde_json::Value;

use super::datum::{Datum, Nullable, Type};

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
    Grouped(Typed<Rc<KGroupedStream<Datum, Datum>>>),
    /// Grouped, to be windowed: values may be null (trap T7).
    GroupedNullable(Typed<Rc<KGroupedStream<Datum, Nullable>>>),
    Windowed(Typed<Rc<TimeWindowedKStream<Datum, Nullable>>>),
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
    pub bound: HashMap<String, Bound>,
    pub branches: BTreeMap<String, Vec<String>>,
    pub seen: Seen,
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

pub fn windows(spec: &Value) -> Done<TimeWindows> {
    let ms = |field: &str| match spec[field].as_i64() {
        None => Ok(None),
        Some(ms) => u64::try_from(ms).map(|ms| Some(Duration::from_millis(ms))).map_err(|_| "a negative duration".to_owned()),
    };
    let size = ms("size-ms")?.ok_or("windows without a size")?;
    let windows = TimeWindows::of_size_and_grace(size, ms("grace-ms")?.unwrap_or_default());
    match spec["type"].as_str() {
        Some("tumbling") => Ok(windows),
        Some("hopping") => Ok(windows.advance_by(ms("advance-ms")?.unwrap_or(size))),
        other => out(format_args!("windows {other:?}")),
    }
}

impl<'a> Program<'a> {
    pub fn new(case: &'a Value) -> Self {
        let statements = case["topology"].as_array().map_or(&[][..], Vec::as_slice);
        let builder = StreamsBuilder::new();
        Self { config: &case["config"], statements, builder, bound: HashMap::new(), branches: BTreeMap::new(), seen: Seen::default() }
    }

    /// Runs all statements.
    pub fn build(mut self) -> Done<(StreamsBuilder, BTreeMap<String, Vec<String>>, Seen)> {
        for name in ["topology.optimization", "errors.dead.letter.queue.topic.name", "ensure.explicit.internal.resource.naming"] {
            if !self.config[name].is_null() && self.config[name] != "none" {
                return out(name);
            }
        }
        for statement in self.statements {
            self.run(statement)?;
        }
        Ok((self.builder, self.branches, self.seen))
    }

    pub fn get(&self, statement: &Value, field: &str) -> Done<Bound> {
        let id = string(statement, field)?;
        self.bound.get(id).cloned().ok_or_else(|| format!("nothing is bound to {id}"))
    }

    fn consumed<K: 'static, V: 'static>(&self, statement: &Value, keys: SerdeRef<K>, values: SerdeRef<V>) -> Done<Consumed<K, V>> {
        let mut consumed = Consumed::with(keys, values);
        if let Some(name) = statement["name"].as_str() {
            consumed = consumed.with_name(name);
        }
        let extractor = statement["extractor"].as_str().or_else(|| self.config["default.timestamp.extractor"].as_str());
        consumed = match extractor {
            None | Some("fail-on-invalid") => consumed,
            Some("log-and-skip") => consumed.with_timestamp_extractor(LogAndSkipOnInvalidTimestamp),
            Some("partition-time") => consumed.with_timestamp_extractor(UsePartitionTimeOnInvalidTimestamp),
            Some(other) => return out(format_args!("extractor {other}")),
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
        if !spec["store"].is_null() {
            return out(format_args!("store supplier {}", spec["store"]));
        }
        let mut materialized = spec["name"].as_str().map_or_else(Materialized::default, Materialized::named);
        materialized = materialized.with_key_serde(keys).with_value_serde(values);
        if self.store_type(spec) == StoreType::InMemory {
            materialized = materialized.with_store_type(StoreType::InMemory);
        }
        if let Some(ms) = spec["retention-ms"].as_u64() {
            materialized = materialized.with_retention(Duration::from_millis(ms));
        }
        if let Some(configs) = spec["topic-config"].as_object() {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            materialized = materialized.with_logging_enabled(configs.iter().map(|(name, value)| (name.clone(), text(value))).collect());
        }
        if spec["logging"] == false {
            materialized = materialized.with_logging_disabled();
        }
        Ok(if spec["caching"] == false { materialized.with_caching_disabled() } else { materialized })
    }

    /// Where the stores of a statement are kept.
    pub fn store_type(&self, spec: &Value) -> StoreType {
        let store_type = spec["store-type"].as_str().or_else(|| self.config["dsl.store.suppliers.class"].as_str());
        if store_type == Some("in-memory") { StoreType::InMemory } else { StoreType::Persistent }
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
                    _ => return out("topic patterns"),
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
                grouped => self.aggregated(statement, op, grouped)?,
            },
        };
        if let Some(id) = statement["id"].as_str() {
            self.bound.insert(id.to_owned(), bound);
        }
        Ok(())
    }
}
