//! [`KGroupedStream::windowed_by`]: aggregations per key and window.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::serdes::DefaultSerde;
use stream_core::store::StoreName;
use stream_core::time::UNKNOWN_TIME;
use stream_core::{BoxError, Record};
use stream_state::{CachedChange, TimestampedWindowStore, ValueAndTimestamp};

use super::KGroupedStream;
use crate::options::{Materialized, Named};
use crate::table::{Change, KTable, OldValues, TableForwarder, WindowedTable, store};
use crate::window::{TimeWindowedSerde, TimeWindows, Windowed};

impl<K: Clone + 'static, V: Clone + 'static> KGroupedStream<K, V> {
    /// Aggregates per key and window, tumbling or hopping.
    pub fn windowed_by(&self, windows: TimeWindows) -> TimeWindowedKStream<K, V> {
        if let Err(error) = windows.check() {
            self.stream.plan.refuse(error);
        }
        TimeWindowedKStream {
            grouped: Self { stream: self.stream.clone(), grouped: self.grouped.clone(), shared: self.shared.clone() },
            windows,
        }
    }
}

/// A grouped and windowed stream. Mirrors Kafka Streams' `TimeWindowedKStream`.
///
/// A window closes when stream time, which is the largest timestamp that the operator saw, passes its end by the grace period. A record
/// is judged per window: what it brings to a closed one is dropped and counted, once per window.
#[derive(Debug)]
pub struct TimeWindowedKStream<K, V> {
    grouped: KGroupedStream<K, V>,
    windows: TimeWindows,
}

impl<K: Clone + 'static, V: Clone + 'static> TimeWindowedKStream<K, V> {
    /// Counts the records of each key and window.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{StreamsBuilder, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// builder
    ///     .stream::<String, String>("in")
    ///     .group_by_key()
    ///     .windowed_by(minutes)
    ///     .count()
    ///     .to_stream()
    ///     .map(|key, count| (format!("{} at {}", key.key, key.window.start_ms()), count))
    ///     .to("counts");
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn count(&self) -> KTable<Windowed<K>, i64> {
        self.count_with(Materialized::default())
    }

    /// As [`count`](Self::count), with a named or configured store.
    pub fn count_with(&self, materialized: Materialized<K, i64>) -> KTable<Windowed<K>, i64> {
        self.count_named_with(Named::default(), materialized)
    }

    /// As [`count_with`](Self::count_with), with a name.
    pub fn count_named_with(&self, named: Named, materialized: Materialized<K, i64>) -> KTable<Windowed<K>, i64> {
        if materialized.name.is_none() {
            self.grouped.stream.plan.store_name("KSTREAM-AGGREGATE-");
        }
        let values = materialized.values.clone().unwrap_or_else(i64::default_serde);
        self.folded("KSTREAM-AGGREGATE-", &named, materialized.with_value_serde(values), |_, _, count| Some(count.unwrap_or(0) + 1))
    }

    /// Combines the values of each key and window, as [`KGroupedStream::reduce`].
    pub fn reduce<R: Into<Option<V>>>(&self, reducer: impl Fn(V, V) -> R + Send + Sync + 'static) -> KTable<Windowed<K>, V> {
        self.reduce_with(reducer, Materialized::default())
    }

