//! [`TestInputTopic`].

use std::time::Duration;

use stream_core::record::Record;
use stream_core::serdes::{self, Role, SerdeContext, SerdeRef};
use stream_core::{Error, Headers, Result};

use crate::session::SharedSession;

/// Puts typed records into a topic that a topology reads. Mirrors Kafka Streams' `TestInputTopic`.
///
/// ```
/// use std::time::Duration;
/// use stream_core::topology::{Consumed, Produced, Topology};
/// use stream_testkit::TopologyTestDriver;
///
/// let mut topology = Topology::new();
/// let orders = topology.add_source("orders", "orders", Consumed::<String, i64>::default())?;
/// topology.add_sink("copy", "copies", Produced::default(), &[&orders])?;
///
/// let driver = TopologyTestDriver::new(&topology)?;
/// let mut orders = driver.create_input_topic("orders").with_start_ms(100).with_auto_advance(Duration::from_millis(5));
/// orders.pipe_key_values([("ada".to_owned(), 1_i64), ("bob".to_owned(), 2)])?;
/// let times: Vec<i64> = driver.records().iter().map(|record| record.timestamp).collect();
/// assert_eq!(times, [100, 105]);
/// # Ok::<(), stream_core::Error>(())
/// ```
pub struct TestInputTopic<K, V> {
    session: SharedSession,
    topic: String,
    keys: SerdeRef<K>,
    values: SerdeRef<V>,
    next_ms: i64,
    advance_ms: i64,
}

impl<K: 'static, V: 'static> TestInputTopic<K, V> {
    pub(crate) fn new(session: SharedSession, topic: String, keys: SerdeRef<K>, values: SerdeRef<V>, start_ms: i64) -> Self {
        Self { session, topic, keys, values, next_ms: start_ms, advance_ms: 0 }
    }

    /// The time of the next record that is piped without one, ms since the epoch.
    #[must_use]
    pub fn with_start_ms(mut self, start_ms: i64) -> Self {
        self.next_ms = start_ms;
        self
    }

    /// By how much time moves on after each record that is piped without a time of its own; not at all by default.
    #[must_use]
    pub fn with_auto_advance(mut self, by: Duration) -> Self {
        self.advance_ms = milliseconds(by);
        self
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Moves the time of the next record. The wall clock of the driver stays.
    pub fn advance_time(&mut self, by: Duration) {
        self.next_ms = self.next_ms.saturating_add(milliseconds(by));
    }

    /// Puts a record into the topic and runs until nothing is left to do.
    ///
    /// # Errors
    /// When a serde fails, no source reads the topic, or processing fails.
    pub fn pipe_input(&mut self, key: K, value: V) -> Result<()> {
        let timestamp = self.next_ms;
        self.next_ms = self.next_ms.saturating_add(self.advance_ms);
        self.pipe_input_at(key, value, timestamp)
    }

    /// As [`pipe_input`](Self::pipe_input), at a time of its own, ms since the epoch.
    ///
    /// # Errors
    /// As [`pipe_input`](Self::pipe_input).
    pub fn pipe_input_at(&mut self, key: K, value: V, timestamp: i64) -> Result<()> {
        self.pipe_record(Record { key, value, timestamp, headers: Headers::new() })
    }

    /// As [`pipe_input`](Self::pipe_input), with time and headers.
    ///
    /// # Errors
    /// As [`pipe_input`](Self::pipe_input).
    pub fn pipe_record(&mut self, record: Record<K, V>) -> Result<()> {
        let context = |role| SerdeContext { topic: &self.topic, headers: &record.headers, role };
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let failed = |role: Role, error| {
            let message = format!("the {} for input topic {} cannot be written", role.as_str(), self.topic);
            Error::user(message, error)
        };
        let key = serdes::serialize(&*self.keys, &record.key, &mut key, &context(Role::Key)).map_err(|error| failed(Role::Key, error))?;
        let value = serdes::serialize(&*self.values, &record.value, &mut value, &context(Role::Value))
            .map_err(|error| failed(Role::Value, error))?;
        let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        self.session.borrow_mut().pipe(&self.topic, key, value, record.timestamp, record.headers)
    }

    /// Pipes several records, one after the other; each is processed before the next one comes.
    ///
    /// # Errors
    /// As [`pipe_input`](Self::pipe_input); those before the failed one stay.
    pub fn pipe_records(&mut self, records: impl IntoIterator<Item = Record<K, V>>) -> Result<()> {
        records.into_iter().try_for_each(|record| self.pipe_record(record))
    }

    /// Pipes several keys and values, as [`pipe_input`](Self::pipe_input) would.
    ///
    /// # Errors
    /// As [`pipe_records`](Self::pipe_records).
    pub fn pipe_key_values(&mut self, records: impl IntoIterator<Item = (K, V)>) -> Result<()> {
        records.into_iter().try_for_each(|(key, value)| self.pipe_input(key, value))
    }
}

impl<V: 'static, K: 'static> TestInputTopic<Option<K>, V> {
    /// Pipes a value with a null key.
    ///
    /// # Errors
    /// As [`pipe_input`](Self::pipe_input).
    pub fn pipe_value(&mut self, value: V) -> Result<()> {
        self.pipe_input(None, value)
    }
}

impl<K, V> std::fmt::Debug for TestInputTopic<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestInputTopic").field("topic", &self.topic).finish_non_exhaustive()
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
