//! [`TaskContext`]: what the nodes of one task share while a record is processed.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::punctuation::Punctuations;
use super::push::Stopped;
use super::wakeup::Wakeups;
use crate::application::ApplicationContext;
use crate::client::Message;
use crate::config::EmitIntervals;
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::handler::{DeadLetter, Decision, FailureContext, Handlers, Response};
use crate::id::TaskId;
use crate::metrics::TaskMetrics;
use crate::record::{OutgoingRecord, RecordMetadata};
use crate::store::{CurrentRecord, StateStore};
use crate::time::UNKNOWN_TIME;

/// Takes the records that a task produces.
pub trait Emit {
    /// Hands a record to the producer, which copies it. A failed delivery shows at the next commit.
    ///
    /// # Errors
    /// When the producer cannot take it.
    fn emit(&mut self, record: &OutgoingRecord<'_>) -> Result<()>;

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// When the topic does not exist or the cluster does not answer.
    fn partition_count(&mut self, topic: &Arc<str>) -> Result<i32>;
}

/// What the nodes of a task share. One call at a time; no locks.
pub struct TaskContext {
    pub(crate) task: TaskId,
    pub(crate) application_id: Arc<str>,
    pub(crate) emit: Box<dyn Emit>,
    pub(crate) current: Rc<CurrentRecord>,
    pub(crate) handlers: Handlers,
    /// Whether the processing handler decides about panics, too.
    pub(crate) catches_panics: bool,
    pub(crate) metrics: Arc<TaskMetrics>,
    pub(crate) punctuations: Punctuations,
    pub(crate) wakeups: Wakeups,
    /// The nodes that want no further input for now.
    pub(crate) paused: Vec<usize>,
    pub(crate) application: Arc<ApplicationContext>,
    pub(crate) stream_time: i64,
    pub(crate) system_time: i64,
    pub(crate) commit_requested: bool,
    pub(crate) emit_intervals: EmitIntervals,
    /// Numbers that processors keep with the committed offsets, by name.
    pub(crate) processor_metadata: BTreeMap<String, i64>,
    /// The source record, as long as it is processed.
    pub(crate) message: Option<Message>,
    pub(crate) key_buffer: Vec<u8>,
    pub(crate) value_buffer: Vec<u8>,
    pub(crate) stores: Rc<StoreSet>,
    /// Stores that every process keeps whole; all nodes may read them.
    pub(crate) global_stores: StoreSet,
    pub(crate) connected: Vec<Vec<String>>,
    shared: HashMap<(String, TypeId), Rc<dyn Any>>,
    /// Where a driver of tests learns what was left out; nobody asks in production.
    pub(crate) drops: Option<Rc<RefCell<Vec<DroppedRecord>>>>,
    failure: Option<Error>,
    /// Whether the failure is a mistake of the processor that forwards, about which the processing handler decides.
    refused: bool,
}

/// A record that a node left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedRecord {
    /// The node.
    pub node: String,
    /// Why.
    pub reason: String,
    /// Where the source record came from; `None` in a punctuation.
    pub metadata: Option<RecordMetadata>,
}

/// The stores of a task, by name.
pub(crate) type StoreSet = BTreeMap<String, Rc<dyn StateStore>>;

impl TaskContext {
    pub(crate) fn new(
        task: TaskId,
        application_id: Arc<str>,
        emit: Box<dyn Emit>,
        current: Rc<CurrentRecord>,
        handlers: Handlers,
        metrics: Arc<TaskMetrics>,
    ) -> Self {
        Self {
            task,
            application_id,
            emit,
            current,
            catches_panics: handlers.processing.catches_panics(),
            handlers,
            metrics,
            punctuations: Punctuations::default(),
            wakeups: Wakeups::default(),
            paused: Vec::new(),
            application: Arc::default(),
            stream_time: UNKNOWN_TIME,
            system_time: 0,
            commit_requested: false,
            emit_intervals: EmitIntervals::ALWAYS,
            processor_metadata: BTreeMap::new(),
            message: None,
            key_buffer: Vec::new(),
            value_buffer: Vec::new(),
            stores: Rc::default(),
            global_stores: StoreSet::new(),
            connected: Vec::new(),
            shared: HashMap::new(),
            drops: None,
            failure: None,
            refused: false,
        }
    }

    /// Counts a record that a node leaves out.
    #[cold]
    pub(crate) fn drop_record(&mut self, node: &str, reason: &str) {
        self.metrics.dropped.add(1);
        self.note_drop(node, reason);
        let metadata = self.metadata();
        tracing::debug!(task = %self.task, node, reason, source = ?metadata, "record dropped");
    }

    fn note_drop(&self, node: &str, reason: &str) {
        if let Some(drops) = &self.drops {
            let dropped = DroppedRecord { node: node.to_owned(), reason: reason.to_owned(), metadata: self.metadata() };
            drops.borrow_mut().push(dropped);
        }
    }

