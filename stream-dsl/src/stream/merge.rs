//! [`KStream::merge`].

use std::marker::PhantomData;
use std::rc::Rc;

use stream_core::processor::{Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::{KStream, Lineage};
use crate::options::Named;
use crate::plan::{GraphNode, NodeKind, Slot, upstream};

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// The records of both streams. Between the two there is no order.
    ///
    /// Null passes, nothing is stored. Where the key of either may have changed, a grouping or join below repartitions.
    ///
    /// ```
    /// let builder = stream_dsl::StreamsBuilder::new();
    /// let (one, two) = (builder.stream::<String, String>("one"), builder.stream::<String, String>("two"));
    /// one.merge(&two).to("both");
    /// assert!(builder.build()?.describe().to_string().contains("KSTREAM-MERGE-0000000002"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn merge(&self, other: &Self) -> Self {
        self.merge_named(other, Named::default())
    }

    /// As [`merge`](Self::merge), with a name.
    ///
    /// ```
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let web = builder.stream::<String, i64>("web-orders");
    /// let shop = builder.stream::<String, i64>("shop-orders").select_key(|receipt, _| receipt.clone());
    /// web.merge_named(&shop, Named::new("all-orders")).group_by_key().count();
    /// // Where the key of one stream may have changed, that of the merged one may have: it is repartitioned, whole.
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: all-orders (stores: [])") && text.contains("-repartition)"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn merge_named(&self, other: &Self, named: Named) -> Self {
        let name = self.plan.name_or(named.get(), "KSTREAM-MERGE-");
        let slot = Slot::new();
        let (node, node_name) = (slot.clone(), name.clone());
        let (one, two) = (Rc::clone(&self.upstream), Rc::clone(&other.upstream));
        let above = GraphNode::below(self.node.into_iter().chain(other.node));
        let id = self.plan.add_node(above, move |topology| {
            let (one, two) = (one()?, two()?);
            // Of a stream merged with itself, or of one topic read twice, each record comes once, as in Kafka Streams.
            let parents: &[_] = if one.name() == two.name() { &[&one] } else { &[&one, &two] };
            node.set(topology.add_processor(&node_name, parents, PassThrough::new)?);
            Ok(())
        });
        let mut topics = self.topics.clone();
        topics.extend(other.topics.iter().filter(|topic| !self.topics.contains(topic)).cloned());
        let merged = KStream::new(&self.plan, name, upstream(&slot), topics);
        let null_keys = self.null_keys.and(&other.null_keys);
        let lineage = Lineage::at(&slot).after(&self.lineage).after(&other.lineage);
        let lineage = lineage.with_merge_point(&self.plan, Some(id), NodeKind::Merge);
        let needs_repartition = self.needs_repartition || other.needs_repartition;
        KStream { needs_repartition, null_keys, node: Some(id), lineage, ..merged }
    }
}

/// Forwards what it takes.
pub(crate) struct PassThrough<K, V>(PhantomData<fn(K, V)>);

impl<K, V> PassThrough<K, V> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<K: Clone + 'static, V: Clone + 'static> Processor for PassThrough<K, V> {
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = K;
    type ValueOut = V;

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, K, V>) -> Result<(), BoxError> {
        Ok(cx.forward(record)?)
    }
}
