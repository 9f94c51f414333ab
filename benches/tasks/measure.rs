//! One run of a workload.

use std::time::Duration;

use kstreams::core::task::{DriverOptions, TaskDriver};
use rustix::time::{ClockId, clock_gettime};

use super::native::allocations;
use super::workload::Workload;

/// As many records as a worker takes from its consumer at a time.
const BATCH: u64 = 1_000;

/// What a run took.
#[derive(Clone, Debug)]
pub struct Figures {
    pub records: u64,
    pub processing: Duration,
    pub committing: Duration,
    pub allocations: u64,
    pub produced: u64,
}

impl Figures {
    /// Records per second of the thread's CPU time.
    pub fn rate(&self) -> f64 {
        self.records as f64 / (self.processing + self.committing).as_secs_f64()
    }

    pub fn commit_share(&self) -> f64 {
        self.committing.as_secs_f64() / (self.processing + self.committing).as_secs_f64()
    }

    /// While processing, without commits.
    pub fn allocations_per_record(&self) -> f64 {
        self.allocations as f64 / self.records as f64
    }
}

/// Runs a workload over so many records; the first tenth warms up and is not measured.
pub fn measure(workload: &Workload, records: u64) -> Result<Figures, Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let mut options = DriverOptions::new("benchmark", directory.path());
    options.discard_output = true;
    if !workload.caching {
        options.cache_max_bytes = 0;
    }
    let mut driver = TaskDriver::new(&(workload.topology)()?, &options)?;
    let mut figures = Figures { records: 0, processing: Duration::ZERO, committing: Duration::ZERO, allocations: 0, produced: 0 };
    let warm_up = records / 10;
    for from in (0..warm_up + records).step_by(usize::try_from(BATCH)?) {
        for (side, topic) in workload.topics.iter().enumerate() {
            let sides = workload.topics.len() as u64;
            driver.enqueue(topic, (from..from + BATCH).filter(|number| number % sides == side as u64).map(workload.record))?;
        }
        let is_measured = from >= warm_up;
        let (began, allocated) = (thread_time(), allocations());
        let taken = driver.process_enqueued()?;
        if is_measured {
            figures.processing += thread_time() - began;
            figures.allocations += allocations() - allocated;
            figures.records += taken;
        }
        if (from + BATCH).is_multiple_of(workload.commit) {
            let began = thread_time();
            driver.commit_enqueued()?;
            if is_measured {
                figures.committing += thread_time() - began;
            }
        }
    }
    figures.produced = driver.discarded_records();
    Ok(figures)
}

/// User and system time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