    /// As [`reduce`](Self::reduce), with a named or configured store.
    pub fn reduce_with<R: Into<Option<V>>>(
        &self,
        reducer: impl Fn(V, V) -> R + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<Windowed<K>, V> {
        self.reduce_named_with(reducer, Named::default(), materialized)
    }

    /// As [`reduce_with`](Self::reduce_with), with a name.
    pub fn reduce_named_with<R: Into<Option<V>>>(
        &self,
        reducer: impl Fn(V, V) -> R + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, V>,
    ) -> KTable<Windowed<K>, V> {
        let values = materialized.values.clone().unwrap_or_else(|| self.grouped.grouped.values.clone());
        self.folded("KSTREAM-REDUCE-", &named, materialized.with_value_serde(values), move |_, value, old| match old {
            Some(old) => reducer(old, value).into(),
            None => Some(value),
        })
    }

    /// Aggregates the values of each key and window, as [`KGroupedStream::aggregate`].
    pub fn aggregate<A, R>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A>
    where
        A: DefaultSerde + Clone,
        R: Into<Option<A>>,
    {
        self.aggregate_with(init, aggregator, Materialized::default().with_value_serde(A::default_serde()))
    }

    /// As [`aggregate`](Self::aggregate), with a named or configured store.
    pub fn aggregate_with<A, R>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
    {
        self.aggregate_named_with(init, aggregator, Named::default(), materialized)
    }

    /// As [`aggregate_with`](Self::aggregate_with), with a name.
    pub fn aggregate_named_with<A, R>(
        &self,
        init: impl Fn() -> A + Send + Sync + 'static,
        aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
        named: Named,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A>
    where
        A: Clone + 'static,
        R: Into<Option<A>>,
    {
        let fold = move |key: &K, value: V, old: Option<A>| aggregator(key, value, old.unwrap_or_else(&init)).into();
        self.folded("KSTREAM-AGGREGATE-", &named, materialized, fold)
    }

    fn folded<A: Clone + 'static>(
        &self,
        prefix: &str,
        named: &Named,
        materialized: Materialized<K, A>,
        fold: impl Fn(&K, V, Option<A>) -> Option<A> + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        let plan = &self.grouped.stream.plan;
        let store_name = plan.resource_name_or(materialized.name.as_deref(), &format!("{prefix}STATE-STORE-"));
        let name = plan.name_or(named.get(), prefix);
        let keys = materialized.keys.clone().unwrap_or_else(|| self.grouped.keys());
        let windows = self.windows;
        let factory = store::value_serde(plan, &store_name, &materialized)
            .and_then(|values| Some((store::window(plan, &store_name, &materialized, windows, &keys, &values)?, values)));
        let Some((factory, values)) = factory else {
            return KTable::refused(plan, name);
        };
        let (fold, handle) = (Arc::new(fold), StoreName::from_string(store_name.clone()));
        let old_values = OldValues::default();
        let (output, topics) = self.grouped.aggregation(&name, factory, &old_values, move |forwarder| WindowAggregate {
            fold: Arc::clone(&fold),
            forwarder,
            windows,
            stream_time: UNKNOWN_TIME,
            name: handle.clone(),
            store: None,
            types: PhantomData,
        });
        let size = Duration::from_millis(u64::try_from(windows.size_ms()).unwrap_or(0));
        KTable {
            plan: plan.clone(),
            name,
            upstream: output,
            keys: Some(Arc::new(TimeWindowedSerde::new(keys, size))),
            values: Some(values),
            topics,
            node: Rc::new(WindowedTable { store: store_name, old_values }),
        }
    }
}

struct WindowAggregate<F, K, V, A> {
    fold: Arc<F>,
    forwarder: TableForwarder,
    windows: TimeWindows,
    /// The largest timestamp that this operator saw; starts anew with the task (traps T5, T6).
    stream_time: i64,
    name: StoreName<TimestampedWindowStore<K, A>>,
    store: Option<TimestampedWindowStore<K, A>>,
    types: PhantomData<fn(V)>,
}

impl<F, K, V, A> Processor for WindowAggregate<F, K, V, A>
where
    F: Fn(&K, V, Option<A>) -> Option<A> + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    A: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = Windowed<K>;
    type ValueOut = Change<A>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = Some(cx.store(&self.name)?);
        Ok(())
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>) -> Result<(), BoxError> {
        let store = self.store.as_ref().ok_or("the aggregation is not initialised")?;
        // Trap T4: a record is never late by its own time.
        self.stream_time = self.stream_time.max(record.timestamp);
        let close_time = self.stream_time.saturating_sub(self.windows.grace_ms());
        let is_caching = store.is_caching();
        for window in self.windows.windows_for(record.timestamp) {
            if window.end_ms() <= close_time {
                cx.drop_record("its window is closed");
                continue;
            }
            let start = window.start_ms();
            let old = store.get(&record.key, start)?;
            let timestamp = old.as_ref().map_or(record.timestamp, |old| old.timestamp.max(record.timestamp));
            let old = old.map(|old| old.value);
            let told = if is_caching || !self.forwarder.sends_old_values { None } else { old.clone() };
            let new = (self.fold)(&record.key, record.value.clone(), old);
            store.put(&record.key, new.as_ref().map(|new| ValueAndTimestamp::new(new, timestamp)), start)?;
            if !is_caching {
                let key = Windowed { key: record.key.clone(), window };
                self.forwarder.forward(cx, key, Change { old: told, new }, timestamp, record.headers.clone())?;
            }
        }
        Ok(())
    }

    fn drain(&mut self, cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>) -> Result<(), BoxError> {
        let store = self.store.as_ref().ok_or("the aggregation is not initialised")?;
        if store.is_caching() {
            while let Some(change) = store.next_change()? {
                let CachedChange { key, old, new, timestamp, headers, metadata } = change;
                let key = Windowed { window: self.windows.window_at(key.start), key: key.key };
                self.forwarder.forward_held_back(cx, CachedChange { key, old, new, timestamp, headers, metadata })?;
            }
        }
        Ok(())
    }
}
