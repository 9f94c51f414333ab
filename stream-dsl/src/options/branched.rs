//! [`Branched`].

use crate::stream::KStream;

/// What becomes of a branch: its name (without one it is numbered), and what is done with it at once. Mirrors Kafka Streams' `Branched`.
pub struct Branched<K, V> {
    pub(crate) name: Option<String>,
    pub(crate) chain: Option<Chain<K, V>>,
}

/// Takes the stream of a branch; what it gives back is found under the branch's name.
pub(crate) type Chain<K, V> = Box<dyn FnOnce(KStream<K, V>) -> Option<KStream<K, V>>>;

impl<K, V> Branched<K, V> {
    /// This name behind the prefix of the split.
    ///
    /// ```
    /// use stream_dsl::{Branched, Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("in").split_named(Named::new("size-"));
    /// let branches = amounts.branch(|_, amount| *amount > 100, Branched::named("large")).no_default_branch();
    /// branches["size-large"].to("large-amounts");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), chain: None }
    }

    /// The branch goes through `function`; what that gives back stands for the branch.
    ///
    /// ```
    /// use stream_dsl::{Branched, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("in").split();
    /// let refunds = Branched::named("refunds").with_function(|refunds| refunds.map_values(|amount| -amount));
    /// let branches = amounts.branch(|_, amount| *amount < 0, refunds).no_default_branch();
    /// assert_eq!(branches.len(), 1);
    /// for refunds in branches.values() {
    ///     refunds.to("out"); // what the function gave back
    /// }
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, i64>("out");
    /// input.pipe_input("ada".into(), -5)?;
    /// assert_eq!(output.read_value()?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_function(mut self, function: impl FnOnce(KStream<K, V>) -> KStream<K, V> + 'static) -> Self {
        self.chain = Some(Box::new(move |stream| Some(function(stream))));
        self
    }

    /// The branch ends in `consumer`; it is not among the streams that the split gives.
    ///
    /// ```
    /// use stream_dsl::{Branched, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("in").split();
    /// let amounts = amounts.branch(|_, amount| *amount < 0, Branched::default().with_consumer(|refunds| refunds.to("refunds")));
    /// let rest = amounts.default_branch(Branched::default().with_consumer(|orders| orders.to("orders")));
    /// assert!(rest.is_empty(), "every branch ended where it was described");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_consumer(mut self, consumer: impl FnOnce(KStream<K, V>) + 'static) -> Self {
        self.chain = Some(Box::new(move |stream| {
            consumer(stream);
            None
        }));
        self
    }
}

impl<K, V> Default for Branched<K, V> {
    fn default() -> Self {
        Self { name: None, chain: None }
    }
}

impl<K, V> std::fmt::Debug for Branched<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Branched").field("name", &self.name).finish_non_exhaustive()
    }
}
