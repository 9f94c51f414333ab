//! Tables whose rows follow from the rows of two tables with the same key: the processors and the view of `join`, `left_join` and
//! `outer_join`.

use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::store::StoreName;
use stream_core::time::UNKNOWN_TIME;
use stream_core::{BoxError, Record, Result};
use stream_state::{TimestampedKeyValueStore, ValueAndTimestamp};

use super::table_store::{Put, TableStore};
use super::view::{OpenView, key_value_view};
use super::{Change, KTable, OldValues, TableForwarder, TableNode, TableView, store};
use crate::options::{Materialized, Named};
use crate::plan::{Slot, upstream};

/// The row that follows from the rows of both sides, of which one at least is there; `None`: none.
pub(super) type JoinRows<K, V1, V2, VR> = Arc<dyn Fn(&K, Option<&V1>, Option<&V2>) -> Option<VR> + Send + Sync>;

/// What kind of join it is: whose rows stay when the other side has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    Neither,
    This,
    Both,
}

const MERGE: &str = "KTABLE-MERGE-";

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    pub(super) fn joined<V2: Clone + 'static, VR: Clone + 'static>(
        &self,
        other: &KTable<K, V2>,
        keeps: Keeps,
        join: JoinRows<K, V, V2, VR>,
        named: &Named,
        materialized: Option<Materialized<K, VR>>,
    ) -> KTable<K, VR> {
        let materialized = materialized.map(|mut materialized| {
            // Unlike a filter or a mapping, a join also keeps a store that has no name.
            materialized.name.get_or_insert_with(|| self.plan.store_name(MERGE));
            materialized
        });
        let name = self.plan.name_or(named.get(), MERGE);
        let side = |suffix: &str, prefix: &str| {
            let generated = self.plan.name(prefix);
            named.get().map_or(generated, |named| format!("{named}{suffix}"))
        };
        let (this_name, other_name) = (side("-join-this", "KTABLE-JOINTHIS-"), side("-join-other", "KTABLE-JOINOTHER-"));
        let keys = materialized.as_ref().and_then(|it| it.keys.clone()).or_else(|| self.keys.clone()).or_else(|| other.keys.clone());
        let values = materialized.as_ref().and_then(|materialized| materialized.values.clone());
        let stored = materialized.as_ref().and_then(|it| store::named(&self.plan, it, keys.as_ref(), values.as_ref()));
        let (factory, store_name) = stored.unzip();

        // A side that stays needs to know what it was, so that a deletion of what was not there is not told (trap T65).
        if keeps != Keeps::Neither {
            self.node.send_old_values(true);
        }
        if keeps == Keeps::Both {
            other.node.send_old_values(true);
        }
        let stores_versions = materialized.as_ref().is_some_and(Materialized::is_versioned);
        let old_values = OldValues::default();
        let slot = Slot::new();
        let topics: Vec<String> =
            self.topics.iter().chain(other.topics.iter().filter(|topic| !self.topics.contains(topic))).cloned().collect();
        {
            let (node, name, topics) = (slot.clone(), name.clone(), topics.clone());
            let (this, that) = (Rc::clone(&self.upstream), Rc::clone(&other.upstream));
            let (this_stores, that_stores) = (self.node.stores(), other.node.stores());
            let (this_versioned, that_versioned) = (self.node.is_versioned(), other.node.is_versioned());
            let (open_this, open_that) = (self.node.opener(), other.node.opener());
            let (handle, old_values) = (store_name.clone().map(StoreName::from_string), old_values.clone());
            let join = Arc::clone(&join);
            self.plan.add(move |topology| {
                let sends_old_values = old_values.are_sent();
                let side = JoinSide {
                    join: Arc::clone(&join),
                    open: open_that,
                    other_must_be: keeps == Keeps::Neither,
                    sends_old_values,
                    is_versioned: this_versioned,
                };
                let this_node = topology.add_processor(&this_name, &[&this()?], move || TableJoin::new(side.clone()))?;
                let mirrored: JoinRows<K, V2, V, VR> = Arc::new(move |key, other, this| join(key, this, other));
                let side = JoinSide {
                    join: mirrored,
                    open: open_this,
                    other_must_be: keeps != Keeps::Both,
                    sends_old_values,
                    is_versioned: that_versioned,
                };
                let other_node = topology.add_processor(&other_name, &[&that()?], move || TableJoin::new(side.clone()))?;
                let forwarder = TableForwarder { sends_old_values };
                node.set(topology.add_processor(&name, &[&this_node, &other_node], move || Merge {
                    forwarder,
                    name: handle.clone(),
                    store: None,
                })?);
                if let Some(factory) = factory {
                    topology.add_state_store(factory, &[&name])?;
                }
                topology.connect(&this_name, &that_stores.iter().map(String::as_str).collect::<Vec<_>>())?;
                topology.connect(&other_name, &this_stores.iter().map(String::as_str).collect::<Vec<_>>())?;
                topology.copartition(&topics.iter().map(String::as_str).collect::<Vec<_>>());
                Ok(())
            });
        }
        let node =
            JoinedNode { this: Rc::clone(&self.node), other: Rc::clone(&other.node), join, store: store_name, stores_versions, old_values };
        KTable { plan: self.plan.clone(), name, upstream: upstream(&slot), keys, values, topics, node: Rc::new(node) }
    }
}

