//! [`KTable::suppress`].

use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::serdes::SerdeRef;
use stream_core::store::StoreName;
use stream_core::time::UNKNOWN_TIME;
use stream_core::{BoxError, Error, Record, Result, TopologyError};
use stream_state::{BufferedChange, Stores, SuppressBuffer, ValueAndTimestamp};

use super::{Change, KTable, OpenView, TableNode, TableView, store};
use crate::options::{Suppressed, Until};
use crate::plan::{Slot, upstream};

impl<K: Clone + 'static, V: Clone + 'static> KTable<K, V> {
    /// Holds changes back, and tells the last one of each key: when the key's window closes, or when a time has passed since the first that was
    /// held back. Time is stream time: that of the changes that come. Nothing is told while none comes.
    ///
    /// What is told has the time, headers and source of the change that was held back. Deletions are told, too, except when a window
    /// closes: then a row that is not there was never told. This table sends old values, and therefore has a store; look-ups below see a
    /// row as it was told last.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_dsl::{BufferConfig, StreamsBuilder, Suppressed, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let hours = TimeWindows::of_size_and_grace(Duration::from_secs(3_600), Duration::from_secs(60));
    /// let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(hours).count();
    /// counts.suppress(Suppressed::until_window_closes(BufferConfig::unbounded())).to_stream().to("counts-per-hour");
    ///
    /// let prices = builder.table::<String, i64>("prices");
    /// let slow = Suppressed::until_time_limit(Duration::from_secs(10), BufferConfig::max_records(1_000)).with_name("slow-prices");
    /// prices.suppress(slow).to_stream().to("prices-every-ten-seconds");
    /// assert!(builder.build()?.describe().to_string().contains("Processor: slow-prices (stores: [slow-prices-store])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    ///
    /// For final results of windows, an aggregation that emits on window close
    /// ([`EmitStrategy::OnWindowClose`](crate::EmitStrategy::OnWindowClose)) needs no buffer in memory. Of sessions and sliding windows, whose
    /// ends belong to them, a suppressed row may be told again when a record comes exactly at the close time, as in Kafka Streams (trap T22).
    ///
    /// The buffer needs the serdes of the table. A table derived without a store of its own may not know them: give them with
    /// [`suppress_with`](Self::suppress_with).
    pub fn suppress(&self, suppressed: Suppressed<K>) -> Self {
        self.suppress_with(suppressed, None, None)
    }

    /// As [`suppress`](Self::suppress), with serdes for the buffer's keys and values; `None`: those of the table.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_dsl::{BufferConfig, KTable, StreamsBuilder, Suppressed};
    /// let builder = StreamsBuilder::new();
    /// let names: KTable<String, String> = builder.table("in");
    /// // What a mapper makes has no serde that the table knows.
    /// let lengths = names.map_values(|name| name.len() as i64);
    /// let slow = Suppressed::until_time_limit(Duration::from_millis(10), BufferConfig::unbounded());
    /// lengths.suppress_with(slow, None, Some(Serdes::long())).to_stream().to("out");
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// # let output = driver.create_output_topic::<String, Option<i64>>("out");
    /// input.pipe_input_at("1".into(), "ada".into(), 100)?;
    /// input.pipe_input_at("1".into(), "lovelace".into(), 105)?;
    /// assert!(output.is_empty(), "only time moves a change out");
    /// input.pipe_input_at("2".into(), "bob".into(), 110)?;
    /// let told = output.read_record()?;
    /// assert_eq!((told.value, told.timestamp), (Some(8), 105));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn suppress_with(&self, suppressed: Suppressed<K>, keys: Option<SerdeRef<K>>, values: Option<SerdeRef<V>>) -> Self {
        let Suppressed { name: named, until, time, limits, shuts_down } = suppressed;
        let name = self.plan.resource_name_or(named.as_deref(), "KTABLE-SUPPRESS-");
        let store_name = match &named {
            Some(named) => format!("{named}-store"),
            None => self.plan.store_name("KTABLE-SUPPRESS-"),
        };
        if self.node.is_versioned() {
            self.plan.refuse(TopologyError::Invalid {
                message: format!("`{name}` suppresses changes of the versioned table `{}`, whose versions would be lost; suppress a table without versions", self.name),
            });
            return Self::refused(&self.plan, name);
        }
        let wait_ms = match until {
            Until::TimeLimit(limit) => Some(limit),
            Until::WindowCloses => self.node.window_grace_ms(),
        };
        let Some(wait_ms) = wait_ms else {
            self.plan.refuse(TopologyError::Invalid {
                message: format!(
                    "`{name}` waits until windows close, but its table `{}` is not of windows that an aggregation of this program closes; \
                     suppress the windowed aggregation, or wait for a time limit",
                    self.name
                ),
            });
            return Self::refused(&self.plan, name);
        };
        let (keys, values) = match (keys.or_else(|| self.keys.clone()), values.or_else(|| self.values.clone())) {
            (Some(keys), Some(values)) => (keys, values),
            (None, _) => {
                self.plan.refuse(store::missing_serde::<K>(&store_name, "keys", "suppress_with"));
                return Self::refused(&self.plan, name);
            }
            (_, None) => {
                self.plan.refuse(store::missing_serde::<V>(&store_name, "values", "suppress_with"));
                return Self::refused(&self.plan, name);
            }
        };
        self.node.send_old_values(true);
        let builder = Stores::time_ordered_buffer_builder(store_name.clone(), Arc::clone(&keys), Arc::clone(&values));
        let factory = Arc::new(match limits.logging {
            Some(configs) => builder.with_logging_enabled(configs),
            None => builder.with_logging_disabled(),
        });
        let (max_records, max_bytes) = (limits.max_records, limits.max_bytes);
        let slot = Slot::new();
        {
            let (node, name, parent) = (slot.clone(), name.clone(), Rc::clone(&self.upstream));
            let handle = StoreName::from_string(store_name.clone());
            self.plan.add(move |topology| {
                let supplier = move || Suppress {
                    wait_ms,
                    time: Arc::clone(&time),
                    drops_tombstones: until == Until::WindowCloses,
                    max_records,
                    max_bytes,
                    shuts_down,
                    stream_time: UNKNOWN_TIME,
                    name: handle.clone(),
                    buffer: None,
                };
                node.set(topology.add_processor(&name, &[&parent()?], supplier)?);
                topology.add_state_store(factory, &[&name])
            });
        }
        KTable {
            plan: self.plan.clone(),
            name,
            upstream: upstream(&slot),
            keys: Some(keys),
            values: Some(values),
            // As in Kafka Streams, where a join below a suppressed table asks for no equal partition counts.
            topics: Vec::new(),
            node: Rc::new(SuppressedTable { parent: Rc::clone(&self.node), store: store_name }),
        }
    }
}

