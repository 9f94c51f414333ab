//! RocksDB as the persistent layer: one instance per store and task, opened when it is first written or when its directory exists.
//!
//! Durability (measured in `benches/store.rs`, figures in the crate's README): a flush is one `WriteBatch` with the write-ahead log on
//! and without sync. `kill -9`: the operating system has the whole batch, nothing is lost. Power loss: the newest flushes may be gone,
//! but always rows together with their position, so the changelog is replayed from where the surviving rows end.

mod format;
mod options;
mod quarantine;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use rocksdb::{ColumnFamily, DB, DEFAULT_COLUMN_FAMILY_NAME, FlushOptions, ReadOptions, WriteBatch};

use self::format::{Found, OFFSETS};
use self::options::Tuning;
use super::{ByteRange, ByteStore, Checkpoint, Flush, Row, RowBytes};
use crate::error::StoreError;

/// At most this many bytes are read at a time by a scan, whatever the number of rows.
const SCAN_BYTES: usize = 256 * 1024;

/// A store in RocksDB.
pub(crate) struct RocksStore {
    directory: PathBuf,
    identity: String,
    tuning: Tuning,
    db: Option<DB>,
    /// RocksDB refuses writes after a failed one until it is opened again.
    failed: bool,
}

/// What opening a directory found.
pub(crate) struct OpenedRocks {
    pub(crate) store: RocksStore,
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) quarantined: Option<String>,
}

impl RocksStore {
    /// Opens the directory if it exists. `identity` says whose rows these are: a directory of another store, changelog or row format
    /// is set aside like a damaged one.
    ///
    /// # Errors
    /// When the disk fails, or a newer release wrote the directory.
    pub(crate) fn open(directory: &Path, identity: String, memory_bytes: usize, now_ms: i64) -> Result<OpenedRocks, StoreError> {
        let mut store = Self { directory: directory.to_owned(), identity, tuning: Tuning::new(memory_bytes), db: None, failed: false };
        if !quarantine::holds_files(directory)? {
            return Ok(OpenedRocks { store, checkpoint: None, quarantined: None });
        }
        let reason = match store.open_existing() {
            Ok(Found::Ours(checkpoint)) => return Ok(OpenedRocks { store, checkpoint, quarantined: None }),
            Ok(Found::Foreign { reason }) => reason,
            Err(StoreError::Corrupted { source, .. }) => source.to_string(),
            Err(error) => return Err(error),
        };
        store.reset(&reason, now_ms)?;
        Ok(OpenedRocks { store, checkpoint: None, quarantined: Some(reason) })
    }

    fn open_existing(&mut self) -> Result<Found, StoreError> {
        if !self.directory.join("CURRENT").exists() {
            return Ok(Found::Foreign { reason: "the directory holds files, but no database".to_owned() });
        }
        let db = self.open_db(false)?;
        let found = format::read(&db, &self.identity, &self.directory)?;
        if matches!(found, Found::Ours(_)) {
            self.db = Some(db);
        }
        Ok(found)
    }

    fn open_db(&self, create: bool) -> Result<DB, StoreError> {
        let options = self.tuning.database(create);
        DB::open_cf_descriptors(&options, &self.directory, self.tuning.column_families()).map_err(|error| self.opening_failed(error))
    }

    /// The open database; `None` before the first flush.
    #[inline]
    fn db(&self) -> Result<Option<&DB>, StoreError> {
        match &self.db {
            // A recovery that did not succeed: the rows are there, but cannot be read.
            None if self.failed => Err(StoreError::storage(&self.directory, "read", "it could not be opened again after a failed write")),
            db => Ok(db.as_ref()),
        }
    }

    fn create_db(&mut self) -> Result<(), StoreError> {
        std::fs::create_dir_all(&self.directory).map_err(|error| StoreError::storage(&self.directory, "create", error))?;
        let db = self.open_db(true)?;
        self.db = Some(db);
        Ok(())
    }

    /// A lock that is held, a full disk and missing rights say nothing about the files; everything else does.
    fn opening_failed(&self, error: rocksdb::Error) -> StoreError {
        let text = error.to_string().to_lowercase();
        let passing =
            ["lock hold", "/lock:", "no space", "permission denied", "too many open files", "read-only file", "quota", "file too large"];
        if error.kind() == rocksdb::ErrorKind::IOError && passing.iter().any(|cause| text.contains(cause)) {
            StoreError::storage(&self.directory, "open", error)
        } else {
            StoreError::Corrupted { path: self.directory.clone(), source: error.into() }
        }
    }

    fn failed(&self, action: &'static str, error: rocksdb::Error) -> StoreError {
        match error.kind() {
            rocksdb::ErrorKind::Corruption => StoreError::Corrupted { path: self.directory.clone(), source: error.into() },
            _ => StoreError::storage(&self.directory, action, error),
        }
    }

