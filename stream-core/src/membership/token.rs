//! [`TokenCell`]: member, generation and owned tasks, replaced together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::watchdog::{Stalled, Watchdog};
use crate::client::FencingToken;
use crate::error::{Error, ErrorKind, Result};
use crate::id::TaskId;

/// What a backend's client shows now, for [`TokenCell::lease`].
pub(crate) trait CurrentMember: Send + Sync {
    /// Member id and generation.
    fn current(&self) -> Option<(String, i32)>;
}

/// The membership that tasks are owned under.
#[derive(Clone)]
pub(crate) struct Ownership {
    pub(crate) token: FencingToken,
    pub(crate) tasks: BTreeSet<TaskId>,
    /// Reads the generation again at each lease; `None` keeps the token's.
    pub(crate) current: Option<Arc<dyn CurrentMember>>,
}

#[derive(Default)]
struct State {
    ownership: Option<Ownership>,
    /// How many memberships there were: one begins with the first ownership after none.
    memberships: u64,
    /// Why there is no ownership, for the error of a lease.
    reason: String,
    leases: usize,
    /// How many leases are held for each task.
    leased: BTreeMap<TaskId, usize>,
    /// Replacements that wait for leases to end; new leases wait behind them.
    replacing: usize,
}

/// Member id, generation and owned task set of this process, under one lock.
///
/// The coordinator of a classic group checks member and generation of a commit, not its partitions. That only the owner commits for a
/// task is therefore decided here: a token is only given together with the proof that the tasks are owned under it.
#[derive(Default)]
pub struct TokenCell {
    state: Mutex<State>,
    changed: Condvar,
    watchdog: Watchdog,
}

/// The right to commit for some tasks. While it is held, the process gives no task away and takes no other membership; so it is
/// to be held for one commit only, and only one per thread.
pub struct CommitLease<'a> {
    cell: &'a TokenCell,
    token: FencingToken,
    membership: u64,
    tasks: Vec<TaskId>,
}

impl TokenCell {
    /// A cell that owns nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State { reason: "this process has not joined its group yet".into(), ..State::default() }),
            ..Self::default()
        }
    }

    /// A token to commit `tasks` with. Waits while tasks are being given away or taken.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`] when one of the tasks is not owned, or the client has no member id or generation: the coordinator would
    /// take such a commit from anyone.
    pub fn lease(&self, tasks: &[TaskId]) -> Result<CommitLease<'_>> {
        let mut state = self.lock();
        while state.replacing > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let token = state.token_for(tasks)?;
        state.leases += 1;
        for task in tasks {
            *state.leased.entry(*task).or_default() += 1;
        }
        Ok(CommitLease { cell: self, token, membership: state.memberships, tasks: tasks.to_vec() })
    }

    /// The number of the present membership. A task that starts now belongs to it: when the membership ends and the group gives the task to
    /// this process once more, that is another task, since others may have had it meanwhile.
    pub fn membership(&self) -> u64 {
        self.lock().memberships
    }

    /// Worker `worker` is alive at `now` on the monotonic clock: to be noted once per turn of its loop. When it is not noted for longer than
    /// `max.poll.interval.ms`, the process leaves the group, so that others take over its tasks; it joins anew when all workers move
    /// again.
    pub fn note_progress(&self, worker: usize, now: Duration) {
        self.watchdog.note(worker, now);
    }

    /// A worker ended: nothing is expected of it any more.
    pub fn forget_worker(&self, worker: usize) {
        self.watchdog.forget(worker);
    }

    pub(crate) fn stalled(&self, now: Duration, limit: Duration) -> Option<Stalled> {
        self.watchdog.stalled(now, limit)
    }

    /// The tasks that may be committed now.
    pub fn owned(&self) -> BTreeSet<TaskId> {
        self.lock().ownership.as_ref().map(|ownership| ownership.tasks.clone()).unwrap_or_default()
    }

    /// Replaces member, generation and tasks together, as soon as no lease is held for a task that goes; for another member id, as soon
    /// as none is held at all.
    pub(crate) fn replace(&self, ownership: Ownership) {
        let mut state = self.lock();
        state.replacing += 1;
        while state.is_held_against(&ownership) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.replacing -= 1;
        let is_same_member = state.ownership.as_ref().is_some_and(|before| before.token.member == ownership.token.member);
        state.memberships += u64::from(!is_same_member);
        state.ownership = Some(ownership);
        drop(state);
        self.changed.notify_all();
    }

    /// Ends the ownership at once: no new lease is given. Does not wait for leases that are held; see [`is_idle`](Self::is_idle).
    pub(crate) fn clear(&self, reason: &str) {
        let mut state = self.lock();
        state.ownership = None;
        state.reason = reason.into();
    }

    /// Whether no lease is held.
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().leases == 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent at every point where a holder could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_held_against(&self, next: &Ownership) -> bool {
        let is_same_member = self.ownership.as_ref().is_some_and(|ownership| ownership.token.member == next.token.member);
        if is_same_member { self.leased.keys().any(|task| !next.tasks.contains(task)) } else { self.leases > 0 }
    }

    fn token_for(&self, tasks: &[TaskId]) -> Result<FencingToken> {
        let fenced = |message: String| Error::new(ErrorKind::Fenced, message);
        let Some(ownership) = &self.ownership else {
            return Err(fenced(format!("no commit is possible: {}", self.reason)));
        };
        if let Some(task) = tasks.iter().find(|task| !ownership.tasks.contains(task)) {
            return Err(fenced(format!("task {task} is not owned by this process any more")));
        }
        let mut token = ownership.token.clone();
        if let Some(current) = &ownership.current {
            let (member, generation) = current.current().unwrap_or_default();
            // A later generation of the same member is safe: the client joins it with the tasks that it owns, and gives none
            // away before it was told that they are released. Another member id is another membership.
            if !member.is_empty() && *member != *token.member {
                return Err(fenced(format!("member {} was replaced by {member}; the group is being joined anew", token.member)));
            }
            token = FencingToken { member: member.into(), generation, ..token };
        }
        if token.member.is_empty() || token.generation < 0 {
            return Err(fenced("this process is between two memberships of its group".into()));
        }
        Ok(token)
    }
}

impl CommitLease<'_> {
    /// What the coordinator is to be shown.
    pub fn token(&self) -> &FencingToken {
        &self.token
    }

    /// The number of the membership; see [`TokenCell::membership`].
    pub fn membership(&self) -> u64 {
        self.membership
    }
}

impl Drop for CommitLease<'_> {
    fn drop(&mut self) {
        let mut state = self.cell.lock();
        state.leases -= 1;
        for task in &self.tasks {
            if let Some(held) = state.leased.get_mut(task) {
                *held -= 1;
                if *held == 0 {
                    state.leased.remove(task);
                }
            }
        }
        drop(state);
        self.cell.changed.notify_all();
    }
}

impl fmt::Debug for CommitLease<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CommitLease").field(&self.token).finish()
    }
}

impl fmt::Debug for TokenCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCell").field("owned", &self.owned()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