/// One side of a join, as its processor needs it.
struct JoinSide<K, V1, V2, VR> {
    join: JoinRows<K, V1, V2, VR>,
    open: OpenView<K, V2>,
    /// Without a row there nothing is told.
    other_must_be: bool,
    sends_old_values: bool,
    /// Whether rows of this side come out of order.
    is_versioned: bool,
}

impl<K, V1, V2, VR> Clone for JoinSide<K, V1, V2, VR> {
    fn clone(&self) -> Self {
        Self { join: Arc::clone(&self.join), open: Arc::clone(&self.open), ..*self }
    }
}

/// Takes the changes of one side, and looks the other side's row up.
struct TableJoin<K, V1, V2, VR> {
    side: JoinSide<K, V1, V2, VR>,
    other: Option<Box<dyn TableView<K, V2>>>,
}

impl<K, V1, V2, VR> TableJoin<K, V1, V2, VR> {
    fn new(side: JoinSide<K, V1, V2, VR>) -> Self {
        Self { side, other: None }
    }
}

impl<K, V1, V2, VR> Processor for TableJoin<K, V1, V2, VR>
where
    K: Clone + 'static,
    V1: Clone + 'static,
    V2: Clone + 'static,
    VR: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = Change<V1>;
    type KeyOut = K;
    type ValueOut = Change<VR>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.other = Some((self.side.open)(cx)?);
        Ok(())
    }

    fn process(&mut self, record: Record<K, Change<V1>>, cx: &mut ProcessorContext<'_, K, Change<VR>>) -> Result<(), BoxError> {
        let Record { key, value: Change { old, new, is_latest }, timestamp, headers } = record;
        // Trap T75: what comes out of order would join a row with one of another time.
        if self.side.is_versioned && !is_latest {
            cx.drop_record("a later version of the row is there");
            return Ok(());
        }
        let other = self.other.as_ref().ok_or("the join is not initialised")?.get(&key)?;
        if other.is_none() && (self.side.other_must_be || (old.is_none() && new.is_none())) {
            return Ok(());
        }
        // Trap T64: a result is as young as the younger of its rows.
        let timestamp = other.as_ref().map_or(timestamp, |other| other.timestamp.max(timestamp));
        let join = |value: Option<&V1>| {
            let other = other.as_ref().map(|row| &row.value);
            if value.is_none() && other.is_none() { None } else { (self.side.join)(&key, value, other) }
        };
        let new = join(new.as_ref());
        let old = if self.side.sends_old_values { join(old.as_ref()) } else { None };
        Ok(cx.forward(Record { key, value: Change { old, new, is_latest }, timestamp, headers })?)
    }
}

/// Brings the results of both sides together, and keeps them where the program named a store.
struct Merge<K, V> {
    forwarder: TableForwarder,
    name: Option<StoreName<TimestampedKeyValueStore<K, V>>>,
    store: Option<TableStore<K, V>>,
}

