//! The end of a task in this process: what its stores hold in memory goes to disk, and they are closed.

use crate::fault::{KillPoint, kill_point};
use crate::store::StoreOwner;
use crate::task::PreparedTask;

/// Flushes and closes the stores of tasks that workers gave up. What cannot be flushed is in the changelogs.
///
/// A worker could do this as well, but all its other tasks would wait for the disk.
pub(super) fn retire(tasks: Vec<PreparedTask>, owner: &StoreOwner, now_ms: i64) {
    for PreparedTask { id, stores, directory, .. } in tasks {
        for prepared in stores {
            let store = prepared.store.attach(owner);
            kill_point(KillPoint::BeforeStoreFlush);
            if let Err(error) = store.flush(now_ms) {
                tracing::warn!(task = %id, store = store.name(), %error, "a store could not be flushed when its task was given up");
            }
            kill_point(KillPoint::AfterStoreFlush);
        }
        // The directory is in use until its stores are closed.
        drop(directory);
    }
}
