//! The claims: the same records on each topic, the same tables in the changelogs, under both guarantees; and with four partitions and three
//! processes the same final tables.
//!
//! `KSTREAMS_CONFORMANCE_ON_BROKER=all` runs every case that can run there, not only some of each area.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use super::{one_partition, run_all, selection, several_processes, start};
use crate::interpreter::cases::{self, Case};

/// How many cases of each area run by default.
const OF_EACH_AREA: usize = 6;
/// How many differences a failure shows.
const SHOWN: usize = 8;

fn runs_all() -> bool {
    std::env::var("KSTREAMS_CONFORMANCE_ON_BROKER").is_ok_and(|value| value == "all")
}

/// Cases that can run step by step; some of each area by default.
fn step_by_step() -> Vec<Case> {
    let mut cases = cases::all();
    cases.retain(|case| selection::reason_against(&case.name, &case.document).is_none());
    if runs_all() || std::env::var_os("KSTREAMS_CONFORMANCE").is_some() {
        return cases;
    }
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut area_has_room = |case: &Case| {
        let count = taken.entry(case.name.split('/').next().unwrap_or_default().to_owned()).or_default();
        *count += 1;
        *count <= OF_EACH_AREA
    };
    cases.retain(|case| area_has_room(case));
    cases
}

fn assert_equal(cases: &[Case], run: impl Fn(&serde_json::Value) -> Vec<String> + Sync) {
    let began = Instant::now();
    let different = run_all(cases, |case| case.name.clone(), |case| run(&case.document));
    println!("{} cases on the broker, {} differ, {:.1} s", cases.len(), different.len(), began.elapsed().as_secs_f64());
    for difference in &different {
        println!("  {}", difference.lines().next().unwrap_or_default());
    }
    assert!(different.is_empty(), "{}", different.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n\n"));
}

fn cases_give_the_same_records_and_tables(guarantee: &str) {
    let cases = step_by_step();
    if std::env::var_os("KSTREAMS_CONFORMANCE").is_none() {
        assert!(cases.len() >= 100, "only {} cases can run", cases.len());
    }
    assert_equal(&cases, |case| one_partition::run(case, guarantee));
}

#[test]
fn cases_give_the_same_records_and_tables_at_least_once() {
    cases_give_the_same_records_and_tables("at_least_once");
}

#[test]
fn cases_give_the_same_records_and_tables_exactly_once() {
    cases_give_the_same_records_and_tables("exactly_once_v2");
}

fn independent_of_order() -> Vec<Case> {
    let mut cases = cases::all();
    cases.retain(|case| {
        selection::reason_against(&case.name, &case.document).is_none() && selection::is_independent_of_order(&case.document)
    });
    if !runs_all() {
        let stride = cases.len().div_ceil(12).max(1);
        cases = cases.into_iter().step_by(stride).collect();
    }
    cases
}

#[test]
fn final_tables_are_the_same_with_four_partitions_and_three_processes_at_least_once() {
    assert_equal(&independent_of_order(), |case| several_processes::run(case, "at_least_once"));
}

#[test]
fn final_tables_are_the_same_with_four_partitions_and_three_processes_exactly_once() {
    assert_equal(&independent_of_order(), |case| several_processes::run(case, "exactly_once_v2"));
}

const PROCESS_BROKER: &str = "KSTREAMS_CASE_BROKER";
const PROCESS_CASE: &str = "KSTREAMS_CASE_FILE";

#[test]
fn final_tables_are_the_same_with_processes_of_the_operating_system() {
    let case = cases::by_hand().into_iter().find(|case| case.name == "aggregate/count").expect("a count");
    let different = several_processes::run_in_processes(&case.document, |broker| {
        let mut command = std::process::Command::new(std::env::current_exe().expect("the test's own path"));
        command.args(["on_broker::equality::one_process_of_a_case", "--exact", "--nocapture"]);
        command.env(PROCESS_BROKER, broker).env(PROCESS_CASE, &case.file);
        command
    });
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Not a claim: what the processes of the test above run. By itself it does nothing.
#[test]
fn one_process_of_a_case() {
    let (Ok(broker), Some(file)) = (std::env::var(PROCESS_BROKER), std::env::var_os(PROCESS_CASE)) else { return };
    let case = cases::at(Path::new(&file));
    let state = tempfile::tempdir().expect("a folder");
    let application = start(&case.document, "exactly_once_v2", &broker, state.path()).expect("an application");
    application.await_running().expect("running");
    println!("running");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("the end of the input");
    application.close().expect("a clean end");
}