struct Suppress<K, V> {
    /// How long behind its time a change waits, ms.
    wait_ms: i64,
    time: Arc<dyn Fn(&K, i64) -> i64 + Send + Sync>,
    drops_tombstones: bool,
    max_records: u64,
    max_bytes: u64,
    shuts_down: bool,
    /// The largest timestamp of a change that came (trap T29).
    stream_time: i64,
    name: StoreName<SuppressBuffer<K, V>>,
    buffer: Option<SuppressBuffer<K, V>>,
}

impl<K: Clone + 'static, V: Clone + 'static> Suppress<K, V> {
    /// Tells the change that waits longest, as if the record that brought it were being processed (trap T34). It stays in the buffer until
    /// then: who looks the row up meanwhile sees what was told before.
    fn tell_first(&self, cx: &mut ProcessorContext<'_, K, Change<V>>, buffer: &SuppressBuffer<K, V>) -> Result<(), BoxError> {
        if let Some((key, change)) = buffer.first()? {
            let BufferedChange { old, new, timestamp, headers, metadata } = change;
            if new.is_some() || !self.drops_tombstones {
                cx.forward_from(metadata.as_ref(), Record { key, value: Change::latest(old, new), timestamp, headers })?;
            }
        }
        Ok(buffer.remove_first()?)
    }
}

impl<K: Clone + 'static, V: Clone + 'static> Processor for Suppress<K, V> {
    type KeyIn = K;
    type ValueIn = Change<V>;
    type KeyOut = K;
    type ValueOut = Change<V>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.buffer = Some(cx.store(&self.name)?);
        Ok(())
    }

    fn process(&mut self, record: Record<K, Change<V>>, cx: &mut ProcessorContext<'_, K, Change<V>>) -> Result<(), BoxError> {
        let buffer = self.buffer.clone().ok_or("the buffer is not initialised")?;
        let Record { key, value: Change { old, new, .. }, timestamp, headers } = record;
        self.stream_time = self.stream_time.max(timestamp);
        let change = BufferedChange { old, new, timestamp, headers, metadata: cx.record_metadata() };
        buffer.put(&key, (self.time)(&key, timestamp), &change)?;
        let expiry = self.stream_time.saturating_sub(self.wait_ms);
        while buffer.first_time()?.is_some_and(|time| time <= expiry) {
            self.tell_first(cx, &buffer)?;
        }
        loop {
            let (records, bytes) = (buffer.num_records()?, buffer.num_bytes()?);
            if records <= self.max_records && bytes <= self.max_bytes || records == 0 {
                return Ok(());
            }
            if self.shuts_down {
                return Err(Error::invalid(format!(
                    "the buffer of `{}` is full: it holds {records} of {} records and {bytes} of {} bytes, and shall shut down then; give it more room, or let it emit early",
                    cx.node_name(),
                    self.max_records,
                    self.max_bytes
                ))
                .into());
            }
            self.tell_first(cx, &buffer)?;
        }
    }
}

/// A table below which changes are held back.
struct SuppressedTable<K, V> {
    parent: Rc<dyn TableNode<K, V>>,
    store: String,
}

impl<K: 'static, V: 'static> TableNode<K, V> for SuppressedTable<K, V> {
    fn stores(&self) -> Vec<String> {
        let mut stores = vec![self.store.clone()];
        stores.extend(self.parent.stores());
        stores
    }

    fn opener(&self) -> OpenView<K, V> {
        let (open, name) = (self.parent.opener(), StoreName::<SuppressBuffer<K, V>>::from_string(self.store.clone()));
        Arc::new(move |cx| Ok(Box::new(SuppressedView { table: open(cx)?, buffer: cx.store(&name)? })))
    }

    fn send_old_values(&self, force: bool) -> bool {
        self.parent.send_old_values(force)
    }

    fn window_grace_ms(&self) -> Option<i64> {
        self.parent.window_grace_ms()
    }
}

/// A row that waits is seen as it was told last (trap T35).
struct SuppressedView<K, V> {
    table: Box<dyn TableView<K, V>>,
    buffer: SuppressBuffer<K, V>,
}

impl<K: 'static, V: 'static> TableView<K, V> for SuppressedView<K, V> {
    fn get(&self, key: &K) -> Result<Option<ValueAndTimestamp<V>>> {
        match self.buffer.prior(key)? {
            // When it was told is not kept.
            Some(prior) => Ok(prior.map(|value| ValueAndTimestamp::new(value, UNKNOWN_TIME))),
            None => self.table.get(key),
        }
    }
}
