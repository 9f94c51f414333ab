//! [`TopologyTestDriver`].

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stream_core::metrics::{MetricName, TaskMetrics};
use stream_core::record::OwnedRecord;
use stream_core::serdes::{DefaultSerde, SerdeRef};
use stream_core::store::StoreName;
use stream_core::task::{DroppedRecord, StoreRow};
use stream_core::topology::BuiltTopology;
use stream_core::{Error, Result, Topology};

use crate::builder::TopologyTestDriverBuilder;
use crate::input_topic::TestInputTopic;
use crate::output_topic::TestOutputTopic;
use crate::session::{Session, SharedSession};

/// Runs a topology record by record, without a broker. Mirrors Kafka Streams' `TopologyTestDriver`; the crate's documentation tells how
/// it runs and shows tests.
///
/// A driver takes microseconds to make, so that a property test can make one for each case. It belongs to one thread.
pub struct TopologyTestDriver {
    session: SharedSession,
}

impl TopologyTestDriver {
    /// A driver with the defaults: at-least-once, caches on, handlers that fail, the wall clock at 0.
    ///
    /// # Errors
    /// What building and starting the application would fail with.
    pub fn new(topology: &Topology) -> Result<Self> {
        Self::builder(topology).build()
    }

    /// Chooses how the driver runs.
    pub fn builder(topology: &Topology) -> TopologyTestDriverBuilder<'_> {
        TopologyTestDriverBuilder::new(topology)
    }

    pub(crate) fn over(session: Session) -> Self {
        Self { session: Rc::new(RefCell::new(session)) }
    }

    /// A topic that the topology reads, with the default serdes of its types.
    pub fn create_input_topic<K: DefaultSerde, V: DefaultSerde>(&self, topic: impl Into<String>) -> TestInputTopic<K, V> {
        self.create_input_topic_with(topic, K::default_serde(), V::default_serde())
    }

    /// As [`create_input_topic`](Self::create_input_topic), with serdes.
    pub fn create_input_topic_with<K: 'static, V: 'static>(
        &self,
        topic: impl Into<String>,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> TestInputTopic<K, V> {
        let start_ms = self.wall_clock_ms().unwrap_or(0);
        TestInputTopic::new(Rc::clone(&self.session), topic.into(), keys, values, start_ms)
    }

    /// A topic that the topology writes, with the default serdes of its types. Internal topics are read by their full names.
    ///
    /// A record is read once: two output topics of one name share what there is.
    pub fn create_output_topic<K: DefaultSerde, V: DefaultSerde>(&self, topic: impl Into<String>) -> TestOutputTopic<K, V> {
        self.create_output_topic_with(topic, K::default_serde(), V::default_serde())
    }

    /// As [`create_output_topic`](Self::create_output_topic), with serdes.
    pub fn create_output_topic_with<K: 'static, V: 'static>(
        &self,
        topic: impl Into<String>,
        keys: SerdeRef<K>,
        values: SerdeRef<V>,
    ) -> TestOutputTopic<K, V> {
        TestOutputTopic::new(Rc::clone(&self.session), topic.into(), keys, values)
    }

    /// Moves the wall clock, and runs each punctuation that is due once, with everything that follows from it.
    ///
    /// # Errors
    /// When a punctuation or what it caused fails.
    pub fn advance_wall_clock_time(&self, by: Duration) -> Result<()> {
        let ms = i64::try_from(by.as_millis()).map_err(|_| Error::invalid("the wall clock cannot be moved so far"))?;
        self.session.borrow_mut().advance_wall_clock(ms)
    }

    /// What the wall clock shows, ms since the epoch.
    ///
    /// # Errors
    /// After a restart that failed.
    pub fn wall_clock_ms(&self) -> Result<i64> {
        Ok(self.session.borrow().task()?.wall_clock_ms())
    }

    /// The typed handle of a store. What is written through it is part of the next commit.
    ///
    /// # Errors
    /// When the topology has no such store, no processor is connected to it, or its handle is of another type.
    pub fn state_store<H: 'static>(&self, name: &StoreName<H>) -> Result<H> {
        self.session.borrow().task()?.store(name.as_str())
    }

    /// The names of the stores, those of the DSL's own included.
    ///
    /// # Errors
    /// After a restart that failed.
    pub fn store_names(&self) -> Result<Vec<String>> {
        Ok(self.session.borrow().task()?.store_names())
    }

    /// The rows of a store of any kind, as its changelog holds them, in the order of its own full scan.
    ///
    /// # Errors
    /// When the topology has no such store.
    pub fn store_rows(&self, name: &str) -> Result<Vec<StoreRow>> {
        self.session.borrow().task()?.store_rows(name)
    }

    /// Writes the stores to disk and drops what they keep in memory only for reads: what follows is read from disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn flush_stores(&self) -> Result<()> {
        self.session.borrow_mut().task_mut()?.flush_stores()
    }

    /// The topics to which records were produced, internal ones included.
    pub fn produced_topic_names(&self) -> BTreeSet<String> {
        self.session.borrow().topics().map(ToString::to_string).collect()
    }

    /// Every record that was produced so far, over all topics, in order, also those that output topics have read.
    pub fn records(&self) -> Ref<'_, [OwnedRecord]> {
        Ref::map(self.session.borrow(), Session::records)
    }

    /// The records that were left out so far, with node and reason.
    pub fn dropped_records(&self) -> Vec<DroppedRecord> {
        self.session.borrow().task().map(|task| task.dropped_records()).unwrap_or_default()
    }

    /// Gives what the task counted to `read`: `dropped-records-total` and the others.
    ///
    /// # Errors
    /// After a restart that failed.
    pub fn metrics<T>(&self, read: impl FnOnce(&TaskMetrics) -> T) -> Result<T> {
        Ok(read(self.session.borrow().task()?.metrics()))
    }

    /// What processors measured, by name: see [`StreamsMetrics`](stream_core::metrics::StreamsMetrics). The time is that of the driver's clock.
    ///
    /// # Errors
    /// After a restart that failed.
    pub fn custom_metrics(&self) -> Result<BTreeMap<MetricName, f64>> {
        Ok(self.session.borrow().task()?.custom_metrics())
    }

    /// The topology as the task runs it: its sub-topologies, internal topics and co-partitioned groups.
    ///
    /// # Errors
    /// After a restart that failed.
    pub fn topology(&self) -> Result<Arc<BuiltTopology>> {
        Ok(Arc::clone(self.session.borrow().task()?.topology()))
    }

    /// Ends the process as a crash would and starts another one: what was not committed is lost, stores come back from disk and
    /// changelog, and records that were not processed are read again with the next step. Handles of stores are not valid any more.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn restart(&self) -> Result<()> {
        self.session.borrow_mut().restart()
    }
}

impl std::fmt::Debug for TopologyTestDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopologyTestDriver").field("records", &self.session.borrow().records().len()).finish_non_exhaustive()
    }
}
