//! Statements on streams.

use std::any::Any;
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use kstreams::core::serdes::{Nullable as NullableSerde, SerdeRef, Serdes};
use kstreams::core::topology::{Produced, SinkTopic, TopicContext, TopicNameExtractor};
use kstreams::core::{BoxError, Record};
use kstreams::dsl::{
    Branched, Grouped, Joined, KStream, KTable, MaybeNull, Printed, Repartitioned, SessionWindowedSerde, TimeWindowedSerde, Windowed,
};
use serde_json::{Value, json};

use super::datum::{Datum, Nullable, Type, Visible, shown, text};
use super::functions::{flat_mapper, joiner, key_selector, predicate, value_mapper};
use super::processors::{CaseFixedKeyProcessor, CaseProcessor, Spec};
use super::program::{Bind, Bound, Done, Program, Typed, known, named, out, string};

/// Keys and values of streams.
pub trait Streamed: Visible + Debug {
    fn serde(of: Type) -> SerdeRef<Self>;

    /// The serde of keys with sessions.
    fn session_serde(of: Type) -> SerdeRef<Self> {
        Self::serde(of)
    }
}

impl Streamed for Datum {
    fn serde(of: Type) -> SerdeRef<Self> {
        of.serde()
    }
}

impl Streamed for i64 {
    fn serde(_of: Type) -> SerdeRef<Self> {
        Serdes::long()
    }
}

impl<T: Streamed> Streamed for Option<T> {
    fn serde(of: Type) -> SerdeRef<Self> {
        NullableSerde::over(T::serde(of))
    }
}

impl Streamed for Windowed<Datum> {
    fn serde(of: Type) -> SerdeRef<Self> {
        // Sinks only write: the size is not needed.
        Arc::new(TimeWindowedSerde::new(of.serde(), Duration::from_millis(1)))
    }

    fn session_serde(of: Type) -> SerdeRef<Self> {
        Arc::new(SessionWindowedSerde::new(of.serde()))
    }
}

/// A topic per record, by the words of the catalogue.
pub struct Extractor {
    word: String,
    prefix: String,
}

impl Extractor {
    pub fn new(spec: &str) -> Self {
        let (word, prefix) = spec.split_once(':').unwrap_or((spec, ""));
        Self { word: word.to_owned(), prefix: prefix.to_owned() }
    }
}

impl<K: Visible, V: Visible> TopicNameExtractor<K, V> for Extractor {
    fn topic(&self, record: &Record<K, V>, context: &TopicContext<'_>) -> Result<Arc<str>, BoxError> {
        let suffix = match self.word.as_str() {
            "by-key" => text(&record.key.datum()),
            "by-source" => context.metadata.ok_or("no source")?.topic.to_string(),
            _ => match record.value.datum() {
                None => "null".to_owned(),
                value => if text(&value).len().is_multiple_of(2) { "even" } else { "odd" }.to_owned(),
            },
        };
        Ok(Arc::from(format!("{}{suffix}", self.prefix)))
    }
}