    /// A batch goes into the memtable as a whole, however large, and RocksDB looks at the size only when the next one comes, which may
    /// be minutes later: so it is told to write the memtable out now. That happens in the background.
    fn empty_memtable(db: &DB, offsets: &ColumnFamily) -> Result<(), rocksdb::Error> {
        let mut options = FlushOptions::default();
        options.set_wait(false);
        match db.cf_handle(DEFAULT_COLUMN_FAMILY_NAME) {
            Some(rows) => db.flush_cfs_opt(&[rows, offsets], &options),
            None => db.flush_opt(&options),
        }
    }

    /// After a failed write: makes sure that the disk takes bytes again before the old instance, which still serves reads, is given up.
    fn recover(&mut self) -> Result<(), StoreError> {
        let probe = self.directory.join("kstreams-probe");
        let written = std::fs::write(&probe, vec![0; 256 * 1024]);
        let removed = std::fs::remove_file(&probe);
        written.and(removed).map_err(|error| StoreError::storage(&self.directory, "write to", error))?;
        self.db = None;
        self.create_db()?;
        self.failed = false;
        Ok(())
    }
}

impl ByteStore for RocksStore {
    fn get(&self, key: &[u8]) -> Result<Option<RowBytes>, StoreError> {
        let Some(db) = self.db()? else { return Ok(None) };
        let value = db.get_pinned(key).map_err(|error| self.failed("read", error))?;
        Ok(value.map(|value| RowBytes::new(&value)))
    }

    fn scan(&self, range: &ByteRange, reverse: bool, limit: usize, rows: &mut VecDeque<Row>) -> Result<bool, StoreError> {
        let Some(db) = self.db()? else { return Ok(true) };
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(range.from.as_slice());
        if let Some(to) = &range.to {
            options.set_iterate_upper_bound(to.as_slice());
        }
        let mut cursor = db.raw_iterator_opt(options);
        if reverse {
            cursor.seek_to_last()
        } else {
            cursor.seek_to_first()
        }
        let (mut taken, mut bytes) = (0, 0);
        while let Some((key, value)) = cursor.item() {
            if taken >= limit || bytes >= SCAN_BYTES {
                return Ok(false);
            }
            rows.push_back((RowBytes::new(key), RowBytes::new(value)));
            taken += 1;
            bytes += key.len() + value.len();
            if reverse { cursor.prev() } else { cursor.next() }
        }
        cursor.status().map_err(|error| self.failed("read", error))?;
        Ok(true)
    }

    fn write(&mut self, flush: Flush<'_>) -> Result<(), StoreError> {
        if self.failed {
            self.recover()?;
        } else if self.db.is_none() {
            self.create_db()?;
        }
        let Some(db) = &self.db else { return Ok(()) };
        let mut batch = WriteBatch::default();
        for range in flush.expired {
            if let Some(to) = &range.to {
                batch.delete_range(range.from.as_slice(), to.as_slice());
            }
        }
        for (key, value) in flush.rows {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        let Some(offsets) = db.cf_handle(OFFSETS) else {
            return Err(StoreError::Corrupted { path: self.directory.clone(), source: "the column family of offsets is missing".into() });
        };
        format::write(&mut batch, offsets, &self.identity, &flush.checkpoint);
        let is_large = batch.size_in_bytes() >= self.tuning.memtable_bytes();
        if let Err(error) = db.write_opt(batch, &self.tuning.write()) {
            let error = self.failed("write to", error);
            self.failed = true;
            return Err(error);
        }
        if is_large && let Err(error) = Self::empty_memtable(db, offsets) {
            return Err(self.failed("write to", error));
        }
        for range in flush.expired {
            // The range is deleted already; this only gives whole files back to the disk at once. Without it, compaction does.
            if let Some(to) = &range.to
                && let Err(error) = db.delete_file_in_range(range.from.as_slice(), to.as_slice())
            {
                tracing::debug!(directory = %self.directory.display(), %error, "expired files stay until they are compacted");
            }
        }
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.db.is_some() || self.failed
    }

    fn approximate_rows(&self) -> u64 {
        let estimate = self.db.as_ref().map(|db| db.property_int_value("rocksdb.estimate-num-keys"));
        estimate.and_then(|estimate| estimate.ok().flatten()).unwrap_or(0)
    }

    fn reset(&mut self, reason: &str, now_ms: i64) -> Result<(), StoreError> {
        self.db = None;
        self.failed = false;
        if let Some(aside) = quarantine::set_aside(&self.directory, now_ms)? {
            tracing::warn!(directory = %self.directory.display(), moved_to = %aside.display(), reason, "a local store cannot be used and is set aside; it is rebuilt from its changelog");
        }
        Ok(())
    }
}
