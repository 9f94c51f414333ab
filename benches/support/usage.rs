//! What this process has used so far.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::BenchResult;

/// A moment of a run.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When.
    pub wall: Instant,
    /// User and system time of all threads since the process began: the clock that getrusage sums up, in nanoseconds.
    pub cpu: Duration,
    /// The same by kind of thread, in ticks of 10 ms; threads that ended are missing.
    pub threads: BTreeMap<&'static str, u64>,
}

impl Snapshot {
    /// Now.
    pub fn take() -> Self {
        let threads = thread_ticks();
        Self { wall: Instant::now(), cpu: process_cpu(), threads }
    }
}

/// User and system time of this process.
pub fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The most memory that this process has held, MiB (`VmHWM`).
pub fn peak_rss_mb() -> BenchResult<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("/proc/self/status has no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

fn thread_ticks() -> BTreeMap<&'static str, u64> {
    let mut ticks = BTreeMap::new();
    for thread in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        // A thread may end between the two reads.
        let Ok(stat) = std::fs::read_to_string(thread.path().join("stat")) else { continue };
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
        let mut fields = stat[close + 1..].split_whitespace().skip(11);
        let mut next = || fields.next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        *ticks.entry(kind(&stat[open + 1..close])).or_insert(0) += next() + next();
    }
    ticks
}

/// Names are cut at 15 characters.
fn kind(name: &str) -> &'static str {
    const KINDS: [(&str, &str); 6] = [
        ("kstreams-worker", "worker"),
        ("kstreams", "other"),
        ("rdk:broker", "client-broker"),
        ("rdk:", "client-main"),
        ("rocksdb", "rocksdb-bg"),
        ("workloads", "main"),
    ];
    KINDS.iter().find(|(prefix, _)| name.starts_with(prefix)).map_or("other", |(_, kind)| kind)
}
