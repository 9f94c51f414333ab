//! Session stores: bounds, order, retention, rollback and restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stream_core::store::{StoreFactory, StoreName};

use super::RowOrder;
use super::fixture::{Bench, Logged};
use crate::{SessionKey, SessionStore};

type Handle = SessionStore<Vec<u8>, Vec<u8>>;

/// A session of the model: key, end, start.
type Span = (Vec<u8>, i64, i64);

/// Retention of the store under test, ms; segments are a minute.
const RETENTION: i64 = 120_000;
const SEGMENT: i64 = 60_000;

#[derive(Clone, Debug)]
enum Operation {
    Put(Span, Option<u8>),
    Remove(Span),
    Find(Vec<u8>, i64, i64, bool),
    FindKeys(Vec<u8>, Vec<u8>, i64, i64, bool),
    FindEnded(i64, i64),
    Compare,
    Commit,
    Discard,
    Flush,
    Evict,
    Restore(Span, u8),
    Kill,
    HandOver,
}

/// Keys that are prefixes of one another, and look like parts of a timestamp.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0_u8), Just(b'k'), Just(0xff)], 0..3)
}

/// Times that spread over ten segments.
fn time() -> impl Strategy<Value = i64> {
    (0_i64..60).prop_map(|step| step * 10_000)
}

fn span() -> impl Strategy<Value = Span> {
    (key(), time(), 0_i64..3).prop_map(|(key, start, steps)| (key, start + steps * 10_000, start))
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => (span(), proptest::option::weighted(0.8, any::<u8>())).prop_map(|(span, value)| Operation::Put(span, value)),
        2 => span().prop_map(Operation::Remove),
        3 => (key(), time(), time(), any::<bool>()).prop_map(|(key, end, start, back)| Operation::Find(key, end, start, back)),
        3 => (key(), key(), time(), time(), any::<bool>())
            .prop_map(|(first, last, end, start, back)| Operation::FindKeys(first, last, end, start, back)),
        3 => (time(), time()).prop_map(|(from, to)| Operation::FindEnded(from, to)),
        2 => Just(Operation::Compare),
        5 => Just(Operation::Commit),
        1 => Just(Operation::Discard),
        3 => Just(Operation::Flush),
        2 => Just(Operation::Evict),
        2 => (span(), any::<u8>()).prop_map(|(span, value)| Operation::Restore(span, value)),
        1 => Just(Operation::Kill),
        1 => Just(Operation::HandOver),
    ]
}

