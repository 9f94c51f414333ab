//! Statements on tables.

use std::rc::Rc;

use kstreams::core::BoxError;
use kstreams::core::processor::InitContext;
use kstreams::core::serdes::{SerdeRef, Serdes};
use kstreams::dsl::{Grouped, KGroupedTable, KStream, KTable, ValueTransformer};
use serde_json::Value;

use super::datum::{Datum, Nullable, Type, Visible, of_text, text};
use super::functions::{aggregator, initializer, key_selector, predicate, reducer, value_mapper};
use super::program::{Bind, Bound, Done, Program, Typed, known, named, out, string};
use super::stores::Store;
use super::windows::{Suppressible, suppressed};

/// The serde of a table's keys and values, where a materialized derivation can be asked for.
pub trait Stored: Visible {
    fn serde(of: Type) -> Option<SerdeRef<Self>>;
}

impl Stored for Datum {
    fn serde(of: Type) -> Option<SerdeRef<Self>> {
        Some(of.serde())
    }
}

impl Stored for i64 {
    fn serde(_of: Type) -> Option<SerdeRef<Self>> {
        Some(Serdes::long())
    }
}

impl Stored for kstreams::dsl::Windowed<Datum> {
    fn serde(_of: Type) -> Option<SerdeRef<Self>> {
        None
    }
}

/// What a transformer of the catalogue does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transform {
    ShowWithKey,
    KeepNull,
    Count,
}

impl Transform {
    fn of(word: &str) -> Option<Self> {
        match word {
            "show-with-key" => Some(Self::ShowWithKey),
            "keep-null" => Some(Self::KeepNull),
            "count" => Some(Self::Count),
            _ => None,
        }
    }
}

struct Transformer {
    kind: Transform,
    name: Option<String>,
    store: Option<Store>,
}

impl<K: Visible, V: Visible> ValueTransformer<K, V, Datum> for Transformer {
    fn init(&mut self, cx: &InitContext<'_>) -> Result<(), BoxError> {
        self.store = self.name.as_ref().map(|name| Store::open(cx, name)).transpose()?;
        Ok(())
    }

    fn transform(&mut self, key: &K, value: Option<&V>) -> Result<Nullable, BoxError> {
        let (key, value) = (key.datum(), value.and_then(Visible::datum));
        if self.kind == Transform::Count {
            let (Some(store), Some(key)) = (&self.store, &key) else { return Err("a transformer without its store".into()) };
            let count = match store.get(key)? {
                Some(Datum::Long(count)) => count + 1,
                _ => 1,
            };
            store.put(key, Some(Datum::Long(count)), 0)?;
            return Ok(value.and_then(|value| of_text(format!("{}#{count}", text(&Some(value))))));
        }
        if self.kind == Transform::KeepNull && value.is_none() {
            return Ok(None);
        }
        Ok(of_text(format!("{}={}", text(&key), text(&value))))
    }
}

