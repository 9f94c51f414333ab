//! [`KStream::join_stream`], and what all joins of two streams have in common.

mod left;
mod outer;
mod self_join;
mod side;
mod store;
mod unmatched;

use std::rc::Rc;
use std::sync::Arc;

use self_join::SelfJoinSpec;
use side::{Join, LeftSide, RightSide, SideSpec, StreamJoin};
use store::{SideStoreSpec, Windowed};
use stream_core::TopologyError;
use stream_core::serdes::{DefaultSerde, SerdeRef, Serdes};
use stream_core::store::{StoreFactory, StoreName};
use stream_state::{KeyValueBytesStoreSupplier, Stores};
use unmatched::{LeftOrRightSerde, UnmatchedKeySerde};

use super::KStream;
use super::merge::PassThrough;
use super::repartition::{RepartitionNames, RepartitionSpec};
use crate::nullability::MaybeNull;
use crate::options::{StoreType, StreamJoined};
use crate::plan::{Plan, Slot, upstream};
use crate::window::JoinWindows;

/// Whose records are told alone when they find no partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    Neither,
    Left,
    Both,
}

impl<K: Clone + PartialEq + 'static, V: Clone + 'static> KStream<K, V> {
    /// Joins each pair of records of both streams that have the same key and are near enough in time. A pair is told once, when its
    /// second record comes, with the larger timestamp of both; the matches of one record come by their time, and at one time in the order
    /// of their arrival. A record that comes late still meets what the other side's store holds.
    ///
    /// Values may be null: such a record is dropped and counted. Where a stream's values are an `Option`, the types of the joiner's
    /// arguments say what it joins. When the key of a side may have changed, that side goes through a repartition topic first; the topics
    /// of both sides must have equal partition counts. Both sides keep their records in a window store for size and grace of `windows`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("orders"), builder.stream::<String, i64>("payments"));
    /// let hour = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(3_600));
    /// orders.join_stream(&payments, |order: &String, paid: &i64| format!("{order}: {paid}"), hour).to("paid");
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: KSTREAM-JOINTHIS-0000000004 (stores: [KSTREAM-JOINOTHER-0000000005-store])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn join_stream<V2, L, R, VR>(
        &self,
        other: &KStream<K, V2>,
        joiner: impl Fn(&L, &R) -> VR + Send + Sync + 'static,
        windows: JoinWindows,
    ) -> KStream<K, VR>
    where
        K: DefaultSerde,
        V: MaybeNull<L>,
        V2: MaybeNull<R>,
        L: DefaultSerde + Clone,
        R: DefaultSerde + Clone,
        VR: Clone + 'static,
    {
        self.join_stream_with(other, joiner, windows, StreamJoined::default())
    }

