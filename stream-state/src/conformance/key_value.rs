//! S1 to S5 of a key-value store.

use std::ops::Bound;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stream_core::store::{StoreFactory, StoreName};

use super::fixture::{Bench, Logged, RawBytes};
use super::model::Model;
use crate::KeyValueStore;

type Handle = KeyValueStore<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
enum Operation {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    PutIfAbsent(Vec<u8>, Vec<u8>),
    Range(Bound<Vec<u8>>, Bound<Vec<u8>>, bool),
    Prefix(Vec<u8>),
    WriteDuringScan(Vec<u8>, Vec<u8>, bool),
    Compare,
    Commit,
    Discard,
    Flush,
    Evict(usize),
    Restore(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Reopen,
    Kill,
    HandOver,
    Reset,
}

/// Few and short keys, so that they meet; bytes at the ends of the order among them.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0_u8), Just(b'a'), Just(0xff)], 0..3)
}

/// Short and long ones: kept in place, and on the heap.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..10), vec(any::<u8>(), 20..60)]
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![key().prop_map(Bound::Included), key().prop_map(Bound::Excluded), Just(Bound::Unbounded)]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => (key(), value()).prop_map(|(key, value)| Operation::Put(key, value)),
        5 => key().prop_map(Operation::Delete),
        2 => (key(), value()).prop_map(|(key, value)| Operation::PutIfAbsent(key, value)),
        4 => (bound(), bound(), any::<bool>()).prop_map(|(from, to, reverse)| Operation::Range(from, to, reverse)),
        2 => key().prop_map(Operation::Prefix),
        2 => (key(), value(), any::<bool>()).prop_map(|(key, value, reverse)| Operation::WriteDuringScan(key, value, reverse)),
        // Not after each step: a comparison reads every key, and a write without a read before it is another way through the layers.
        4 => Just(Operation::Compare),
        6 => Just(Operation::Commit),
        2 => Just(Operation::Discard),
        4 => Just(Operation::Flush),
        3 => prop_oneof![Just(100), Just(usize::MAX)].prop_map(Operation::Evict),
        2 => vec((key(), proptest::option::of(value())), 0..6).prop_map(Operation::Restore),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Kill),
        1 => Just(Operation::HandOver),
        1 => Just(Operation::Reset),
    ]
}

