//! Versioned stores: validity, history, one changelog record per version, rollback and restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stream_core::store::{StoreFactory, StoreName};

use super::fixture::{Bench, Logged};
use crate::{PutVersion, VersionedKeyValueStore};

type Handle = VersionedKeyValueStore<Vec<u8>, Vec<u8>>;

/// History of the store under test, ms.
const HISTORY: i64 = 100;

#[derive(Clone, Debug)]
enum Operation {
    Put(Vec<u8>, i64, Option<u8>),
    Delete(Vec<u8>, i64),
    Get(Vec<u8>),
    GetAsOf(Vec<u8>, i64),
    Commit,
    Discard,
    Flush,
    Evict,
    Kill,
    HandOver,
    Rebuild,
}

/// Keys that are prefixes of one another, and look like parts of a timestamp.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0_u8), Just(b'k'), Just(0xff)], 0..3)
}

fn time() -> impl Strategy<Value = i64> {
    (0_i64..40).prop_map(|step| step * 10)
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => (key(), time(), proptest::option::weighted(0.8, any::<u8>())).prop_map(|(key, from, value)| Operation::Put(key, from, value)),
        2 => (key(), time()).prop_map(|(key, at)| Operation::Delete(key, at)),
        4 => key().prop_map(Operation::Get),
        8 => (key(), time()).prop_map(|(key, at)| Operation::GetAsOf(key, at)),
        5 => Just(Operation::Commit),
        1 => Just(Operation::Discard),
        3 => Just(Operation::Flush),
        2 => Just(Operation::Evict),
        1 => Just(Operation::Kill),
        1 => Just(Operation::HandOver),
        1 => Just(Operation::Rebuild),
    ]
}

