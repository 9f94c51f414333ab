//! Windowed stores: bounds, order, retention, rollback and restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stream_core::store::{StoreFactory, StoreName};

use super::RowOrder;
use super::fixture::{Bench, Logged};
use crate::{TimestampedWindowStore, ValueAndTimestamp, WindowKey};

type Handle = TimestampedWindowStore<Vec<u8>, Vec<u8>>;
type Row = ValueAndTimestamp<Vec<u8>>;

/// Retention of the store under test, ms; segments are a minute.
const RETENTION: i64 = 120_000;
const SEGMENT: i64 = 60_000;

#[derive(Clone, Debug)]
enum Operation {
    Put(Vec<u8>, i64, Option<u8>),
    Fetch(Vec<u8>, i64, i64, bool),
    FetchAll(i64, i64, bool),
    FetchKeys(Vec<u8>, Vec<u8>, i64, i64),
    Compare,
    Commit,
    Discard,
    Flush,
    Evict,
    Restore(Vec<u8>, i64, u8),
    Kill,
    HandOver,
}

/// Keys that are prefixes of one another, and look like parts of a timestamp.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0_u8), Just(b'k'), Just(0xff)], 0..3)
}

/// Starts that spread over ten segments.
fn start() -> impl Strategy<Value = i64> {
    (0_i64..60).prop_map(|step| step * 10_000)
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => (key(), start(), proptest::option::weighted(0.8, any::<u8>())).prop_map(|(key, start, value)| Operation::Put(key, start, value)),
        3 => (key(), start(), start(), any::<bool>()).prop_map(|(key, from, to, back)| Operation::Fetch(key, from, to, back)),
        3 => (start(), start(), any::<bool>()).prop_map(|(from, to, back)| Operation::FetchAll(from, to, back)),
        3 => (key(), key(), start(), start()).prop_map(|(first, last, from, to)| Operation::FetchKeys(first, last, from, to)),
        2 => Just(Operation::Compare),
        5 => Just(Operation::Commit),
        1 => Just(Operation::Discard),
        3 => Just(Operation::Flush),
        2 => Just(Operation::Evict),
        2 => (key(), start(), any::<u8>()).prop_map(|(key, start, value)| Operation::Restore(key, start, value)),
        1 => Just(Operation::Kill),
        1 => Just(Operation::HandOver),
    ]
}

