//! [`KStream::peek`].

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::KStream;
use crate::options::Named;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// Looks at each record and passes it on unchanged. A record may be seen again after a failure.
    ///
    /// Null is shown where the types are `Option`. The key stays, nothing is stored.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// builder.stream::<String, i64>("in").peek(|key, value| println!("{key}: {value}")).to("out");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KSTREAM-PEEK-0000000001"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn peek(&self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        self.peek_named(look, Named::default())
    }

    /// As [`peek`](Self::peek), with a name.
    ///
    /// ```
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<String, i64>("in");
    /// orders.peek_named(|id, amount| eprintln!("order {id} of {amount}"), Named::new("log-orders")).group_by_key().count();
    /// // Neither key nor value can change: the count below needs no repartition topic.
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: log-orders (stores: [])") && !text.contains("repartition"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn peek_named(&self, look: impl Fn(&K, &V) + Send + Sync + 'static, named: Named) -> Self {
        let name = self.plan.name_or(named.get(), "KSTREAM-PEEK-");
        let look = Arc::new(look);
        self.through(name, move || Peek { look: Arc::clone(&look), forwards: true, types: PhantomData }).unchanged(self)
    }
}

/// Looks at records; forwards them or not.
pub(super) struct Peek<F, K, V> {
    pub(super) look: Arc<F>,
    pub(super) forwards: bool,
    pub(super) types: PhantomData<fn(K, V)>,
}

impl<F: Fn(&K, &V) + 'static, K: Clone + 'static, V: Clone + 'static> Processor for Peek<F, K, V> {
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = V;

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, V>) -> Result<(), BoxError> {
        (self.look)(&record.key, &record.value);
        if self.forwards {
            cx.forward(record)?;
        }
        Ok(())
    }
}
