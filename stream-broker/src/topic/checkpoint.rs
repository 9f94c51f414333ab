//! Kafka's checkpoint files: one offset for each of many partitions, in lines of text.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::storage::Storage;

/// An offset by topic and partition.
pub(crate) type Offsets = BTreeMap<(String, i32), i64>;

/// `log-start-offset-checkpoint`: the first readable offsets, where they are not those of the first segments.
pub(crate) const LOG_START: &str = "log-start-offset-checkpoint";
/// `recovery-point-offset-checkpoint`: below these all is durable.
pub(crate) const RECOVERY_POINT: &str = "recovery-point-offset-checkpoint";
/// `cleaner-offset-checkpoint`: up to these the log was compacted.
pub(crate) const CLEANER: &str = "cleaner-offset-checkpoint";

const VERSION: &str = "0";

/// Writes a file anew.
///
/// # Errors
/// The disk.
pub(crate) fn write(storage: &dyn Storage, file: &str, offsets: &Offsets) -> io::Result<()> {
    let mut text = format!("{VERSION}\n{}\n", offsets.len());
    for ((topic, partition), offset) in offsets {
        text.push_str(&format!("{topic} {partition} {offset}\n"));
    }
    storage.replace(Path::new(file), text.as_bytes())
}

/// Reads a file. One that is not there, or is damaged, knows of no partition: that costs time at the start, and no more.
///
/// # Errors
/// The disk.
pub(crate) fn read(storage: &dyn Storage, file: &str) -> io::Result<Offsets> {
    let content = storage.read_all(Path::new(file))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    Ok(parse(&text).unwrap_or_default())
}

fn parse(text: &str) -> Option<Offsets> {
    let mut lines = text.lines();
    if lines.next() != Some(VERSION) {
        return None;
    }
    let count: usize = lines.next()?.parse().ok()?;
    let mut offsets = Offsets::new();
    for line in lines {
        let mut words = line.split(' ');
        let (topic, partition, offset) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        offsets.insert((topic.to_owned(), partition), offset);
    }
    (offsets.len() == count).then_some(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::tests::simulated::Simulated;

    #[test]
    fn offsets_read_back_and_a_cut_file_knows_nothing() {
        let storage = Simulated::default();
        let offsets = Offsets::from([(("a".to_owned(), 0), 17), (("b-c".to_owned(), 2), 0)]);
        write(&storage, LOG_START, &offsets).unwrap();
        assert_eq!(read(&storage, LOG_START).unwrap(), offsets);
        storage.edit(LOG_START, |content| content.truncate(12));
        assert_eq!(read(&storage, LOG_START).unwrap(), Offsets::new());
        assert_eq!(read(&storage, CLEANER).unwrap(), Offsets::new());
    }
}
