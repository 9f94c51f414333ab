//! The node that runs a processor.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use super::{InitContext, Processor, ProcessorContext};
use crate::error::{BoxError, Error, Result};
use crate::node::{Inlet, Lifecycle, NodeFactory, Outlet, PunctuationId, Push, Stopped, TaskContext, WiredNode, Wiring};
use crate::record::{Headers, Record};

pub(crate) struct ProcessorFactory<S> {
    pub(crate) supplier: S,
}

pub(super) struct ProcessorNode<P: Processor> {
    pub(super) name: Arc<str>,
    pub(super) index: usize,
    pub(super) processor: P,
    pub(super) outlet: Outlet<P::KeyOut, P::ValueOut>,
}

impl<P: Processor, S: Fn() -> P + Send + Sync> NodeFactory for ProcessorFactory<S> {
    fn wire(&self, wiring: &mut Wiring<'_>) -> Result<WiredNode> {
        let node = Rc::new(RefCell::new(ProcessorNode {
            name: Arc::clone(wiring.node),
            index: wiring.index,
            processor: (self.supplier)(),
            outlet: wiring.outlet()?,
        }));
        let inlet: Inlet<P::KeyIn, P::ValueIn> = Rc::clone(&node) as _;
        Ok(WiredNode { inlet: Some(Rc::new(inlet)), lifecycle: node, source: None })
    }
}

impl<P: Processor> ProcessorNode<P> {
    /// Calls the processor with its context; an error of its own goes to the processing handler, one from below goes on.
    fn run(
        &mut self,
        timestamp: i64,
        task: &mut TaskContext,
        call: impl FnOnce(&mut P, &mut ProcessorContext<'_, P::KeyOut, P::ValueOut>) -> Result<(), BoxError>,
    ) -> Result<(), Stopped> {
        let mut context = ProcessorContext { node: &self.name, index: self.index, outlet: &self.outlet, task };
        let result = match context.task.catches_panics {
            false => call(&mut self.processor, &mut context),
            true => caught(|| call(&mut self.processor, &mut context)),
        };
        conclude(&self.name, result, timestamp, task)
    }
}

/// What follows from the end of a call of a node's processor.
#[inline]
pub(super) fn conclude(node: &str, result: Result<(), BoxError>, timestamp: i64, task: &mut TaskContext) -> Result<(), Stopped> {
    match result {
        Ok(()) if !task.is_stopped() => Ok(()),
        result => stopped(node, result, timestamp, task),
    }
}

#[cold]
fn stopped(node: &str, result: Result<(), BoxError>, timestamp: i64, task: &mut TaskContext) -> Result<(), Stopped> {
    if let Some(refused) = task.take_refused() {
        return task.processing_failed(node, timestamp, refused.into());
    }
    match result {
        Ok(()) => Err(Stopped),
        Err(error) => task.processing_failed(node, timestamp, error),
    }
}

/// Runs user code; a panic is its error. What it borrowed is free again, and what it left half done is for the handler to judge, as
/// after any other error.
pub(super) fn caught(call: impl FnOnce() -> Result<(), BoxError>) -> Result<(), BoxError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Error::panicked(&*panic).into()))
}

impl<P: Processor> Push<P::KeyIn, P::ValueIn> for ProcessorNode<P> {
    #[inline]
    fn push(&mut self, record: Record<P::KeyIn, P::ValueIn>, task: &mut TaskContext) -> Result<(), Stopped> {
        // Stores stamp their writes with the record that their own node received, not with what it forwarded last.
        let timestamp = record.timestamp;
        let before = task.current.replace_timestamp(timestamp);
        let has_headers = !record.headers.is_empty() || task.current.has_headers();
        let headers_before = has_headers.then(|| task.current.replace_headers(record.headers.clone()));
        // Not by `run`: a closure would be one more copy of the record.
        let mut context = ProcessorContext { node: &self.name, index: self.index, outlet: &self.outlet, task };
        let result = match context.task.catches_panics {
            false => self.processor.process(record, &mut context),
            true => caught(|| self.processor.process(record, &mut context)),
        };
        let result = conclude(&self.name, result, timestamp, task);
        task.current.replace_timestamp(before);
        if let Some(headers) = headers_before {
            task.current.replace_headers(headers);
        }
        result
    }
}

impl<P: Processor> Lifecycle for ProcessorNode<P> {
    fn init(&mut self, task: &mut TaskContext) -> Result<()> {
        let (connected, stores) = (task.connected_stores(self.index), task.stores());
        let mut context = InitContext { node: &self.name, index: self.index, connected: &connected, stores: &stores, task };
        self.processor.init(&mut context).map_err(|error| match error.downcast::<Error>() {
            Ok(error) => error.at(format_args!("init of processor {}", self.name)),
            Err(error) => Error::user(format!("init of processor {} failed", self.name), error),
        })
    }

    fn drain(&mut self, task: &mut TaskContext) -> Result<(), Stopped> {
        let timestamp = task.stream_time;
        self.run(timestamp, task, |processor, context| processor.drain(context))
    }

    fn punctuate(&mut self, id: PunctuationId, timestamp: i64, task: &mut TaskContext) -> Result<(), Stopped> {
        without_source(timestamp, task);
        self.run(timestamp, task, |processor, context| processor.punctuate(id, timestamp, context))
    }

    fn woken(&mut self, task: &mut TaskContext) -> Result<(), Stopped> {
        let timestamp = task.system_time;
        without_source(timestamp, task);
        self.run(timestamp, task, |processor, context| processor.woken(context))
    }

    fn close(&mut self) {
        self.processor.close();
    }
}

/// Trap T114: no metadata, empty headers, and the time of the call as the time of writes.
fn without_source(timestamp: i64, task: &mut TaskContext) {
    task.current.set_metadata(None);
    task.current.replace_headers(Headers::new());
    task.current.replace_timestamp(timestamp);
}
