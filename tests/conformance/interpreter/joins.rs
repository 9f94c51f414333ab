//! Statements that join.

use std::time::Duration;

use kstreams::dsl::{GlobalKTable, JoinWindows, KStream, KTable, MaybeNull, StreamJoined, TableJoined};
use kstreams::state::{Stores, WindowBytesStoreSupplier};
use serde_json::Value;

use super::datum::{Datum, Nullable, Visible};
use super::functions::{Joiner, joiner, key_selector};
use super::program::{Bind, Bound, Done, Program, Typed, known, named, out, store_type, string};
use super::streams::Streamed;
use super::tables::Stored;

impl Program<'_> {
    /// A join of a table with whatever `other` is.
    pub fn join_table(&mut self, statement: &Value, op: &str) -> Done<Bound> {
        match (self.get(statement, "from")?, self.get(statement, "other")?) {
            (Bound::Table(one), Bound::Table(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::Table(one), Bound::Counts(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::Counts(one), Bound::Table(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::Counts(one), Bound::Counts(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::WindowTable(one), Bound::WindowTable(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::WindowTable(one), Bound::WindowCounts(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::WindowCounts(one), Bound::WindowTable(two)) => self.join_tables(statement, op, &one, &two),
            (Bound::WindowCounts(one), Bound::WindowCounts(two)) => self.join_tables(statement, op, &one, &two),
            _ => out(format_args!("{op} of a table with this")),
        }
    }

    fn join_tables<K: Stored, V1: Stored, V2: Stored>(
        &mut self,
        statement: &Value,
        op: &str,
        one: &Typed<KTable<K, V1>>,
        two: &Typed<KTable<K, V2>>,
    ) -> Done<Bound>
    where
        Typed<KTable<K, Datum>>: Bind,
    {
        let (join, value) = known(joiner(string(statement, "joiner")?, one.value, two.value), statement, "joiner")?;
        let join = move |one: Nullable, two: Nullable| join(&None, &one, &two);
        let options = match (statement["materialized"].is_null(), K::serde(one.key)) {
            (true, _) => None,
            (false, Some(keys)) => Some(self.materialized(statement, keys, value.serde())?),
            (false, None) => return out("a materialized join of windows"),
        };
        let (this, that, names) = (&one.node, &two.node, named(statement));
        let inner = {
            let join = join.clone();
            move |one: &V1, two: &V2| join(one.datum(), two.datum())
        };
        let left = {
            let join = join.clone();
            move |one: &V1, two: Option<&V2>| join(one.datum(), two.and_then(V2::datum))
        };
        let outer = move |one: Option<&V1>, two: Option<&V2>| join(one.and_then(V1::datum), two.and_then(V2::datum));
        let node: KTable<K, Datum> = match (op, options) {
            ("join", None) => this.join_named(that, inner, names),
            ("join", Some(options)) => this.join_named_with(that, inner, names, options),
            ("left-join", None) => this.left_join_named(that, left, names),
            ("left-join", Some(options)) => this.left_join_named_with(that, left, names, options),
            (_, None) => this.outer_join_named(that, outer, names),
            (_, Some(options)) => this.outer_join_named_with(that, outer, names, options),
        };
        Ok(Typed { node, key: one.key, value }.bind())
    }

    /// A join of a table with whatever `other` is, by a foreign key.
    pub fn join_by_foreign_key(&mut self, statement: &Value, op: &str) -> Done<Bound> {
        match (self.get(statement, "from")?, self.get(statement, "other")?) {
            (Bound::Table(one), Bound::Table(two)) => self.join_foreign(statement, op, &one, &two),
            (Bound::Table(one), Bound::Counts(two)) => self.join_foreign(statement, op, &one, &two),
            (Bound::Counts(one), Bound::Table(two)) => self.join_foreign(statement, op, &one, &two),
            (Bound::Counts(one), Bound::Counts(two)) => self.join_foreign(statement, op, &one, &two),
            _ => out(format_args!("{op} of these tables")),
        }
    }

    fn join_foreign<V1: Streamed, V2: Streamed>(
        &mut self,
        statement: &Value,
        op: &str,
        one: &Typed<KTable<Datum, V1>>,
        two: &Typed<KTable<Datum, V2>>,
    ) -> Done<Bound> {
        let (join, value) = known(joiner(string(statement, "joiner")?, one.value, two.value), statement, "joiner")?;
        let spec = string(statement, "foreign-key")?;
        let (select, _) = known(key_selector(spec.trim_end_matches("-or-key"), one.key, one.value), statement, "foreign-key")?;
        let or_key = spec.ends_with("-or-key");
        let select = move |key: &Datum, value: &V1| {
            let key = key.datum();
            select(&key, &value.datum()).or(if or_key { key } else { None })
        };
        let joined = statement["name"].as_str().map_or_else(TableJoined::default, TableJoined::named);
        let joined = joined
            .with_key_serde(one.key.serde())
            .with_value_serde(V1::serde(one.value))
            .with_other_key_serde(two.key.serde())
            .with_other_value_serde(V2::serde(two.value));
        let options = self.materialized(statement, one.key.serde(), value.serde())?;
        let node: KTable<Datum, Datum> = if op == "fk-join" {
            let join = move |left: &V1, right: &V2| join(&None, &left.datum(), &right.datum());
            one.node.join_foreign_key_with(&two.node, select, join, joined, options)
        } else {
            let join = move |left: &V1, right: Option<&V2>| join(&None, &left.datum(), &right.and_then(V2::datum));
            one.node.left_join_foreign_key_with(&two.node, select, join, joined, options)
        };
        Ok(Typed { node, key: one.key, value }.bind())
    }

    /// A join of a stream with a global table.
    pub fn join_global<K: Streamed, V: Streamed>(&self, statement: &Value, op: &str, one: &Typed<KStream<K, V>>) -> Done<Bound>
    where
        Typed<KStream<K, V>>: Bind,
    {
        let Bound::GlobalTable(table) = self.get(statement, "other")? else { return out("a global join with this") };
        match one.clone().bind() {
            Bound::Stream(one) => self.join_globally(statement, op, &one, &one.node.non_null_value(), &table),
            Bound::Changes(one) => self.join_globally(statement, op, &one, &one.node.non_null_value(), &table),
            Bound::CountStream(one) => self.join_globally(statement, op, &one, &one.node.non_null_value(), &table),
            Bound::CountChanges(one) => self.join_globally(statement, op, &one, &one.node.non_null_value(), &table),
            _ => out("a global join of this stream"),
        }
    }

    fn join_globally<K: Streamed, V: Streamed, S>(
        &self,
        statement: &Value,
        op: &str,
        one: &Typed<S>,
        stream: &KStream<K, V>,
        table: &Typed<GlobalKTable<Datum, Datum>>,
    ) -> Done<Bound>
    where
        Typed<KStream<K, Nullable>>: Bind,
    {
        let (select, _) = known(key_selector(string(statement, "key-selector")?, one.key, one.value), statement, "key-selector")?;
        let (join, value) = known(joiner(string(statement, "joiner")?, one.value, table.value), statement, "joiner")?;
        let select = move |key: &K, value: &V| select(&key.datum(), &value.datum());
        let names = named(statement);
        let node = if op == "join" {
            let join = move |key: &K, _: &Datum, value: &V, row: &Datum| join(&key.datum(), &value.datum(), &row.datum());
            stream.join_global_named(&table.node, select, join, names)
        } else {
            let join = move |key: &K, _: Option<&Datum>, value: &V, row: Option<&Datum>| {
                join(&key.datum(), &value.datum(), &row.and_then(Datum::datum))
            };
            stream.left_join_global_named(&table.node, select, join, names)
        };
        Ok(Typed { node, key: one.key, value }.bind())
    }

    /// A join of a stream with a stream.
    pub fn join_streams(&self, statement: &Value, op: &str) -> Done<Bound> {
        let (one, two) = (self.get(statement, "from")?, self.get(statement, "other")?);
        match op {
            "join" => match (one, two) {
                (Bound::Stream(one), Bound::Stream(two)) => {
                    self.inner(statement, &one, &one.node.non_null_key(), &two, &two.node.non_null_key())
                }
                (Bound::Stream(one), Bound::Changes(two)) => self.inner(statement, &one, &one.node.non_null_key(), &two, &two.node),
                (Bound::Changes(one), Bound::Stream(two)) => self.inner(statement, &one, &one.node, &two, &two.node.non_null_key()),
                (Bound::Changes(one), Bound::Changes(two)) => self.inner(statement, &one, &one.node, &two, &two.node),
                (Bound::Stream(one), Bound::CountStream(two)) => {
                    self.inner(statement, &one, &one.node.non_null_key(), &two, &two.node.non_null_key())
                }
                (Bound::CountStream(one), Bound::Stream(two)) => {
                    self.inner(statement, &one, &one.node.non_null_key(), &two, &two.node.non_null_key())
                }
                (Bound::Stream(one), Bound::CountChanges(two)) => self.inner(statement, &one, &one.node.non_null_key(), &two, &two.node),
                (Bound::CountChanges(one), Bound::Stream(two)) => self.inner(statement, &one, &one.node, &two, &two.node.non_null_key()),
                (Bound::Changes(one), Bound::CountChanges(two)) => self.inner(statement, &one, &one.node, &two, &two.node),
                (Bound::CountChanges(one), Bound::Changes(two)) => self.inner(statement, &one, &one.node, &two, &two.node),
                (Bound::CountChanges(one), Bound::CountChanges(two)) => self.inner(statement, &one, &one.node, &two, &two.node),
                _ => out("a join of these streams"),
            },
            "left-join" => match (one, two) {
                (Bound::Stream(one), Bound::Stream(two)) => self.left(statement, &one, &two),
                (Bound::Stream(one), Bound::Changes(two)) => self.left(statement, &one, &two),
                (Bound::Changes(one), Bound::Stream(two)) => self.left(statement, &one, &two),
                (Bound::Changes(one), Bound::Changes(two)) => self.left(statement, &one, &two),
                (Bound::Stream(one), Bound::CountChanges(two)) => self.left(statement, &one, &two),
                (Bound::Stream(one), Bound::CountStream(two)) => self.left(statement, &one, &two),
                (Bound::CountChanges(one), Bound::Stream(two)) => self.left(statement, &one, &two),
                (Bound::Changes(one), Bound::CountChanges(two)) => self.left(statement, &one, &two),
                (Bound::CountChanges(one), Bound::Changes(two)) => self.left(statement, &one, &two),
                _ => out("a left join of these streams"),
            },
            _ => match (one, two) {
                (Bound::Stream(one), Bound::Stream(two)) => self.outer(statement, &one, &two),
                (Bound::Changes(one), Bound::Changes(two)) => self.outer(statement, &one, &two),
                (Bound::Stream(one), Bound::CountStream(two)) => self.outer(statement, &one, &two),
                (Bound::CountStream(one), Bound::Stream(two)) => self.outer(statement, &one, &two),
                (Bound::Changes(one), Bound::CountChanges(two)) => self.outer(statement, &one, &two),
                (Bound::CountChanges(one), Bound::Changes(two)) => self.outer(statement, &one, &two),
                _ => out("an outer join of these streams"),
            },
        }
    }

    fn inner<K1, K2, L: Streamed, R: Streamed>(
        &self,
        statement: &Value,
        one: &Typed<KStream<K1, Option<L>>>,
        left: &KStream<Datum, Option<L>>,
        two: &Typed<KStream<K2, Option<R>>>,
        right: &KStream<Datum, Option<R>>,
    ) -> Done<Bound> {
        let join = self.stream_join(statement, one, two)?;
        let joiner = join.joiner;
        let joiner = move |key: &Datum, left: &L, right: &R| joiner(&key.datum(), &left.datum(), &right.datum());
        let node = left.join_stream_with_key(right, joiner, join.windows, join.joined);
        Ok(Typed { node, key: one.key, value: join.value }.bind())
    }

    fn left<K1, K2, L: Streamed, R: Streamed>(
        &self,
        statement: &Value,
        one: &Typed<KStream<K1, Option<L>>>,
        two: &Typed<KStream<K2, Option<R>>>,
    ) -> Done<Bound>
    where
        K1: MaybeNull<Datum> + Visible,
        K2: MaybeNull<Datum>,
        Typed<KStream<K1, Nullable>>: Bind,
    {
        let join = self.stream_join(statement, one, two)?;
        let joiner = join.joiner;
        let joiner = move |key: &K1, left: &L, right: Option<&R>| joiner(&key.datum(), &left.datum(), &right.and_then(R::datum));
        let node = one.node.left_join_stream_with_key(&two.node, joiner, join.windows, join.joined);
        Ok(Typed { node, key: one.key, value: join.value }.bind())
    }

    fn outer<K, L: Streamed, R: Streamed>(
        &self,
        statement: &Value,
        one: &Typed<KStream<K, Option<L>>>,
        two: &Typed<KStream<K, Option<R>>>,
    ) -> Done<Bound>
    where
        K: MaybeNull<Datum> + Visible,
        Typed<KStream<K, Nullable>>: Bind,
    {
        let join = self.stream_join(statement, one, two)?;
        let joiner = join.joiner;
        let joiner =
            move |key: &K, left: Option<&L>, right: Option<&R>| joiner(&key.datum(), &left.and_then(L::datum), &right.and_then(R::datum));
        let node = one.node.outer_join_stream_with_key(&two.node, joiner, join.windows, join.joined);
        Ok(Typed { node, key: one.key, value: join.value }.bind())
    }

    fn stream_join<S1, S2, L: Streamed, R: Streamed>(&self, statement: &Value, one: &Typed<S1>, two: &Typed<S2>) -> Done<StreamJoin<L, R>> {
        let (joiner, value) = known(joiner(string(statement, "joiner")?, one.value, two.value), statement, "joiner")?;
        let mut joined = StreamJoined::with(one.key.serde(), L::serde(one.value), R::serde(two.value));
        if let Some(name) = statement["name"].as_str() {
            joined = joined.with_name(name);
        }
        if let Some(name) = statement["store-name"].as_str() {
            joined = joined.with_store_name(name);
        }
        if let Some(supplier) = supplier(&statement["this-store"])? {
            joined = joined.with_this_store_supplier(supplier);
        }
        if let Some(supplier) = supplier(&statement["other-store"])? {
            joined = joined.with_other_store_supplier(supplier);
        }
        if let Some(store_type) = store_type(statement) {
            joined = joined.with_store_type(store_type);
        }
        if let Some(configs) = statement["topic-config"].as_object() {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            joined = joined.with_logging_enabled(configs.iter().map(|(name, value)| (name.clone(), text(value))).collect());
        }
        if statement["logging"] == false {
            joined = joined.with_logging_disabled();
        }
        Ok(StreamJoin { joiner, value, windows: join_windows(&statement["windows"])?, joined })
    }
}

/// What all joins of streams have in common.
struct StreamJoin<L, R> {
    joiner: Joiner,
    value: super::datum::Type,
    windows: JoinWindows,
    joined: StreamJoined<Datum, L, R>,
}

fn join_windows(spec: &Value) -> Done<JoinWindows> {
    let ms = |field: &str| match spec[field].as_i64() {
        None => Ok(None),
        Some(ms) => u64::try_from(ms).map(|ms| Some(Duration::from_millis(ms))).map_err(|_| "a negative duration".to_owned()),
    };
    let difference = ms("difference-ms")?.ok_or("windows without a difference")?;
    let mut windows = match (spec["legacy"] == true, ms("grace-ms")?) {
        (false, None) => JoinWindows::of_time_difference_with_no_grace(difference),
        (false, Some(grace)) => JoinWindows::of_time_difference_and_grace(difference, grace),
        (true, None) => JoinWindows::of(difference),
        (true, Some(grace)) => JoinWindows::of(difference).grace(grace),
    };
    if let Some(before) = spec["before-ms"].as_i64() {
        windows = windows.before_ms(before);
    }
    if let Some(after) = spec["after-ms"].as_i64() {
        windows = windows.after_ms(after);
    }
    Ok(windows)
}

fn supplier(spec: &Value) -> Done<Option<WindowBytesStoreSupplier>> {
    let Some(name) = spec["name"].as_str() else { return Ok(None) };
    let ms = |field: &str| Duration::from_millis(spec[field].as_u64().unwrap_or(0));
    let (retention, size, duplicates) = (ms("retention-ms"), ms("window-ms"), spec["duplicates"] != false);
    let supplier = match spec["store"].as_str() {
        Some("in-memory") => Stores::in_memory_window_store(name, retention, size, duplicates),
        _ => Stores::persistent_window_store(name, retention, size, duplicates),
    };
    supplier.map(Some).map_err(|error| error.to_string())
}