impl Program<'_> {
    pub fn on_table<K: Stored + Suppressible, V: Stored>(&mut self, statement: &Value, op: &str, table: &Typed<KTable<K, V>>) -> Done<Bound>
    where
        Typed<KTable<K, V>>: Bind,
        Typed<KTable<K, Datum>>: Bind,
        Typed<KStream<K, Option<V>>>: Bind,
        Typed<KStream<Nullable, Option<V>>>: Bind,
    {
        let (key, value) = (table.key, table.value);
        let materialized = !statement["materialized"].is_null();
        match op {
            "to-stream" => {
                let stream = table.node.to_stream_named(named(statement));
                let Some(spec) = statement["mapper"].as_str() else { return Ok(Typed { node: stream, key, value }.bind()) };
                // `to-stream` with a mapper is `to-stream` and `select-key`.
                let (select, key) = known(key_selector(spec, key, value), statement, "mapper")?;
                let node = stream.select_key(move |key, value| select(&key.datum(), &value.datum()));
                Ok(Typed { node, key, value }.bind())
            }
            "filter" | "filter-not" => {
                let holds = known(predicate(string(statement, "predicate")?), statement, "predicate")?;
                let predicate = move |key: &K, value: &V| holds(&key.datum(), &value.datum());
                let options = match (materialized, K::serde(key), V::serde(value)) {
                    (false, ..) => None,
                    (true, Some(keys), Some(values)) => Some(self.materialized(statement, keys, values)?),
                    _ => return out("a materialized filter of windows"),
                };
                let node = match (op, options) {
                    ("filter", None) => table.node.filter_named(predicate, named(statement)),
                    ("filter", Some(options)) => table.node.filter_named_with(predicate, named(statement), options),
                    (_, None) => table.node.filter_not_named(predicate, named(statement)),
                    (_, Some(options)) => table.node.filter_not_named_with(predicate, named(statement), options),
                };
                Ok(Typed { node, key, value }.bind())
            }
            "map-values" => {
                let (map, value) = known(value_mapper(string(statement, "mapper")?, value), statement, "mapper")?;
                let mapper = move |key: &K, value: &V| map(&key.datum(), &value.datum());
                let node: KTable<K, Datum> = match (materialized, K::serde(key)) {
                    (false, _) => table.node.map_values_named(mapper, named(statement)),
                    (true, Some(keys)) => {
                        let options = self.materialized(statement, keys, value.serde())?;
                        table.node.map_values_named_with(mapper, named(statement), options)
                    }
                    _ => return out("a materialized mapping of windows"),
                };
                Ok(Typed { node, key, value }.bind())
            }
            "transform-values" => {
                let kind = Transform::of(string(&statement["transformer"], "kind")?).ok_or("a transformer")?;
                let store = statement["transformer"]["store"].as_str().map(str::to_owned);
                let stores: Vec<&str> = statement["stores"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let supplier = move || Transformer { kind, name: store.clone(), store: None };
                let node: KTable<K, Datum> = match (materialized, K::serde(key)) {
                    (false, _) => table.node.transform_values_named(supplier, named(statement), &stores),
                    (true, Some(keys)) => {
                        let options = self.materialized(statement, keys, Type::Text.serde())?;
                        table.node.transform_values_named_with(supplier, named(statement), options, &stores)
                    }
                    _ => return out("a materialized transformation of windows"),
                };
                Ok(Typed { node, key, value: Type::Text }.bind())
            }
            "group-by" => {
                let function = |field: &str| statement["mapper"][field].as_str().unwrap_or_default();
                let (select, group) = known(key_selector(function("key"), key, value), statement, "mapper")?;
                let (map, value) = known(value_mapper(function("value"), value), statement, "mapper")?;
                let mut grouped = Grouped::with(group.serde(), value.serde());
                if let Some(name) = statement["name"].as_str() {
                    grouped = grouped.with_name(name);
                }
                let mapper = move |key: &K, value: &V| {
                    let (key, value) = (key.datum(), value.datum());
                    // Both functions are asked, also where the first finds no key.
                    let (selected, mapped) = (select(&key, &value), map(&key, &value));
                    Some((selected?, mapped?))
                };
                let node = Rc::new(table.node.group_by_with(mapper, grouped));
                Ok(Bound::GroupedTable(Typed { node, key: group, value }))
            }
            "suppress" => Ok(Typed { node: table.node.suppress_with(suppressed(statement)?, None, V::serde(value)), key, value }.bind()),
            _ => out(format_args!("{op} on a table")),
        }
    }

    pub fn aggregated_table(&self, statement: &Value, op: &str, grouped: &Typed<Rc<KGroupedTable<Datum, Datum>>>) -> Done<Bound> {
        let (node, key, value, names) = (&grouped.node, grouped.key, grouped.value, named(statement));
        let reduce = |field: &str| {
            let reduce = known(reducer(string(statement, field)?), statement, field)?;
            Done::Ok(move |one: Datum, two: Datum| reduce(Some(one), Some(two)))
        };
        let fold = |field: &str| {
            let fold = known(aggregator(string(statement, field)?), statement, field)?;
            Done::Ok(move |key: &Datum, value: Datum, sum: Datum| fold(&Some(key.clone()), &Some(value), Some(sum)))
        };
        Ok(match op {
            "count" => {
                let materialized = self.materialized(statement, key.serde(), Serdes::long())?;
                Typed { node: node.count_named_with(names, materialized), key, value: Type::Long }.bind()
            }
            "reduce" => {
                let materialized = self.materialized(statement, key.serde(), value.serde())?;
                Typed { node: node.reduce_named_with(reduce("adder")?, reduce("subtractor")?, names, materialized), key, value }.bind()
            }
            "aggregate" => {
                let (first, value) = known(initializer(string(statement, "initializer")?), statement, "initializer")?;
                let (add, subtract) = (fold("adder")?, fold("subtractor")?);
                let materialized = self.materialized(statement, key.serde(), value.serde())?;
                Typed { node: node.aggregate_named_with(move || first.clone(), add, subtract, names, materialized), key, value }.bind()
            }
            _ => return out(format_args!("{op} on a grouped table")),
        })
    }
}
