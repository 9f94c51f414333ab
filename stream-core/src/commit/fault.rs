//! Test-only faults (cargo feature `fault-injection`): kill points and seeded mistakes of the commit protocol.
//!
//! `KSTREAMS_KILL_POINT=<point>[:<n>]` ends the process on the spot when it comes to the point for the n-th time.
//! `KSTREAMS_SEEDED_FAULT=<name>` breaks one rule of the protocol, so that tests can show that they would notice.
//! Without the feature every function here is empty.

/// A step of the commit at which a test can kill the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KillPoint {
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
    /// The restore consumer reads uncommitted records.
    RestoreUncommitted,
    /// Record caches are not drained when tasks are revoked.
    NoDrainAtRevocation,
}

#[cfg(feature = "fault-injection")]
mod armed {
    use super::{KillPoint, SeededFault};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ARMED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static SEEDED: OnceLock<Option<String>> = OnceLock::new();
    static HITS: AtomicU64 = AtomicU64::new(0);

    pub(crate) fn kill_point(point: KillPoint) {
        let armed = ARMED.get_or_init(|| {
            let text = std::env::var("KSTREAMS_KILL_POINT").ok()?;
            let (name, hit) = text.split_once(':').unwrap_or((&text, "1"));
            Some((name.to_owned(), hit.parse().unwrap_or(1)))
        });
        if let Some((name, hit)) = armed {
            if *name == format!("{point:?}") && HITS.fetch_add(1, Ordering::Relaxed) + 1 == *hit {
                eprintln!("killed at {point:?}");
                // As `kill -9`: nothing is closed, flushed or told.
                std::process::abort();
            }
        }
    }

    pub(crate) fn is_seeded(fault: SeededFault) -> bool {
        SEEDED.get_or_init(|| std::env::var("KSTREAMS_SEEDED_FAULT").ok()).as_deref() == Some(&format!("{fault:?}"))
    }
}

#[cfg(feature = "fault-injection")]
pub(crate) use armed::{is_seeded, kill_point};

#[cfg(not(feature = "fault-injection"))]
#[inline]
pub(crate) fn kill_point(_point: KillPoint) {}

#[cfg(not(feature = "fault-injection"))]
#[inline]
pub(crate) fn is_seeded(_fault: SeededFault) -> bool {
    false
}