impl<K: Clone + 'static, V: Clone + 'static> Processor for Merge<K, V> {
    type KeyIn = K;
    type ValueIn = Change<V>;
    type KeyOut = K;
    type ValueOut = Change<V>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = self.name.as_ref().map(|name| TableStore::open(cx, name)).transpose()?;
        Ok(())
    }

    fn process(&mut self, record: Record<K, Change<V>>, cx: &mut ProcessorContext<'_, K, Change<V>>) -> Result<(), BoxError> {
        let Record { key, mut value, timestamp, headers } = record;
        if let Some(store) = &self.store {
            let put = store.put(&key, value.new.as_ref(), timestamp)?;
            if store.is_caching() || put == Put::Refused {
                return Ok(());
            }
            value.is_latest = put == Put::Latest;
        }
        self.forwarder.forward(cx, key, value, timestamp, headers)
    }

    fn drain(&mut self, cx: &mut ProcessorContext<'_, K, Change<V>>) -> Result<(), BoxError> {
        if let Some(store) = self.store.as_ref().filter(|store| store.is_caching()) {
            while let Some(change) = store.next_change()? {
                self.forwarder.forward_held_back(cx, change)?;
            }
        }
        Ok(())
    }
}

/// Looks up in the store, if there is one, else in both tables.
struct JoinedNode<K, V1, V2, VR> {
    this: Rc<dyn TableNode<K, V1>>,
    other: Rc<dyn TableNode<K, V2>>,
    join: JoinRows<K, V1, V2, VR>,
    store: Option<String>,
    /// Whether that store keeps versions.
    stores_versions: bool,
    old_values: OldValues,
}

impl<K, V1, V2, VR> TableNode<K, VR> for JoinedNode<K, V1, V2, VR>
where
    K: 'static,
    V1: 'static,
    V2: 'static,
    VR: 'static,
{
    fn stores(&self) -> Vec<String> {
        if let Some(store) = &self.store {
            return vec![store.clone()];
        }
        let (mut stores, others) = (self.this.stores(), self.other.stores());
        stores.extend(others);
        stores
    }

    fn is_versioned(&self) -> bool {
        self.stores_versions
    }

    /// Both sides must be of windows that close; the later one decides.
    fn window_grace_ms(&self) -> Option<i64> {
        Some(self.this.window_grace_ms()?.max(self.other.window_grace_ms()?))
    }

    fn opener(&self) -> OpenView<K, VR> {
        if let Some(store) = &self.store {
            return key_value_view(store);
        }
        let (this, other, join) = (self.this.opener(), self.other.opener(), Arc::clone(&self.join));
        Arc::new(move |cx| Ok(Box::new(JoinedView { this: this(cx)?, other: other(cx)?, join: Arc::clone(&join) })))
    }

    /// Both sides are asked for theirs; a join looks the other side's rows up, so both have a store anyway.
    fn send_old_values(&self, _force: bool) -> bool {
        self.this.send_old_values(true);
        self.other.send_old_values(true);
        self.old_values.send();
        true
    }
}

struct JoinedView<K, V1, V2, VR> {
    this: Box<dyn TableView<K, V1>>,
    other: Box<dyn TableView<K, V2>>,
    join: JoinRows<K, V1, V2, VR>,
}

impl<K, V1, V2, VR> TableView<K, VR> for JoinedView<K, V1, V2, VR> {
    fn get(&self, key: &K) -> Result<Option<ValueAndTimestamp<VR>>> {
        let (this, other) = (self.this.get(key)?, self.other.get(key)?);
        if this.is_none() && other.is_none() {
            return Ok(None);
        }
        let timestamp = this.as_ref().map_or(UNKNOWN_TIME, |row| row.timestamp);
        let timestamp = other.as_ref().map_or(timestamp, |row| row.timestamp.max(timestamp));
        let joined = (self.join)(key, this.as_ref().map(|row| &row.value), other.as_ref().map(|row| &row.value));
        Ok(joined.map(|value| ValueAndTimestamp::new(value, timestamp)))
    }
}
