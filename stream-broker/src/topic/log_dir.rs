//! The directory of a broker that keeps its logs: `meta.properties`, the metadata log, checkpoints, and a folder for each
//! partition, as Kafka has them.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::checkpoint::{self, Offsets};
use super::metadata_record::MetadataRecord;
use super::partition::restart::topic_id_of;
use super::topic_id;
use crate::log::batch::{BatchHeader, internal_batch};
use crate::log::compression::uncompressed_records;
use crate::log::records::Records;
use crate::log::{Checkpoint, Log, LogFolder, RollPolicy};
use crate::storage::Storage;

const META_PROPERTIES: &str = "meta.properties";
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// The folder of the metadata log.
pub(crate) const METADATA_FOLDER: &str = "__cluster_metadata-0";
/// What the name of a folder that is being deleted ends in. No topic's partition has such a name.
const DELETED: &str = ".deleted-delete";
/// A metadata log larger than this is written anew at the start, without what later records made void.
const LARGE_METADATA_BYTES: usize = 1 << 20;

const METADATA_ROLL: RollPolicy = RollPolicy { bytes: 1 << 30, ms: i64::MAX, index_entries: usize::MAX, index_interval: 4096 };

/// See the module.
#[derive(Debug)]
pub(crate) struct LogDir {
    pub(crate) storage: Arc<dyn Storage>,
    metadata: Log,
    /// Whether the broker before this one ended cleanly.
    was_clean: bool,
    starts: Offsets,
    recovery_points: Offsets,
    pub(crate) cleaned: Offsets,
}

/// Who a broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) cluster_id: String,
    pub(crate) node_id: i32,
    pub(crate) directory_id: Uuid,
}

impl LogDir {
    /// Opens a directory. A new one is given to `identity`; that of an old one is returned.
    ///
    /// # Errors
    /// The disk; `InvalidInput` if the directory belongs to another node.
    pub(crate) fn open(storage: Arc<dyn Storage>, identity: Identity) -> io::Result<(Self, Identity)> {
        let identity = identify(&*storage, identity)?;
        let was_clean = storage.size(Path::new(CLEAN_SHUTDOWN))?.is_some();
        // Gone before the first write: if this broker is killed, the next one must not believe that it ended cleanly.
        storage.delete(Path::new(CLEAN_SHUTDOWN))?;
        let folder = LogFolder { storage: Arc::clone(&storage), path: Arc::from(Path::new(METADATA_FOLDER)) };
        // It is small: it is checked whole each time.
        let metadata = Log::open(folder, Checkpoint { recovery_point: 0, start_offset: 0 }, METADATA_ROLL.index_interval)?;
        let log_dir = LogDir {
            metadata,
            was_clean,
            starts: checkpoint::read(&*storage, checkpoint::LOG_START)?,
            recovery_points: checkpoint::read(&*storage, checkpoint::RECOVERY_POINT)?,
            cleaned: checkpoint::read(&*storage, checkpoint::CLEANER)?,
            storage,
        };
        Ok((log_dir, identity))
    }

    /// All records of the metadata log, in their order.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn metadata_records(&self) -> io::Result<Vec<MetadataRecord>> {
        let mut found = Vec::new();
        self.metadata.walk(0, |header, batch| {
            if let Ok(records) = uncompressed_records(header, batch) {
                let values = Records::new(&records).map_while(Result::ok).filter_map(|record| record.value);
                found.extend(values.filter_map(MetadataRecord::decode));
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Writes changes of the metadata, durably: all of them or none.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn record(&mut self, records: &[MetadataRecord], now: i64) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let entries: Vec<_> = records.iter().map(|record| (Vec::new(), Some(record.encode()))).collect();
        let batch = internal_batch(&entries, None, now);
        if let Some(header) = BatchHeader::read(&batch) {
            self.metadata.append(&header, &batch, None, &METADATA_ROLL)?;
        }
        self.metadata.flush(true)
    }

    /// Replaces a metadata log that has grown large by the records that still count.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn shorten_metadata(&mut self, live: &[MetadataRecord], now: i64) -> io::Result<()> {
        if self.metadata.size() < LARGE_METADATA_BYTES {
            return Ok(());
        }
        self.metadata.roll()?;
        let begin = self.metadata.end_offset();
        self.record(live, now)?;
        // After a crash in between, the old records are read first and the new ones say the same again.
        self.metadata.delete_below(begin);
        Ok(())
    }

    /// The folder of a partition.
    pub(crate) fn folder(&self, topic: &str, partition: i32) -> LogFolder {
        LogFolder { storage: Arc::clone(&self.storage), path: Arc::from(folder_name(topic, partition)) }
    }

    /// What is known of a partition's log from before the start.
    pub(crate) fn checkpoint(&self, topic: &str, partition: i32) -> Checkpoint {
        let key = (topic.to_owned(), partition);
        let recovery_point = if self.was_clean { i64::MAX } else { self.recovery_points.get(&key).copied().unwrap_or(0) };
        Checkpoint { recovery_point, start_offset: self.starts.get(&key).copied().unwrap_or(0) }
    }

    /// Writes the checkpoints that differ from what the files say.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn save_starts(&mut self, starts: Offsets) -> io::Result<()> {
        save(&*self.storage, checkpoint::LOG_START, &mut self.starts, starts)
    }