/// Random sequences of writes, fetches, commits, aborts, flushes, evictions, restores, crashes and hand-overs give what a map with a
/// retention gives. `factory` makes a `TimestampedWindowStore<Vec<u8>, Vec<u8>>` with [`RawBytes`](super::RawBytes), a retention of two
/// minutes and no duplicates.
///
/// # Panics
/// When it does not hold.
pub fn windows_behave_like_a_map(factory: &dyn Fn() -> Arc<dyn StoreFactory>, order: RowOrder, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let run = runner.run(&vec(operation(), 1..60), |operations| {
        Comparison::new(factory(), order).run(&operations);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

#[derive(Clone, Default)]
struct State {
    rows: BTreeMap<(Vec<u8>, i64), Row>,
    stream_time: i64,
    position: Option<i64>,
}

struct Comparison {
    bench: Bench,
    name: StoreName<Handle>,
    order: RowOrder,
    now: State,
    committed: State,
    durable: State,
    logged: Vec<(Vec<u8>, Option<Vec<u8>>, i64)>,
    step: i64,
}

impl Comparison {
    fn new(factory: Arc<dyn StoreFactory>, order: RowOrder) -> Self {
        let name = StoreName::from_string(factory.name());
        let empty = State { stream_time: -1, ..State::default() };
        Self {
            bench: Bench::new(factory, false),
            name,
            order,
            now: empty.clone(),
            committed: empty.clone(),
            durable: empty,
            logged: Vec::new(),
            step: 0,
        }
    }

    fn run(&mut self, operations: &[Operation]) {
        for operation in operations {
            self.step += 1;
            self.bench.current().replace_timestamp(self.step);
            self.apply(operation);
            assert_eq!(self.handle().stream_time_ms(), self.now.stream_time);
            assert_eq!(self.bench.memory().layer_bytes(), self.bench.store().memory_bytes());
        }
    }

    fn handle(&self) -> Handle {
        self.bench.handle(&self.name)
    }

    fn visible(&self) -> BTreeMap<(Vec<u8>, i64), Row> {
        // Stores on disk that are ordered by time show a window that closes at this moment.
        let first = self.now.stream_time - RETENTION + i64::from(self.order != RowOrder::Time);
        self.now.rows.iter().filter(|((_, start), _)| *start >= first).map(|(key, row)| (key.clone(), row.clone())).collect()
    }

    /// By segment, then key, then start; or by start, then key.
    fn expected(&self, from: i64, to: i64, keys: impl Fn(&[u8]) -> bool) -> Vec<(WindowKey<Vec<u8>>, Row)> {
        let rows = self.visible().into_iter().filter(|((key, start), _)| (from..=to).contains(start) && keys(key));
        let mut rows: Vec<_> = rows.map(|((key, start), row)| (WindowKey { key, start }, row)).collect();
        rows.sort_by_key(|(window, _)| {
            let stored = [&window.key[..], &window.start.to_be_bytes()].concat();
            match self.order {
                RowOrder::Segment => (window.start / SEGMENT, stored),
                RowOrder::Memory | RowOrder::Time => (window.start, window.key.clone()),
            }
        });
        rows
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Put(key, start, value) => self.put(key, *start, *value),
            Operation::Fetch(key, from, to, backward) => {
                let handle = self.handle();
                let found = if *backward { handle.backward_fetch(key, *from, *to) } else { handle.fetch(key, *from, *to) };
                let mut found: Vec<_> = found.expect("a fetch").map(|row| row.expect("a row")).collect();
                if *backward {
                    found.reverse();
                }
                let expected: Vec<_> =
                    self.expected(*from, *to, |other| other == key).into_iter().map(|(key, row)| (key.start, row)).collect();
                assert_eq!(found, expected, "bounds are inclusive, earliest first");
            }
            Operation::FetchAll(from, to, backward) => {
                let handle = self.handle();
                let found = if *backward { handle.backward_fetch_all(*from, *to) } else { handle.fetch_all(*from, *to) };
                let mut found = rows(found.expect("a fetch"));
                if *backward {
                    found.reverse();
                }
                assert_eq!(found, self.expected(*from, *to, |_| true));
            }
            Operation::FetchKeys(first, last, from, to) => {
                let found = rows(self.handle().fetch_keys(first..=last, *from, *to).expect("a fetch"));
                assert_eq!(found, self.expected(*from, *to, |key| first.as_slice() <= key && key <= last.as_slice()));
            }
            Operation::Compare => {
                let handle = self.handle();
                let visible = self.visible();
                for (key, start) in self.now.rows.keys() {
                    assert_eq!(handle.get(key, *start).expect("a get").as_ref(), visible.get(&(key.clone(), *start)));
                }
            }
            Operation::Commit => {
                assert_eq!(self.bench.logged(), self.logged, "the changelog has Java's keys, plain values and the values' timestamps");
                self.logged.clear();
                self.bench.store().commit(Some(self.step)).expect("a commit");
                self.now.position = Some(self.step);
                self.committed = self.now.clone();
            }
            Operation::Discard => self.discard(),
            Operation::Flush => {
                self.bench.advance_clock();
                self.bench.store().flush(self.bench.now_ms()).expect("a flush");
                self.durable = self.committed.clone();
            }
            Operation::Evict => {
                self.bench.store().evict(usize::MAX);
            }
            Operation::Restore(key, start, value) => self.restore(key, *start, *value),
            Operation::Kill => {
                self.bench.kill();
                let persistent = self.bench.store().is_persistent();
                self.committed = if persistent { self.durable.clone() } else { State { stream_time: -1, ..State::default() } };
                self.now = self.committed.clone();
                self.logged.clear();
                assert_eq!(self.bench.position, self.committed.position);
            }
            Operation::HandOver => self.bench.hand_over(),
        }
    }

    fn discard(&mut self) {
        self.bench.store().discard();
        self.now = self.committed.clone();
        self.logged.clear();
    }

    fn put(&mut self, key: &Vec<u8>, start: i64, value: Option<u8>) {
        let row = value.map(|value| ValueAndTimestamp::new(vec![value; 3], self.step * 10));
        self.handle().put(key, row.as_ref().map(ValueAndTimestamp::as_ref), start).expect("a put");
        let stream_time = self.now.stream_time.max(start);
        // A row behind the retention is logged, as Java does, and never shows.
        self.now.stream_time = stream_time;
        let changelog_key = [&key[..], &start.to_be_bytes(), &[0; 4]].concat();
        self.logged.retain(|(other, ..)| *other != changelog_key);
        let timestamp = row.as_ref().map_or(self.step, |row| row.timestamp);
        self.logged.push((changelog_key, row.as_ref().map(|row| row.value.clone()), timestamp));
        match row {
            Some(row) => self.now.rows.insert((key.clone(), start), row),
            None => self.now.rows.remove(&(key.clone(), start)),
        };
    }

    /// Records of a changelog come before anything else; here: after what is uncommitted was dropped.
    fn restore(&mut self, key: &[u8], start: i64, value: u8) {
        self.discard();
        let changelog_key = [key, &start.to_be_bytes(), &[0; 4]].concat();
        let record: Logged = (changelog_key, Some(vec![value]), 77);
        self.bench.restore(&[record], self.step);
        self.committed.stream_time = self.committed.stream_time.max(start);
        self.committed.position = Some(self.step);
        self.committed.rows.insert((key.to_vec(), start), ValueAndTimestamp::new(vec![value], 77));
        self.now = self.committed.clone();
    }
}

fn rows(iterator: impl Iterator<Item = stream_core::Result<(WindowKey<Vec<u8>>, Row)>>) -> Vec<(WindowKey<Vec<u8>>, Row)> {
    iterator.map(|row| row.expect("a row")).collect()
}
