//! How far each partition of the global topics was applied to the stores on disk.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::id::TopicPartition;

const VERSION: &str = "0";

/// A file of the next offset of each partition: `version`, the count, then `topic partition offset` line by line. It is written after the
/// stores: what it says is on disk.
pub(super) struct AppliedPositions {
    path: PathBuf,
    written: BTreeMap<TopicPartition, i64>,
}

impl AppliedPositions {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, written: BTreeMap::new() }
    }

    /// What the file says; nothing when there is none, or when it cannot be understood: then the stores are rebuilt.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn read(&mut self) -> Result<BTreeMap<TopicPartition, i64>> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(failed("could not be read", &self.path, error)),
        };
        match parse(&text) {
            Some(positions) => self.written = positions,
            None => {
                tracing::warn!(path = %self.path.display(), "the positions of the global stores cannot be understood; the stores are rebuilt")
            }
        }
        Ok(self.written.clone())
    }

    /// Replaces the file, in one step.
    ///
    /// # Errors
    /// When the disk fails; the old file stays.
    pub(super) fn write(&mut self, positions: &BTreeMap<TopicPartition, i64>) -> Result<()> {
        if self.written == *positions {
            return Ok(());
        }
        let mut text = format!("{VERSION}\n{}\n", positions.len());
        for (partition, offset) in positions {
            text.push_str(&format!("{} {} {offset}\n", partition.topic, partition.partition));
        }
        let beside = self.path.with_extension("tmp");
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent).map_err(|error| failed("could not be created", parent, error))?;
        }
        fs::write(&beside, text).map_err(|error| failed("could not be written", &beside, error))?;
        fs::rename(&beside, &self.path).map_err(|error| failed("could not be replaced", &self.path, error))?;
        self.written.clone_from(positions);
        Ok(())
    }
}

fn parse(text: &str) -> Option<BTreeMap<TopicPartition, i64>> {
    let mut lines = text.lines();
    if lines.next()? != VERSION {
        return None;
    }
    let count: usize = lines.next()?.parse().ok()?;
    let mut positions = BTreeMap::new();
    for line in lines {
        let mut parts = line.split(' ');
        let (topic, partition, offset) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        positions.insert(TopicPartition::new(Arc::<str>::from(topic), partition), offset);
    }
    (positions.len() == count).then_some(positions)
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::storage(format!("{} {what}", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_back_and_a_cut_file_counts_for_nothing() {
        let folder = std::env::temp_dir().join(format!("kstreams-positions-{}", std::process::id()));
        let path = folder.join(".checkpoint");
        let partition = |number| TopicPartition::new(Arc::<str>::from("rates"), number);
        let positions = BTreeMap::from([(partition(0), 7), (partition(1), 0)]);
        AppliedPositions::at(path.clone()).write(&positions).expect("written");
        assert_eq!(AppliedPositions::at(path.clone()).read().expect("read"), positions);
        fs::write(&path, "0\n2\nrates 0 7\n").expect("written");
        assert_eq!(AppliedPositions::at(path).read().expect("read"), BTreeMap::new());
        fs::remove_dir_all(folder).expect("removed");
    }
}