    /// As [`join_stream`](Self::join_stream), with serdes, names and stores.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("orders"), builder.stream::<String, i64>("payments"));
    /// let hour = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(3_600));
    /// let joined = StreamJoined::default().with_name("paid").with_store_name("paid-orders");
    /// orders.join_stream_with(&payments, |order: &String, paid: &i64| format!("{order}: {paid}"), hour, joined).to("paid");
    /// // Stores and their changelogs outlive versions of the program: a name keeps them when operators are added above.
    /// assert!(builder.build()?.describe().to_string().contains("Processor: paid-this-join (stores: [paid-orders-other-join-store])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn join_stream_with<V2, L, R, VR>(
        &self,
        other: &KStream<K, V2>,
        joiner: impl Fn(&L, &R) -> VR + Send + Sync + 'static,
        windows: JoinWindows,
        joined: StreamJoined<K, L, R>,
    ) -> KStream<K, VR>
    where
        V: MaybeNull<L>,
        V2: MaybeNull<R>,
        L: Clone + 'static,
        R: Clone + 'static,
        VR: Clone + 'static,
    {
        self.join_stream_with_key(other, move |_, left, right| joiner(left, right), windows, joined)
    }

    /// As [`join_stream_with`](Self::join_stream_with); the joiner sees the key.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("in"), builder.stream::<String, i64>("payments"));
    /// let near = JoinWindows::of_time_difference_and_grace(Duration::from_millis(10), Duration::from_millis(5));
    /// let tell = |id: &String, order: &String, paid: &i64| format!("{id} {order}: {paid}");
    /// orders.join_stream_with_key(&payments, tell, near, StreamJoined::default()).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// let mut payments = driver.create_input_topic::<String, i64>("payments");
    /// input.pipe_input_at("o1".into(), "tea".into(), 100)?;
    /// payments.pipe_input_at("o1".into(), 3, 110)?;
    /// payments.pipe_input_at("o1".into(), 4, 111)?; // 11 ms apart
    /// let result = output.read_record()?;
    /// assert_eq!((result.value.as_str(), result.timestamp), ("o1 tea: 3", 110));
    /// assert!(output.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_stream_with_key<V2, L, R, VR>(
        &self,
        other: &KStream<K, V2>,
        joiner: impl Fn(&K, &L, &R) -> VR + Send + Sync + 'static,
        windows: JoinWindows,
        joined: StreamJoined<K, L, R>,
    ) -> KStream<K, VR>
    where
        V: MaybeNull<L>,
        V2: MaybeNull<R>,
        L: Clone + 'static,
        R: Clone + 'static,
        VR: Clone + 'static,
    {
        let join: Join<K, L, R, VR> = Arc::new(move |key, left, right| Some(joiner(key, left?, right?)));
        self.joined_streams(other, Keeps::Neither, join, windows, joined)
    }
}

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Any join of two streams: `KT` are the keys without null, `L` and `R` the values without null.
    fn joined_streams<KT, K2, V2, L, R, VR>(
        &self,
        other: &KStream<K2, V2>,
        keeps: Keeps,
        join: Join<K, L, R, VR>,
        windows: JoinWindows,
        joined: StreamJoined<KT, L, R>,
    ) -> KStream<K, VR>
    where
        K: MaybeNull<KT>,
        K2: MaybeNull<KT>,
        KT: Clone + PartialEq + 'static,
        V: MaybeNull<L>,
        V2: MaybeNull<R>,
        L: Clone + 'static,
        R: Clone + 'static,
        VR: Clone + 'static,
    {
        let plan = &self.plan;
        if let Err(error) = windows.check() {
            plan.refuse(error);
        }
        let (keeps_left, keeps_right) = (keeps != Keeps::Neither, keeps == Keeps::Both);
        let this = self.before_join(&joined.keys, &joined.this_values, joined.name.as_deref(), "-left", keeps_left);
        let other = other.before_join(&joined.keys, &joined.other_values, joined.name.as_deref(), "-right", keeps_right);
        let names = Names::new(plan, &joined, keeps);
        let stored =
            |supplier, generated| SideStoreSpec { supplier, generated, windows, store_type: joined.store_type, logging: &joined.logging };
        let (this_supplier, other_supplier) = (joined.this_store.clone(), joined.other_store.clone());
        if let (Some(this), Some(other)) = (&this_supplier, &other_supplier) {
            if this.name() == other.name() {
                let message = format!("both stores of a join of streams have the name `{}`; give each its own", this.name());
                plan.refuse(TopologyError::Invalid { message });
            }
        }
        let (this_factory, this_store) = stored(this_supplier, names.this_store).build(plan, &joined.keys, &joined.this_values);
        let (other_factory, other_store) = stored(other_supplier, names.other_store).build(plan, &joined.keys, &joined.other_values);
        let waits = keeps != Keeps::Neither && windows.waits_for_close;
        let unmatched = waits.then(|| (unmatched_store(&names.unmatched, &joined), StoreName::from_string(names.unmatched.clone())));
        let (unmatched_factory, unmatched) = unmatched.unzip();

        let topics: Vec<String> =
            this.topics.iter().chain(other.topics.iter().filter(|topic| !this.topics.contains(topic))).cloned().collect();
        let (slot, merge_name) = (Slot::new(), names.merge.clone());
        {
            let (node, merge, topics) = (slot.clone(), merge_name.clone(), topics.clone());
            let (left, right) = (Rc::clone(&this.upstream), Rc::clone(&other.upstream));
            let left_spec = SideSpec { join, windows, keeps: keeps_left, other_store: Arc::clone(&other_store), unmatched };
            let right_spec = SideSpec { keeps: keeps_right, other_store: Arc::clone(&this_store), ..left_spec.clone() };
            let stores_once = plan.stores_self_joins_once();
            plan.add(move |topology| {
                let (left, right) = (left()?, right()?);
                // Known only now: repartition topics of both sides may have become one.
                let itself = (stores_once.get() && left.name() == right.name()).then(|| self_join::joiner(&left_spec.join)).flatten();
                if let Some(join) = itself {
                    let (windowed, store) = (names.this_windowed, this_store);
                    let spec = SelfJoinSpec { join, windows, windowed, merge, store };
                    node.set(spec.add_to::<KT, V>(topology, &left, this_factory)?);
                    topology.copartition(&topics.iter().map(String::as_str).collect::<Vec<_>>());
                    return Ok(());
                }
                let (windowed, name) = (&names.this_windowed, Arc::clone(&this_store));
                let this_windowed = topology.add_processor(windowed, &[&left], move || Windowed::<K, KT, V, L>::new(Arc::clone(&name)))?;
                let (windowed, name) = (&names.other_windowed, Arc::clone(&other_store));
                let other_windowed =
                    topology.add_processor(windowed, &[&right], move || Windowed::<K2, KT, V2, R>::new(Arc::clone(&name)))?;
                let this_join = topology.add_processor(&names.this_join, &[&this_windowed], move || {
                    StreamJoin::<LeftSide, K, KT, K, V, L, R, VR>::new(left_spec.clone())
                })?;
                let other_join = topology.add_processor(&names.other_join, &[&other_windowed], move || {
                    StreamJoin::<RightSide, K2, KT, K, V2, L, R, VR>::new(right_spec.clone())
                })?;
                node.set(topology.add_processor(&merge, &[&this_join, &other_join], PassThrough::new)?);
                topology.add_state_store(this_factory, &[&names.this_windowed, &names.other_join])?;
                topology.add_state_store(other_factory, &[&names.other_windowed, &names.this_join])?;
                if let Some(factory) = unmatched_factory {
                    topology.add_state_store(factory, &[&names.this_join, &names.other_join])?;
                }
                topology.copartition(&topics.iter().map(String::as_str).collect::<Vec<_>>());
                Ok(())
            });
        }
        let stream = KStream::new(plan, merge_name, upstream(&slot), topics).with_serdes(Some(K::serde_over(joined.keys)), None);
        KStream { null_keys: this.null_keys.and(&other.null_keys), ..stream }
    }

    /// This stream in the partition of its key. Its null keys pass where the join tells them alone.
    fn before_join<KT, VT>(
        &self,
        keys: &SerdeRef<KT>,
        values: &SerdeRef<VT>,
        name: Option<&str>,
        suffix: &str,
        keeps_null_keys: bool,
    ) -> Self
    where
        K: MaybeNull<KT>,
        V: MaybeNull<VT>,
    {
        let input = if self.needs_repartition {
            let prefix = name.map_or_else(|| self.name.clone(), |name| format!("{name}{suffix}"));
            let names = RepartitionNames::new(&self.plan, &prefix);
            let (keys, values) = (K::serde_over(Arc::clone(keys)), V::serde_over(Arc::clone(values)));
            self.repartitioned(RepartitionSpec { names, is_of_join: true, partitions: None, keys, values, partitioner: None })
        } else {
            self.clone()
        };
        if keeps_null_keys {
            input.null_keys.keep();
        }
        input
    }
}

