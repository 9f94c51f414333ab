//! Cases of Kafka Streams 4.3.1, interpreted over the public API on the test driver, and compared in everything that can be seen: text of
//! `describe()`, branches, internal topics and their configs, co-partitioned topics, every record on every topic, what `peek` saw, the rows
//! of all stores, dropped records, errors.
//!
//! `KSTREAMS_CONFORMANCE=<folder or file>` runs other cases, `KSTREAMS_CONFORMANCE_FLUSH=1` reads all state from disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::interpreter::cases::{self, Case};
use crate::interpreter::run::{self, Mode, run};
use kstreams::core::topology::Changelog;
use serde_json::Value;
use stream_testkit::StoreRow;

use crate::interpreter::{Verdict, compare, exceptions, judge, known_differences, mutations};

/// How many differences a failure shows.
const SHOWN: usize = 12;

/// How many changes of one case are tried.
const MUTATIONS: usize = 80;

fn compare_all(cases: Vec<Case>, mode: Mode) {
    let began = Instant::now();
    let (mut equal, mut inexpressible, mut differ, mut unexpected) = (0, 0, 0, Vec::new());
    // Cases from elsewhere have no known differences, even where a name is the same.
    let is_known = |case: &Case| case.is_own() && known_differences::differs(&case.name);
    let mut not_yet = BTreeMap::<String, usize>::new();
    let count = cases.len();
    for case in cases {
        match judge(&case.document, mode) {
            // Read from disk, a bounded cache no longer matters: what is known to differ may be equal.
            Verdict::Equal if is_known(&case) && !mode.flush => {
                unexpected.push(format!("{}: it is equal now; take it out of the known differences", case.name));
            }
            Verdict::Equal => equal += 1,
            Verdict::Differs(differences) => {
                println!("  {} differs", case.name);
                differ += 1;
                if !is_known(&case) {
                    unexpected.push(format!("{}: {}", case.name, differences.join("\n")));
                }
            }
            Verdict::Inexpressible(reason) => {
                inexpressible += 1;
                println!("  {} is not compared: {reason}", case.name);
            }
            Verdict::NotYet(reason) => *not_yet.entry(reason).or_default() += 1,
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    for (reason, count) in &not_yet {
        println!("  {count} not yet: {reason}");
    }
    let left: usize = not_yet.values().sum();
    println!("{count} cases: {equal} equal, {differ} differ, {inexpressible} inexpressible, {left} not yet");
    println!("  {:.0} cases per second", f64::from(equal + differ) / seconds);
    assert!(unexpected.is_empty(), "{}", unexpected.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn cases_of_kafka_streams_give_the_same_answers() {
    compare_all(cases::all(), Mode::from_environment());
}

#[test]
fn cases_give_the_same_answers_when_all_state_is_read_from_disk() {
    compare_all(cases::by_hand(), Mode { flush: true, restart: false });
}

#[test]
fn a_store_that_is_restored_from_its_changelog_equals_the_store_before() {
    let (mut compared, mut differ) = (0, Vec::new());
    for case in cases::all() {
        let Ok(finished) = run(&case.document, Mode::default()) else { continue };
        let (Some(driver), Some(before)) = (finished.driver, finished.observed.stores) else { continue };
        let topology = driver.topology().expect("a topology");
        driver.restart().expect("a restart");
        let after = run::stores(&driver).expect("the rows");
        for changelog in topology.changelogs().filter(|changelog| !holds_more(&case.document, changelog)) {
            let live = |rows: &[StoreRow]| live_rows(&case.document, &changelog.name, rows);
            let (before, after) = (live(&before[&*changelog.name]), live(&after[&*changelog.name]));
            compared += 1;
            if before != after && !known_differences::differs_after_restore(&case.name) {
                differ.push(format!("{}, store {}\n--- before {before:?}\n--- after  {after:?}", case.name, changelog.name));
            }
        }
    }
    println!("{compared} stores restored, {} differ beside the known ones", differ.len());
    assert!(differ.is_empty(), "{}", differ.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n\n"));
    assert!(compared > 100, "only {compared} stores were restored");
}

/// Whether a changelog holds what its store does not: rows that a bounded store gave up, and, where a source topic serves as changelog,
/// records that could not be read. A restore takes them all, as Kafka Streams does.
fn holds_more(case: &Value, changelog: &Changelog) -> bool {
    let mut statements = case["topology"].as_array().into_iter().flatten();
    let is_bounded = statements.any(|statement| {
        let materialized = &statement["materialized"];
        materialized["store"] == "lru" && materialized["name"] == *changelog.name
    });
    is_bounded || changelog.is_source_topic() && case["config"]["deserialization.exception.handler"] == "continue"
}

/// The rows within the retention: what a scan shows of others depends on what the cache happens to hold.
fn live_rows(case: &Value, name: &str, rows: &[StoreRow]) -> Vec<StoreRow> {
    let mut stores = case["expected"]["stores"].as_array().into_iter().flatten();
    let retention = stores.find(|store| store["name"] == name).and_then(|store| compare::retention_ms(case, store).map(|ms| (store, ms)));
    let Some((store, retention)) = retention else { return rows.to_vec() };
    // Behind the key: the start and the number of a window's row, or the end and the start of a session.
    let tail = if store["kind"] == "session" { 16 } else { 12 };
    let time = |row: &StoreRow| {
        let bytes = row.key.len().checked_sub(tail).and_then(|at| row.key.get(at..at + 8)).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, i64::from_be_bytes)
    };
    let latest = rows.iter().map(time).max().unwrap_or(0);
    rows.iter().filter(|row| time(row) > latest - retention).cloned().collect()
}

#[test]
fn every_change_of_an_expected_answer_is_noticed() {
    let (mut changes, mut unnoticed) = (0, Vec::new());
    // All cases that were written by hand, and some of the others.
    let mut cases = cases::by_hand();
    cases.extend(cases::all().into_iter().filter(|case| case.file.extension().is_none_or(|extension| extension != "json")).step_by(20));
    for mut case in cases {
        let Ok(finished) = run(&case.document, Mode::default()) else { continue };
        if !compare::differences(&case.document, &finished.observed).is_empty() {
            continue;
        }
        // Evenly from all places of the case: a long one has thousands.
        let mutations = mutations::of(&case.document);
        let stride = mutations.len().div_ceil(MUTATIONS).max(1);
        for mutation in mutations.into_iter().step_by(stride) {
            let undo = mutation.apply(&mut case.document);
            changes += 1;
            if compare::differences(&case.document, &finished.observed).is_empty() {
                unnoticed.push(format!("{}: {mutation:?}", case.name));
            }
            undo.apply(&mut case.document);
        }
    }
    println!("{changes} changed answers, {} not noticed", unnoticed.len());
    assert!(unnoticed.is_empty(), "{}", unnoticed.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n"));
    assert!(changes > 1_000, "only {changes} changes were tried");
}

#[test]
fn every_case_that_proves_a_trap_gives_the_same_answer() {
    let table = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traps.md")).expect("tests/traps.md");
    let named: BTreeSet<&str> = table.split("case `").skip(1).filter_map(|rest| rest.split('`').next()).collect();
    let (mut proven, mut waiting, mut wrong) = (0, Vec::new(), Vec::new());
    for case in cases::by_hand().iter().filter(|case| named.contains(&*case.name)) {
        match judge(&case.document, Mode::default()) {
            Verdict::Equal => proven += 1,
            Verdict::NotYet(_) => waiting.push(case.name.clone()),
            Verdict::Differs(_) => wrong.push(format!("{} differs", case.name)),
            Verdict::Inexpressible(reason) => wrong.push(format!("{} proves nothing: {reason}", case.name)),
        }
    }
    println!("{} cases prove traps: {proven} equal, {} not yet: {waiting:?}", named.len(), waiting.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_exception_is_a_case_that_exists() {
    let cases: Vec<String> = cases::all().into_iter().map(|case| case.name).collect();
    if std::env::var_os("KSTREAMS_CONFORMANCE").is_none() {
        let unknown: Vec<&str> = exceptions::names().filter(|name| !cases.iter().any(|case| case == name)).collect();
        assert!(unknown.is_empty(), "no such cases: {unknown:?}");
    }
}
