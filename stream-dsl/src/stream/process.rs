//! [`KStream::process`] and [`KStream::process_values`].

use stream_core::processor::{FixedKeyProcessor, FixedKeyStep, Processor};

use super::KStream;
use crate::options::Named;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Runs a processor of the program's own, connected to these stores. The key may change: a grouping or join below repartitions.
    pub fn process<P, S>(&self, supplier: S, stores: &[&str]) -> KStream<P::KeyOut, P::ValueOut>
    where
        P: Processor<KeyIn = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        self.process_named(supplier, Named::default(), stores)
    }

    /// As [`process`](Self::process), with a name.
    pub fn process_named<P, S>(&self, supplier: S, named: Named, stores: &[&str]) -> KStream<P::KeyOut, P::ValueOut>
    where
        P: Processor<KeyIn = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        let name = self.plan.name_or(named.get(), "KSTREAM-PROCESSOR-");
        KStream { needs_repartition: true, ..self.through_with(name, stores, supplier) }
    }

    /// Runs a processor that cannot change the key, by its type: nothing below repartitions because of it.
    pub fn process_values<P, S>(&self, supplier: S, stores: &[&str]) -> KStream<K, P::ValueOut>
    where
        P: FixedKeyProcessor<Key = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        self.process_values_named(supplier, Named::default(), stores)
    }

    /// As [`process_values`](Self::process_values), with a name.
    pub fn process_values_named<P, S>(&self, supplier: S, named: Named, stores: &[&str]) -> KStream<K, P::ValueOut>
    where
        P: FixedKeyProcessor<Key = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        let name = self.plan.name_or(named.get(), "KSTREAM-PROCESSVALUES-");
        KStream { keys: self.keys.clone(), ..self.through_with(name, stores, move || FixedKeyStep(supplier())) }
    }
}
