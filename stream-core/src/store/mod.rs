//! What a task needs of a state store. This module knows no keys, values or windows: crate `stream-state` does.
//!
//! A store has three layers: *uncommitted* (writes since the last commit), *committed* (not yet flushed, or clean and kept for
//! reads) and *persistent* (RocksDB). Obligations that every implementation keeps, and that the conformance functions of
//! `stream-state` check:
//!
//! - S1: a read sees the newest write of its owner, committed or not.
//! - S2: [`discard`](StateStore::discard) restores exactly what the last [`commit`](StateStore::commit) left.
//! - S3: the persistent layer never holds an uncommitted write.
//! - S4: data and the changelog position that they reach become durable in one atomic write, or neither does.
//! - S5: [`log_changes`](StateStore::log_changes) gives one record per dirty key, in the order of each key's last write.
//! - S6: a store never calls a node.

mod budget;
mod factory;
mod name;
mod shared;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

pub use budget::{MemoryBudget, WorkerMemory};
pub use factory::{ChangelogConfig, CleanupPolicy, OpenedStore, StoreFactory, StoreOpen};
pub use name::StoreName;
pub(crate) use shared::WriterOf;
pub use shared::{SharedStore, StoreAccess};

use crate::error::{Error, Result};
use crate::record::{Headers, RecordMetadata};

/// One record of a changelog: the last write of a key since the last commit.
#[derive(Clone, Debug)]
pub struct ChangelogRecord<'a> {
    /// The key's bytes in the changelog.
    pub key: &'a [u8],
    /// The value's bytes in the changelog; null deletes.
    pub value: Option<&'a [u8]>,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The headers, for stores that keep them.
    pub headers: &'a Headers,
}

/// Takes a store's changes at a commit.
pub trait ChangelogSink {
    /// Sends one record to the store's changelog partition.
    ///
    /// # Errors
    /// When the producer refuses it; the commit fails.
    fn log(&mut self, record: &ChangelogRecord<'_>) -> Result<()>;
}

/// How much of a store a restart would have to replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unflushed {
    /// Committed entries that are not in the persistent layer yet.
    pub entries: usize,
    /// Their bytes, keys and values.
    pub bytes: usize,
}

/// A store in the hands of the worker that owns it. All calls come from one thread; methods take `&self` because processors hold
/// typed handles to the same store.
pub trait StateStore {
    /// The store's name.
    fn name(&self) -> &str;

    /// The typed handle that processors get: what [`StoreName<H>`] names.
    fn handle(self: Rc<Self>) -> Box<dyn Any>;

    /// The type name of the handle, for error texts.
    fn handle_type(&self) -> &'static str;

    /// Whether the store keeps its data in its directory.
    fn is_persistent(&self) -> bool;

    /// The changelog offset of the next record that the committed layer has not seen; `None` for a store that holds nothing.
    fn changelog_position(&self) -> Option<i64>;

    /// The id of the changelog topic that the rows came from; `None` while it is not known.
    fn changelog_id(&self) -> Option<u128>;

    /// Notes the id of the changelog topic that the rows come from. It is written with every flush, beside the position: an offset says
    /// nothing about a topic that was deleted and made anew.
    fn set_changelog_id(&self, id: Option<u128>);

    /// Applies changelog records to the committed layer. Afterwards the position is `position`, also when `records` is empty.
    ///
    /// # Errors
    /// When a record cannot belong to this store, or the disk fails.
    fn restore(&self, records: &mut dyn Iterator<Item = ChangelogRecord<'_>>, position: i64) -> Result<()>;

    /// Gives every dirty key to the sink, once, in the order of each key's last write. Called again when a commit is made again: what was
    /// given before may be in the changelog, so a key that was deleted since is given, too.
    ///
    /// # Errors
    /// The sink's.
    fn log_changes(&self, sink: &mut dyn ChangelogSink) -> Result<()>;

    /// Gives every row that the owner sees to the sink, as its changelog record would be: key and value as the changelog holds them,
    /// the row's own timestamp, or -1 where the store keeps none. Rows come in the order of the store's own full scan; expired ones are
    /// left out.
    ///
    /// # Errors
    /// The sink's, and [`ErrorKind::Storage`](crate::ErrorKind::Storage) when the disk fails.
    fn rows(self: Rc<Self>, sink: &mut dyn ChangelogSink) -> Result<()>;

    /// Whether there are writes since the last commit.
    fn is_dirty(&self) -> bool;

    /// The uncommitted layer becomes part of the committed one. `changelog_position`, when known, is the highest acknowledged
    /// changelog offset + 1 (a store without changelog of its own: the committed source offset).
    ///
    /// # Errors
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) when the disk fails.
    fn commit(&self, changelog_position: Option<i64>) -> Result<()>;

    /// Drops the uncommitted layer.
    fn discard(&self);

