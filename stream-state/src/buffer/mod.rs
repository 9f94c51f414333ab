//! The buffer of `suppress`: changes of a table, in the order of a time, until they are told.

pub(crate) mod format;
mod supplier;

use std::cell::{RefCell, RefMut};
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use format::{Buffered, Context, Values};
use stream_core::serdes::{Role, SerdeError, SerdeRef};
use stream_core::{Headers, RecordMetadata, Result};
pub use supplier::BufferBytesStoreSupplier;

use crate::bytes::ByteRange;
use crate::error::StoreError;
use crate::store::{StoreBuilder, Typed};
use crate::value::{BufferedValue, Envelope};

/// Declares a buffer.
pub type TimeOrderedBufferBuilder<K, V> = StoreBuilder<BufferBytesStoreSupplier, K, BufferedValue<V>>;

/// The handle of the buffer of a `suppress` over a table of `K` and `V`.
pub type SuppressBuffer<K, V> = TimeOrderedBuffer<K, BufferedValue<V>>;

/// A change that waits in a buffer.
#[derive(Clone, Debug)]
pub struct BufferedChange<V> {
    /// The value before the change that came last.
    pub old: Option<V>,
    /// The value after it.
    pub new: Option<V>,
    /// Its timestamp, ms.
    pub timestamp: i64,
    /// Its headers.
    pub headers: Headers,
    /// Where it came from; `None` for a punctuation.
    pub metadata: Option<RecordMetadata>,
}

/// Changes by key, in the order of a time that each key got when its first change came. Mirrors Kafka Streams' buffer of `suppress`, with
/// the same records in its changelog: one per key at a commit, and a tombstone for one that was taken out.
///
/// A later change of a key replaces the one that waits, and keeps its place. One processor owns the buffer; others may ask for
/// [`prior`](Self::prior) values.
pub struct TimeOrderedBuffer<K, E> {
    typed: Typed<K, E>,
    /// Made from the rows when it is needed first; whoever writes keeps it up to date.
    order: Rc<RefCell<Option<Order>>>,
}

/// The keys by time, and what they count.
#[derive(Default)]
struct Order {
    by_time: BTreeSet<(i64, Vec<u8>)>,
    bytes: u64,
}

impl<K: 'static, E: Envelope> TimeOrderedBuffer<K, E> {
    pub(super) fn new(typed: Typed<K, E>) -> Self {
        Self { typed, order: Rc::default() }
    }

    /// The store's name.
    ///
    /// ```
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::time_ordered_buffer_builder("store", Serdes::string(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.name(), "store");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        self.typed.store.name()
    }

    fn order(&self) -> Result<RefMut<'_, Order>> {
        let mut order = self.order.borrow_mut();
        if order.is_none() {
            let mut found = Order::default();
            for row in self.typed.store.scan([ByteRange::all()], false) {
                let (key, value) = row?;
                let buffered = self.parsed(value.as_slice())?;
                found.bytes += buffered.counted_bytes(key.as_slice());
                found.by_time.insert((buffered.time, key.as_slice().to_vec()));
            }
            *order = Some(found);
        }
        Ok(RefMut::map(order, |order| order.get_or_insert_default()))
    }

    fn parsed<'a>(&self, bytes: &'a [u8]) -> Result<Buffered<'a>> {
        Buffered::read(bytes).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: SerdeError) -> stream_core::Error {
        self.typed.store.error(StoreError::serde(Role::Value)(error))
    }

    /// How many keys wait.
    ///
    /// ```
    /// # use stream_core::Headers;
    /// # use stream_state::BufferedChange;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::time_ordered_buffer_builder("store", Serdes::string(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// let change = |new| BufferedChange { old: None, new: Some(new), timestamp: 100, headers: Headers::new(), metadata: None };
    /// store.put(&"tea".to_owned(), 100, &change(3))?;
    /// store.put(&"tea".to_owned(), 105, &change(4))?;
    /// assert_eq!(store.num_records()?, 1, "one per key");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn num_records(&self) -> Result<u64> {
        Ok(self.order()?.by_time.len() as u64)
    }

    /// What the waiting changes count for the limit of the buffer, bytes.
    ///
    /// ```
    /// # use stream_core::Headers;
    /// # use stream_state::BufferedChange;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::time_ordered_buffer_builder("store", Serdes::string(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// assert_eq!(store.num_bytes()?, 0);
    /// let change = BufferedChange { old: None, new: Some(3), timestamp: 100, headers: Headers::new(), metadata: None };
    /// store.put(&"tea".to_owned(), 100, &change)?;
    /// assert!(store.num_bytes()? > 11, "more than key and value: where the change came from counts, too");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn num_bytes(&self) -> Result<u64> {
        Ok(self.order()?.bytes)
    }

    /// The time of the key that waits longest.
    ///
    /// ```
    /// # use stream_core::Headers;
    /// # use stream_state::BufferedChange;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::time_ordered_buffer_builder("store", Serdes::string(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// let change = |new| BufferedChange { old: None, new: Some(new), timestamp: 100, headers: Headers::new(), metadata: None };
    /// store.put(&"tea".to_owned(), 100, &change(3))?;
    /// store.put(&"tea".to_owned(), 105, &change(4))?;
    /// assert_eq!(store.first_time()?, Some(100), "a later change keeps the place of the first");
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn first_time(&self) -> Result<Option<i64>> {
        Ok(self.order()?.by_time.first().map(|(time, _)| *time))
    }

    /// Takes out the key that waits longest.
    ///
    /// ```
    /// # use stream_core::Headers;
    /// # use stream_state::BufferedChange;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::time_ordered_buffer_builder("store", Serdes::string(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// let change = BufferedChange { old: None, new: Some(3), timestamp: 100, headers: Headers::new(), metadata: None };
    /// store.put(&"tea".to_owned(), 100, &change)?;
    /// store.remove_first()?;
    /// assert_eq!(store.first_time()?, None);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn remove_first(&self) -> Result<()> {
        let mut order = self.order()?;
        let Some((_, key)) = order.by_time.pop_first() else { return Ok(()) };
        let mut bytes = Vec::new();
        if self.typed.store.get(&key, &mut bytes)? {
            order.bytes = order.bytes.saturating_sub(self.parsed(&bytes)?.counted_bytes(&key));
            self.typed.store.put(&key, None)?;
        }
        Ok(())
    }
}

