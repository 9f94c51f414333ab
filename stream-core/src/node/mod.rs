//! The running pieces of one task, typed and wired once; `!Send`, private to the crate.
//!
//! A node is built by its [`NodeFactory`] after its children, so it holds typed inlets to them: per record and edge there is one
//! virtual call, no allocation and no type test. Why a borrow of a node never fails:
//!
//! - I1: a task's graph is acyclic; a loop passes through a topic.
//! - I2: a node pushes only downstream, and only from within a call on itself.
//! - I3: a store never calls a node: changes that a cached table holds back are drained by the task, upstream nodes first.

mod context;
mod punctuation;
mod push;
mod sink;
mod sink_topic;
mod source;
mod wakeup;
mod wiring;

use std::cell::RefCell;
use std::rc::Rc;

pub(crate) use context::StoreSet;
pub use context::{DroppedRecord, Emit, TaskContext};
pub use punctuation::{PunctuationId, PunctuationType};
pub use push::{Data, Stopped};
pub(crate) use push::{Inlet, NonNullKey, NonNullValue, Outlet, Push};
pub(crate) use sink::SinkFactory;
pub use sink_topic::{SinkTopic, TopicContext, TopicNameExtractor};
pub(crate) use source::{Head, SourceFactory, SourceInlet};
pub use wakeup::Wakeup;
pub(crate) use wakeup::{TaskWaker, Wakeups};
pub(crate) use wiring::{AnyInlet, EdgeAdapter, NarrowKey, NarrowValue, NodeFactory, WiredNode, Wiring};

use crate::error::Result;
pub use crate::record::OutgoingRecord;

/// The untyped view of a node, for the task.
pub(crate) trait Lifecycle {
    /// Called once, parents before children, after all stores are open.
    fn init(&mut self, task: &mut TaskContext) -> Result<()>;

    /// Called before each commit, parents before children: forwards what the node holds back.
    fn drain(&mut self, task: &mut TaskContext) -> Result<(), Stopped>;

    /// Called when a punctuation of this node is due.
    fn punctuate(&mut self, id: PunctuationId, timestamp: i64, task: &mut TaskContext) -> Result<(), Stopped>;

    /// Called when the node was woken.
    fn woken(&mut self, task: &mut TaskContext) -> Result<(), Stopped>;

    /// Called once, children last, when the graph closes.
    fn close(&mut self);
}

/// A node as the task holds it.
pub(crate) type LifecycleRef = Rc<RefCell<dyn Lifecycle>>;
