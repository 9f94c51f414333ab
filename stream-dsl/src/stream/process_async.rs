//! [`KStream::process_async`].

use std::hash::Hash;

use stream_core::processor::{AsyncOptions, AsyncProcessor};

use super::KStream;
use crate::options::Named;

impl<K: Clone + Hash + Eq + Send + 'static, V: Clone + Send + 'static> KStream<K, V> {
    /// Runs an async processor of the program's own: any number of results for a record, by a future. The key may change: a grouping or
    /// join below repartitions. [`map_values_async`](Self::map_values_async) says what holds for futures.
    ///
    /// ```
    /// use stream_core::processor::{AsyncContext, AsyncOptions, AsyncProcessor, async_trait};
    /// use stream_core::{BoxError, Record};
    /// use stream_dsl::StreamsBuilder;
    ///
    /// /// Looks up the members of a team, one record for each.
    /// struct Members;
    ///
    /// #[async_trait]
    /// impl AsyncProcessor for Members {
    ///     type KeyIn = String;
    ///     type ValueIn = String;
    ///     type KeyOut = String;
    ///     type ValueOut = String;
    ///
    ///     async fn process(&self, team: Record<String, String>, _cx: AsyncContext) -> Result<Vec<Record<String, String>>, BoxError> {
    ///         let members = ["ann", "bob"]; // A database would be asked here.
    ///         Ok(members.map(|member| team.clone().with_value(member.to_owned())).into())
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream("teams").process_async(AsyncOptions::new(20), || Members).to("members");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-PROCESSASYNC-0000000001"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn process_async<P, S>(&self, options: AsyncOptions, supplier: S) -> KStream<P::KeyOut, P::ValueOut>
    where
        P: AsyncProcessor<KeyIn = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        self.process_async_named(options, supplier, Named::default())
    }

    /// As [`process_async`](Self::process_async), with a name.
    ///
    /// ```
    /// use stream_core::processor::{AsyncContext, AsyncOptions, AsyncProcessor, async_trait};
    /// use stream_core::{BoxError, Record};
    /// use stream_dsl::{Named, StreamsBuilder};
    ///
    /// /// Passes on what a service lets pass.
    /// struct Allowed;
    ///
    /// #[async_trait]
    /// impl AsyncProcessor for Allowed {
    ///     type KeyIn = String;
    ///     type ValueIn = String;
    ///     type KeyOut = String;
    ///     type ValueOut = String;
    ///
    ///     async fn process(&self, record: Record<String, String>, _cx: AsyncContext) -> Result<Vec<Record<String, String>>, BoxError> {
    ///         let is_allowed = record.value != "spam"; // A service would be asked here.
    ///         Ok(is_allowed.then_some(record).into_iter().collect())
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream("in").process_async_named(AsyncOptions::new(20), || Allowed, Named::new("allowed")).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// input.pipe_key_values([("ada".to_owned(), "hello".to_owned()), ("bob".to_owned(), "spam".to_owned())])?;
    /// assert_eq!(output.read_values_to_list()?, ["hello"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process_async_named<P, S>(&self, options: AsyncOptions, supplier: S, named: Named) -> KStream<P::KeyOut, P::ValueOut>
    where
        P: AsyncProcessor<KeyIn = K, ValueIn = V>,
        S: Fn() -> P + Send + Sync + 'static,
    {
        let name = self.plan.given_name_or(named.get(), "KSTREAM-PROCESSASYNC-");
        KStream { needs_repartition: true, ..self.through_async(name, options, supplier) }
    }
}