    /// Stops the task's processing with `error`; the first one counts.
    #[cold]
    pub(crate) fn stop(&mut self, error: Error) -> Stopped {
        self.failure.get_or_insert(error);
        Stopped
    }

    /// Refuses what a processor wants to forward: to the processing handler it is an error of that processor, whatever it returns.
    #[cold]
    pub(crate) fn refuse(&mut self, error: Error) -> Stopped {
        self.refused = self.failure.is_none();
        self.stop(error)
    }

    /// The error of a processor that was refused to forward.
    #[cold]
    pub(crate) fn take_refused(&mut self) -> Option<Error> {
        if std::mem::take(&mut self.refused) { self.failure.take() } else { None }
    }

    /// Whether a node stopped the processing, also when user code swallowed the [`Stopped`].
    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.failure.is_some()
    }

    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    pub(crate) fn stores(&self) -> Rc<StoreSet> {
        Rc::clone(&self.stores)
    }

    /// The names of the stores that are connected to a node.
    pub(crate) fn connected_stores(&mut self, node: usize) -> Vec<String> {
        self.connected.get_mut(node).map(std::mem::take).unwrap_or_default()
    }

    /// What processors of this task share under `name`.
    pub(crate) fn shared<T: Default + 'static>(&mut self, name: &str) -> Rc<T> {
        let shared = self.shared.entry((name.to_owned(), TypeId::of::<T>())).or_insert_with(|| Rc::<T>::default());
        Rc::clone(shared).downcast().unwrap_or_default()
    }

    pub(crate) fn metadata(&self) -> Option<RecordMetadata> {
        self.current.metadata()
    }

    /// Asks the processing handler about an error that a processor returned.
    #[cold]
    pub(crate) fn processing_failed(&mut self, node: &str, timestamp: i64, error: BoxError) -> Result<(), Stopped> {
        if self.is_stopped() {
            return Err(Stopped);
        }
        let handler = Arc::clone(&self.handlers.processing);
        let response = self.ask(node, timestamp, |failure| handler.handle(failure, &error));
        self.apply(node, response, "a processor failed", error)
    }

    /// Asks the deserialization handler about a record that cannot be read.
    #[cold]
    pub(crate) fn deserialization_failed(&mut self, node: &str, timestamp: i64, error: BoxError) -> Result<(), Stopped> {
        let handler = Arc::clone(&self.handlers.deserialization);
        let response = self.ask(node, timestamp, |failure| handler.handle(failure, &error));
        self.apply(
            node,
            response,
            "a record cannot be read (`deserialization.exception.handler` decides whether such records are left out)",
            error,
        )
    }

    /// Asks the production handler about a record that cannot be written.
    #[cold]
    pub(crate) fn production_failed(&mut self, node: &str, topic: &str, timestamp: i64, error: BoxError) -> Result<(), Stopped> {
        let handler = Arc::clone(&self.handlers.production);
        let response = self.ask(node, timestamp, |failure| handler.handle(failure, topic, &error));
        self.apply(node, response, "a record cannot be written", error)
    }

    fn ask(&self, node: &str, timestamp: i64, handle: impl FnOnce(&FailureContext<'_>) -> Response) -> Response {
        let (metadata, headers) = (self.metadata(), self.current.headers());
        let source = self.message.as_ref().map(Message::as_raw);
        handle(&FailureContext {
            task: self.task,
            node,
            metadata: metadata.as_ref(),
            timestamp,
            headers: &headers,
            source_key: source.as_ref().and_then(|source| source.key),
            source_value: source.as_ref().and_then(|source| source.value),
        })
    }

    fn apply(&mut self, node: &str, response: Response, what: &str, error: BoxError) -> Result<(), Stopped> {
        for letter in &response.dead_letters {
            if let Err(error) = self.emit_dead_letter(letter) {
                return Err(self.stop(error.at(format_args!("node {node}"))));
            }
        }
        match response.decision {
            Decision::Continue => {
                self.metrics.dropped.add(1);
                self.note_drop(node, &format!("{what}: {error}"));
                Ok(())
            }
            Decision::Fail => {
                let place = match self.metadata() {
                    Some(source) => format!("node {node}, record {}-{} offset {}", source.topic, source.partition, source.offset),
                    None => format!("node {node}"),
                };
                // A serde or processor may return an error of ours with a reaction of its own.
                let error = match error.downcast::<Error>() {
                    Ok(error) => error.at(what),
                    Err(error) => Error::new(ErrorKind::User, what).with_source(error),
                };
                Err(self.stop(error.at(place)))
            }
        }
    }

    fn emit_dead_letter(&mut self, letter: &DeadLetter) -> Result<()> {
        self.metrics.produced.add(1);
        self.emit.emit(&OutgoingRecord {
            topic: &letter.topic,
            partition: letter.partition,
            key: letter.key.as_deref(),
            value: letter.value.as_deref(),
            timestamp: letter.timestamp,
            headers: &letter.headers,
        })
    }
}
