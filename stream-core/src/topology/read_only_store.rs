//! [`Topology::add_read_only_state_store`].

use std::sync::Arc;

use super::{Consumed, Topology, TopologyError};
use crate::node::Data;
use crate::processor::Processor;
use crate::store::StoreFactory;

impl Topology {
    /// Adds a store that a topic of another owner fills: the topic is its changelog, so the store has none of its own, and a restart
    /// restores it from the topic, up to the committed position (KIP-813).
    ///
    /// `supplier` makes the processor that keeps the store, and is the only one that may write it; others are connected to it with
    /// [`connect`](Self::connect) and only read. The processor must put each record as it came: on a restore the topic's records go
    /// to the store without it.
    ///
    /// # Errors
    /// When a name is taken or another source reads the topic.
    pub fn add_read_only_state_store<P, S>(
        &mut self,
        store: Arc<dyn StoreFactory>,
        source: &str,
        topic: &str,
        consumed: Consumed<P::KeyIn, P::ValueIn>,
        processor: &str,
        supplier: S,
    ) -> Result<(), TopologyError>
    where
        P: Processor,
        P::KeyIn: Data,
        P::ValueIn: Data,
        S: Fn() -> P + Send + Sync + 'static,
    {
        let name = store.name().to_owned();
        let records = self.add_source(source, topic, consumed)?;
        self.add_processor(processor, &[&records], supplier)?;
        self.add_state_store(store, &[processor])?;
        self.use_source_as_changelog(&name, topic)
    }
}
