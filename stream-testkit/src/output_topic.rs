//! [`TestOutputTopic`].

use std::collections::BTreeMap;

use stream_core::record::{OwnedRecord, Record};
use stream_core::serdes::{self, Role, SerdeContext, SerdeRef};
use stream_core::{Error, Result};

use crate::session::SharedSession;

/// Reads typed records from a topic that a topology writes. Mirrors Kafka Streams' `TestOutputTopic`.
///
/// ```
/// use stream_core::topology::{Consumed, Produced, Topology};
/// use stream_testkit::TopologyTestDriver;
///
/// let mut topology = Topology::new();
/// let orders = topology.add_source("orders", "orders", Consumed::<String, i64>::default())?;
/// topology.add_sink("copy", "copies", Produced::default(), &[&orders])?;
///
/// let driver = TopologyTestDriver::new(&topology)?;
/// driver.create_input_topic("orders").pipe_key_values([("ada".to_owned(), 1_i64), ("bob".to_owned(), 2)])?;
/// let copies = driver.create_output_topic::<String, i64>("copies");
/// assert_eq!(copies.read_key_value()?, ("ada".to_owned(), 1));
/// assert_eq!(copies.queue_size(), 1);
/// assert_eq!(copies.read_values_to_list()?, [2]);
/// assert!(copies.is_empty());
/// assert!(copies.read_value().unwrap_err().to_string().contains("no unread record"));
/// # Ok::<(), stream_core::Error>(())
/// ```
pub struct TestOutputTopic<K, V> {
    session: SharedSession,
    topic: String,
    keys: SerdeRef<K>,
    values: SerdeRef<V>,
}

impl<K: 'static, V: 'static> TestOutputTopic<K, V> {
    pub(crate) fn new(session: SharedSession, topic: String, keys: SerdeRef<K>, values: SerdeRef<V>) -> Self {
        Self { session, topic, keys, values }
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The next record, with time and headers.
    ///
    /// # Errors
    /// When there is none, or a serde cannot read it.
    pub fn read_record(&self) -> Result<Record<K, V>> {
        let mut session = self.session.borrow_mut();
        match session.next(&self.topic) {
            Some(record) => self.read(record),
            None => Err(Error::invalid(format!("topic {} has no unread record", self.topic))),
        }
    }

    /// The key and value of the next record.
    ///
    /// # Errors
    /// As [`read_record`](Self::read_record).
    pub fn read_key_value(&self) -> Result<(K, V)> {
        self.read_record().map(|record| (record.key, record.value))
    }

    /// The value of the next record.
    ///
    /// # Errors
    /// As [`read_record`](Self::read_record).
    pub fn read_value(&self) -> Result<V> {
        self.read_record().map(|record| record.value)
    }

    /// All records that are left.
    ///
    /// # Errors
    /// When a serde cannot read one of them.
    pub fn read_records_to_list(&self) -> Result<Vec<Record<K, V>>> {
        (0..self.queue_size()).map(|_| self.read_record()).collect()
    }

    /// The keys and values of all records that are left.
    ///
    /// # Errors
    /// As [`read_records_to_list`](Self::read_records_to_list).
    pub fn read_key_values_to_list(&self) -> Result<Vec<(K, V)>> {
        (0..self.queue_size()).map(|_| self.read_key_value()).collect()
    }

    /// The values of all records that are left.
    ///
    /// # Errors
    /// As [`read_records_to_list`](Self::read_records_to_list).
    pub fn read_values_to_list(&self) -> Result<Vec<V>> {
        (0..self.queue_size()).map(|_| self.read_value()).collect()
    }

    /// The last value of each key among the records that are left.
    ///
    /// # Errors
    /// As [`read_records_to_list`](Self::read_records_to_list).
    pub fn read_key_values_to_map(&self) -> Result<BTreeMap<K, V>>
    where
        K: Ord,
    {
        (0..self.queue_size()).map(|_| self.read_key_value()).collect()
    }

    /// How many records are left.
    pub fn queue_size(&self) -> usize {
        self.session.borrow().unread(&self.topic)
    }

    /// Whether no record is left.
    pub fn is_empty(&self) -> bool {
        self.queue_size() == 0
    }

    fn read(&self, record: &OwnedRecord) -> Result<Record<K, V>> {
        let context = |role| SerdeContext { topic: &self.topic, headers: &record.headers, role };
        let failed = |role: Role, error| {
            let message =
                format!("the {} of record {}-{} offset {} cannot be read", role.as_str(), record.topic, record.partition, record.offset);
            Error::user(message, error)
        };
        let key = serdes::deserialize(&*self.keys, record.key.as_deref(), &context(Role::Key)).map_err(|error| failed(Role::Key, error))?;
        let value = serdes::deserialize(&*self.values, record.value.as_deref(), &context(Role::Value))
            .map_err(|error| failed(Role::Value, error))?;
        Ok(Record { key, value, timestamp: record.timestamp, headers: record.headers.clone() })
    }
}

impl<K, V> std::fmt::Debug for TestOutputTopic<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestOutputTopic").field("topic", &self.topic).finish_non_exhaustive()
    }
}
