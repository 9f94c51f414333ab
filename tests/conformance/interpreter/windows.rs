//! Statements on groupings: aggregations, windows, cogroups; and `suppress`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use kstreams::core::serdes::Serdes;
use kstreams::dsl::{
    BufferConfig, CogroupedKStream, EmitStrategy, KGroupedStream, KTable, Materialized, SessionWindowedCogroupedKStream,
    SessionWindowedKStream, SessionWindows, SlidingWindows, StoreSupplier, Suppressed, TimeWindowedCogroupedKStream, TimeWindowedKStream,
    TimeWindows, UnlimitedWindows, Windowed,
};
use kstreams::state::Stores;
use serde_json::Value;

use super::datum::{Datum, Nullable, Type};
use super::functions::{aggregator, initializer, merger, reducer};
use super::program::{Bind, Bound, Done, Program, Typed, known, named, out, string};

/// A cogroup of streams whose null values are dropped, and of the same streams with them: which is right depends on its windows.
#[derive(Clone)]
pub struct Cogroup(Rc<RefCell<Streams>>);

/// Java's `cogroup` changes the cogroup that it is called on, and gives it back; ours gives another one.
struct Streams {
    present: CogroupedKStream<Datum, Datum>,
    nullable: CogroupedKStream<Datum, Datum>,
}

impl Cogroup {
    fn present(&self) -> CogroupedKStream<Datum, Datum> {
        self.0.borrow().present.clone()
    }

    fn nullable(&self) -> CogroupedKStream<Datum, Datum> {
        self.0.borrow().nullable.clone()
    }
}

/// A windowed grouping or cogroup.
#[derive(Clone)]
pub enum InWindows {
    Time(Rc<TimeWindowedKStream<Datum, Nullable>>),
    Sliding(Rc<TimeWindowedKStream<Datum, Datum>>),
    Session(Rc<SessionWindowedKStream<Datum, Nullable>>),
    TimeCogroup(Rc<TimeWindowedCogroupedKStream<Datum, Datum>>),
    SessionCogroup(Rc<SessionWindowedCogroupedKStream<Datum, Datum>>),
}

fn ms(spec: &Value, field: &str) -> Done<Option<Duration>> {
    match spec[field].as_i64() {
        None => Ok(None),
        Some(ms) => u64::try_from(ms).map(|ms| Some(Duration::from_millis(ms))).map_err(|_| "a negative duration".to_owned()),
    }
}

fn wanted(spec: &Value, field: &str) -> Done<Duration> {
    ms(spec, field)?.ok_or_else(|| format!("windows without {field}"))
}

enum Kind {
    Time(TimeWindows),
    Unlimited(UnlimitedWindows),
    Sliding(SlidingWindows),
    Session(SessionWindows),
}

fn windows(spec: &Value) -> Done<Kind> {
    let grace = ms(spec, "grace-ms")?.unwrap_or_default();
    Ok(match spec["type"].as_str() {
        Some("tumbling") => Kind::Time(TimeWindows::of_size_and_grace(wanted(spec, "size-ms")?, grace)),
        Some("hopping") => {
            Kind::Time(TimeWindows::of_size_and_grace(wanted(spec, "size-ms")?, grace).advance_by(wanted(spec, "advance-ms")?))
        }
        Some("unlimited") => Kind::Unlimited(UnlimitedWindows::starting_at(spec["start-ms"].as_i64().unwrap_or(0))),
        Some("sliding") => Kind::Sliding(SlidingWindows::of_time_difference_and_grace(wanted(spec, "difference-ms")?, grace)),
        Some("session") => Kind::Session(SessionWindows::of_inactivity_gap_and_grace(wanted(spec, "gap-ms")?, grace)),
        other => return out(format_args!("windows {other:?}")),
    })
}

fn emit(statement: &Value) -> EmitStrategy {
    if statement["emit"] == "on-window-close" { EmitStrategy::OnWindowClose } else { EmitStrategy::OnWindowUpdate }
}