/// Random sequences of reads, writes, commits, aborts, flushes, evictions, restores, restarts and hand-overs give what a map gives.
/// `factory` makes a `KeyValueStore<Vec<u8>, Vec<u8>>` with [`RawBytes`].
///
/// # Panics
/// When an obligation does not hold.
pub fn layers_behave_like_a_map(factory: &dyn Fn() -> Arc<dyn StoreFactory>, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let run = runner.run(&vec(operation(), 1..60), |operations| {
        let mut comparison = Comparison::new(factory());
        comparison.run(&operations);
        comparison.empty_memory();
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

struct Comparison {
    bench: Bench,
    model: Model,
    name: StoreName<Handle>,
    offset: i64,
    timestamp: i64,
}

impl Comparison {
    fn new(factory: Arc<dyn StoreFactory>) -> Self {
        let name = StoreName::from_string(factory.name());
        Self { bench: Bench::new(factory, false), model: Model::default(), name, offset: 0, timestamp: 0 }
    }

    fn handle(&self) -> Handle {
        self.bench.handle(&self.name)
    }

    fn run(&mut self, operations: &[Operation]) {
        for operation in operations {
            self.timestamp += 1;
            self.bench.current().replace_timestamp(self.timestamp);
            self.apply(operation);
            assert_eq!(self.bench.store().changelog_position(), self.model.position, "S2, S4");
            assert_eq!(self.bench.memory().layer_bytes(), self.bench.store().memory_bytes(), "memory is accounted for");
        }
        self.compare();
    }

    /// Nothing is left of what was dirty, flushed and evicted.
    fn empty_memory(&mut self) {
        self.apply(&Operation::Discard);
        self.apply(&Operation::Flush);
        self.apply(&Operation::Evict(usize::MAX));
        self.compare();
    }

    fn apply(&mut self, operation: &Operation) {
        let persistent = self.bench.store().is_persistent();
        match operation {
            Operation::Put(key, value) => self.put(key, Some(value)),
            Operation::Delete(key) => {
                let before = self.model.visible().remove(key);
                assert_eq!(self.handle().delete(key).expect("a delete"), before);
                self.model.put(key, None, self.timestamp);
            }
            Operation::PutIfAbsent(key, value) => {
                let before = self.model.visible().remove(key);
                assert_eq!(self.handle().put_if_absent(key, value).expect("a put"), before);
                if before.is_none() {
                    self.model.put(key, Some(value), self.timestamp);
                }
            }
            Operation::Range(from, to, reverse) => self.range(from.clone(), to.clone(), *reverse),
            Operation::Prefix(prefix) => {
                let found = rows(self.handle().prefix_scan(prefix, &RawBytes).expect("a scan"));
                let expected: Vec<_> = self.model.visible().into_iter().filter(|(key, _)| key.starts_with(prefix)).collect();
                assert_eq!(found, expected);
            }
            Operation::WriteDuringScan(key, value, reverse) => self.write_during_scan(key, value, *reverse),
            Operation::Compare => self.compare(),
            Operation::Commit => {
                assert_eq!(self.bench.store().is_dirty(), !self.model.logged().is_empty());
                assert_eq!(self.bench.logged(), self.model.logged(), "S5");
                self.offset += i64::try_from(self.model.logged().len()).expect("a small number") + 1;
                self.bench.store().commit(Some(self.offset)).expect("a commit");
                self.model.commit(Some(self.offset));
            }
            Operation::Discard => {
                self.bench.store().discard();
                self.model.discard();
            }
            Operation::Flush => {
                self.bench.advance_clock();
                self.bench.store().flush(self.bench.now_ms()).expect("a flush");
                self.model.flush();
                assert_eq!(self.bench.store().unflushed().entries, 0);
                assert_eq!(self.bench.store().unflushed().bytes, 0);
            }
            Operation::Evict(bytes) => {
                let before = self.bench.store().memory_bytes();
                let freed = self.bench.store().evict(*bytes);
                assert_eq!(self.bench.store().memory_bytes() + freed, before);
                let clean = self.bench.store().unflushed().entries == 0 && !self.bench.store().is_dirty();
                if persistent && clean && *bytes == usize::MAX {
                    assert_eq!(self.bench.store().memory_bytes(), 0, "clean entries can all be evicted");
                }
            }
            Operation::Restore(records) => {
                let records: Vec<Logged> = records.iter().map(|(key, value)| (key.clone(), value.clone(), 1)).collect();
                self.offset += i64::try_from(records.len()).expect("a small number") + 1;
                self.bench.restore(&records, self.offset);
                for (key, value, _) in &records {
                    self.model.restore(key, value.as_deref());
                }
                self.model.position = Some(self.offset);
            }
            Operation::Reopen => {
                self.bench.close();
                assert_eq!(self.bench.open(), None);
                self.model.crash(persistent);
            }
            Operation::Kill => {
                self.bench.kill();
                self.model.crash(persistent);
            }
            Operation::HandOver => self.bench.hand_over(),
            Operation::Reset => {
                self.bench.store().reset("a test", self.bench.now_ms()).expect("a reset");
                self.model.reset();
            }
        }
    }

    fn put(&mut self, key: &Vec<u8>, value: Option<&Vec<u8>>) {
        self.handle().put(key, value).expect("a put");
        self.model.put(key, value.map(Vec::as_slice), self.timestamp);
    }

    fn range(&self, from: Bound<Vec<u8>>, to: Bound<Vec<u8>>, reverse: bool) {
        let handle = self.handle();
        let bounds = (from.clone(), to.clone());
        let found = rows(if reverse { handle.reverse_range(bounds) } else { handle.range(bounds) }.expect("a range"));
        let inside = |key: &Vec<u8>| {
            (match &from {
                Bound::Included(from) => key >= from,
                Bound::Excluded(from) => key > from,
                Bound::Unbounded => true,
            }) && match &to {
                Bound::Included(to) => key <= to,
                Bound::Excluded(to) => key < to,
                Bound::Unbounded => true,
            }
        };
        let mut expected: Vec<_> = self.model.visible().into_iter().filter(|(key, _)| inside(key)).collect();
        if reverse {
            expected.reverse();
        }
        assert_eq!(found, expected, "a range is in unsigned byte order");
    }

    /// The scan shows the store as it was when it was opened.
    fn write_during_scan(&mut self, key: &[u8], value: &[u8], reverse: bool) {
        let handle = self.handle();
        let mut expected: Vec<_> = self.model.visible().into_iter().collect();
        if reverse {
            expected.reverse();
        }
        let mut scan = if reverse { handle.reverse_all() } else { handle.all() }.expect("a scan");
        let mut found = Vec::new();
        for step in 0_u8.. {
            let Some(row) = scan.next() else { break };
            found.push(row.expect("a row"));
            let mut other = key.to_vec();
            other.push(step);
            self.timestamp += 1;
            self.bench.current().replace_timestamp(self.timestamp);
            self.put(&other, (step % 3 != 0).then_some(&value.to_vec()));
            let ahead = expected.get(found.len()).map(|(key, _)| key.clone());
            if let Some(ahead) = ahead {
                self.put(&ahead, (step % 2 == 0).then_some(&value.to_vec()));
            }
        }
        drop(scan);
        assert_eq!(found, expected, "an iterator shows what was there when it was opened");
    }

    fn compare(&self) {
        let visible = self.model.visible();
        let handle = self.handle();
        for key in visible.keys().chain(self.model.committed.keys()) {
            assert_eq!(handle.get(key).expect("a get").as_ref(), visible.get(key), "S1");
        }
    }
}

fn rows(iterator: crate::KeyValueIterator<'_, Vec<u8>, crate::Plain<Vec<u8>>>) -> Vec<(Vec<u8>, Vec<u8>)> {
    iterator.map(|row| row.expect("a row")).collect()
}

/// One record per dirty key, in the order of each key's last write, with its timestamp.
///
/// # Panics
/// When S5 does not hold.
pub fn changes_are_logged_once_in_the_order_of_the_last_write(factory: Arc<dyn StoreFactory>) {
    let mut comparison = Comparison::new(factory);
    let put = |key: &[u8], value: &[u8]| Operation::Put(key.to_vec(), value.to_vec());
    comparison.run(&[put(b"a", b"1"), put(b"b", b"2"), put(b"c", b"3"), put(b"a", b"4"), Operation::Delete(b"b".to_vec())]);
    let expected = [(b"c".to_vec(), Some(b"3".to_vec()), 3), (b"a".to_vec(), Some(b"4".to_vec()), 4), (b"b".to_vec(), None, 5)];
    assert_eq!(comparison.bench.logged(), expected);
    comparison.run(&[Operation::Commit]);
    assert_eq!(comparison.bench.logged(), []);
}
