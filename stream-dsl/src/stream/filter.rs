//! [`KStream::filter`] and [`KStream::filter_not`].

use std::sync::Arc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::KStream;
use crate::options::Named;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// The records for which `predicate` holds. The key stays, nothing is stored, null is passed to the predicate as the types say.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<String, i64>("in").filter(|_, amount| *amount > 0).to("out");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-FILTER-0000000001"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter_named(predicate, Named::default())
    }

    /// As [`filter`](Self::filter), with a name.
    ///
    /// ```
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("in");
    /// amounts.filter_named(|_, amount| *amount >= 0, Named::new("without-refunds")).to("out");
    /// // In logs, metrics and `describe()` the node keeps this name, whatever is added above it; a generated one would count on.
    /// assert!(builder.build()?.describe().to_string().contains("Processor: without-refunds (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn filter_named(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static, named: Named) -> Self {
        self.filtered(Arc::new(predicate), true, &named)
    }

    /// The records for which `predicate` does not hold.
    ///
    /// ```
    /// use stream_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// // Keys and values that may be null are an `Option`: the predicate sees the null ones, too.
    /// let answers = builder.stream::<String, Option<String>>("in");
    /// answers.filter_not(|_, answer| answer.is_none()).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, Option<String>>("in");
    /// # let output = driver.create_output_topic::<String, Option<String>>("out");
    /// input.pipe_key_values([("ada".to_owned(), None), ("bob".to_owned(), Some("yes".to_owned()))])?;
    /// assert_eq!(output.read_values_to_list()?, [Some("yes".to_owned())]);
    /// assert!(driver.dropped_records().is_empty(), "what a predicate leaves out does not count as dropped");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter_not_named(predicate, Named::default())
    }

    /// As [`filter_not`](Self::filter_not), with a name.
    ///
    /// ```
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("in");
    /// amounts.filter_not_named(|_, amount| *amount == 0, Named::new("without-zeros")).to("out");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: without-zeros (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn filter_not_named(&self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static, named: Named) -> Self {
        self.filtered(Arc::new(predicate), false, &named)
    }

    fn filtered(&self, predicate: Predicate<K, V>, keep: bool, named: &Named) -> Self {
        let name = self.plan.name_or(named.get(), "KSTREAM-FILTER-");
        self.through(name, move || Filter { predicate: Arc::clone(&predicate), keep }).unchanged(self)
    }
}

pub(crate) type Predicate<K, V> = Arc<dyn Fn(&K, &V) -> bool + Send + Sync>;

struct Filter<K, V> {
    predicate: Predicate<K, V>,
    keep: bool,
}

impl<K: Clone + 'static, V: Clone + 'static> Processor for Filter<K, V> {
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = V;

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, V>) -> Result<(), BoxError> {
        if (self.predicate)(&record.key, &record.value) == self.keep {
            cx.forward(record)?;
        }
        Ok(())
    }
}
