//! Audits counts from outside, word by word.

use std::collections::BTreeMap;

use super::Row;

/// Follows the counts of an output topic in the order in which a committed reader sees them.
#[derive(Default)]
pub struct Audit {
    last: BTreeMap<String, i64>,
    highest: BTreeMap<String, i64>,
    violations: Vec<String>,
    records: u64,
    total: u64,
}

impl Audit {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next record.
    pub fn take(&mut self, row: &Row) {
        let (word, count) = (row.key_text(), row.value_long());
        let last = self.last.insert(word.clone(), count).unwrap_or(0);
        if count != last + 1 && self.violations.len() < 20 {
            self.violations.push(format!("{word}: {count} after {last} at {}-{}", row.partition, row.offset));
        }
        // Under at-least-once a count may go back after a crash; only the part above the highest one is new.
        let highest = self.highest.entry(word).or_insert(0);
        self.total += u64::try_from(count - *highest).unwrap_or(0);
        *highest = count.max(*highest);
        self.records += 1;
    }

    /// How many records it took.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The last count of each word.
    pub fn last(&self) -> &BTreeMap<String, i64> {
        &self.last
    }

    /// Exactly once: for every word 1, 2, 3 … n, no gap, no repeat, and n is the true count.
    pub fn assert_exactly_once(&self, truth: &BTreeMap<String, i64>) {
        assert!(self.violations.is_empty(), "counts with a gap or a repeat: {:#?}", self.violations);
        assert_same_counts(&self.last, truth);
    }

    /// At least once: no word is counted less often than it occurred.
    pub fn assert_at_least_once(&self, truth: &BTreeMap<String, i64>) {
        let lost: Vec<_> = truth.iter().filter(|(word, count)| self.last.get(*word).copied().unwrap_or(0) < **count).take(20).collect();
        assert!(lost.is_empty(), "words that were counted less often than they occurred: {lost:?}");
    }

    /// Whether as many words were counted as there are.
    pub fn has_counted(&self, total: u64) -> bool {
        self.total >= total
    }
}

/// Compares counts and shows the first differences.
pub fn assert_same_counts(counts: &BTreeMap<String, i64>, truth: &BTreeMap<String, i64>) {
    let different: Vec<_> = truth
        .keys()
        .chain(counts.keys())
        .filter(|word| counts.get(*word) != truth.get(*word))
        .map(|word| format!("{word}: {:?} instead of {:?}", counts.get(word), truth.get(word)))
        .take(20)
        .collect();
    assert!(different.is_empty(), "wrong counts: {different:#?}");
}