impl<K: 'static, V: 'static> SuppressBuffer<K, V> {
    /// Buffers a change; `time` gives its place, unless its key waits already.
    ///
    /// ```
    /// # use stream_core::Headers;
    /// # use stream_state::BufferedChange;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::time_ordered_buffer_builder("store", Serdes::string(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// let change = |old, new| BufferedChange { old, new, timestamp: 100, headers: Headers::new(), metadata: None };
    /// store.put(&"tea".to_owned(), 100, &change(None, Some(3)))?;
    /// store.put(&"tea".to_owned(), 105, &change(Some(3), None))?; // a deletion waits like any change
    /// assert_eq!(store.first()?.map(|(_, change)| change.new), Some(None));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails or the key is null.
    pub fn put(&self, key: &K, time: i64, change: &BufferedChange<V>) -> Result<()> {
        let serde = &self.typed.envelope.serde;
        let old = self.bytes_of(serde, change.old.as_ref())?;
        let new = self.bytes_of(serde, change.new.as_ref())?;
        let key = self.typed.key_bytes(key)?;
        let mut order = self.order()?;
        let mut before = Vec::new();
        let waiting = if self.typed.store.get(&key, &mut before)? { Some(self.parsed(&before)?) } else { None };
        let (topic, partition, offset) =
            change.metadata.as_ref().map_or(("", -1, -1), |source| (&*source.topic, source.partition, source.offset));
        let context = Context { timestamp: change.timestamp, offset, topic, partition, headers: change.headers.clone() };
        // Downstream knows what was told before the first change came; for that one it is the old value.
        let prior = waiting.as_ref().map_or(old.as_deref(), |waiting| waiting.values.prior);
        let time = waiting.as_ref().map_or(time, |waiting| waiting.time);
        let buffered = Buffered { context, values: Values { prior, old: old.as_deref(), new: new.as_deref() }, time };
        order.bytes += buffered.counted_bytes(&key);
        order.bytes = order.bytes.saturating_sub(waiting.map_or(0, |waiting| waiting.counted_bytes(&key)));
        let mut bytes = Vec::new();
        buffered.write(&mut bytes).map_err(|error| self.failed(error))?;
        self.typed.store.put(&key, Some(&bytes))?;
        order.by_time.insert((time, key));
        Ok(())
    }

