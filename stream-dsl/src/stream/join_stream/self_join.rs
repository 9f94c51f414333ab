//! `single.store.self.join`: a stream that is joined with itself is stored once.
//!
//! One operator stands for both sides. It gives the pairs of the plain join in the same order: those in which the record is the left
//! one, then those in which it is the right one, itself among them by its time (trap T57).

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::store::StoreFactory;
use stream_core::time::UNKNOWN_TIME;
use stream_core::topology::NodeHandle;
use stream_core::{BoxError, Record, Topology, TopologyError};

use super::side::Join;
use super::store::{SideStore, SideStoreName, Windowed};
use crate::nullability::MaybeNull;
use crate::window::JoinWindows;

/// A join of a stream with itself, with the node and store names of its left side.
pub(super) struct SelfJoinSpec<K, L, VR> {
    pub(super) join: Join<K, L, L, VR>,
    pub(super) windows: JoinWindows,
    pub(super) windowed: String,
    pub(super) merge: String,
    pub(super) store: Arc<SideStoreName>,
}

/// The joiner, if both sides have the same values.
pub(super) fn joiner<K: 'static, L: 'static, R: 'static, VR: 'static>(join: &Join<K, L, R, VR>) -> Option<Join<K, L, L, VR>> {
    let join: Box<dyn Any> = Box::new(Arc::clone(join));
    join.downcast::<Join<K, L, L, VR>>().ok().map(|join| *join)
}

impl<K: Clone + 'static, L: Clone + 'static, VR: Clone + 'static> SelfJoinSpec<K, L, VR> {
    /// Adds the nodes and the store.
    pub(super) fn add_to<KT, V>(
        self,
        topology: &mut Topology,
        records: &NodeHandle<K, V>,
        factory: Arc<dyn StoreFactory>,
    ) -> Result<NodeHandle<K, VR>, TopologyError>
    where
        K: MaybeNull<KT>,
        KT: Clone + 'static,
        V: MaybeNull<L>,
    {
        let Self { join, windows, windowed, merge, store } = self;
        let name = Arc::clone(&store);
        let kept = topology.add_processor(&windowed, &[records], move || Windowed::<K, KT, V, L>::new(Arc::clone(&name)))?;
        let joined = topology.add_processor(&merge, &[&kept], move || SelfJoin::<K, KT, V, L, VR> {
            join: Arc::clone(&join),
            windows,
            name: Arc::clone(&store),
            store: None,
            stream_time: UNKNOWN_TIME,
            types: PhantomData,
        })?;
        topology.add_state_store(factory, &[&windowed, &merge])?;
        Ok(joined)
    }
}

struct SelfJoin<K, KT, V, L, VR> {
    join: Join<K, L, L, VR>,
    windows: JoinWindows,
    name: Arc<SideStoreName>,
    store: Option<SideStore<KT, L>>,
    stream_time: i64,
    types: PhantomData<fn(V)>,
}

impl<K, KT, V, L, VR> Processor for SelfJoin<K, KT, V, L, VR>
where
    K: MaybeNull<KT>,
    KT: Clone + 'static,
    V: MaybeNull<L>,
    L: Clone + 'static,
    VR: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = VR;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = Some(self.name.open(cx)?);
        Ok(())
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, VR>) -> Result<(), BoxError> {
        let (Some(key), Some(value)) = (record.key.as_option(), record.value.as_option()) else {
            cx.drop_record("null key or value");
            return Ok(());
        };
        let store = self.store.as_ref().ok_or("the join is not initialised")?;
        let timestamp = record.timestamp;
        self.stream_time = self.stream_time.max(timestamp);
        let JoinWindows { before_ms, after_ms, .. } = self.windows;
        let fetch =
            |before: i64, after: i64| store.fetch(key, timestamp.saturating_sub(before).max(0), timestamp.saturating_add(after).max(0));
        let mut tell = |left: &L, right: &L, timestamp: i64| match (self.join)(&record.key, Some(left), Some(right)) {
            Some(joined) => cx.forward(Record { key: record.key.clone(), value: joined, timestamp, headers: record.headers.clone() }),
            None => Ok(()),
        };
        for (time, other) in fetch(before_ms, after_ms)? {
            tell(value, &other, timestamp.max(time))?;
        }
        // The plain join finds the record itself in the store, unless it was too old to be kept. Kafka Streams takes the last
        // millisecond for too old here, although a store keeps it.
        let retention = self.windows.size_ms().saturating_add(self.windows.grace_ms());
        let mut meets_itself = timestamp > self.stream_time.saturating_sub(retention).saturating_add(1);
        for (time, other) in fetch(after_ms, before_ms)? {
            if time > timestamp && std::mem::take(&mut meets_itself) {
                tell(value, value, timestamp)?;
            }
            tell(&other, value, timestamp.max(time))?;
        }
        if meets_itself {
            tell(value, value, timestamp)?;
        }
        Ok(())
    }
}
