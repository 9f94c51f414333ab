//! [`KGroupedStream`]: one aggregation, one file.

mod aggregate;
mod cogrouped;
mod count;
mod final_results;
mod fold;
mod narrow;
mod reduce;
mod session_aggregate;
mod session_windowed;
mod sliding_aggregate;
mod window_aggregate;
mod window_rows;
mod windowed;
mod windowed_cogrouped;
mod windowing;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::Processor;
use stream_core::serdes::SerdeRef;
use stream_core::store::StoreFactory;
use stream_core::topology::NodeHandle;
use stream_core::{Topology, TopologyError};

use crate::options::Grouped;
use crate::plan::{NodeId, Slot, Upstream, upstream};
use crate::stream::KStream;
use crate::stream::repartition::{RepartitionNames, RepartitionSpec};
use crate::table::{Change, OldValues, TableForwarder};
pub use cogrouped::CogroupedKStream;
pub use session_windowed::SessionWindowedKStream;
pub use windowed::TimeWindowedKStream;
pub use windowed_cogrouped::{SessionWindowedCogroupedKStream, TimeWindowedCogroupedKStream};
pub(crate) use windowing::TimeWindowing;

/// A stream whose records are grouped by key, to be aggregated. Mirrors Kafka Streams' `KGroupedStream`.
pub struct KGroupedStream<K, V> {
    stream: KStream<K, V>,
    grouped: Grouped<K, V>,
    /// Gives the stream in the task that holds a store of this name; the flag says whether the grouping's aggregations share it.
    behind: Rc<dyn Fn(&str, bool) -> KStream<K, V>>,
    /// Which grouping it is: copies and narrowed ones are the same.
    identity: Rc<()>,
}

impl<K: Clone + 'static, V: Clone + 'static> KGroupedStream<K, V> {
    pub(crate) fn new(stream: KStream<K, V>, grouped: Grouped<K, V>) -> Self {
        // The stream behind the repartition topic that the program named: aggregations of one grouping share it (trap T92).
        let shared = RefCell::<Option<(KStream<K, V>, NodeId)>>::default();
        let behind = {
            let (stream, grouped) = (stream.clone(), grouped.clone());
            move |store: &str, is_shared: bool| {
                if !stream.needs_repartition {
                    return stream.clone();
                }
                let names = RepartitionNames::new(&stream.plan, grouped.name.as_deref().unwrap_or(store));
                if let Some((shared, step)) = shared.borrow().as_ref().filter(|_| is_shared) {
                    stream.plan.ask_again(*step);
                    return shared.clone();
                }
                let repartitioned = stream.repartitioned(RepartitionSpec {
                    is_of_join: false,
                    names,
                    partitions: None,
                    keys: Arc::clone(&grouped.keys),
                    values: Arc::clone(&grouped.values),
                    partitioner: None,
                });
                if grouped.name.is_some() && is_shared {
                    *shared.borrow_mut() = Some((repartitioned.clone(), stream.plan.last_step()));
                }
                repartitioned
            }
        };
        Self { stream, grouped, behind: Rc::new(behind), identity: Rc::new(()) }
    }

    fn keys(&self) -> SerdeRef<K> {
        Arc::clone(&self.grouped.keys)
    }

    /// The stream in the task that holds the store: behind a repartition topic, if the key may have changed.
    fn input(&self, store: &str) -> KStream<K, V> {
        (self.behind)(store, true)
    }

    /// As [`input`](Self::input), by a repartition topic that is not shared with the grouping's other aggregations.
    fn input_of_its_own(&self, store: &str) -> KStream<K, V> {
        (self.behind)(store, false)
    }

    /// Adds an aggregating processor and its store; gives its output and the topics that its table depends on.
    fn aggregation<P, S, KT, VT>(
        &self,
        name: &str,
        store: Arc<dyn StoreFactory>,
        old_values: &OldValues,
        supplier: S,
    ) -> (Upstream<KT, Change<VT>>, Vec<String>)
    where
        P: Processor<KeyIn = K, ValueIn = V, KeyOut = KT, ValueOut = Change<VT>>,
        S: Fn(TableForwarder) -> P + Send + Sync + 'static,
        KT: Clone + 'static,
        VT: Clone + 'static,
    {
        self.aggregation_by(name, store, old_values, move |topology, name, parent, forwarder| {
            topology.add_processor(name, &[parent], move || supplier(forwarder))
        })
    }

    /// As [`aggregation`](Self::aggregation); `add` adds the processor.
    fn aggregation_by<KT, VT>(
        &self,
        name: &str,
        store: Arc<dyn StoreFactory>,
        old_values: &OldValues,
        add: impl FnOnce(&mut Topology, &str, &NodeHandle<K, V>, TableForwarder) -> Result<NodeHandle<KT, Change<VT>>, TopologyError> + 'static,
    ) -> (Upstream<KT, Change<VT>>, Vec<String>)
    where
        KT: Clone + 'static,
        VT: Clone + 'static,
    {
        let input = self.input(store.name());
        let slot = Slot::new();
        let (node, node_name, parent) = (slot.clone(), name.to_owned(), Rc::clone(&input.upstream));
        let old_values = old_values.clone();
        self.stream.plan.add(move |topology| {
            let forwarder = TableForwarder { sends_old_values: old_values.are_sent() };
            let parent = parent()?;
            node.set(add(topology, &node_name, &parent, forwarder)?);
            topology.add_state_store(store, &[&node_name])
        });
        (upstream(&slot), input.topics)
    }
}

impl<K, V> Clone for KGroupedStream<K, V> {
    fn clone(&self) -> Self {
        Self {
            stream: self.stream.clone(),
            grouped: self.grouped.clone(),
            behind: Rc::clone(&self.behind),
            identity: Rc::clone(&self.identity),
        }
    }
}

impl<K, V> std::fmt::Debug for KGroupedStream<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KGroupedStream").field("stream", &self.stream).finish_non_exhaustive()
    }
}