/// Random sequences of writes, reads as of a time, commits, aborts, flushes, evictions, crashes, hand-overs and rebuilds from the
/// changelog give what a map of versions gives. `factory` makes a `VersionedKeyValueStore<Vec<u8>, Vec<u8>>` with
/// [`RawBytes`](super::RawBytes) and a history of 100 ms.
///
/// # Panics
/// When it does not hold.
pub fn versions_behave_like_a_map(factory: &dyn Fn() -> Arc<dyn StoreFactory>, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let run = runner.run(&vec(operation(), 1..60), |operations| {
        Comparison::new(factory()).run(&operations);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

#[derive(Clone, Default)]
struct State {
    versions: BTreeMap<(Vec<u8>, i64), Option<Vec<u8>>>,
    stream_time: i64,
    position: Option<i64>,
}

impl State {
    fn first_time(&self) -> i64 {
        self.stream_time - HISTORY
    }

    fn newest(&self, key: &[u8], at: i64) -> Option<(i64, Vec<u8>)> {
        let range = self.versions.range((key.to_vec(), i64::MIN)..=(key.to_vec(), at));
        range.last().and_then(|((_, from), value)| Some((*from, value.clone()?)))
    }

    fn as_of(&self, key: &[u8], at: i64) -> Option<(i64, Vec<u8>)> {
        if at < self.first_time() { self.newest(key, i64::MAX).filter(|(from, _)| *from <= at) } else { self.newest(key, at) }
    }

    fn next(&self, key: &[u8], from: i64) -> Option<i64> {
        self.versions.range((key.to_vec(), from + 1)..=(key.to_vec(), i64::MAX)).next().map(|((_, next), _)| *next)
    }
}

struct Comparison {
    bench: Bench,
    name: StoreName<Handle>,
    now: State,
    committed: State,
    durable: State,
    logged: Vec<Logged>,
    refused: Vec<Logged>,
    changelog: Vec<Logged>,
}

impl Comparison {
    fn new(factory: Arc<dyn StoreFactory>) -> Self {
        let name = StoreName::from_string(factory.name());
        let empty = State { stream_time: -1, ..State::default() };
        Self {
            bench: Bench::new(factory, false),
            name,
            now: empty.clone(),
            committed: empty.clone(),
            durable: empty,
            logged: Vec::new(),
            refused: Vec::new(),
            changelog: Vec::new(),
        }
    }

    fn run(&mut self, operations: &[Operation]) {
        for operation in operations {
            self.apply(operation);
            assert_eq!(self.bench.memory().layer_bytes(), self.bench.store().memory_bytes());
        }
    }

    fn handle(&self) -> Handle {
        self.bench.handle(&self.name)
    }

    fn put(&mut self, key: &[u8], from: i64, value: Option<Vec<u8>>) -> PutVersion {
        let logged = (key.to_vec(), value.clone(), from);
        if from < self.now.first_time() {
            self.refused.push(logged);
            return PutVersion::Expired;
        }
        self.now.stream_time = self.now.stream_time.max(from);
        self.now.versions.insert((key.to_vec(), from), value);
        self.logged.retain(|(written, _, at)| (written.as_slice(), *at) != (key, from));
        self.logged.push(logged);
        self.now.next(key, from).map_or(PutVersion::Latest, PutVersion::ValidTo)
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Put(key, from, value) => {
                let value = value.map(|byte| vec![byte; usize::from(byte) % 40]);
                let put = self.handle().put(key, value.as_ref(), *from).expect("no serde fails");
                assert_eq!(put, self.put(key, *from, value));
            }
            Operation::Delete(key, at) => {
                let before = self.handle().delete(key, *at).expect("no serde fails");
                let known = self.now.as_of(key, *at).filter(|_| *at >= self.now.first_time());
                assert_eq!(before.map(|row| (row.timestamp, row.value)), known);
                self.put(key, *at, None);
            }
            Operation::Get(key) => {
                let row = self.handle().get(key).expect("no serde fails");
                assert_eq!(row.map(|row| (row.timestamp, row.value)), self.now.newest(key, i64::MAX));
            }
            Operation::GetAsOf(key, at) => {
                let row = self.handle().get_as_of(key, *at).expect("no serde fails");
                if let Some(row) = &row {
                    assert_eq!(row.valid_to, self.now.next(key, row.timestamp), "the end of a version is the begin of the next");
                }
                assert_eq!(row.map(|row| (row.timestamp, row.value)), self.now.as_of(key, *at));
            }
            Operation::Commit => {
                let logged: Vec<Logged> = self.logged.drain(..).chain(self.refused.drain(..)).collect();
                assert_eq!(self.bench.logged(), logged, "one record per version, in the order of their last writes");
                self.changelog.extend(logged);
                let position = i64::try_from(self.changelog.len()).expect("few records");
                self.bench.store().commit(Some(position)).expect("a commit");
                self.now.position = Some(position);
                self.committed = self.now.clone();
            }
            Operation::Discard => {
                self.bench.store().discard();
                self.roll_back();
            }
            Operation::Flush => {
                self.bench.advance_clock();
                self.bench.store().flush(self.bench.now_ms()).expect("a flush");
                if self.bench.store().is_persistent() {
                    self.durable = self.committed.clone();
                }
            }
            Operation::Evict => {
                self.bench.store().evict(usize::MAX);
            }
            Operation::Kill => {
                self.bench.kill();
                self.committed = self.durable.clone();
                self.roll_back();
                // What the disk has not, the changelog has.
                let known = usize::try_from(self.bench.position.unwrap_or(0)).expect("a position");
                self.catch_up(known);
            }
            Operation::HandOver => {
                self.bench.store().discard();
                self.roll_back();
                self.bench.hand_over();
            }
            Operation::Rebuild => {
                self.bench.store().reset("a test", self.bench.now_ms()).expect("a reset");
                self.catch_up(0);
                self.durable = State { stream_time: -1, ..State::default() };
            }
        }
    }

    fn roll_back(&mut self) {
        self.now = self.committed.clone();
        self.logged.clear();
        self.refused.clear();
    }

    /// Restores from a place of the changelog on: what is committed is whole again.
    fn catch_up(&mut self, from: usize) {
        let position = i64::try_from(self.changelog.len()).expect("few records");
        let records: Vec<Logged> = self.changelog[from.min(self.changelog.len())..].to_vec();
        self.bench.restore(&records, position);
        let mut state = State { stream_time: -1, ..State::default() };
        for (key, value, at) in &self.changelog {
            if *at >= state.first_time() {
                state.stream_time = state.stream_time.max(*at);
                state.versions.insert((key.clone(), *at), value.clone());
            }
        }
        state.position = Some(position);
        self.committed = state;
        self.roll_back();
    }
}
