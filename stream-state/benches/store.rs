//! What a store costs, against bare RocksDB with the same keys in the same run.
//!
//! `cargo bench -p stream-state --bench store`; with `-- large` the state that does not fit into memory, alone in its process. Figures are CPU time of the calling thread (RocksDB's background threads not counted,
//! which favours RocksDB) and wall time, per operation. Compare the ratios, not figures of different runs.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rocksdb::{BlockBasedOptions, Cache, DB, DBCompactionStyle, DBCompressionType, Options, WriteBatch, WriteOptions};
use stream_core::serdes::{Serde, SerdeContext, SerdeError, SerdeRef};
use stream_core::store::{
    ChangelogRecord, ChangelogSink, CurrentRecord, MemoryBudget, StateStore, StoreFactory, StoreName, StoreOpen, StoreOwner, WorkerMemory,
};
use stream_core::time::SystemClock;
use stream_core::{Headers, Result, TaskId};
use stream_state::{KeyValueStore, Stores, TimestampedKeyValueStore, TimestampedWindowStore, ValueAndTimestamp};

const KEYS: u64 = 100_000;
const OPERATIONS: u64 = 1_000_000;
const PER_COMMIT: u64 = 10_000;

struct Text;

impl Serde<String> for Text {
    fn serialize(&self, value: &String, out: &mut Vec<u8>, _: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], _: &SerdeContext<'_>) -> Result<String, SerdeError> {
        String::from_utf8(bytes.to_vec()).map_err(|error| SerdeError::bad("not UTF-8").with_source(error))
    }
}

struct Long;

impl Serde<i64> for Long {
    fn serialize(&self, value: &i64, out: &mut Vec<u8>, _: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], _: &SerdeContext<'_>) -> Result<i64, SerdeError> {
        bytes.try_into().map(i64::from_be_bytes).map_err(|error| SerdeError::bad("not 8 bytes").with_source(error))
    }
}

fn text() -> SerdeRef<String> {
    Arc::new(Text)
}

fn long() -> SerdeRef<i64> {
    Arc::new(Long)
}

/// Takes what a producer would copy.
#[derive(Default)]
struct Log {
    records: u64,
    bytes: u64,
}

impl ChangelogSink for Log {
    fn log(&mut self, record: &ChangelogRecord<'_>) -> Result<()> {
        self.records += 1;
        self.bytes += (record.key.len() + record.value.map_or(0, <[u8]>::len)) as u64;
        Ok(())
    }
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
}

fn per(operations: u64, work: impl FnOnce()) -> Cost {
    let (cpu_before, started) = (cpu(), Instant::now());
    work();
    let (cpu, wall) = (cpu() - cpu_before, started.elapsed());
    Cost { cpu: cpu.as_nanos() as f64 / operations as f64, wall: wall.as_nanos() as f64 / operations as f64 }
}

fn show(what: &str, cost: Cost, bare: Option<Cost>) {
    let ratio = bare.map_or(String::new(), |bare| format!("{:>8.1}x cheaper than bare RocksDB", bare.cpu / cost.cpu));
    println!("{what:<62} {:>8.0} ns CPU {:>8.0} ns wall {ratio}", cost.cpu, cost.wall);
}

/// The same keys in the same order for everybody: a generator with a fixed seed.
fn keys(count: u64) -> Vec<String> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            format!("user-{:08}", state % KEYS)
        })
        .collect()
}

fn attach(factory: &dyn StoreFactory, directory: &std::path::Path) -> (Rc<dyn StateStore>, StoreOwner) {
    attach_with(factory, directory, 66 << 20)
}

fn attach_with(
    factory: &dyn StoreFactory,
    directory: &std::path::Path,
    persistent_memory_bytes: usize,
) -> (Rc<dyn StateStore>, StoreOwner) {
    let owner = StoreOwner { current: Rc::new(CurrentRecord::default()), memory: Rc::new(WorkerMemory::new(MemoryBudget::new(0))) };
    let opened = factory.open(&StoreOpen {
        task: TaskId::new(0, 0),
        directory: directory.join(factory.name()),
        changelog_topic: Arc::from("bench-changelog"),
        persistent_memory_bytes,
        cache_max_bytes: 10 << 20,
        clock: Arc::new(SystemClock::new()),
    });
    (opened.unwrap_or_else(|error| panic!("{error}")).store.attach(&owner), owner)
}

fn handle<H: 'static>(store: &Rc<dyn StateStore>, _: &StoreName<H>) -> H {
    *Rc::clone(store).handle().downcast::<H>().unwrap_or_else(|_| panic!("a {}", store.handle_type()))
}

