//! `tests/traps.md` is true: every trap is there once, and every place of proof exists. Reads files only.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const TRAPS: u32 = 143;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn table() -> String {
    fs::read_to_string(root().join("tests/traps.md")).expect("tests/traps.md")
}

/// The number of a trap with the places of its proof, `case …` or `test …`.
fn proven(text: &str) -> Vec<(u32, Vec<String>)> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| T")).filter(|row| row.starts_with(|first: char| first.is_ascii_digit()));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim);
        let number = cells.next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("a row without a number: {row}"));
        let proof = cells.nth(1).unwrap_or_default();
        (number, proof.split(", ").map(|place| place.replace('`', "")).collect())
    })
    .collect()
}

/// The numbers that the last line names.
fn open(text: &str) -> Vec<u32> {
    let line = text.lines().find_map(|line| line.strip_prefix("Not proven yet: ")).expect("the line of traps that are not proven yet");
    let numbers = line.trim_end_matches('.').split(", ").filter_map(|number| number.strip_prefix('T'));
    numbers.map(|number| number.parse().expect("a number")).collect()
}

fn is_a_test(file: &Path, name: &str) -> bool {
    let Ok(text) = fs::read_to_string(file) else { return false };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = lines.iter().position(|line| line.contains(&format!("fn {name}(")));
    // Attributes such as `#[ignore]` may stand between.
    declared.is_some_and(|at| lines[..at].iter().rev().take(3).any(|line| *line == "#[test]"))
}

#[test]
fn every_trap_is_named_once() {
    let text = table();
    let numbers: Vec<u32> = proven(&text).into_iter().map(|(number, _)| number).collect();
    assert!(numbers.is_sorted_by(|one, two| one < two), "the rows are not in order, or a trap has two");
    let all: BTreeSet<u32> = numbers.iter().copied().chain(open(&text)).collect();
    assert_eq!(all.len(), numbers.len() + open(&text).len(), "a trap is proven and not proven");
    assert_eq!(all, (1..=TRAPS).collect(), "a trap is missing");
}

#[test]
fn every_proof_exists() {
    let mut wrong = Vec::new();
    for (number, places) in proven(&table()) {
        for place in places {
            let exists = match place.split_once(' ') {
                Some(("case", name)) => root().join(format!("tests/cases/{name}.json")).is_file(),
                Some(("test", test)) => test.split_once("::").is_some_and(|(file, name)| is_a_test(&root().join(file), name)),
                _ => false,
            };
            if !exists {
                wrong.push(format!("T{number}: {place}"));
            }
        }
    }
    assert!(wrong.is_empty(), "no such proof:\n{}", wrong.join("\n"));
}