/// The size of the windows of a statement, which is that of a store supplier that names none.
fn size(spec: &Value) -> Duration {
    let field = if spec["type"] == "sliding" { "difference-ms" } else { "size-ms" };
    Duration::from_millis(spec[field].as_u64().unwrap_or(i64::MAX as u64))
}

impl Program<'_> {
    pub fn windowed_by(&self, statement: &Value, grouped: &Bound) -> Done<Bound> {
        let kind = windows(&statement["windows"])?;
        let emit = emit(statement);
        let (node, key, value) = match grouped {
            Bound::Grouped(Typed { node, key, value }) => {
                let node = match kind {
                    Kind::Time(windows) => InWindows::Time(Rc::new(node.windowed_by(windows).emit_strategy(emit))),
                    Kind::Unlimited(windows) => InWindows::Time(Rc::new(node.windowed_by(windows).emit_strategy(emit))),
                    Kind::Sliding(windows) => InWindows::Sliding(Rc::new(node.non_null_value().windowed_by(windows).emit_strategy(emit))),
                    Kind::Session(windows) => InWindows::Session(Rc::new(node.windowed_by(windows).emit_strategy(emit))),
                };
                (node, key, value)
            }
            Bound::Cogrouped(Typed { node, key, value }) => {
                let node = match kind {
                    Kind::Time(windows) => InWindows::TimeCogroup(Rc::new(node.nullable().windowed_by(windows))),
                    Kind::Unlimited(windows) => InWindows::TimeCogroup(Rc::new(node.nullable().windowed_by(windows))),
                    Kind::Sliding(windows) => InWindows::TimeCogroup(Rc::new(node.present().windowed_by(windows))),
                    Kind::Session(windows) => InWindows::SessionCogroup(Rc::new(node.nullable().windowed_by(windows))),
                };
                (node, key, value)
            }
            _ => return out("windows of this"),
        };
        Ok(Bound::Windowed(Typed { node: (node, statement["windows"].clone()), key: *key, value: *value }))
    }

    pub fn cogroup(&self, statement: &Value, from: &Bound) -> Done<Bound> {
        let fold = known(aggregator(string(statement, "aggregator")?), statement, "aggregator")?;
        let present = move |key: &Datum, value: Datum, sum: Datum| fold(&Some(key.clone()), &Some(value), Some(sum));
        let fold = known(aggregator(string(statement, "aggregator")?), statement, "aggregator")?;
        let nullable = move |key: &Datum, value: Nullable, sum: Datum| fold(&Some(key.clone()), &value, Some(sum));
        Ok(match from {
            Bound::Grouped(Typed { node, key, .. }) => {
                let streams = Streams { present: node.non_null_value().cogroup(present), nullable: node.cogroup(nullable) };
                let node = Cogroup(Rc::new(RefCell::new(streams)));
                Bound::Cogrouped(Typed { node, key: *key, value: Type::of(&statement["value"]) })
            }
            Bound::Cogrouped(Typed { node, key, value }) => {
                let Bound::Grouped(other) = self.get(statement, "other")? else { return out("a cogroup of this") };
                let streams = Streams {
                    present: node.present().cogroup(&other.node.non_null_value(), present),
                    nullable: node.nullable().cogroup(&other.node, nullable),
                };
                *node.0.borrow_mut() = streams;
                Bound::Cogrouped(Typed { node: node.clone(), key: *key, value: *value })
            }
            _ => return out("a cogroup of this"),
        })
    }

    /// `count`, `reduce` and `aggregate` of a grouping without windows, and `aggregate` of a cogroup.
    pub fn aggregated(&self, statement: &Value, op: &str, grouped: &Typed<Rc<KGroupedStream<Datum, Nullable>>>) -> Done<Bound> {
        let (grouped, key, value, names) = (grouped.node.non_null_value(), grouped.key, grouped.value, named(statement));
        Ok(match op {
            "count" => {
                let materialized = self.materialized(statement, key.serde(), Serdes::long())?;
                Typed { node: grouped.count_named_with(names, materialized), key, value: Type::Long }.bind()
            }
            "reduce" => {
                let reduce = known(reducer(string(statement, "reducer")?), statement, "reducer")?;
                let materialized = self.materialized(statement, key.serde(), value.serde())?;
                let reduce = move |one: Datum, two: Datum| reduce(Some(one), Some(two));
                Typed { node: grouped.reduce_named_with(reduce, names, materialized), key, value }.bind()
            }
            "aggregate" => {
                let (first, value) = known(initializer(string(statement, "initializer")?), statement, "initializer")?;
                let fold = known(aggregator(string(statement, "aggregator")?), statement, "aggregator")?;
                let materialized = self.materialized(statement, key.serde(), value.serde())?;
                let fold = move |key: &Datum, value: Datum, sum: Datum| fold(&Some(key.clone()), &Some(value), Some(sum));
                Typed { node: grouped.aggregate_named_with(move || first.clone(), fold, names, materialized), key, value }.bind()
            }
            _ => return out(format_args!("{op} on a grouping")),
        })
    }

    pub fn aggregated_cogroup(&self, statement: &Value, cogroup: &Typed<Cogroup>) -> Done<Bound> {
        let (first, value) = known(initializer(string(statement, "initializer")?), statement, "initializer")?;
        let materialized = self.materialized(statement, cogroup.key.serde(), value.serde())?;
        let node = cogroup.node.present().aggregate_named_with(move || first.clone(), named(statement), materialized);
        Ok(Typed { node, key: cogroup.key, value }.bind())
    }

    /// The options of a windowed store.
    fn windowed_store<V>(
        &self,
        statement: &Value,
        windows: &Value,
        key: Type,
        values: kstreams::core::SerdeRef<V>,
    ) -> Done<Materialized<Datum, V>> {
        let spec = &statement["materialized"];
        let Some(store) = spec["store"].as_str() else { return self.materialized(statement, key.serde(), values) };
        let (name, session) = (string(spec, "name")?, windows["type"] == "session");
        let retention = wanted(spec, "store-retention-ms")?;
        let size = ms(spec, "store-window-ms")?.unwrap_or_else(|| size(windows));
        let supplier: StoreSupplier = match (store, session) {
            ("in-memory", true) => Stores::in_memory_session_store(name, retention).into(),
            (_, true) => Stores::persistent_session_store(name, retention).into(),
            ("in-memory", false) => Stores::in_memory_window_store(name, retention, size, false).map_err(|error| error.to_string())?.into(),
            (_, false) => Stores::persistent_window_store(name, retention, size, false).map_err(|error| error.to_string())?.into(),
        };
        let supplied = Materialized::supplied(supplier);
        let supplied = if store == "persistent" && !session { supplied.without_timestamps() } else { supplied };
        self.materialized_from(spec, supplied.with_key_serde(key.serde()).with_value_serde(values))
    }

    pub fn aggregated_windows(&self, statement: &Value, op: &str, windowed: &Typed<(InWindows, Value)>) -> Done<Bound> {
        let ((node, windows), key, value, names) = (&windowed.node, windowed.key, windowed.value, named(statement));
        let node = node.clone();
        let count = |node: KTable<Windowed<Datum>, i64>| Typed { node, key, value: Type::Long }.bind();
        Ok(match op {
            "count" => {
                let materialized = self.windowed_store(statement, windows, key, Serdes::long())?;
                match node {
                    InWindows::Time(node) => count(node.count_named_with(names, materialized)),
                    InWindows::Sliding(node) => count(node.count_named_with(names, materialized)),
                    InWindows::Session(node) => count(node.count_named_with(names, materialized)),
                    _ => return out("a count of a cogroup"),
                }
            }
            "reduce" => {
                let reduce = known(reducer(string(statement, "reducer")?), statement, "reducer")?;
                let materialized = self.windowed_store(statement, windows, key, value.serde())?;
                let node = match node {
                    InWindows::Time(node) => {
                        node.reduce_nullable_named_with(move |one: Datum, two| reduce(Some(one), two), names, materialized)
                    }
                    InWindows::Sliding(node) => {
                        node.reduce_named_with(move |one: Datum, two: Datum| reduce(Some(one), Some(two)), names, materialized)
                    }
                    InWindows::Session(node) => {
                        node.reduce_nullable_named_with(move |one: Datum, two| reduce(Some(one), two), names, materialized)
                    }
                    _ => return out("a reduction of a cogroup"),
                };
                Typed { node, key, value }.bind()
            }
            "aggregate" => {
                let (first, value) = known(initializer(string(statement, "initializer")?), statement, "initializer")?;
                let materialized = self.windowed_store(statement, windows, key, value.serde())?;
                let first = move || first.clone();
                let fold = || known(aggregator(string(statement, "aggregator")?), statement, "aggregator");
                let merge = || {
                    let merge = known(merger(string(statement, "merger")?), statement, "merger")?;
                    Done::Ok(move |key: &Datum, one: Datum, two: Datum| merge(&Some(key.clone()), &Some(one), Some(two)))
                };
                let node = match node {
                    InWindows::Time(node) => {
                        let fold = fold()?;
                        let fold = move |key: &Datum, value: Nullable, sum: Datum| fold(&Some(key.clone()), &value, Some(sum));
                        node.aggregate_named_with(first, fold, names, materialized)
                    }
                    InWindows::Sliding(node) => {
                        let fold = fold()?;
                        let fold = move |key: &Datum, value: Datum, sum: Datum| fold(&Some(key.clone()), &Some(value), Some(sum));
                        node.aggregate_named_with(first, fold, names, materialized)
                    }
                    InWindows::Session(node) => {
                        let fold = fold()?;
                        let fold = move |key: &Datum, value: Nullable, sum: Datum| fold(&Some(key.clone()), &value, Some(sum));
                        node.aggregate_named_with(first, fold, merge()?, names, materialized)
                    }
                    InWindows::TimeCogroup(node) => node.aggregate_named_with(first, names, materialized),
                    InWindows::SessionCogroup(node) => node.aggregate_named_with(first, merge()?, names, materialized),
                };
                Typed { node, key, value }.bind()
            }
            _ => return out(format_args!("{op} on windows")),
        })
    }
}