fn bare(directory: &std::path::Path, keys: &[String]) -> Cost {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(50 << 20));
    table.set_block_size(4096);
    table.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&table);
    options.set_write_buffer_size(16 << 20);
    options.set_max_write_buffer_number(3);
    options.set_compression_type(DBCompressionType::None);
    options.set_compaction_style(DBCompactionStyle::Universal);
    let db = DB::open(&options, directory.join("bare")).unwrap_or_else(|error| panic!("{error}"));
    let mut without_log = WriteOptions::default();
    without_log.disable_wal(true);
    let count = |key: &String| {
        let before = db.get_pinned(key).expect("a get").map_or(0, |bytes| i64::from_be_bytes(bytes.as_ref().try_into().expect("8 bytes")));
        db.put_opt(key, (before + 1).to_be_bytes(), &without_log).expect("a put");
    };
    keys.iter().take(KEYS as usize * 3).for_each(count);
    per(keys.len() as u64, || keys.iter().for_each(count))
}

/// How a flush of sorted rows survives `kill -9`: the log without sync, or a memtable flush.
fn durability(directory: &std::path::Path, rows: u64, wal: bool) -> Cost {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_atomic_flush(true);
    options.set_write_buffer_size(16 << 20);
    options.set_compression_type(DBCompressionType::None);
    options.set_compaction_style(DBCompactionStyle::Universal);
    let db = DB::open(&options, directory.join(format!("flush-{rows}-{wal}"))).unwrap_or_else(|error| panic!("{error}"));
    let mut write = WriteOptions::default();
    write.disable_wal(!wal);
    let flushes = 20;
    per(rows * flushes, || {
        for flush in 0..flushes {
            let mut batch = WriteBatch::default();
            for row in 0..rows {
                batch.put((row * 7 + flush).to_be_bytes(), [1; 16]);
            }
            db.write_opt(batch, &write).expect("a write");
            if !wal {
                db.flush().expect("a flush");
            }
        }
    })
}

fn key_value(directory: &std::path::Path, keys: &[String], bare: Cost) {
    let factory = Stores::key_value_store_builder(Stores::persistent_key_value_store("plain"), text(), long());
    let (store, _) = attach(&factory, directory);
    let counts: KeyValueStore<String, i64> = handle(&store, &factory.store_name());
    let count = |key: &String| {
        let before = counts.get(key).expect("a get").unwrap_or(0);
        counts.put(key, &(before + 1)).expect("a put");
    };
    keys.iter().take(KEYS as usize * 3).for_each(count);
    store.commit(Some(1)).expect("a commit");
    let (mut committing, mut commits) = (Cost { cpu: 0.0, wall: 0.0 }, 0.0);
    let mut log = Log::default();
    let mut counting = Cost { cpu: 0.0, wall: 0.0 };
    for chunk in keys.chunks(PER_COMMIT as usize) {
        let cost = per(chunk.len() as u64, || chunk.iter().for_each(count));
        let logged = log.records;
        let started = (cpu(), Instant::now());
        store.log_changes(&mut log).expect("a log");
        store.commit(Some(1)).expect("a commit");
        let dirty = (log.records - logged) as f64;
        committing.cpu += (cpu() - started.0).as_nanos() as f64 / dirty;
        committing.wall += started.1.elapsed().as_nanos() as f64 / dirty;
        counting.cpu += cost.cpu;
        counting.wall += cost.wall;
        commits += 1.0;
    }
    show("get + put, 100 000 keys, 8-byte values", Cost { cpu: counting.cpu / commits, wall: counting.wall / commits }, Some(bare));
    show("log + commit, per dirty key", Cost { cpu: committing.cpu / commits, wall: committing.wall / commits }, None);
    let entries = store.unflushed().entries as u64;
    show("flush, per entry (sort, batch, write)", per(entries, || store.flush(1).expect("a flush")), None);
    println!("{:<62} {:>8} bytes per entry", "memory of the layers", store.memory_bytes() / KEYS as usize);
    store.evict(usize::MAX);
    show(
        "first get after eviction (from RocksDB)",
        per(KEYS, || keys.iter().take(KEYS as usize).for_each(|key| drop(counts.get(key)))),
        None,
    );
    show("all(), per row", per(KEYS, || drop(counts.all().map(Iterator::count))), None);
    let started = per(KEYS / 10, || {
        for from in 0..KEYS / 10 {
            let range = counts.range(format!("user-{:08}", from * 10)..format!("user-{:08}", from * 10 + 10)).expect("a range");
            assert!(range.count() > 0);
        }
    });
    show("range() over 10 rows, per range", started, None);
}

fn cached(directory: &std::path::Path, keys: &[String]) {
    let supplier = Stores::persistent_key_value_store("cached");
    let factory = Stores::timestamped_key_value_store_builder(supplier, text(), long()).with_caching_enabled();
    let (store, owner) = attach(&factory, directory);
    owner.current.set_source(&Arc::from("input"), 0, 0);
    let counts: TimestampedKeyValueStore<String, i64> = handle(&store, &factory.store_name());
    let count = |key: &String| {
        let before = counts.get(key).expect("a get").map_or(0, |count| count.value);
        counts.put(key, ValueAndTimestamp::new(&(before + 1), before)).expect("a put");
    };
    keys.iter().take(KEYS as usize * 3).for_each(count);
    store.commit(Some(1)).expect("a commit");
    show("cached, timestamped: get + put", per(keys.len() as u64, || keys.iter().for_each(count)), None);
    show("cached: drain, per change", per(KEYS, || counts.drain(|_| Ok::<(), stream_core::Error>(())).expect("a drain")), None);
}

