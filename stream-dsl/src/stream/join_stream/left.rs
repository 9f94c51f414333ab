//! [`KStream::left_join_stream`].

use std::sync::Arc;

use stream_core::serdes::DefaultSerde;

use super::side::Join;
use super::{KStream, Keeps};
use crate::nullability::MaybeNull;
use crate::options::StreamJoined;
use crate::window::JoinWindows;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// As [`join_stream`](Self::join_stream); a record of this stream that finds no partner is joined with `None` when its window has
    /// closed: with its own timestamp, and the headers of the record that closed the window. That is looked for when a record moves the
    /// join's stream time, which both sides share, and at most once a second by the wall clock. A record that comes when its window is
    /// past already, whatever the grace period, is told alone at once.
    ///
    /// A record of this stream whose key is null has no partner: it is told alone at once (KIP-962), and passes a repartition topic. One
    /// of the other stream is dropped and counted, as are null values on both sides.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("orders"), builder.stream::<String, i64>("payments"));
    /// let windows = JoinWindows::of_time_difference_and_grace(Duration::from_secs(3_600), Duration::from_secs(60));
    /// let late = orders.left_join_stream(&payments, |order: &String, paid: Option<&i64>| paid.is_none().then(|| order.clone()), windows);
    /// late.non_null_value().to("unpaid");
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("(stores: [KSTREAM-JOINTHIS-0000000004-store, KSTREAM-OUTERSHARED-0000000004-store])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn left_join_stream<KT, K2, V2, L, R, VR>(
        &self,
        other: &KStream<K2, V2>,
        joiner: impl Fn(&L, Option<&R>) -> VR + Send + Sync + 'static,
        windows: JoinWindows,
    ) -> KStream<K, VR>
    where
        K: MaybeNull<KT>,
        K2: MaybeNull<KT>,
        KT: DefaultSerde + Clone + PartialEq,
        V: MaybeNull<L>,
        V2: MaybeNull<R>,
        L: DefaultSerde + Clone,
        R: DefaultSerde + Clone,
        VR: Clone + 'static,
    {
        self.left_join_stream_with(other, joiner, windows, StreamJoined::default())
    }

    /// As [`left_join_stream`](Self::left_join_stream), with serdes, names and stores.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StoreType, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (orders, payments) = (builder.stream::<String, String>("in"), builder.stream::<String, i64>("payments"));
    /// let near = JoinWindows::of_time_difference_and_grace(Duration::from_millis(10), Duration::from_millis(5));
    /// let in_memory = StreamJoined::default().with_store_type(StoreType::InMemory);
    /// let tell = |order: &String, paid: Option<&i64>| format!("{order}: {paid:?}");
    /// orders.left_join_stream_with(&payments, tell, near, in_memory).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// input.pipe_input_at("o1".into(), "tea".into(), 100)?;
    /// input.pipe_input_at("o2".into(), "milk".into(), 115)?;
    /// assert!(output.is_empty(), "a payment at 110 could still come");
    /// input.pipe_input_at("o3".into(), "salt".into(), 116)?;
    /// let alone = output.read_record()?;
    /// assert_eq!((alone.value.as_str(), alone.timestamp), ("tea: None", 100));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_stream_with<KT, K2, V2, L, R, VR>(
        &self,
        other: &KStream<K2, V2>,
        joiner: impl Fn(&L, Option<&R>) -> VR + Send + Sync + 'static,
        windows: JoinWindows,
        joined: StreamJoined<KT, L, R>,
    ) -> KStream<K, VR>
    where
        K: MaybeNull<KT>,
        K2: MaybeNull<KT>,
        KT: Clone + PartialEq + 'static,
        V: MaybeNull<L>,
        V2: MaybeNull<R>,
        L: Clone + 'static,
        R: Clone + 'static,
        VR: Clone + 'static,
    {
        self.left_join_stream_with_key(other, move |_, left, right| joiner(left, right), windows, joined)
    }

    /// As [`left_join_stream_with`](Self::left_join_stream_with); the joiner sees the key.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.stream::<Option<String>, String>("in");
    /// let payments = builder.stream::<String, i64>("payments");
    /// let near = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(10));
    /// let tell = |id: &Option<String>, order: &String, paid: Option<&i64>| format!("{id:?} {order}: {paid:?}");
    /// orders.left_join_stream_with_key(&payments, tell, near, StreamJoined::<String, String, i64>::default()).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<Option<String>, String>("in");
    /// # let output = driver.create_output_topic::<Option<String>, String>("out");
    /// // Nothing can match a null key: it is told at once, without waiting for its window.
    /// input.pipe_input_at(None, "tea".into(), 100)?;
    /// assert_eq!(output.read_value()?, "None tea: None");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn left_join_stream_with_key<KT, K2, V2, L, R, VR>(
        &self,
        other: &KStream<K2, V2>,
        joiner: impl Fn(&K, &L, Option<&R>) -> VR + Send + Sync + 'static,
        windows: JoinWindows,
        joined: StreamJoined<KT, L, R>,
    ) -> KStream<K, VR>
    where
        K: MaybeNull<KT>,
        K2: MaybeNull<KT>,
        KT: Clone + PartialEq + 'static,
        V: MaybeNull<L>,
        V2: MaybeNull<R>,
        L: Clone + 'static,
        R: Clone + 'static,
        VR: Clone + 'static,
    {
        let join: Join<K, L, R, VR> = Arc::new(move |key, left, right| Some(joiner(key, left?, right)));
        self.joined_streams(other, Keeps::Left, join, windows, joined)
    }
}