    /// As [`LogDir::save_starts`], of the recovery points.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn save_recovery_points(&mut self, points: Offsets) -> io::Result<()> {
        save(&*self.storage, checkpoint::RECOVERY_POINT, &mut self.recovery_points, points)
    }

    /// As [`LogDir::save_starts`], of what was compacted.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn save_cleaned(&mut self, cleaned: Offsets) -> io::Result<()> {
        save(&*self.storage, checkpoint::CLEANER, &mut self.cleaned, cleaned)
    }

    /// Deletes the folders of a topic, and what checkpoints say of it: another topic of its name begins at offset 0.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn delete_topic(&mut self, topic: &str, partitions: i32) -> io::Result<()> {
        self.keep_checkpoints(|name, _| name != topic)?;
        (0..partitions).try_for_each(|partition| delete_partition(&*self.storage, &folder_name(topic, partition)))
    }

    /// Drops what checkpoints say of partitions that `exists` does not know.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn keep_checkpoints(&mut self, exists: impl Fn(&str, i32) -> bool) -> io::Result<()> {
        let kept = |offsets: &Offsets| -> Offsets {
            let entries = offsets.iter().filter(|((topic, partition), _)| exists(topic, *partition));
            entries.map(|(key, offset)| (key.clone(), *offset)).collect()
        };
        let (starts, points, cleaned) = (kept(&self.starts), kept(&self.recovery_points), kept(&self.cleaned));
        self.save_starts(starts)?;
        self.save_recovery_points(points)?;
        self.save_cleaned(cleaned)
    }

    /// Deletes the folders of partitions that `exists` does not know: their topic was deleted, and the broker ended before it was
    /// through with it.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn delete_orphans(&self, exists: impl Fn(&str, i32, Uuid) -> bool) -> io::Result<()> {
        for name in self.storage.list(Path::new(""))? {
            if name.ends_with(DELETED) {
                self.storage.delete_folder(Path::new(&name))?;
                continue;
            }
            let Some((topic, partition)) = name.rsplit_once('-').and_then(|(topic, index)| Some((topic, index.parse().ok()?))) else {
                continue;
            };
            let folder = Path::new(&name);
            if let Some(id) = topic_id_of(&*self.storage, folder)?
                && !exists(topic, partition, id)
            {
                delete_partition(&*self.storage, folder)?;
            }
        }
        Ok(())
    }

    /// Notes that everything is written and durable.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn mark_clean(&mut self) -> io::Result<()> {
        self.metadata.close()?;
        self.storage.replace(Path::new(CLEAN_SHUTDOWN), b"{\"version\":0,\"brokerEpoch\":-1}")
    }
}

/// Deletes a partition's folder. It gets another name first: a half deleted one must not be taken for the log of a new topic.
fn delete_partition(storage: &dyn Storage, folder: &Path) -> io::Result<()> {
    if storage.list(folder)?.is_empty() {
        return storage.delete_folder(folder);
    }
    let aside = PathBuf::from(format!("{}{DELETED}", folder.display()));
    storage.delete_folder(&aside)?;
    storage.rename(folder, &aside)?;
    storage.delete_folder(&aside)
}

fn folder_name(topic: &str, partition: i32) -> PathBuf {
    PathBuf::from(format!("{topic}-{partition}"))
}

fn save(storage: &dyn Storage, file: &str, saved: &mut Offsets, offsets: Offsets) -> io::Result<()> {
    if *saved != offsets {
        checkpoint::write(storage, file, &offsets)?;
        *saved = offsets;
    }
    Ok(())
}

fn identify(storage: &dyn Storage, new: Identity) -> io::Result<Identity> {
    let file = Path::new(META_PROPERTIES);
    let Some(content) = storage.read_all(file)? else {
        let Identity { cluster_id, node_id, directory_id } = &new;
        let directory = topic_id::format(*directory_id);
        let text = format!("version=1\ncluster.id={cluster_id}\nnode.id={node_id}\ndirectory.id={directory}\n");
        storage.replace(file, text.as_bytes())?;
        return Ok(new);
    };
    let text = String::from_utf8_lossy(&content);
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::trim);
    let (Some(cluster_id), Some(node_id)) = (value("cluster.id"), value("node.id").and_then(|id| id.parse::<i32>().ok())) else {
        let problem = format!("{} in {} names no cluster and node: give another folder", META_PROPERTIES, storage.root().display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    };
    if node_id != new.node_id {
        let problem = format!(
            "{} belongs to node {node_id}, this broker is node {}: give its node id, or another folder",
            storage.root().display(),
            new.node_id
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    let directory_id = value("directory.id").and_then(topic_id::parse).unwrap_or(new.directory_id);
    Ok(Identity { cluster_id: cluster_id.to_owned(), node_id, directory_id })
}