/// Random sequences of writes, searches, commits, aborts, flushes, evictions, restores, crashes and hand-overs give what a map with a
/// retention gives. `factory` makes a `SessionStore<Vec<u8>, Vec<u8>>` with [`RawBytes`](super::RawBytes) and a retention of two minutes;
/// one that is ordered by time is also searched by time alone.
///
/// # Panics
/// When it does not hold.
pub fn sessions_behave_like_a_map(factory: &dyn Fn() -> Arc<dyn StoreFactory>, order: RowOrder, ended: bool, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let run = runner.run(&vec(operation(), 1..60), |operations| {
        Comparison::new(factory(), order, ended).run(&operations);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

#[derive(Clone, Default)]
struct State {
    rows: BTreeMap<Span, Vec<u8>>,
    stream_time: i64,
    position: Option<i64>,
}

struct Comparison {
    bench: Bench,
    name: StoreName<Handle>,
    order: RowOrder,
    ended: bool,
    now: State,
    committed: State,
    durable: State,
    logged: Vec<Logged>,
    step: i64,
}

fn changelog_key((key, end, start): &Span) -> Vec<u8> {
    [&key[..], &end.to_be_bytes(), &start.to_be_bytes()].concat()
}

impl Comparison {
    fn new(factory: Arc<dyn StoreFactory>, order: RowOrder, ended: bool) -> Self {
        let name = StoreName::from_string(factory.name());
        let empty = State { stream_time: -1, ..State::default() };
        Self {
            bench: Bench::new(factory, false),
            name,
            order,
            ended,
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

    fn is_visible(&self, end: i64) -> bool {
        end > self.now.stream_time - RETENTION
    }

    fn expected(&self, wanted: impl Fn(&Span) -> bool) -> Vec<(SessionKey<Vec<u8>>, Vec<u8>)> {
        let rows = self.now.rows.iter().filter(|(span, _)| self.is_visible(span.1) && wanted(span));
        let mut rows: Vec<_> =
            rows.map(|((key, end, start), row)| (SessionKey { key: key.clone(), start: *start, end: *end }, row.clone())).collect();
        rows.sort_by_key(|(session, _)| {
            let stored = changelog_key(&(session.key.clone(), session.end, session.start));
            match self.order {
                RowOrder::Segment | RowOrder::Time => (session.end / SEGMENT, stored, 0),
                RowOrder::Memory => (session.end, session.key.clone(), session.start),
            }
        });
        rows
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Put(span, value) => self.put(span, *value),
            Operation::Remove((key, end, start)) => {
                self.handle().remove(key, *start, *end).expect("a removal");
                if self.order != RowOrder::Memory {
                    self.now.stream_time = self.now.stream_time.max(*end);
                }
                self.log(&(key.clone(), *end, *start), None);
                self.now.rows.remove(&(key.clone(), *end, *start));
            }
            Operation::Find(key, earliest_end, latest_start, backward) => {
                let handle = self.handle();
                let found = if *backward {
                    handle.backward_find(key, *earliest_end, *latest_start)
                } else {
                    handle.find(key, *earliest_end, *latest_start)
                };
                let mut found = rows(found.expect("a search"));
                if *backward {
                    found.reverse();
                }
                let expected = self.expected(|(other, end, start)| other == key && end >= earliest_end && start <= latest_start);
                assert_eq!(found, expected, "bounds are inclusive, by the end");
            }
            Operation::FindKeys(first, last, earliest_end, latest_start, backward) => {
                let handle = self.handle();
                let found = if *backward {
                    handle.backward_find_keys(first..=last, *earliest_end, *latest_start)
                } else {
                    handle.find_keys(first..=last, *earliest_end, *latest_start)
                };
                let mut found = rows(found.expect("a search"));
                if *backward {
                    found.reverse();
                }
                let expected = self.expected(|(key, end, start)| {
                    first.as_slice() <= key.as_slice() && key.as_slice() <= last.as_slice() && end >= earliest_end && start <= latest_start
                });
                assert_eq!(found, expected);
            }
            Operation::FindEnded(from, to) if self.ended => {
                let found = rows(self.handle().find_ended(*from, *to).expect("a search"));
                let mut expected: Vec<_> = self.expected(|(_, end, _)| (from..=to).contains(&end));
                expected.sort_by_key(|(session, _)| match self.order {
                    RowOrder::Memory => (session.end, session.key.clone(), session.start, Vec::new()),
                    _ => (session.end, Vec::new(), session.start, session.key.clone()),
                });
                let first = self.now.stream_time - RETENTION;
                let shown: Vec<_> = found.into_iter().filter(|(session, _)| session.end > first).collect();
                assert_eq!(shown, expected, "sessions come by their ends; expired ones may come before");
            }
            Operation::FindEnded(..) => assert!(self.handle().find_ended(0, 1).is_err(), "without an index there is no search by time"),
            Operation::Compare => {
                let handle = self.handle();
                for (span, row) in &self.now.rows {
                    let found = handle.get(&span.0, span.2, span.1).expect("a get");
                    assert_eq!(found.as_ref(), self.is_visible(span.1).then_some(row));
                }
            }
            Operation::Commit => {
                assert_eq!(self.bench.logged(), self.logged, "the changelog has Java's keys and plain values");
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
            Operation::Restore(span, value) => {
                self.discard();
                self.bench.restore(&[(changelog_key(span), Some(vec![*value]), 77)], self.step);
                self.committed.stream_time = self.committed.stream_time.max(span.1);
                self.committed.position = Some(self.step);
                self.committed.rows.insert(span.clone(), vec![*value]);
                self.now = self.committed.clone();
            }
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

    fn put(&mut self, span: &Span, value: Option<u8>) {
        let row = value.map(|value| vec![value; 3]);
        self.handle().put(&span.0, row.as_ref(), span.2, span.1).expect("a put");
        self.now.stream_time = self.now.stream_time.max(span.1);
        self.log(span, row.clone());
        match row {
            Some(row) => self.now.rows.insert(span.clone(), row),
            None => self.now.rows.remove(span),
        };
    }

    fn log(&mut self, span: &Span, row: Option<Vec<u8>>) {
        let key = changelog_key(span);
        self.logged.retain(|(other, ..)| *other != key);
        self.logged.push((key, row, self.step));
    }
}

fn rows(iterator: impl Iterator<Item = stream_core::Result<(SessionKey<Vec<u8>>, Vec<u8>)>>) -> Vec<(SessionKey<Vec<u8>>, Vec<u8>)> {
    iterator.map(|row| row.expect("a row")).collect()
}
