//! How values become aggregates.

use std::sync::Arc;

/// Makes the aggregate that a key or window begins with; `None` where the first value is the first aggregate.
pub(crate) type Initializer<A> = Arc<dyn Fn() -> Option<A> + Send + Sync>;

/// An aggregation: what it begins with, and how a value changes it. `None` deletes.
pub(crate) struct Fold<F, A> {
    init: Initializer<A>,
    fold: Arc<F>,
}

impl<F, A> Fold<F, A> {
    pub(crate) fn new(init: Initializer<A>, fold: F) -> Self {
        Self { init, fold: Arc::new(fold) }
    }

    /// The aggregate so far, or the one to begin with. It is also what an update tells as the old value, as in Kafka Streams.
    pub(crate) fn begin(&self, old: Option<A>) -> Option<A> {
        old.or_else(|| (self.init)())
    }

    pub(crate) fn next<K, V>(&self, key: &K, value: V, aggregate: Option<A>) -> Option<A>
    where
        F: Fn(&K, V, Option<A>) -> Option<A>,
    {
        (self.fold)(key, value, aggregate)
    }
}

impl<F, A> Clone for Fold<F, A> {
    fn clone(&self) -> Self {
        Self { init: Arc::clone(&self.init), fold: Arc::clone(&self.fold) }
    }
}

/// The first value is the first aggregate.
pub(crate) fn nothing<A>() -> Initializer<A> {
    Arc::new(|| None)
}

/// An aggregation by an initializer and an aggregator of the program.
pub(crate) fn aggregate<K, V, A, R: Into<Option<A>>>(
    init: impl Fn() -> A + Send + Sync + 'static,
    aggregator: impl Fn(&K, V, A) -> R + Send + Sync + 'static,
) -> Fold<impl Fn(&K, V, Option<A>) -> Option<A> + Send + Sync + 'static, A>
where
    A: 'static,
{
    let init = Arc::new(init);
    let first = Arc::clone(&init);
    let fold = move |key: &K, value: V, old: Option<A>| aggregator(key, value, old.unwrap_or_else(|| first())).into();
    Fold::new(Arc::new(move || Some(init())), fold)
}

/// An aggregation by a reducer of the program.
pub(crate) fn reduce<K, V, R: Into<Option<V>>>(
    reducer: impl Fn(V, V) -> R + Send + Sync + 'static,
) -> Fold<impl Fn(&K, V, Option<V>) -> Option<V> + Send + Sync + 'static, V>
where
    V: 'static,
{
    Fold::new(nothing(), move |_: &K, value, old| match old {
        Some(old) => reducer(old, value).into(),
        None => Some(value),
    })
}

/// An aggregation by a reducer of values that may be null: a null one reaches the reducer, unless it is the first, which makes no aggregate.
pub(crate) fn reduce_nullable<K, V, R: Into<Option<V>>>(
    reducer: impl Fn(V, Option<V>) -> R + Send + Sync + 'static,
) -> Fold<impl Fn(&K, Option<V>, Option<V>) -> Option<V> + Send + Sync + 'static, V>
where
    V: 'static,
{
    Fold::new(nothing(), move |_: &K, value, old| match old {
        Some(old) => reducer(old, value).into(),
        None => value,
    })
}

/// A count.
pub(crate) fn count<K, V>() -> Fold<impl Fn(&K, V, Option<i64>) -> Option<i64> + Send + Sync + 'static, i64> {
    Fold::new(Arc::new(|| Some(0)), |_: &K, _: V, count: Option<i64>| Some(count.unwrap_or(0).wrapping_add(1)))
}