fn windowed(directory: &std::path::Path, keys: &[String]) {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let supplier = Stores::persistent_window_store("window", minutes(60), minutes(1), false).expect("a retention");
    let factory = Stores::timestamped_window_store_builder(supplier, text(), long());
    let (store, _) = attach(&factory, directory);
    let counts: TimestampedWindowStore<String, i64> = handle(&store, &factory.store_name());
    let start = |index: usize| (index / 50_000) as i64 * 60_000;
    let cost = per(keys.len() as u64, || {
        for (index, key) in keys.iter().enumerate() {
            let before = counts.get(key, start(index)).expect("a get").map_or(0, |count| count.value);
            counts.put(key, ValueAndTimestamp::new(&(before + 1), 0), start(index)).expect("a put");
            if index % PER_COMMIT as usize == 0 {
                store.commit(Some(index as i64)).expect("a commit");
            }
        }
    });
    show("window: get + put, new windows every 50 000 records", cost, None);
    let last = start(keys.len() - 1);
    drop(counts.all());
    let fetched = per(KEYS, || {
        for key in keys.iter().take(KEYS as usize) {
            assert!(counts.fetch(key, last - 600_000, last).expect("a fetch").count() < 20);
        }
    });
    show("window: fetch of one key over 10 windows, in memory", fetched, None);
}

/// A changelog of one million records with 100-byte values, as a restoring thread applies it.
fn restored(directory: &std::path::Path) {
    const RECORDS: u64 = 1_000_000;
    let factory = Stores::timestamped_key_value_store_builder(Stores::persistent_key_value_store("restored"), text(), long());
    let (store, owner) = attach_with(&factory, directory, 16 << 20);
    let (headers, value) = (Headers::new(), [7; 100]);
    let cost = per(RECORDS, || {
        for batch in 0..RECORDS / 1_000 {
            let keys: Vec<String> = (0..1_000).map(|index| format!("user-{:012}", (batch * 1_000 + index) * 7_919 % RECORDS)).collect();
            let mut records =
                keys.iter().map(|key| ChangelogRecord { key: key.as_bytes(), value: Some(&value), timestamp: 1, headers: &headers });
            store.restore(&mut records, (batch * 1_000) as i64).expect("a restore");
            if store.unflushed().bytes > 16 << 20 {
                store.flush(1).expect("a flush");
                store.evict(owner.memory.layer_bytes().saturating_sub(32 << 20));
            }
        }
    });
    show("restore of 100-byte values, flushed every 16 MiB, per record", cost, None);
}

/// Peak resident memory of the process so far, MiB.
fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Counts over many more keys than fit: what is clean is evicted, and when that is not enough, what is unflushed is flushed.
fn larger_than_memory(directory: &std::path::Path) {
    const MANY: u64 = 2_000_000;
    const BOUND: usize = 48 << 20;
    let factory = Stores::key_value_store_builder(Stores::persistent_key_value_store("large"), text(), long());
    let (store, owner) = attach_with(&factory, directory, 16 << 20);
    let counts: KeyValueStore<String, i64> = handle(&store, &factory.store_name());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let (before, mut flushes, mut longest) = (peak_rss(), 0, Duration::ZERO);
    let cost = per(MANY, || {
        for index in 0..MANY {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let key = format!("user-{:08}", state % MANY);
            let before = counts.get(&key).expect("a get").unwrap_or(0);
            counts.put(&key, &(before + 1)).expect("a put");
            if index % PER_COMMIT == 0 {
                store.commit(Some(index as i64)).expect("a commit");
            }
            if index % 100 == 0 && owner.memory.layer_bytes() > BOUND {
                let excess = owner.memory.layer_bytes() - BOUND + BOUND / 16;
                if store.evict(excess) < excess {
                    let started = Instant::now();
                    store.flush(index as i64).expect("a flush");
                    longest = longest.max(started.elapsed());
                    flushes += 1;
                    store.evict(excess);
                }
            }
        }
    });
    show("larger than memory: get + put, 2 000 000 keys in 48 + 16 MiB", cost, None);
    println!("{:<62} {:>8} MiB, was {before} before; {flushes} flushes, the longest {longest:?}", "peak memory of the process", peak_rss());
}

fn main() {
    if std::env::args().any(|argument| argument == "large") {
        let directory = tempfile::tempdir().expect("a temporary directory");
        return larger_than_memory(directory.path());
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let keys = keys(OPERATIONS);
    let bare = bare(directory.path(), &keys);
    show("bare RocksDB, WAL off: get + put, 100 000 keys", bare, None);
    key_value(directory.path(), &keys, bare);
    cached(directory.path(), &keys);
    windowed(directory.path(), &keys);
    restored(directory.path());
    for rows in [1_000, 10_000, 100_000] {
        for (wal, how) in [(true, "log on, no sync"), (false, "log off, memtable flush")] {
            show(&format!("flush of {rows} sorted rows, {how}, per row"), durability(directory.path(), rows, wal), None);
        }
    }
}