/// The wait and buffer of a `suppress`.
pub trait Suppressible: Sized {
    fn until_window_closes(buffer: BufferConfig<kstreams::dsl::ShutDown>) -> Done<Suppressed<Self>>;
}

impl Suppressible for Windowed<Datum> {
    fn until_window_closes(buffer: BufferConfig<kstreams::dsl::ShutDown>) -> Done<Suppressed<Self>> {
        Ok(Suppressed::until_window_closes(buffer))
    }
}

impl Suppressible for Datum {
    fn until_window_closes(_: BufferConfig<kstreams::dsl::ShutDown>) -> Done<Suppressed<Self>> {
        out("a wait for windows of a table without windows")
    }
}

pub fn suppressed<K: Suppressible>(statement: &Value) -> Done<Suppressed<K>> {
    let buffer = &statement["buffer"];
    let (records, bytes) = (buffer["max-records"].as_u64(), buffer["max-bytes"].as_u64());
    let limited = || {
        let limited = records.map_or_else(|| BufferConfig::max_bytes(bytes.unwrap_or(u64::MAX)), BufferConfig::max_records);
        if let (Some(_), Some(bytes)) = (records, bytes) { limited.with_max_bytes(bytes) } else { limited }
    };
    let logged = buffer["logging"] != false;
    let limit = Duration::from_millis(statement["limit-ms"].as_u64().unwrap_or(0));
    let closes = statement["until"] == "window-closes";
    let strict = (records, bytes) == (None, None) || buffer["when-full"] == "shut-down";
    let suppressed = if strict {
        let config = if (records, bytes) == (None, None) { BufferConfig::unbounded() } else { limited().shut_down_when_full() };
        let config = if logged { config } else { config.with_logging_disabled() };
        if closes { K::until_window_closes(config)? } else { Suppressed::until_time_limit(limit, config) }
    } else {
        let config = if logged { limited() } else { limited().with_logging_disabled() };
        if closes {
            return out("a wait for windows in a buffer that emits early");
        }
        Suppressed::until_time_limit(limit, config)
    };
    Ok(match statement["name"].as_str() {
        Some(name) => suppressed.with_name(name),
        None => suppressed,
    })
}
