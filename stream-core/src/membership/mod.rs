//! Membership: how the processes of an application share its tasks, apart from fetching and producing.
//!
//! One process is one member. A [`Membership`] is driven by one thread that never runs user code; workers see only tasks, the
//! [`TokenCell`] and the [`OffsetCommitter`]. A hand-over is asynchronous: [`GroupEvent::Revoke`] asks for tasks, the workers commit
//! and close them with a token that stays valid meanwhile, and [`Membership::released`] lets the group give them to others.

mod anchored;
mod committer;
mod token;
mod watchdog;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use anchored::{AnchoredConfig, AnchoredMembership};
pub use committer::OffsetCommitter;
pub use token::{CommitLease, TokenCell};
pub use watchdog::Stalled;

use crate::client::ClientContext;
use crate::config::{ClientRole, StreamsConfig};
use crate::error::{Error, Result};
use crate::id::TaskId;
use crate::time::Clock;

/// What a process shares with its group: the tasks, by the topic whose partitions count them.
///
/// A topic is read by one source node only, so it belongs to one sub-topology only and cannot be the anchor of two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// By sub-topology: its anchor, the source topic with the most partitions (ties by name), and how many it has, which is the number of
    /// its tasks.
    pub anchors: BTreeMap<u32, (Arc<str>, i32)>,
    /// A digest over sub-topologies, anchors and the partition counts of all sources, in hexadecimal. Members with different
    /// fingerprints do not start new tasks beside each other.
    pub fingerprint: String,
}

/// What the group asks of this process.
#[derive(Debug)]
#[non_exhaustive]
pub enum GroupEvent {
    /// Commit and close these tasks, then call [`Membership::released`]. They may be committed until then.
    Revoke {
        /// The tasks to give up; all others go on.
        tasks: BTreeSet<TaskId>,
    },
    /// A rebalance is complete: these tasks, and no others, are owned and may run.
    Assigned {
        /// All tasks of this process, old and new.
        tasks: BTreeSet<TaskId>,
    },
    /// The membership ended: all tasks are to be closed without a commit. [`Membership::released`] need not be called for them; the
    /// backend joins anew by itself, as soon as no [`CommitLease`] is held.
    Lost {
        /// Why, for log and state.
        reason: String,
    },
    /// New tasks may not start yet. The caller reads the topics' metadata again, as this process may be the one that is behind.
    Waiting {
        /// Which members show another fingerprint than ours, or what else is waited for.
        for_whom: String,
    },
    /// A member wants all processes of the application to end.
    ShutdownRequested {
        /// The member.
        by: String,
    },
    /// Membership is not possible. Nothing follows; tasks are to be closed without a commit.
    Fatal(Error),
}

/// A way to be a member of the application's group.
pub trait Membership: Send {
    /// Drives the membership for at most `timeout` and returns what it came to. To be called again at once after an event, and always
    /// within `max.poll.interval.ms`.
    ///
    /// # Errors
    /// When the client cannot be driven. What the group decides comes as an event.
    fn poll(&mut self, timeout: Duration) -> Result<Option<GroupEvent>>;

    /// The workers gave these tasks up: committed, or aborted, and closed. Tasks that were not asked for are ignored.
    ///
    /// # Errors
    /// When the group cannot be told.
    fn released(&mut self, tasks: &BTreeSet<TaskId>) -> Result<()>;

    /// Joins with a new plan, because partition counts or topics changed. All tasks are given up first: a [`GroupEvent::Revoke`] for all
    /// of them follows if any is owned, and the process joins anew when they are released. The same plan changes nothing.
    ///
    /// # Errors
    /// When the new subscription is refused.
    fn replan(&mut self, plan: Plan) -> Result<()>;

    /// Where workers take a token for a commit and note their progress.
    fn tokens(&self) -> Arc<TokenCell>;

    /// Commits offsets outside of transactions, as this member.
    fn committer(&self) -> Arc<dyn OffsetCommitter>;

    /// Leaves the group. All tasks must have been committed and closed: their tokens end here. A static member keeps its tasks until
    /// its session times out, so that a restart within the session moves nothing.
    ///
    /// Waits for `within` at most, and never for a broker that does not answer: the client then ends by itself in the background.
    ///
    /// # Errors
    /// When the group could not be told; the session timeout ends the membership then.
    fn leave(&mut self, within: Duration) -> Result<()>;

    /// Asks all other processes of the application to end: they see [`GroupEvent::ShutdownRequested`]. They are told when this process
    /// [leaves](Self::leave), which then takes until they have gone, or a bounded time.
    ///
    /// # Errors
    /// When the group cannot be told.
    fn shut_down_application(&mut self) -> Result<()>;
}

/// Joins the application's group as the configuration says.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when a setting of the group is refused. An unreachable cluster is no error yet.
pub fn join(config: &StreamsConfig, context: &Arc<dyn ClientContext>, clock: &Arc<dyn Clock>, plan: Plan) -> Result<Box<dyn Membership>> {
    let settings =
        AnchoredConfig { application_id: Arc::from(config.application_id()), properties: config.client_properties(ClientRole::Membership) };
    Ok(Box::new(AnchoredMembership::join(settings, context, clock, plan)?))
}
