//! Drains of cached tables (traps T38 to T41).

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stream_core::store::{StoreFactory, StoreName};
use stream_core::{Error, Headers, RecordMetadata};

use super::fixture::Bench;
use crate::{TimestampedKeyValueStore, ValueAndTimestamp};

type Handle = TimestampedKeyValueStore<Vec<u8>, Vec<u8>>;
type Row = ValueAndTimestamp<Vec<u8>>;

#[derive(Clone, Debug)]
enum Operation {
    Put(u8, Option<u8>),
    Drain,
    DrainAndCommit,
    Discard,
    FlushAndEvict,
    Compare,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        10 => (0_u8..6, proptest::option::of(any::<u8>())).prop_map(|(key, value)| Operation::Put(key, value)),
        2 => Just(Operation::Drain),
        3 => Just(Operation::DrainAndCommit),
        1 => Just(Operation::Discard),
        2 => Just(Operation::FlushAndEvict),
        // Not after each step: a comparison reads every key, and a write without a read before it is another way through the layers.
        2 => Just(Operation::Compare),
    ]
}

/// Per drain one change for each key that was written since the last one: from what downstream knows to what is there now, in the
/// order of last writes, in the name of the last writer; none for what came and went. `factory` makes a caching
/// `TimestampedKeyValueStore<Vec<u8>, Vec<u8>>` with [`RawBytes`](super::RawBytes).
///
/// # Panics
/// When it does not hold.
pub fn drains_behave_like_a_map_of_changes(factory: &dyn Fn() -> Arc<dyn StoreFactory>, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let run = runner.run(&vec(operation(), 1..60), |operations| {
        check(factory(), &operations);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

fn check(factory: Arc<dyn StoreFactory>, operations: &[Operation]) {
    let name = StoreName::<Handle>::from_string(factory.name());
    let bench = Bench::new(factory, true);
    let handle = bench.handle(&name);
    assert!(handle.is_caching());
    let mut known: BTreeMap<Vec<u8>, Row> = BTreeMap::new();
    let mut committed = known.clone();
    let mut now = known.clone();
    // In the order of last writes, since the last drain and since the last commit.
    let mut written: Vec<(Vec<u8>, i64)> = Vec::new();
    let mut dirty: Vec<Vec<u8>> = Vec::new();
    let topic: Arc<str> = Arc::from("input");
    for (operation, offset) in operations.iter().zip(1_i64..) {
        match operation {
            Operation::Put(key, value) => {
                let key = vec![*key];
                let mut headers = Headers::new();
                headers.add("offset", Some(&offset.to_be_bytes()));
                bench.current().replace_timestamp(offset);
                bench.current().set_source(&topic, 0, offset);
                bench.current().replace_headers(headers);
                let row = value.map(|value| ValueAndTimestamp::new(vec![value; 30], offset * 10));
                handle.put(&key, row.as_ref().map(ValueAndTimestamp::as_ref)).expect("a put");
                match row {
                    Some(row) => now.insert(key.clone(), row),
                    None => now.remove(&key),
                };
                written.retain(|(other, _)| *other != key);
                written.push((key.clone(), offset));
                dirty.retain(|other| *other != key);
                dirty.push(key);
                assert!(bench.memory().held_back_bytes() > 0);
            }
            Operation::Drain | Operation::DrainAndCommit => {
                let mut expected =
                    std::mem::take(&mut written).into_iter().filter(|(key, _)| known.contains_key(key) || now.contains_key(key));
                let drained = handle.drain(|change| {
                    let (key, offset) = expected.next().expect("no more changes than keys");
                    assert_eq!(change.key, key);
                    assert_eq!(change.old.as_ref(), known.get(&key), "old is what downstream knows");
                    assert_eq!(change.new.as_ref(), now.get(&key));
                    assert_eq!(change.timestamp, now.get(&key).map_or(offset, |row| row.timestamp));
                    assert_eq!(change.headers.last("offset"), Some(Some(&offset.to_be_bytes()[..])));
                    assert_eq!(change.metadata, Some(RecordMetadata { topic: Arc::clone(&topic), partition: 0, offset }));
                    Ok::<(), Error>(())
                });
                drained.expect("a drain");
                assert_eq!(expected.next(), None, "every change is drained");
                drop(expected);
                assert_eq!(bench.memory().held_back_bytes(), 0);
                known.clone_from(&now);
                if matches!(operation, Operation::DrainAndCommit) {
                    let keys: Vec<_> = bench.logged().into_iter().map(|(key, ..)| key).collect();
                    let expected: Vec<_> =
                        dirty.iter().filter(|key| committed.contains_key(*key) || now.contains_key(*key)).cloned().collect();
                    assert_eq!(keys, expected, "what came and went is not logged");
                    bench.store().commit(Some(offset)).expect("a commit");
                    committed.clone_from(&now);
                    dirty.clear();
                }
            }
            Operation::Discard => {
                bench.store().discard();
                now.clone_from(&committed);
                known.clone_from(&committed);
                written.clear();
                dirty.clear();
                assert_eq!(bench.memory().held_back_bytes(), 0);
            }
            Operation::FlushAndEvict => {
                bench.store().flush(bench.now_ms()).expect("a flush");
                bench.store().evict(usize::MAX);
            }
            Operation::Compare => {
                for key in 0_u8..6 {
                    assert_eq!(handle.get(&vec![key]).expect("a get").as_ref(), now.get(&vec![key]));
                }
            }
        }
        assert_eq!(bench.memory().layer_bytes(), bench.store().memory_bytes());
    }
}
