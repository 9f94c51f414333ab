//! What a partition writes beside its log for the next start, and how it is read.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::Partition;
use crate::log::aborted::{AbortedIndex, AbortedTransaction};
use crate::log::batch::{BatchHeader, HEADER_BYTES};
use crate::log::producer_state::ProducerStates;
use crate::log::records::Records;
use crate::log::{Checkpoint, LEADER_EPOCH, Log, LogFolder, snapshot};
use crate::mistake::{self, Mistake};
use crate::topic::config::TopicConfig;

const METADATA: &str = "partition.metadata";
const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";

/// The id of the topic whose partition is in a folder; `None` if the folder is not one of a partition.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn topic_id_of(storage: &dyn crate::storage::Storage, folder: &Path) -> io::Result<Option<Uuid>> {
    let Some(content) = storage.read_all(&folder.join(METADATA))? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&content);
    Ok(text.lines().find_map(|line| line.strip_prefix("topic_id:")).and_then(|id| crate::topic::topic_id::parse(id.trim())))
}

impl Partition {
    /// The partition in a folder, as the last broker left it.
    ///
    /// # Errors
    /// A file cannot be read or repaired.
    pub(crate) fn open(config: Arc<TopicConfig>, topic_id: Uuid, folder: LogFolder, checkpoint: Checkpoint) -> io::Result<Self> {
        let is_laid_out = folder.storage.size(&folder.path.join(METADATA))?.is_some();
        let log = Log::open(folder.clone(), checkpoint, config.index_interval_bytes)?;
        let mut partition = Partition { log, is_laid_out, ..Partition::new(config, topic_id, None) };
        partition.restore(&folder)?;
        Ok(partition)
    }

    /// Makes the producers and the aborted transactions known again: up to the newest snapshot from files, from there on out of
    /// the records.
    fn restore(&mut self, folder: &LogFolder) -> io::Result<()> {
        let end = self.log.end_offset();
        let first = self.log.segment_bounds().next().map_or(end, |(base, _)| base);
        let (from, entries) = snapshot::load(folder, end)?.filter(|(offset, _)| *offset >= first).unwrap_or((first, Vec::new()));
        self.producers = ProducerStates::restore(entries);
        let mut ended = BTreeMap::new();
        for (base, _) in self.log.segment_bounds().filter(|(base, _)| *base < from) {
            let file = folder.storage.read_all(&transaction_index(folder, base))?.unwrap_or_default();
            ended.extend(AbortedTransaction::decode_all(&file).into_iter().filter(|t| t.last_offset < from).map(|t| (t.last_offset, t)));
        }
        self.aborted = AbortedIndex::default();
        ended.into_values().for_each(|transaction| self.aborted.push(transaction));

        let mut known = Partition::new(Arc::clone(&self.config), self.topic_id, None);
        std::mem::swap(&mut known.producers, &mut self.producers);
        std::mem::swap(&mut known.aborted, &mut self.aborted);
        self.log.walk(from, |header, bytes| {
            known.replay(header, bytes);
            ControlFlow::Continue(())
        })?;
        (self.producers, self.aborted) = (known.producers, known.aborted);
        // The segments before the active one are not written again: their files must be complete.
        let rewritten: Vec<(i64, i64)> = self.log.segment_bounds().filter(|(_, end)| *end > from).collect();
        for (base, end) in rewritten {
            self.save_aborted_of(folder, base, end)?;
        }
        self.aborted.delete_below(self.log.start_offset());
        if mistake::is_made(Mistake::AbortedForgotten) {
            self.aborted = AbortedIndex::default();
        }
        if mistake::is_made(Mistake::OpenTransactionsForgotten) {
            self.producers = ProducerStates::default();
        }
        Ok(())
    }

    fn replay(&mut self, header: &BatchHeader, bytes: &[u8]) {
        if !header.has_producer() {
            return;
        }
        let time = header.max_timestamp;
        if !header.is_control() {
            let append_time = if header.is_log_append_time() { time } else { -1 };
            return self.producers.appended(header, header.base_offset, append_time, time);
        }
        // The marker's key: a version and the type, 0 for abort and 1 for commit.
        let record = Records::new(&bytes[HEADER_BYTES..]).next().and_then(Result::ok);
        if let Some(&[_, _, 0, kind]) = record.as_ref().and_then(|record| record.key) {
            self.marked(header, header.base_offset, kind == 1, time);
        }
    }

    /// Writes what tells whose folder this is, before the first record.
    pub(super) fn lay_out(&mut self) -> io::Result<()> {
        if self.is_laid_out {
            return Ok(());
        }
        if let Some(LogFolder { storage, path }) = self.log.folder() {
            let metadata = format!("version: 0\ntopic_id: {}", crate::topic::topic_id::format(self.topic_id));
            storage.write(&path.join(LEADER_EPOCHS), 0, format!("0\n1\n{LEADER_EPOCH} 0\n").as_bytes())?;
            storage.write(&path.join(METADATA), 0, metadata.as_bytes())?;
        }
        self.is_laid_out = true;
        Ok(())
    }

    /// Writes the snapshot of the producers for the present end of the log.
    pub(super) fn save_producers(&self) -> io::Result<()> {
        let Some(folder) = self.log.folder() else {
            return Ok(());
        };
        let bases: Vec<i64> = self.log.segment_bounds().map(|(base, _)| base).collect();
        snapshot::save(folder, self.log.end_offset(), &self.producers.snapshot(), &bases)
    }

    /// Writes the aborted transactions of the active segment.
    pub(super) fn save_aborted(&self) -> io::Result<()> {
        match self.log.folder() {
            Some(folder) => self.save_aborted_of(folder, self.log.active_base_offset(), self.log.end_offset()),
            None => Ok(()),
        }
    }

    /// Writes the aborted transactions of the segments below an offset, after a cleaning.
    pub(super) fn save_aborted_below(&self, offset: i64) -> io::Result<()> {
        let Some(folder) = self.log.folder() else {
            return Ok(());
        };
        for (base, end) in self.log.segment_bounds().filter(|(base, _)| *base < offset) {
            self.save_aborted_of(folder, base, end)?;
        }
        Ok(())
    }

    fn save_aborted_of(&self, folder: &LogFolder, base: i64, end: i64) -> io::Result<()> {
        let content: Vec<u8> = self.aborted.ended_between(base, end).flat_map(AbortedTransaction::encode).collect();
        let file = transaction_index(folder, base);
        if content.is_empty() && folder.storage.size(&file)?.is_none() {
            return Ok(());
        }
        folder.storage.write(&file, 0, &content)?;
        folder.storage.truncate(&file, content.len() as u64)
    }

    /// Writes all that the next start needs, and makes it durable.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if !self.is_laid_out || self.log.folder().is_none() {
            return Ok(());
        }
        self.save_aborted()?;
        self.save_producers()?;
        self.log.close()
    }
}

fn transaction_index(folder: &LogFolder, base_offset: i64) -> PathBuf {
    folder.path.join(format!("{base_offset:020}.txnindex"))
}
