//! What a test sees of a fault that it injected.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
struct Progress {
    hits: u64,
    /// The fault strikes no more: it was removed, or the broker has ended.
    ended: bool,
    wakers: Vec<Waker>,
}

/// The state that a rule in the broker's thread shares with the test.
#[derive(Debug, Default)]
pub(super) struct Shared {
    progress: Mutex<Progress>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        // Nothing in here panics half way through a change.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let wakers = {
            let mut progress = self.lock();
            change(&mut progress);
            std::mem::take(&mut progress.wakers)
        };
        self.changed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn hit(&self) {
        self.change(|progress| progress.hits += 1);
    }

    pub(super) fn end(&self) {
        self.change(|progress| progress.ended = true);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }
}

/// A fault at work: how often it struck, a way to wait for that, and its end. Dropping it changes nothing; the fault stays.
#[derive(Clone, Debug)]
pub struct InjectedFault {
    shared: Arc<Shared>,
}

impl InjectedFault {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        InjectedFault { shared }
    }

    /// How many requests it has struck so far.
    pub fn hits(&self) -> u64 {
        self.shared.lock().hits
    }

    /// Blocks until the fault has struck `hits` times; false if that did not happen within `timeout`, or cannot happen any more
    /// because the fault was removed or the broker stopped.
    pub fn wait(&self, hits: u64, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut progress = self.shared.lock();
        while progress.hits < hits && !progress.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            progress = self.shared.changed.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        progress.hits >= hits
    }

    /// As [`InjectedFault::wait`], for asynchronous tests: a future for any executor, without a timeout of its own.
    pub fn reached(&self, hits: u64) -> Reached {
        Reached { shared: Arc::clone(&self.shared), hits }
    }

    /// Ends the fault. Requests that it delays or swallowed already stay so.
    pub fn remove(&self) {
        self.shared.end();
    }
}

/// A future that ends when a fault has struck often enough: `true`, or `false` if it strikes no more.
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct Reached {
    shared: Arc<Shared>,
    hits: u64,
}

impl Future for Reached {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let mut progress = self.shared.lock();
        if progress.hits >= self.hits || progress.ended {
            return Poll::Ready(progress.hits >= self.hits);
        }
        progress.wakers.push(context.waker().clone());
        Poll::Pending
    }
}