/// The names of the nodes and stores of a join.
struct Names {
    this_windowed: String,
    other_windowed: String,
    this_join: String,
    other_join: String,
    merge: String,
    this_store: String,
    other_store: String,
    unmatched: String,
}

impl Names {
    /// Five numbers are taken, also where names do not show them.
    fn new<K, L, R>(plan: &Plan, joined: &StreamJoined<K, L, R>, keeps: Keeps) -> Self {
        let base = joined.name.as_deref().map(|name| plan.checked(name));
        let or_named = |generated: String, suffix: &str| base.as_ref().map_or(generated, |base| format!("{base}{suffix}"));
        let (this_prefix, this_suffix) =
            if keeps == Keeps::Both { ("KSTREAM-OUTERTHIS-", "-outer-this-join") } else { ("KSTREAM-JOINTHIS-", "-this-join") };
        let (other_prefix, other_suffix) =
            if keeps == Keeps::Neither { ("KSTREAM-JOINOTHER-", "-other-join") } else { ("KSTREAM-OUTEROTHER-", "-outer-other-join") };
        let shared_suffix = if keeps == Keeps::Both { "-outer-shared-join" } else { "-left-shared-join" };
        let this_windowed = or_named(plan.name("KSTREAM-WINDOWED-"), "-this-windowed");
        let other_windowed = or_named(plan.name("KSTREAM-WINDOWED-"), "-other-windowed");
        let (this_generated, other_generated) = (plan.name(this_prefix), plan.name(other_prefix));
        let merge = or_named(plan.name("KSTREAM-MERGE-"), "-merge");
        let store_base = joined.store_name.as_deref().map(|name| plan.checked(name));
        let store = |generated: &str, suffix: &str| match &store_base {
            Some(base) => format!("{base}{suffix}-store"),
            None => format!("{generated}-store"),
        };
        let unmatched = match (&joined.this_store, &store_base) {
            (Some(supplier), _) => format!("{}{shared_suffix}-store", supplier.name()),
            (None, Some(base)) => format!("{base}{shared_suffix}-store"),
            (None, None) => format!("KSTREAM-OUTERSHARED-{}-store", this_generated.trim_start_matches(this_prefix)),
        };
        Self {
            this_store: store(&this_generated, this_suffix),
            other_store: store(&other_generated, other_suffix),
            this_join: or_named(this_generated, this_suffix),
            other_join: or_named(other_generated, other_suffix),
            this_windowed,
            other_windowed,
            merge,
            unmatched,
        }
    }
}

