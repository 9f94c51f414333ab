//! [`KStream::for_each`].

use std::marker::PhantomData;
use std::sync::Arc;

use super::KStream;
use super::peek::Peek;
use crate::options::Named;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Does something with each record; nothing goes on. It may be done again after a failure.
    ///
    /// Null is shown where the types are `Option`. Nothing is stored.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<String, i64>("in").for_each(|key, value| println!("{key}: {value}"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KSTREAM-FOREACH-0000000001 (stores: [])\n      --> none"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn for_each(&self, action: impl Fn(&K, &V) + Send + Sync + 'static) {
        self.for_each_named(action, Named::default());
    }

    /// As [`for_each`](Self::for_each), with a name.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicI64, Ordering};
    /// use stream_dsl::{Named, StreamsBuilder};
    ///
    /// let builder = StreamsBuilder::new();
    /// let total = Arc::new(AtomicI64::new(0));
    /// let sum = Arc::clone(&total);
    /// let amounts = builder.stream::<String, i64>("in");
    /// // All tasks of the process call the one function: what it changes must be shared safely.
    /// amounts.for_each_named(move |_, amount| _ = sum.fetch_add(*amount, Ordering::Relaxed), Named::new("total"));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// input.pipe_key_values([("ada".to_owned(), 3), ("bob".to_owned(), 4)])?;
    /// assert_eq!(total.load(Ordering::Relaxed), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_each_named(&self, action: impl Fn(&K, &V) + Send + Sync + 'static, named: Named) {
        let name = self.plan.name_or(named.get(), "KSTREAM-FOREACH-");
        let look = Arc::new(action);
        self.end(name, move || Peek { look: Arc::clone(&look), forwards: false, types: PhantomData });
    }
}
