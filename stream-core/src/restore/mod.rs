//! Restoration: from an assigned task to one that a worker can run, beside the tasks that are running.
//!
//! One thread per process prepares tasks, any number at once:
//!
//! 1. the committed positions of the inputs are read, *stable*: while another owner's transaction is undecided, the group
//!    coordinator does not answer, and the task waits;
//! 2. only then are the ends of the changelogs read, their high watermarks (rule 5 of fencing): they cover everything that the old owner
//!    committed;
//! 3. the stores are opened and read from their own position to that end. The position past commit markers and aborted records
//!    comes from `PARTITION_EOF`, so a changelog that ends in a marker completes.

mod cluster;
mod positions;
mod preparation;
mod rebuild;
mod restorer;
mod retire;

pub(crate) use cluster::Cluster;
pub(crate) use positions::WantedInput;
pub(crate) use preparation::{PrepareTask, StoreSettings};
pub(crate) use restorer::{RestoreCommand, RestoreEvent, Restorer, RestorerEnvironment};