impl Program<'_> {
    pub fn on_stream<K: Streamed, V: Streamed>(&mut self, statement: &Value, op: &str, stream: &Typed<KStream<K, V>>) -> Done<Bound>
    where
        Typed<KStream<K, V>>: Bind,
        Typed<KStream<K, Nullable>>: Bind,
        Typed<KStream<Nullable, Nullable>>: Bind,
        Typed<KStream<Nullable, V>>: Bind,
    {
        let Typed { node, key, value } = stream.clone();
        let names = named(statement);
        Ok(match op {
            "filter" | "filter-not" => {
                let holds = known(predicate(string(statement, "predicate")?), statement, "predicate")?;
                let predicate = move |key: &K, value: &V| holds(&key.datum(), &value.datum());
                let node = if op == "filter" { node.filter_named(predicate, names) } else { node.filter_not_named(predicate, names) };
                Typed { node, key, value }.bind()
            }
            "map" => {
                let function = |field: &str| statement["mapper"][field].as_str().unwrap_or_default();
                let (select, new_key) = known(key_selector(function("key"), key, value), statement, "mapper")?;
                let (map, new_value) = known(value_mapper(function("value"), value), statement, "mapper")?;
                let mapper = move |key: K, value: V| {
                    let (key, value) = (key.datum(), value.datum());
                    (select(&key, &value), map(&key, &value))
                };
                Typed { node: node.map_named(mapper, names), key: new_key, value: new_value }.bind()
            }
            "map-values" => {
                let (map, value) = known(value_mapper(string(statement, "mapper")?, value), statement, "mapper")?;
                let node = node.map_values_named(move |key, value| map(&key.datum(), &value.datum()), names);
                Typed { node, key, value }.bind()
            }
            "flat-map" => {
                let function = |field: &str| statement["mapper"][field].as_str().unwrap_or_default();
                let (map, new_value) = known(flat_mapper(function("values"), value), statement, "mapper")?;
                let (select, new_key) = known(key_selector(function("key"), key, new_value), statement, "mapper")?;
                let mapper = move |key: K, value: V| {
                    let key = key.datum();
                    map(&key, &value.datum()).into_iter().map(|value| (select(&key, &value), value)).collect::<Vec<_>>()
                };
                Typed { node: node.flat_map_named(mapper, names), key: new_key, value: new_value }.bind()
            }
            "flat-map-values" => {
                let (map, value) = known(flat_mapper(string(statement, "mapper")?, value), statement, "mapper")?;
                let node = node.flat_map_values_named(move |key, value| map(&key.datum(), &value.datum()), names);
                Typed { node, key, value }.bind()
            }
            "select-key" => {
                let (select, key) = known(key_selector(string(statement, "mapper")?, key, value), statement, "mapper")?;
                let node = node.select_key_named(move |key, value| select(&key.datum(), &value.datum()), names);
                Typed { node, key, value }.bind()
            }
            "peek" | "foreach" => {
                let (seen, label) = (Arc::clone(&self.seen), string(statement, "label")?.to_owned());
                let look = move |key: &K, value: &V| {
                    let row = json!({"label": label, "key": shown(&key.datum()), "value": shown(&value.datum())});
                    seen.lock().expect("no panic holds it").push(row);
                };
                if op == "foreach" {
                    node.for_each_named(look, names);
                    return Ok(stream.clone().bind());
                }
                Typed { node: node.peek_named(look, names), key, value }.bind()
            }
            "to" => {
                let keys = if self.has_sessions(statement) { K::session_serde(key) } else { K::serde(key) };
                let mut produced = Produced::with(keys, V::serde(value));
                if let Some(name) = statement["name"].as_str() {
                    produced = produced.with_name(name);
                }
                match statement["topic-extractor"].as_str() {
                    Some(spec) => node.to_with(SinkTopic::extracted(Extractor::new(spec)), produced),
                    None => node.to_with(string(statement, "topic")?, produced),
                }
                stream.clone().bind()
            }
            "print" => {
                let label = string(statement, "label")?;
                let path = self.folder.path().join(format!("printed-{}", self.printed.len()));
                self.printed.insert(label.to_owned(), path.clone());
                let shown = |key: &K, value: &V| format!("{}, {}", text(&key.datum()), text(&value.datum()));
                let mut printed = Printed::to_file(path).with_label(label).with_key_value_mapper(shown);
                if let Some(name) = statement["name"].as_str() {
                    printed = printed.with_name(name);
                }
                node.print(printed);
                stream.clone().bind()
            }
            "process" | "process-values" => {
                let spec = Spec::new(&statement["processor"])?.among(self.statements);
                let stores: Vec<&str> = statement["stores"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let (key_out, value_out) = spec.types(key, value);
                if op == "process" {
                    let node = node.process_named(move || CaseProcessor::new(spec.clone()), names, &stores);
                    Typed { node, key: key_out, value: value_out }.bind()
                } else {
                    let node = node.process_values_named(move || CaseFixedKeyProcessor::new(spec.clone()), names, &stores);
                    Typed { node, key, value: value_out }.bind()
                }
            }
            "split" => self.split(statement, stream)?,
            "repartition" => {
                let mut options = Repartitioned::with(K::serde(key), V::serde(value));
                if let Some(name) = statement["name"].as_str() {
                    options = options.with_name(name);
                }
                if let Some(partitions) = statement["partitions"].as_i64() {
                    options = options.with_number_of_partitions(i32::try_from(partitions).map_err(|_| "partitions")?);
                }
                Typed { node: node.repartition_with(options), key, value }.bind()
            }
            "join" | "left-join" if !statement["key-selector"].is_null() => self.join_global(statement, op, stream)?,
            "join" | "left-join" | "outer-join" if !statement["windows"].is_null() => self.join_streams(statement, op)?,
            _ => match (stream.clone().bind(), op) {
                (Bound::Stream(one), "merge") => match self.get(statement, "other")? {
                    Bound::Stream(two) => Typed { node: one.node.merge_named(&two.node, names), ..one }.bind(),
                    _ => return out("a merge of streams of different types"),
                },
                (Bound::Stream(stream), "to-table") => {
                    let materialized = self.materialized(statement, key.serde(), value.serde())?;
                    let node: KTable<Datum, Datum> = stream.node.non_null_key().to_table_named_with(names, materialized);
                    Typed { node, key, value }.bind()
                }
                (Bound::Changes(stream), "to-table") => {
                    let materialized = self.materialized(statement, key.serde(), value.serde())?;
                    let node: KTable<Datum, Datum> = stream.node.to_table_named_with(names, materialized);
                    Typed { node, key, value }.bind()
                }
                (Bound::Stream(stream), "group-by-key" | "group-by") => {
                    let stream = match op {
                        "group-by" => {
                            let (select, key) = known(key_selector(string(statement, "mapper")?, key, value), statement, "mapper")?;
                            Typed { node: stream.node.select_key_named(move |key, value| select(key, value), names), key, value }
                        }
                        _ => stream,
                    };
                    self.grouped(statement, &stream.node.non_null_key(), stream.key, value)?
                }
                (Bound::Changes(stream), "group-by-key") => self.grouped(statement, &stream.node, key, value)?,
                (Bound::Changes(stream), "group-by") => {
                    let (select, key) = known(key_selector(string(statement, "mapper")?, key, value), statement, "mapper")?;
                    let node = stream.node.select_key_named(move |key, value| select(&key.datum(), value), names);
                    self.grouped(statement, &node.non_null_key(), key, value)?
                }
                (Bound::Stream(stream), "join") => match self.get(statement, "other")? {
                    Bound::Table(table) => self.join(statement, stream.node.non_null_key(), key, value, &table)?,
                    Bound::Counts(table) => self.join(statement, stream.node.non_null_key(), key, value, &table)?,
                    _ => return out("a join with this"),
                },
                (Bound::Changes(stream), "join") => match self.get(statement, "other")? {
                    Bound::Table(table) => self.join(statement, stream.node, key, value, &table)?,
                    Bound::Counts(table) => self.join(statement, stream.node, key, value, &table)?,
                    _ => return out("a join with this"),
                },
                (Bound::Stream(stream), "left-join") => match self.get(statement, "other")? {
                    Bound::Table(table) => self.left_join(statement, stream.node, key, value, &table)?,
                    Bound::Counts(table) => self.left_join(statement, stream.node, key, value, &table)?,
                    _ => return out("a left join with this"),
                },
                (Bound::Changes(stream), "left-join") => match self.get(statement, "other")? {
                    Bound::Table(table) => self.left_join(statement, stream.node, key, value, &table)?,
                    Bound::Counts(table) => self.left_join(statement, stream.node, key, value, &table)?,
                    _ => return out("a left join with this"),
                },
                (_, op) => return out(format_args!("{op} on this stream")),
            },
        })
    }

    fn grouped(&self, statement: &Value, keyed: &KStream<Datum, Nullable>, key: Type, value: Type) -> Done<Bound> {
        let grouped = Grouped::with(key.serde(), value.nullable());
        let grouped = statement["name"].as_str().map_or(grouped.clone(), |name| grouped.with_name(name));
        Ok(Bound::Grouped(Typed { node: Rc::new(keyed.group_by_key_with(grouped)), key, value }))
    }

    /// Whether a stream has keys with sessions: those of the windows that it comes from.
    fn has_sessions(&self, statement: &Value) -> bool {
        let mut from = &statement["from"];
        while let Some(source) = self.statements.iter().find(|other| !from.is_null() && other["id"] == *from) {
            if source["op"] == "windowed-by" {
                return source["windows"]["type"] == "session";
            }
            from = &source["from"];
        }
        false
    }

    fn join<VT: Visible>(
        &self,
        statement: &Value,
        stream: KStream<Datum, Nullable>,
        key: Type,
        value: Type,
        table: &Typed<KTable<Datum, VT>>,
    ) -> Done<Bound> {
        let (join, joined) = known(joiner(string(statement, "joiner")?, value, table.value), statement, "joiner")?;
        let joiner = move |key: &Datum, one: &Datum, two: &VT| join(&key.datum(), &one.datum(), &two.datum());
        let node = stream.non_null_value().join_with_key(&table.node, joiner, options(statement, key.serde(), value.serde()));
        Ok(Typed { node, key, value: joined }.bind())
    }

    fn left_join<K: MaybeNull<Datum> + Streamed, VT: Visible>(
        &self,
        statement: &Value,
        stream: KStream<K, Nullable>,
        key: Type,
        value: Type,
        table: &Typed<KTable<Datum, VT>>,
    ) -> Done<Bound>
    where
        Typed<KStream<K, Nullable>>: Bind,
    {
        let (join, joined) = known(joiner(string(statement, "joiner")?, value, table.value), statement, "joiner")?;
        let joiner = move |key: &K, one: &Datum, two: Option<&VT>| join(&key.datum(), &one.datum(), &two.and_then(Visible::datum));
        let node = stream.non_null_value().left_join_with_key(&table.node, joiner, options(statement, K::serde(key), value.serde()));
        Ok(Typed { node, key, value: joined }.bind())
    }

    /// A branch whose function maps its values to the same type: the type of a branch is that of its stream.
    fn mapped_branch<K: Streamed, V: Streamed>(&self, branched: Branched<K, V>, spec: &Value, value: Type) -> Done<Branched<K, V>> {
        let (map, _) = known(value_mapper(spec.as_str().unwrap_or_default(), value), spec, "map-values")?;
        if std::any::TypeId::of::<V>() != std::any::TypeId::of::<Nullable>() {
            return out("a branch with a function that changes the type");
        }
        Ok(branched.with_function(move |stream| {
            let mapped: Box<dyn Any> = Box::new(stream.map_values(move |value| map(&None, &value.datum())));
            match mapped.downcast::<KStream<K, V>>() {
                Ok(mapped) => *mapped,
                Err(_) => stream,
            }
        }))
    }

    fn split<K: Streamed, V: Streamed>(&mut self, statement: &Value, stream: &Typed<KStream<K, V>>) -> Done<Bound>
    where
        Typed<KStream<K, V>>: Bind,
    {
        let (key, value) = (stream.key, stream.value);
        let mut split = stream.node.split_named(named(statement));
        let mut ids = Vec::new();
        let branches = statement["branches"].as_array().map_or(&[][..], Vec::as_slice);
        let branched = |branch: &Value| -> Done<Branched<K, V>> {
            let branched = branch["name"].as_str().map_or_else(Branched::default, Branched::named);
            if let Some(topic) = branch["consume-to"].as_str() {
                let topic = topic.to_owned();
                return Ok(branched.with_consumer(move |stream| stream.to_with(topic, Produced::with(K::serde(key), V::serde(value)))));
            }
            if !branch["map-values"].is_null() {
                return self.mapped_branch(branched, &branch["map-values"], value);
            }
            Ok(branched)
        };
        for (index, branch) in branches.iter().enumerate() {
            let holds = known(predicate(branch["predicate"].as_str().unwrap_or_default()), branch, "predicate")?;
            split = split.branch(move |key, value| holds(&key.datum(), &value.datum()), branched(branch)?);
            ids.push((branch, index + 1));
        }
        let default = &statement["default"];
        let streams = if default.is_null() {
            split.no_default_branch()
        } else {
            ids.push((default, 0));
            split.default_branch(branched(default)?)
        };
        let label = statement["id"].as_str().or_else(|| statement["from"].as_str()).unwrap_or_default();
        self.branches.insert(label.to_owned(), streams.keys().cloned().collect());
        for (branch, index) in ids {
            let Some(id) = branch["id"].as_str() else { continue };
            let suffix = branch["name"].as_str().map_or_else(|| index.to_string(), str::to_owned);
            let prefix_is_last = |name: &&String| {
                name.strip_suffix(suffix.as_str()).is_some_and(|prefix| streams.keys().all(|other| other.starts_with(prefix)))
            };
            let name = streams.keys().find(prefix_is_last).ok_or_else(|| format!("no branch {suffix}"))?;
            let mapped = branch["map-values"].as_str().and_then(|mapper| value_mapper(mapper, value));
            let value = mapped.map_or(value, |(_, value)| value);
            let bound = Typed { node: streams[name].clone(), key, value }.bind();
            self.bound.insert(id.to_owned(), bound);
        }
        Ok(stream.clone().bind())
    }
}

fn options<K, V>(statement: &Value, keys: SerdeRef<K>, values: SerdeRef<V>) -> Joined<K, V> {
    let mut joined = Joined::with(keys, values);
    if let Some(ms) = statement["grace-ms"].as_u64() {
        joined = joined.with_grace_period(Duration::from_millis(ms));
    }
    match statement["name"].as_str() {
        Some(name) => joined.with_name(name),
        None => joined,
    }
}
