//! A store under test, with the hands of a task around it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use stream_core::record::Headers;
use stream_core::serdes::{Serde, SerdeContext, SerdeError};
use stream_core::store::{
    ChangelogRecord, ChangelogSink, CurrentRecord, MemoryBudget, OpenedStore, StateStore, StoreFactory, StoreName, StoreOpen, StoreOwner,
    WorkerMemory,
};
use stream_core::time::{Clock, ManualClock};
use stream_core::{Result, TaskId};

/// Bytes as they are.
#[derive(Clone, Copy, Debug)]
pub struct RawBytes;

impl Serde<Vec<u8>> for RawBytes {
    fn serialize(&self, value: &Vec<u8>, out: &mut Vec<u8>, _: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], _: &SerdeContext<'_>) -> Result<Vec<u8>, SerdeError> {
        Ok(bytes.to_vec())
    }
}

/// One record of a changelog that owns its bytes.
pub(super) type Logged = (Vec<u8>, Option<Vec<u8>>, i64);

/// A directory, a factory, and the store that is open at the moment.
pub struct Bench {
    factory: Arc<dyn StoreFactory>,
    directories: tempfile::TempDir,
    directory: PathBuf,
    generation: u32,
    clock: Arc<ManualClock>,
    owner: StoreOwner,
    caching_enabled: bool,
    store: Option<Rc<dyn StateStore>>,
    /// What the last opening said.
    pub(super) position: Option<i64>,
}

impl Bench {
    /// Opens a store of `factory` in a fresh directory.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub fn new(factory: Arc<dyn StoreFactory>, caching_enabled: bool) -> Self {
        let directories = tempfile::tempdir().expect("a temporary directory");
        let mut bench = Self {
            factory,
            directory: directories.path().join("0"),
            directories,
            generation: 0,
            clock: Arc::new(ManualClock::new(1_000_000)),
            owner: StoreOwner { current: Rc::new(CurrentRecord::default()), memory: Rc::new(WorkerMemory::new(MemoryBudget::new(0))) },
            caching_enabled,
            store: None,
            position: None,
        };
        bench.open();
        bench
    }

    /// The store as the runtime sees it.
    ///
    /// # Panics
    /// When none is open.
    pub fn store(&self) -> &Rc<dyn StateStore> {
        self.store.as_ref().expect("an open store")
    }

    /// The typed handle.
    ///
    /// # Panics
    /// When the store's handle is of another type.
    pub fn handle<H: 'static>(&self, name: &StoreName<H>) -> H {
        assert_eq!(self.store().name(), name.as_str());
        let handle = Rc::clone(self.store()).handle();
        *handle.downcast::<H>().unwrap_or_else(|_| panic!("the handle is a {}", self.store().handle_type()))
    }

    /// The record that is being processed.
    pub fn current(&self) -> &CurrentRecord {
        &self.owner.current
    }

    /// The memory that the store accounts in.
    pub fn memory(&self) -> &WorkerMemory {
        &self.owner.memory
    }

    /// The wall clock, ms.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The directory of the open store.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens the directory; returns why an older one was set aside, if one was.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub fn open(&mut self) -> Option<String> {
        let opened = self.try_open().unwrap_or_else(|error| panic!("{error}"));
        self.position = opened.position;
        self.store = Some(opened.store.attach(&self.owner));
        opened.quarantined
    }

    /// As [`open`](Self::open), but keeps the error and the store apart.
    ///
    /// # Errors
    /// The factory's.
    pub fn try_open(&self) -> Result<OpenedStore> {
        self.factory.open(&StoreOpen {
            task: TaskId::new(0, 0),
            directory: self.directory.clone(),
            changelog_topic: Arc::from("application-store-changelog"),
            persistent_memory_bytes: 1 << 20,
            cache_max_bytes: if self.caching_enabled { 10 << 20 } else { 0 },
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        })
    }

    /// Closes the store without a flush.
    pub fn close(&mut self) {
        self.store = None;
        assert_eq!(self.owner.memory.layer_bytes(), 0, "a closed store accounts for no memory");
        assert_eq!(self.owner.memory.held_back_bytes(), 0, "a closed store holds nothing back");
    }

    /// Copies the directory while the store is open, as `kill -9` would leave it, and opens the copy.
    pub fn kill(&mut self) {
        self.generation += 1;
        let copy = self.directories.path().join(self.generation.to_string());
        copy_directory(&self.directory, &copy);
        self.close();
        self.directory = copy;
        self.open();
    }

    /// Hands the store to another thread and takes it back.
    ///
    /// # Panics
    /// When a handle to it is still held.
    pub fn hand_over(&mut self) {
        let detached = self.store.take().and_then(StateStore::detach).expect("no handle is held");
        assert_eq!(self.owner.memory.layer_bytes(), 0, "a detached store accounts for no memory");
        let travelled = std::thread::spawn(move || detached).join().expect("a thread that only moves the store");
        self.store = Some(travelled.attach(&self.owner));
    }

    pub(super) fn advance_clock(&self) {
        self.clock.advance(61_000);
    }

    /// What a commit would send.
    pub(super) fn logged(&self) -> Vec<Logged> {
        struct Log(Vec<Logged>);
        impl ChangelogSink for Log {
            fn log(&mut self, record: &ChangelogRecord<'_>) -> Result<()> {
                self.0.push((record.key.to_vec(), record.value.map(<[u8]>::to_vec), record.timestamp));
                Ok(())
            }
        }
        let mut log = Log(Vec::new());
        self.store().log_changes(&mut log).expect("a sink that takes everything");
        log.0
    }

    pub(super) fn restore(&self, records: &[Logged], position: i64) {
        let headers = Headers::new();
        let mut records = records.iter().map(|(key, value, timestamp)| ChangelogRecord {
            key,
            value: value.as_deref(),
            timestamp: *timestamp,
            headers: &headers,
        });
        self.store().restore(&mut records, position).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Copies a flat directory as it was at one moment: again, when RocksDB's background threads changed it meanwhile.
fn copy_directory(from: &Path, to: &Path) {
    if !from.exists() {
        return;
    }
    loop {
        std::fs::create_dir_all(to).expect("a directory for the copy");
        let before = listing(from);
        let copied = before.iter().all(|(name, _)| std::fs::copy(from.join(name), to.join(name)).is_ok());
        if copied && listing(from) == before {
            return;
        }
        std::fs::remove_dir_all(to).expect("the copy can be removed");
    }
}

/// Names and sizes of the files.
fn listing(directory: &Path) -> Vec<(OsString, u64)> {
    let files = std::fs::read_dir(directory).expect("a directory").flatten();
    let mut files: Vec<_> = files.map(|file| (file.file_name(), file.metadata().map_or(0, |metadata| metadata.len()))).collect();
    files.sort_unstable();
    files
}
