//! Tasks: one partition of one sub-topology each, with its graph, queues, stores and positions.

mod active;
mod collector;
mod commit_metadata;
mod driver;
mod graph;
mod partition_group;
mod prepared;
mod progress;
mod record_queue;
mod start_failure;
mod state_dir;

pub use crate::node::DroppedRecord;
pub(crate) use active::{Task, TaskEnvironment};
pub(crate) use collector::{Outgoing, WorkerProducer};
pub(crate) use commit_metadata::CommitMetadata;
pub use driver::{DriverOptions, StoreRow, TaskDriver};
pub(crate) use prepared::{InputPosition, PreparedStore, PreparedTask, TaskChangelog};
pub(crate) use progress::Progress;
pub(crate) use start_failure::StartFailure;
pub(crate) use state_dir::{StateDirectory, TaskDirectoryLock};
