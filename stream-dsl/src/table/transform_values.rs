//! [`KTable::transform_values`].

use std::sync::Arc;

use stream_core::BoxError;
use stream_core::processor::InitContext;

use super::KTable;
use super::derived::Derivation;
use crate::options::{Materialized, Named};

/// Makes the rows of a table from those of another, with stores of its own to help. Mirrors Kafka Streams'
/// `ValueTransformerWithKey`.
///
/// It cannot forward: each row follows from one. Without a store for the result the transformer also runs for old values and for
/// look-ups, each with an instance of its own: what it gives should follow from key, value and stores alone.
pub trait ValueTransformer<K, V, V2>: 'static {
    /// Called once, before the first row.
    ///
    /// # Errors
    /// Stops the task.
    fn init(&mut self, _cx: &InitContext<'_>) -> Result<(), BoxError> {
        Ok(())
    }

    /// The row that follows from a row; both may be absent.
    ///
    /// # Errors
    /// The processing handler decides.
    fn transform(&mut self, key: &K, value: Option<&V>) -> Result<Option<V2>, BoxError>;
}

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// Makes each row by a transformer of the program's own, connected to these stores. The key stays. A deletion is transformed, too:
    /// the transformer decides whether a row remains.
    ///
    /// ```
    /// use stream_core::BoxError;
    /// use stream_dsl::{KTable, StreamsBuilder, ValueTransformer};
    ///
    /// /// Balances as text, `-` for closed accounts.
    /// struct Show;
    ///
    /// impl ValueTransformer<String, i64, String> for Show {
    ///     fn transform(&mut self, account: &String, balance: Option<&i64>) -> Result<Option<String>, BoxError> {
    ///         Ok(Some(format!("{account}: {}", balance.map_or("-".to_owned(), i64::to_string))))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let balances: KTable<String, i64> = builder.table("balances");
    /// balances.transform_values(|| Show, &[]).to_stream().to("shown");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KTABLE-TRANSFORMVALUES-0000000003 (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn transform_values<V2, T>(&self, supplier: impl Fn() -> T + Send + Sync + 'static, stores: &[&str]) -> KTable<K, V2>
    where
        V2: Clone + 'static,
        T: ValueTransformer<K, V, V2>,
    {
        self.transformed(supplier, &Named::default(), None, stores)
    }

    /// As [`transform_values`](Self::transform_values), with a name.
    pub fn transform_values_named<V2, T>(
        &self,
        supplier: impl Fn() -> T + Send + Sync + 'static,
        named: Named,
        stores: &[&str],
    ) -> KTable<K, V2>
    where
        V2: Clone + 'static,
        T: ValueTransformer<K, V, V2>,
    {
        self.transformed(supplier, &named, None, stores)
    }

    /// As [`transform_values_named`](Self::transform_values_named), with a store for the result if `materialized` names one; then it
    /// must name the value serde, too.
    pub fn transform_values_named_with<V2, T>(
        &self,
        supplier: impl Fn() -> T + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, V2>,
        stores: &[&str],
    ) -> KTable<K, V2>
    where
        V2: Clone + 'static,
        T: ValueTransformer<K, V, V2>,
    {
        self.transformed(supplier, &named, Some(materialized), stores)
    }

    fn transformed<V2, T>(
        &self,
        supplier: impl Fn() -> T + Send + Sync + 'static,
        named: &Named,
        materialized: Option<Materialized<K, V2>>,
        stores: &[&str],
    ) -> KTable<K, V2>
    where
        V2: Clone + 'static,
        T: ValueTransformer<K, V, V2>,
    {
        let derivation = Derivation {
            prefix: "KTABLE-TRANSFORMVALUES-",
            supplier: Arc::new(move || Box::new(supplier())),
            skips_absent: false,
            values: None,
            stores,
            takes_store_number: false,
        };
        self.derived(derivation, named, materialized)
    }
}
