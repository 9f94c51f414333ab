//! [`KStream::outer_join_stream`].

use std::sync::Arc;

use stream_core::serdes::DefaultSerde;

use super::side::Join;
use super::{KStream, Keeps};
use crate::nullability::MaybeNull;
use crate::options::StreamJoined;
use crate::window::JoinWindows;

impl<K: Clone + 'static, V: Clone + 'static> KStream<K, V> {
    /// As [`left_join_stream`](Self::left_join_stream), for both sides: a record of either stream that finds no partner is joined with
    /// `None` when its window has closed. The joiner never takes `None` for both.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (sent, received) = (builder.stream::<String, i64>("sent"), builder.stream::<String, i64>("received"));
    /// let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// sent.outer_join_stream(&received, |sent: Option<&i64>, got: Option<&i64>| format!("{sent:?} {got:?}"), windows).to("checks");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: KSTREAM-OUTERTHIS-0000000004"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn outer_join_stream<KT, V2, L, R, VR>(
        &self,
        other: &KStream<K, V2>,
        joiner: impl Fn(Option<&L>, Option<&R>) -> VR + Send + Sync + 'static,
        windows: JoinWindows,
    ) -> KStream<K, VR>
    where
        K: MaybeNull<KT>,
        KT: DefaultSerde + Clone + PartialEq,
        V: MaybeNull<L>,
        V2: MaybeNull<R>,
        L: DefaultSerde + Clone,
        R: DefaultSerde + Clone,
        VR: Clone + 'static,
    {
        self.outer_join_stream_with(other, joiner, windows, StreamJoined::default())
    }

    /// As [`outer_join_stream`](Self::outer_join_stream), with serdes, names and stores.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (sent, received) = (builder.stream::<String, i64>("sent"), builder.stream::<String, i64>("received"));
    /// let near = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// let joined = StreamJoined::default().with_name("check").with_store_name("checks");
    /// let tell = |sent: Option<&i64>, got: Option<&i64>| format!("{sent:?} {got:?}");
    /// sent.outer_join_stream_with(&received, tell, near, joined).to("checks");
    /// // Both sides share a third store, for what waits without a partner.
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("(stores: [checks-outer-this-join-store, checks-outer-shared-join-store])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn outer_join_stream_with<KT, V2, L, R, VR>(
        &self,
        other: &KStream<K, V2>,
        joiner: impl Fn(Option<&L>, Option<&R>) -> VR + Send + Sync + 'static,
        windows: JoinWindows,
        joined: StreamJoined<KT, L, R>,
    ) -> KStream<K, VR>
    where
        K: MaybeNull<KT>,
        KT: Clone + PartialEq + 'static,
        V: MaybeNull<L>,
        V2: MaybeNull<R>,
        L: Clone + 'static,
        R: Clone + 'static,
        VR: Clone + 'static,
    {
        self.outer_join_stream_with_key(other, move |_, left, right| joiner(left, right), windows, joined)
    }

    /// As [`outer_join_stream_with`](Self::outer_join_stream_with); the joiner sees the key.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{JoinWindows, StreamJoined, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let (sent, received) = (builder.stream::<String, i64>("in"), builder.stream::<String, i64>("received"));
    /// let near = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(10));
    /// let tell = |id: &String, sent: Option<&i64>, got: Option<&i64>| format!("{id} {sent:?} {got:?}");
    /// sent.outer_join_stream_with_key(&received, tell, near, StreamJoined::default()).to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// # let output = driver.create_output_topic::<String, String>("out");
    /// let mut received = driver.create_input_topic::<String, i64>("received");
    /// received.pipe_input_at("a".into(), 1, 100)?;
    /// input.pipe_input_at("b".into(), 2, 105)?;
    /// received.pipe_input_at("b".into(), 2, 106)?;
    /// // Any record of either side moves the time that closes windows.
    /// received.pipe_input_at("c".into(), 3, 200)?;
    /// assert_eq!(output.read_values_to_list()?, ["b Some(2) Some(2)", "a None Some(1)"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outer_join_stream_with_key<KT, V2, L, R, VR>(
        &self,
        other: &KStream<K, V2>,
        joiner: impl Fn(&K, Option<&L>, Option<&R>) -> VR + Send + Sync + 'static,
        windows: JoinWindows,
        joined: StreamJoined<KT, L, R>,
    ) -> KStream<K, VR>
    where
        K: MaybeNull<KT>,
        KT: Clone + PartialEq + 'static,
        V: MaybeNull<L>,
        V2: MaybeNull<R>,
        L: Clone + 'static,
        R: Clone + 'static,
        VR: Clone + 'static,
    {
        let join: Join<K, L, R, VR> = Arc::new(move |key, left, right| Some(joiner(key, left, right)));
        self.joined_streams(other, Keeps::Both, join, windows, joined)
    }
}
