//! What Kafka Streams for Java needs for the same work, measured on the same kind of machine.
//!
//! Kafka Streams 4.3.1 on OpenJDK 17 (G1, -Xmx512m), a virtual machine with 2 cores of an AMD EPYC at 2.4 GHz, Apache Kafka 4.3.1 on the
//! same cores, the same input. Per workload and guarantee: the minimum over three or four runs of the CPU time from a quarter of the records
//! to the last without the JIT compiler's threads (what a process that has run for hours would need, so the hardest figure to beat), the
//! minimum of the whole run with the JIT, and the lowest peak memory.

use super::command::Job;
use super::workload::{Mode, Workload};

/// The figures of Java for one workload and guarantee.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JavaFigures {
    /// CPU µs per record in the steady part, without the JIT.
    pub steady_nojit_cpu_us: f64,
    /// CPU µs per record of the whole run.
    pub cpu_us: f64,
    /// Peak memory, MiB.
    pub peak_rss_mb: f64,
}

/// What Java needs; `None` where it was not measured.
pub fn java(job: Job) -> Option<JavaFigures> {
    let (steady_nojit_cpu_us, cpu_us, peak_rss_mb) = match (job.workload, job.mode) {
        (Workload::Pipe, Mode::AtLeastOnce) => (4.2, 9.5, 314.0),
        (Workload::Pipe, Mode::ExactlyOnce) => (4.6, 11.9, 323.0),
        (Workload::Count, Mode::AtLeastOnce) => (9.2, 14.3, 674.0),
        (Workload::Count, Mode::ExactlyOnce) => (13.9, 20.0, 667.0),
        (Workload::CountNoCache, Mode::AtLeastOnce) => (10.7, 16.5, 379.0),
        (Workload::CountNoCache, Mode::ExactlyOnce) => (11.7, 17.0, 375.0),
        (Workload::Window, Mode::AtLeastOnce) => (8.3, 15.2, 570.0),
        (Workload::Window, Mode::ExactlyOnce) => (8.5, 14.7, 432.0),
        (Workload::WordCount, Mode::AtLeastOnce) => (4.3, 11.0, 335.0),
        (Workload::WordCount, Mode::ExactlyOnce) => (4.4, 12.5, 344.0),
        (_, Mode::AtLeastOnce100) => return None,
    };
    Some(JavaFigures { steady_nojit_cpu_us, cpu_us, peak_rss_mb })
}
