//! What a processor may ask of its task.

use std::any::type_name;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::config::EmitIntervals;
use crate::error::{Error, Result};
use crate::id::TaskId;
use crate::metrics::StreamsMetrics;
use crate::node::{Data, Outlet, PunctuationId, PunctuationType, Stopped, StoreSet, TaskContext, Wakeup};
use crate::record::{Record, RecordMetadata};
use crate::store::{StateStore, StoreName};

/// Given to [`Processor::init`](super::Processor::init): stores and schedules.
pub struct InitContext<'a> {
    pub(crate) node: &'a Arc<str>,
    pub(crate) index: usize,
    pub(crate) connected: &'a [String],
    pub(crate) stores: &'a StoreSet,
    pub(crate) task: &'a mut TaskContext,
}

impl InitContext<'_> {
    /// The handle of a store that is connected to this processor, or of a global one, which any processor may read but not write. Handles
    /// are cheap to clone and stay valid until the task closes.
    ///
    /// # Errors
    /// When there is no such store, it is not connected to this processor, or its handle is of another type.
    pub fn store<H: 'static>(&self, name: &StoreName<H>) -> Result<H> {
        let (node, name) = (self.node, name.as_str());
        if let Some(store) = self.task.global_stores.get(name) {
            return typed(node, store);
        }
        if !self.connected.iter().any(|connected| connected == name) {
            return Err(Error::invalid(format!(
                "processor `{node}` asks for store `{name}`, which is not connected to it; name it in `connect` or in `add_state_store`"
            )));
        }
        let Some(store) = self.stores.get(name) else {
            return Err(Error::invalid(format!("processor `{node}` asks for store `{name}`, which the topology does not have")));
        };
        typed(node, store)
    }

    /// What the processors of this task share under `name`: one value of type `T` per task, made by whoever asks first. It begins anew
    /// with the task, and does not know of commits and aborts; what must survive belongs into a store.
    pub fn shared<T: Default + 'static>(&mut self, name: &str) -> Rc<T> {
        self.task.shared(name)
    }

    /// Lets another thread ask for a call of [`woken`](super::Processor::woken).
    pub fn wakeup(&mut self) -> Wakeup {
        self.task.wakeups.of(self.index)
    }

    /// The tokio runtime of the application: the one that [`KafkaStreamsBuilder::async_runtime`] gave, or the application's own, which
    /// starts with the first call.
    ///
    /// [`KafkaStreamsBuilder::async_runtime`]: crate::app::KafkaStreamsBuilder::async_runtime
    ///
    /// # Errors
    /// When the operating system gives it no threads.
    pub fn async_runtime(&self) -> Result<tokio::runtime::Handle> {
        self.task.application.executor.handle()
    }

    /// Adds metrics of the program's own.
    pub fn metrics(&self) -> StreamsMetrics {
        StreamsMetrics::new(Arc::clone(&self.task.application.metrics), self.task.task)
    }

    /// The settings of the application that were set, by name, with those that
    /// [`StreamsConfig::with_app_config`](crate::config::StreamsConfig::with_app_config) added; without secrets.
    pub fn app_configs(&self) -> &BTreeMap<String, String> {
        &self.task.application.configs
    }

    /// Those of [`app_configs`](Self::app_configs) whose names begin with `prefix`, without it.
    pub fn app_configs_with_prefix(&self, prefix: &str) -> BTreeMap<String, String> {
        let stripped = self.app_configs().iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())));
        stripped.collect()
    }

    /// Asks for a call of [`punctuate`](super::Processor::punctuate) at every `interval`. Less than 1 ms is an error of this processor.
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> PunctuationId {
        self.schedule_anchored(interval, kind, None)
    }

    /// As [`schedule`](Self::schedule), on the grid `start_ms + k · interval` (KIP-1146).
    pub fn schedule_from(&mut self, start_ms: i64, interval: Duration, kind: PunctuationType) -> PunctuationId {
        self.schedule_anchored(interval, kind, Some(start_ms))
    }

    fn schedule_anchored(&mut self, interval: Duration, kind: PunctuationType, anchor: Option<i64>) -> PunctuationId {
        if let Some(error) = too_often(self.node, interval) {
            self.task.stop(error);
        }
        let (stream_time, system_time) = (self.task.stream_time, self.task.system_time);
        self.task.punctuations.schedule(self.index, interval, kind, anchor, stream_time, system_time)
    }

    /// The task.
    pub fn task_id(&self) -> TaskId {
        self.task.task
    }

    /// The application.
    pub fn application_id(&self) -> &str {
        &self.task.application_id
    }

    /// The processor's name in the topology.
    pub fn node_name(&self) -> &str {
        self.node
    }

    /// The wall clock, ms.
    pub fn current_system_time_ms(&self) -> i64 {
        self.task.system_time
    }

    /// The largest timestamp among the records that the task has taken, ms, or -1.
    pub fn current_stream_time_ms(&self) -> i64 {
        self.task.stream_time
    }

    /// How often operators look for results whose time has come.
    pub fn emit_intervals(&self) -> EmitIntervals {
        self.task.emit_intervals
    }

    /// The number that was committed under `name` beside the task's offsets; see [`ProcessorContext::set_committed_metadata`].
    pub fn committed_metadata(&self, name: &str) -> Option<i64> {
        self.task.processor_metadata.get(name).copied()
    }
}