    /// What a restart would replay.
    fn unflushed(&self) -> Unflushed;

    /// Writes the unflushed entries, sorted by key, and the changelog position that they reach, in one atomic batch that survives
    /// `kill -9`. With them goes `now_ms`, the wall clock: from the age of its last flush a store's next owner knows whether deletions
    /// can have gone from the changelog meanwhile (see [`OpenedStore::flushed_at_ms`]).
    ///
    /// # Errors
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) when the disk fails or is full: nothing is lost, the entries stay unflushed.
    fn flush(&self, now_ms: i64) -> Result<()>;

    /// Drops clean entries from memory until `bytes` are freed or none is left; returns what was freed. Dirty and unflushed entries stay.
    fn evict(&self, bytes: usize) -> usize;

    /// The bytes that this store holds in memory in its layers.
    fn memory_bytes(&self) -> usize;

    /// Rebuild: drops all layers, sets the directory aside (`<store>.corrupt-<ms>`), and starts empty.
    ///
    /// # Errors
    /// When the directory cannot be moved.
    fn reset(&self, reason: &str, now_ms: i64) -> Result<()>;

    /// Takes the store out of its owner's hands, to be given to another thread. `None` while a handle to it is still held.
    fn detach(self: Rc<Self>) -> Option<Box<dyn DetachedStore>>;
}

/// A store on its way between threads.
pub trait DetachedStore: Send {
    /// Its name.
    fn name(&self) -> &str;

    /// Gives the store to the current thread.
    fn attach(self: Box<Self>, owner: &StoreOwner) -> Rc<dyn StateStore>;

    /// Makes the store one that several threads have: a global one.
    ///
    /// # Errors
    /// When this kind of store cannot be shared; the default.
    fn share(self: Box<Self>) -> Result<Arc<dyn SharedStore>> {
        Err(Error::invalid(format!("store `{}` cannot be a global store: its kind cannot be shared by several threads", self.name())))
    }
}

/// What a store is told by the task and worker that own it.
#[derive(Clone, Debug)]
pub struct StoreOwner {
    /// The timestamp and headers of the record that is being processed: what a write carries into the changelog.
    pub current: Rc<CurrentRecord>,
    /// Where the store accounts for its memory.
    pub memory: Rc<WorkerMemory>,
}

/// The record that a task is processing: what its stores stamp their writes with.
#[derive(Debug, Default)]
pub struct CurrentRecord {
    timestamp: Cell<i64>,
    headers: RefCell<Headers>,
    topic: RefCell<Option<Arc<str>>>,
    partition: Cell<i32>,
    offset: Cell<i64>,
    dropped: Cell<u64>,
}

impl CurrentRecord {
    /// Counts a row that a store left out, because it is behind the store's retention: one of the task's `dropped-records`.
    pub fn drop_row(&self) {
        self.dropped.set(self.dropped.get() + 1);
    }

    /// How many rows were left out since the last call.
    pub fn take_dropped(&self) -> u64 {
        self.dropped.replace(0)
    }

    /// The timestamp (ms) of the record that the running node received.
    #[inline]
    pub fn timestamp(&self) -> i64 {
        self.timestamp.get()
    }

    /// Sets the timestamp and returns the one before.
    #[inline]
    pub fn replace_timestamp(&self, timestamp: i64) -> i64 {
        self.timestamp.replace(timestamp)
    }

    /// The headers of the record that the running node received.
    pub fn headers(&self) -> Headers {
        self.headers.borrow().clone()
    }

    /// Whether that record has headers.
    #[inline]
    pub fn has_headers(&self) -> bool {
        !self.headers.borrow().is_empty()
    }

    /// Sets the headers and returns those before.
    #[inline]
    pub fn replace_headers(&self, headers: Headers) -> Headers {
        self.headers.replace(headers)
    }

    /// Where the source record came from; `None` in `init`, a punctuation or a restore.
    pub fn metadata(&self) -> Option<RecordMetadata> {
        let topic = self.topic.borrow().clone()?;
        Some(RecordMetadata { topic, partition: self.partition.get(), offset: self.offset.get() })
    }

    /// Sets where the source record came from. Costs no atomic operation while the topic stays the same.
    #[inline]
    pub fn set_source(&self, topic: &Arc<str>, partition: i32, offset: i64) {
        let same = self.topic.borrow().as_ref().is_some_and(|current| Arc::ptr_eq(current, topic));
        if !same {
            *self.topic.borrow_mut() = Some(Arc::clone(topic));
        }
        self.partition.set(partition);
        self.offset.set(offset);
    }

    /// Sets or clears where the source record came from.
    pub fn set_metadata(&self, metadata: Option<&RecordMetadata>) {
        match metadata {
            Some(metadata) => self.set_source(&metadata.topic, metadata.partition, metadata.offset),
            None => *self.topic.borrow_mut() = None,
        }
    }
}
