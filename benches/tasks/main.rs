//! How fast the code of a task is: records lie in memory, what is produced is counted and thrown away, there is no broker and one thread.
//!
//! ```text
//! cargo bench --bench tasks                # all
//! cargo bench --bench tasks -- count       # those with `count` in their names
//! BENCH_RECORDS=10000000 BENCH_RUNS=5 cargo bench --bench tasks
//! ```
//!
//! Rates are by CPU time of the thread, so that other jobs on the machine do not count. Of several runs the best is shown: what disturbs a run
//! only ever adds.

mod measure;
mod native;
mod workload;

use std::process::ExitCode;

use measure::{Figures, measure};
use workload::WORKLOADS;

#[global_allocator]
static ALLOCATOR: native::CountingAllocator = native::CountingAllocator;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    match run(&wanted) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tasks: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every mark was reached.
fn run(wanted: &[String]) -> Result<bool, Box<dyn std::error::Error>> {
    let number = |name: &str, default: u64| std::env::var(name).map_or(Ok(default), |text| text.parse());
    let (records, runs) = (number("BENCH_RECORDS", 2_000_000)?, number("BENCH_RUNS", 3)?);
    println!("{records} records, best of {runs} runs\n");
    println!("| workload | records/s of CPU | mark | ns/record | of it commits | allocations/record | produced |");
    println!("|---|---|---|---|---|---|---|");
    let mut reached = true;
    for workload in WORKLOADS.iter().filter(|workload| wanted.is_empty() || wanted.iter().any(|part| workload.name.contains(&**part))) {
        let mut best: Option<Figures> = None;
        for _ in 0..runs {
            let figures = measure(workload, records)?;
            if best.as_ref().is_none_or(|best| figures.rate() > best.rate()) {
                best = Some(figures);
            }
        }
        let Some(best) = best else { continue };
        let missed = best.rate() < workload.mark || workload.allocates_nothing && best.allocations_per_record() > 0.01;
        reached &= !missed;
        println!(
            "| {} | {} | {}{} | {:.0} | {:.0} % | {:.2} | {} |",
            workload.name,
            grouped(best.rate()),
            grouped(workload.mark),
            if missed { " **missed**" } else { "" },
            1e9 / best.rate(),
            best.commit_share() * 100.0,
            best.allocations_per_record(),
            best.produced,
        );
    }
    Ok(reached)
}

/// A number with commas.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let first = digits.len() % 3;
    let groups = digits.as_bytes()[first..].chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let head = digits[..first].to_owned();
    std::iter::once(head).filter(|head| !head.is_empty()).chain(groups).collect::<Vec<_>>().join(",")
}