/// What is wrong with an interval of punctuations.
fn too_often(node: &str, interval: Duration) -> Option<Error> {
    let is_too_short = interval < Duration::from_millis(1);
    is_too_short
        .then(|| Error::invalid(format!("processor `{node}` schedules a punctuation every {interval:?}; an interval is at least 1 ms")))
}

/// The handle of a store, if it has the type that the processor asks for.
fn typed<H: 'static>(node: &str, store: &Rc<dyn StateStore>) -> Result<H> {
    let handle = Rc::clone(store).handle();
    handle.downcast::<H>().map(|handle| *handle).map_err(|_| {
        Error::invalid(format!(
            "processor `{node}` asks for store `{}` as `{}`, but it is a `{}`",
            store.name(),
            type_name::<H>(),
            store.handle_type()
        ))
    })
}

/// Given to a processor with each call: where to forward, and what is known about the moment.
pub struct ProcessorContext<'a, K, V> {
    pub(crate) node: &'a Arc<str>,
    pub(crate) index: usize,
    pub(crate) outlet: &'a Outlet<K, V>,
    pub(crate) task: &'a mut TaskContext,
}

impl<K: Data, V: Data> ProcessorContext<'_, K, V> {
    /// Forwards a record to all children, in the order in which they were added; returns when they are done with it.
    ///
    /// # Errors
    /// When processing stopped further down; pass it on with `?`.
    // As `Outlet::push`: a call less is a copy of the record less.
    #[inline(always)]
    pub fn forward(&mut self, record: Record<K, V>) -> Result<(), Stopped> {
        if record.timestamp < 0 {
            return Err(self.negative_timestamp(record.timestamp));
        }
        self.outlet.push(record, self.task)
    }

    /// Forwards a record to one child.
    ///
    /// # Errors
    /// When there is no child of that name, or processing stopped further down.
    pub fn forward_to(&mut self, child: &str, record: Record<K, V>) -> Result<(), Stopped> {
        if record.timestamp < 0 {
            return Err(self.negative_timestamp(record.timestamp));
        }
        match self.outlet.child(child) {
            Some(inlet) => inlet.borrow_mut().push(record, self.task),
            None => {
                let error = Error::invalid(format!(
                    "processor `{}` forwards to `{child}`, which is not among its children: {:?}",
                    self.node,
                    self.outlet.names()
                ));
                Err(self.task.refuse(error))
            }
        }
    }

    /// Forwards a record that was held back, as if its source record were being processed now.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_from(&mut self, metadata: Option<&RecordMetadata>, record: Record<K, V>) -> Result<(), Stopped> {
        let current = Rc::clone(&self.task.current);
        let before = current.metadata();
        current.set_metadata(metadata);
        let forwarded = self.forward(record);
        current.set_metadata(before.as_ref());
        forwarded
    }

    /// Where the record that is being processed came from; `None` in a punctuation.
    pub fn record_metadata(&self) -> Option<RecordMetadata> {
        self.task.metadata()
    }

    /// The largest timestamp among the records that the task has taken, ms, or -1.
    #[inline]
    pub fn current_stream_time_ms(&self) -> i64 {
        self.task.stream_time
    }

    /// The wall clock, ms, read when the record was taken.
    #[inline]
    pub fn current_system_time_ms(&self) -> i64 {
        self.task.system_time
    }

    /// Keeps a number beside the task's offsets, from the next commit on: it survives restarts and moves with the task, and an aborted
    /// transaction takes it back. A broker bounds what it keeps per offset (4 KiB by default), so this is for few and small things.
    pub fn set_committed_metadata(&mut self, name: &str, value: i64) {
        match self.task.processor_metadata.get_mut(name) {
            Some(known) => *known = value,
            None => {
                self.task.processor_metadata.insert(name.to_owned(), value);
            }
        }
    }

    /// Asks for a commit soon, of all tasks of this worker.
    pub fn commit(&mut self) {
        self.task.commit_requested = true;
    }

    /// Asks for a call of [`punctuate`](super::Processor::punctuate) at every `interval`. Less than 1 ms is an error of this processor.
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> PunctuationId {
        self.schedule_anchored(interval, kind, None)
    }

    /// As [`schedule`](Self::schedule), on the grid `start_ms + k · interval` (KIP-1146).
    pub fn schedule_from(&mut self, start_ms: i64, interval: Duration, kind: PunctuationType) -> PunctuationId {
        self.schedule_anchored(interval, kind, Some(start_ms))
    }

    fn schedule_anchored(&mut self, interval: Duration, kind: PunctuationType, anchor: Option<i64>) -> PunctuationId {
        if let Some(error) = too_often(self.node, interval) {
            self.task.refuse(error);
        }
        let (stream_time, system_time) = (self.task.stream_time, self.task.system_time);
        self.task.punctuations.schedule(self.index, interval, kind, anchor, stream_time, system_time)
    }

    /// Cancels a punctuation, also from within its own call.
    pub fn cancel(&mut self, id: PunctuationId) {
        self.task.punctuations.cancel(id);
    }

    /// Lets the task take no further records until [`resume_input`](Self::resume_input). Its punctuations and commits go on, and so do the
    /// other tasks of the thread. Only a punctuation, a commit or a [`Wakeup`] gives this processor the next call.
    pub fn pause_input(&mut self) {
        if !self.task.paused.contains(&self.index) {
            self.task.paused.push(self.index);
        }
    }

    /// Takes back [`pause_input`](Self::pause_input). Input goes on when no processor of the task wants a pause.
    pub fn resume_input(&mut self) {
        self.task.paused.retain(|node| *node != self.index);
    }

    /// Counts the record in `dropped-records`; `reason` goes to the log at debug level.
    pub fn drop_record(&mut self, reason: &str) {
        self.task.drop_record(self.node, reason);
    }

    /// The task.
    pub fn task_id(&self) -> TaskId {
        self.task.task
    }

    /// The application.
    pub fn application_id(&self) -> &str {
        &self.task.application_id
    }

    /// The processor's name in the topology.
    pub fn node_name(&self) -> &str {
        self.node
    }

    #[cold]
    fn negative_timestamp(&mut self, timestamp: i64) -> Stopped {
        let error = Error::invalid(format!("processor `{}` forwards a record with the negative timestamp {timestamp}", self.node));
        self.task.refuse(error)
    }
}