/// The store of records without a partner; on disk where the sides' stores are.
fn unmatched_store<K: 'static, L: 'static, R: 'static>(name: &str, joined: &StreamJoined<K, L, R>) -> Arc<dyn StoreFactory> {
    let supplied = joined.this_store.as_ref().or(joined.other_store.as_ref());
    let persistent = supplied.map_or(joined.store_type != Some(StoreType::InMemory), |supplier| supplier.is_persistent());
    let keys = Arc::new(UnmatchedKeySerde(Arc::clone(&joined.keys)));
    let values =
        Serdes::list(Arc::new(LeftOrRightSerde { left: Arc::clone(&joined.this_values), right: Arc::clone(&joined.other_values) }));
    let builder = Stores::key_value_store_builder(supplier(name, persistent), keys, values);
    let builder = match &joined.logging {
        Some(configs) => builder.with_logging_enabled(configs.clone()),
        None => builder.with_logging_disabled(),
    };
    let is_placed = supplied.is_some() || joined.store_type.is_some();
    Arc::new(if is_placed { builder } else { builder.with_default_placement() })
}

fn supplier(name: &str, persistent: bool) -> KeyValueBytesStoreSupplier {
    match persistent {
        #[cfg(feature = "rocksdb")]
        true => Stores::persistent_key_value_store(name),
        _ => Stores::in_memory_key_value_store(name),
    }
}
