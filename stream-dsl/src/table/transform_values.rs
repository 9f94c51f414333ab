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
    ///
    /// ```
    /// use stream_core::{BoxError, InitContext};
    /// use stream_core::serdes::Serdes;
    /// use stream_core::store::StoreName;
    /// use stream_dsl::{KTable, Named, StreamsBuilder, ValueTransformer};
    /// use stream_state::{KeyValueStore, Stores};
    ///
    /// const LIMITS: StoreName<KeyValueStore<String, i64>> = StoreName::new("limits");
    ///
    /// /// Balances behind their accounts' limits, which another processor keeps; other rows are left out.
    /// #[derive(Default)]
    /// struct Behind(Option<KeyValueStore<String, i64>>);
    ///
    /// impl ValueTransformer<String, i64, i64> for Behind {
    ///     fn init(&mut self, cx: &InitContext<'_>) -> Result<(), BoxError> {
    ///         self.0 = Some(cx.store(&LIMITS)?);
    ///         Ok(())
    ///     }
    ///
    ///     fn transform(&mut self, account: &String, balance: Option<&i64>) -> Result<Option<i64>, BoxError> {
    ///         let limit = self.0.as_ref().map(|limits| limits.get(account)).transpose()?.flatten().unwrap_or(0);
    ///         Ok(balance.copied().filter(|balance| *balance < limit))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let limits = Stores::in_memory_key_value_store("limits");
    /// builder.add_state_store(Stores::key_value_store_builder(limits, Serdes::string(), Serdes::long()));
    /// let balances: KTable<String, i64> = builder.table("in");
    /// balances.transform_values_named(Behind::default, Named::new("behind"), &[LIMITS.as_str()]).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// driver.state_store(&LIMITS)?.put(&"ada".into(), &-100)?;
    /// input.pipe_key_values([("ada".to_owned(), -50), ("bob".to_owned(), -50)])?;
    /// assert_eq!(output.read_values_to_list()?, [None, Some(-50)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    /// use stream_core::BoxError;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{KTable, Materialized, Named, StreamsBuilder, ValueTransformer};
    ///
    /// /// How often a row was seen to change, by this instance.
    /// struct Changes(i64);
    ///
    /// impl ValueTransformer<String, String, i64> for Changes {
    ///     fn transform(&mut self, _: &String, _: Option<&String>) -> Result<Option<i64>, BoxError> {
    ///         self.0 += 1;
    ///         Ok(Some(self.0))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let names: KTable<String, String> = builder.table("in");
    /// let store = Materialized::named("changes").with_value_serde(Serdes::long());
    /// let changes = names.transform_values_named_with(|| Changes(0), Named::new("count-changes"), store, &[]);
    /// changes.to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<String>>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// // With a store the transformer runs once per change; the result of a deletion is a row like any other.
    /// input.pipe_key_values([("1".to_owned(), Some("ada".to_owned())), ("1".to_owned(), None)])?;
    /// assert_eq!(output.read_values_to_list()?, [Some(1), Some(2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