    /// The key that waits longest, with its change.
    ///
    /// ```
    /// # use stream_core::Headers;
    /// # use stream_state::BufferedChange;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::time_ordered_buffer_builder("store", Serdes::string(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// let change = |new| BufferedChange { old: None, new: Some(new), timestamp: 100, headers: Headers::new(), metadata: None };
    /// store.put(&"tea".to_owned(), 100, &change(3))?;
    /// store.put(&"milk".to_owned(), 99, &change(2))?;
    /// assert_eq!(store.first()?.map(|(key, change)| (key, change.new)), Some(("milk".to_owned(), Some(2))));
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails.
    pub fn first(&self) -> Result<Option<(K, BufferedChange<V>)>> {
        let Some(key) = self.order()?.by_time.first().map(|(_, key)| key.clone()) else { return Ok(None) };
        let mut bytes = Vec::new();
        if !self.typed.store.get(&key, &mut bytes)? {
            return Ok(None);
        }
        Ok(Some((self.typed.read_key(&key)?, self.typed.read(&bytes)?)))
    }

    /// What downstream was told last about a key that waits; outer `None`: it does not wait.
    ///
    /// ```
    /// # use stream_core::Headers;
    /// # use stream_state::BufferedChange;
    /// # use {std::time::Duration, stream_core::serdes::Serdes, stream_state::{Stores, conformance::Bench}};
    /// # let builder = Stores::time_ordered_buffer_builder("store", Serdes::string(), Serdes::long());
    /// # let (name, bench) = (builder.store_name(), Bench::new(std::sync::Arc::new(builder), false));
    /// # let store = bench.handle(&name);
    /// let change = |old, new| BufferedChange { old, new, timestamp: 100, headers: Headers::new(), metadata: None };
    /// store.put(&"tea".to_owned(), 100, &change(Some(3), Some(4)))?;
    /// store.put(&"tea".to_owned(), 105, &change(Some(4), Some(5)))?;
    /// assert_eq!(store.prior(&"tea".to_owned())?, Some(Some(3)), "4 was never told");
    /// assert_eq!(store.prior(&"milk".to_owned())?, None);
    /// # Ok::<(), stream_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a serde fails.
    pub fn prior(&self, key: &K) -> Result<Option<Option<V>>> {
        let key = self.typed.key_bytes(key)?;
        let mut bytes = Vec::new();
        if !self.typed.store.get(&key, &mut bytes)? {
            return Ok(None);
        }
        let prior = self.parsed(&bytes)?.values.prior.map(|prior| self.value(prior)).transpose()?;
        Ok(Some(prior))
    }

    fn bytes_of(&self, serde: &SerdeRef<V>, value: Option<&V>) -> Result<Option<Vec<u8>>> {
        let Some(value) = value.filter(|value| !serde.is_null(value)) else { return Ok(None) };
        let mut bytes = Vec::new();
        let written = serde.serialize(value, &mut bytes, &self.typed.store.serde_context(Role::Value));
        written.map_err(|error| self.failed(error))?;
        Ok(Some(bytes))
    }

    fn value(&self, bytes: &[u8]) -> Result<V> {
        let value = self.typed.envelope.serde.deserialize(bytes, &self.typed.store.serde_context(Role::Value));
        value.map_err(|error| self.failed(error))
    }
}

/// Reads the change of a row.
pub(crate) fn read_change<V: 'static>(
    serde: &SerdeRef<V>,
    bytes: &[u8],
    cx: &stream_core::serdes::SerdeContext<'_>,
) -> std::result::Result<BufferedChange<V>, SerdeError> {
    let Buffered { context, values, .. } = Buffered::read(bytes)?;
    let value = |bytes: Option<&[u8]>| bytes.map(|bytes| serde.deserialize(bytes, cx)).transpose();
    let metadata = (context.offset >= 0).then(|| RecordMetadata {
        topic: Arc::from(context.topic),
        partition: context.partition,
        offset: context.offset,
    });
    Ok(BufferedChange {
        old: value(values.old)?,
        new: value(values.new)?,
        timestamp: context.timestamp,
        headers: context.headers,
        metadata,
    })
}

impl<K, E: Clone> Clone for TimeOrderedBuffer<K, E> {
    fn clone(&self) -> Self {
        Self { typed: self.typed.clone(), order: Rc::clone(&self.order) }
    }
}

impl<K, E> fmt::Debug for TimeOrderedBuffer<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeOrderedBuffer").field("name", &self.typed.store.name()).finish_non_exhaustive()
    }
}
