//! The threads of one process.
//!
//! - One *control* thread: polls the membership, keeps the plan (topics, partitions, tasks) up to date, places tasks, purges
//!   repartition topics. It never runs user code.
//! - One *restore* thread prepares tasks ([`crate::restore`]).
//! - One *global* thread keeps the global stores, where there are any; tasks start when it has reached the ends of their topics.
//! - N *workers* run tasks: each owns one assign-only consumer and one producer.
//!
//! Tasks move between them as values (`PreparedTask`); the only shared state are counters, the fencing
//! token and the memory budget.

mod control;
mod events;
mod failing;
mod global;
mod internal_topics;
mod launch;
mod placement;
mod purge;
mod rebalance;
mod recovery;
mod settings;
mod shared;
mod slice;
mod state;
mod upkeep;
mod worker;

pub(crate) use control::{Control, ControlEnvironment};
pub(crate) use events::{ControlEvent, RevivedTask, WorkerCommand, WorkerStopped};
pub(crate) use purge::PurgePositions;
pub(crate) use settings::RuntimeSettings;
pub(crate) use shared::Shared;
pub use shared::{Metrics, TaskDescription};
pub use state::State;
pub(crate) use worker::{Worker, WorkerEnvironment, WorkerFailure};
