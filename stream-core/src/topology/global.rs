//! [`Topology::add_global_store`].

use std::sync::Arc;

use super::{Consumed, NodeKind, StoreDefinition, Topology, TopologyError};
use crate::processor::Processor;
use crate::store::StoreFactory;

impl Topology {
    /// Adds a global store: every process reads all partitions of `topic` and keeps the whole of it, and every processor of the topology
    /// may read the store without being connected to it. `supplier` makes the processor that writes it, one per process; what that
    /// forwards goes nowhere.
    ///
    /// Tasks start when the store has reached the ends that the topic had at the start. From then on it follows the topic by itself: no
    /// time is kept with the streams, so it may be ahead of them. The topic is its changelog; a factory that logs is refused.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use stream_core::store::StoreFactory;
    /// use stream_core::topology::Consumed;
    /// use stream_core::{BoxError, InitContext, Processor, ProcessorContext, Record, Topology, TopologyError};
    ///
    /// /// Puts each record into the store "rates"; what it does with it is left out here.
    /// struct Keep;
    ///
    /// impl Processor for Keep {
    ///     type KeyIn = String;
    ///     type ValueIn = i64;
    ///     type KeyOut = ();
    ///     type ValueOut = ();
    ///
    ///     fn process(&mut self, _rate: Record<String, i64>, _cx: &mut ProcessorContext<'_, (), ()>) -> Result<(), BoxError> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// fn with_rates(topology: &mut Topology, rates: Arc<dyn StoreFactory>) -> Result<(), TopologyError> {
    ///     topology.add_global_store(rates, "rates-source", "rates", Consumed::default(), "keep-rates", || Keep)
    /// }
    /// ```
    ///
    /// # Errors
    /// When a name is taken, the topic is read by another source, or the factory logs changes.
    pub fn add_global_store<P, S>(
        &mut self,
        factory: Arc<dyn StoreFactory>,
        source: &str,
        topic: &str,
        consumed: Consumed<P::KeyIn, P::ValueIn>,
        processor: &str,
        supplier: S,
    ) -> Result<(), TopologyError>
    where
        P: Processor,
        S: Fn() -> P + Send + Sync + 'static,
    {
        let store = factory.name().to_owned();
        if self.stores.iter().any(|known| known.factory.name() == store) {
            return Err(TopologyError::DuplicateStore { store });
        }
        if factory.changelog().is_some() {
            let message = format!("global store `{store}` logs its changes, but topic {topic} is its changelog; disable logging");
            return Err(TopologyError::Invalid { message });
        }
        let records = self.add_source(source, topic, consumed)?;
        self.add_processor(processor, &[&records], supplier)?;
        self.stores.push(StoreDefinition { factory, source_changelog: None, is_global: true });
        if let Some(NodeKind::Processor { stores }) = self.by_name.get(processor).map(|index| &mut self.nodes[*index].kind) {
            stores.push(store);
        }
        Ok(())
    }

    /// Whether a store is kept whole by every process.
    pub(super) fn is_global_store(&self, store: &str) -> bool {
        self.stores.iter().any(|definition| definition.is_global && definition.factory.name() == store)
    }
}
