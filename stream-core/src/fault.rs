//! Test-only faults (cargo feature `fault-injection`): kill points and seeded mistakes of the commit protocol.
//!
//! `KSTREAMS_KILL_POINT=<point>[:<n>]` ends the process on the spot when it comes to the point for the n-th time;
//! `KSTREAMS_FAIL_POINT=<point>[:<n>]` makes that step fail once, or each time with `*` for n, where a step can fail; `KSTREAMS_HOLD_POINT=<point>:<n>:<file>` holds the
//! thread there until the file is gone. `KSTREAMS_SEEDED_FAULT=<name>` breaks one rule of the protocol, so that tests can show that they
//! would notice.
//! Without the feature every function here is empty.

/// A step at which a test can kill the process, hold its thread or let the step fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KillPoint {
    /// A record is off its queue, and nothing was done with it yet.
    RecordTaken,
    BeforeChangelogSend,
    AfterChangelogSend,
    AfterProducerFlush,
    AfterOffsetsSent,
    AfterCommit,
    AfterStoreCommit,
    BeforeStoreFlush,
    AfterStoreFlush,
    RestoreHalfway,
    RestoreComplete,
    /// The topics changed; those of the new plan are to be made.
    NewPlan,
    RevokeBeforeCommit,
    RevokeAfterCommit,
}

/// A mistake that can be seeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeededFault {
    /// The offsets are committed before the changelog is sent.
    OffsetsBeforeChangelog,
    /// The uncommitted layer becomes committed before the transaction does.
    StoreBeforeCommit,
    /// The commit takes the newest token although the tasks are not owned in it.
    NewestToken,
    /// The commit does not ask whether a task was lost and came back since it started.
    EarlierMembership,
    /// The restore consumer reads uncommitted records.
    RestoreUncommitted,
    /// Record caches are not drained when tasks are revoked.
    NoDrainAtRevocation,
    /// Record caches are not drained when the application closes.
    NoDrainAtClose,
    /// A restoration ends at the last stable offset.
    RestoreToStable,
    /// An error that may pass, in the middle of a record, does not roll back: the next commit goes past the record.
    CommitPastFailedRecord,
    /// A commit that failed at a revocation leaves its transaction open.
    OpenTransactionAtRevocation,
}

#[cfg(feature = "fault-injection")]
mod armed {
    use super::{KillPoint, SeededFault};
    use crate::error::{Error, ErrorKind, Result};
    use std::path::Path;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// A point, and the occurrence of it that is meant; `None`: each.
    struct Armed {
        point: String,
        hit: Option<u64>,
        rest: String,
        hits: AtomicU64,
    }

    /// One variable of the environment, read once.
    struct Trigger {
        variable: &'static str,
        armed: OnceLock<Option<Armed>>,
    }

    static KILL: Trigger = Trigger::new("KSTREAMS_KILL_POINT");
    static FAIL: Trigger = Trigger::new("KSTREAMS_FAIL_POINT");
    static HOLD: Trigger = Trigger::new("KSTREAMS_HOLD_POINT");
    static SEEDED: OnceLock<Option<String>> = OnceLock::new();

    impl Trigger {
        const fn new(variable: &'static str) -> Self {
            Self { variable, armed: OnceLock::new() }
        }

        /// What follows the occurrence in the variable, when this is the occurrence.
        fn is_hit(&self, point: KillPoint) -> Option<&str> {
            let armed = self.armed.get_or_init(|| {
                let text = std::env::var(self.variable).ok()?;
                let mut parts = text.splitn(3, ':').map(str::to_owned);
                let (point, hit, rest) = (parts.next()?, parts.next(), parts.next());
                let hit = if hit.as_deref() == Some("*") { None } else { Some(hit.and_then(|hit| hit.parse().ok()).unwrap_or(1)) };
                Some(Armed { point, hit, rest: rest.unwrap_or_default(), hits: AtomicU64::new(0) })
            });
            let armed = armed.as_ref().filter(|armed| armed.point == format!("{point:?}"))?;
            let hits = armed.hits.fetch_add(1, Ordering::Relaxed) + 1;
            armed.hit.is_none_or(|hit| hits == hit).then_some(&armed.rest)
        }
    }

    pub(crate) fn kill_point(point: KillPoint) {
        if KILL.is_hit(point).is_some() {
            eprintln!("killed at {point:?}");
            // As `kill -9`: nothing is closed, flushed or told.
            std::process::abort();
        }
        if let Some(file) = HOLD.is_hit(point) {
            eprintln!("held at {point:?}");
            while Path::new(file).exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    pub(crate) fn fail_point(point: KillPoint, kind: ErrorKind) -> Result<()> {
        match FAIL.is_hit(point) {
            Some(_) => {
                eprintln!("failed at {point:?}");
                Err(Error::new(kind, format!("a test lets {point:?} fail")))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn is_seeded(fault: SeededFault) -> bool {
        SEEDED.get_or_init(|| std::env::var("KSTREAMS_SEEDED_FAULT").ok()).as_deref() == Some(&format!("{fault:?}"))
    }
}

#[cfg(feature = "fault-injection")]
pub(crate) use armed::{fail_point, is_seeded, kill_point};

#[cfg(not(feature = "fault-injection"))]
#[inline]
pub(crate) fn kill_point(_point: KillPoint) {}

#[cfg(not(feature = "fault-injection"))]
#[inline]
pub(crate) fn fail_point(_point: KillPoint, _kind: crate::error::ErrorKind) -> crate::error::Result<()> {
    Ok(())
}

#[cfg(not(feature = "fault-injection"))]
#[inline]
pub(crate) fn is_seeded(_fault: SeededFault) -> bool {
    false
}
