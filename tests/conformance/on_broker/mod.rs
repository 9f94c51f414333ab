//! Runs cases as real applications: each on an embedded broker of its own, so that topics and the application have the names that the case
//! gives them.

mod application;
mod changelog;
mod claims;
pub mod cluster;
mod ends;
pub mod one_partition;
pub mod selection;
pub mod several_processes;

pub use application::{is_unbounded, start};

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

/// How long anything may take that normally takes milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Cases that run at the same time. Each waits for its broker most of the time.
const AT_ONCE: usize = 6;

/// Runs every case, several at once; returns the differences, each with the name of its case.
pub fn run_all<'a, C: Sync>(cases: &'a [C], name: impl Fn(&C) -> String + Sync, run: impl Fn(&'a C) -> Vec<String> + Sync) -> Vec<String> {
    let waiting: Mutex<VecDeque<&C>> = Mutex::new(cases.iter().collect());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(case) = waiting.lock().expect("unpoisoned").pop_front() else { return };
                    let differences = run(case);
                    if !differences.is_empty() {
                        found.lock().expect("unpoisoned").push(format!("{}: {}", name(case), differences.join("\n")));
                    }
                }
            });
        }
    });
    found.into_inner().expect("unpoisoned")
}
