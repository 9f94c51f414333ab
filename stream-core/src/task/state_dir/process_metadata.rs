//! `kafka-streams-process-metadata`: who the process is. The same file, of the same content, as Kafka Streams'.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use uuid::Uuid;

use super::disk;
use crate::error::{Error, ErrorKind, Result};

const FILE: &str = "kafka-streams-process-metadata";

pub(super) fn read_or_create(directory: &Path) -> Result<Uuid> {
    let path = directory.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => process_id(&text).ok_or_else(|| {
            // A new id would leave the transactions of the old one open until they time out, so nobody decides that silently.
            Error::new(ErrorKind::Storage, format!("{} is damaged; delete it, and the process gets a new id", path.display()))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = Uuid::new_v4();
            write_atomically(directory, FILE, &format!("{{\"processId\":\"{id}\",\"version\":1}}"))?;
            Ok(id)
        }
        Err(error) => Err(disk::error("the id of the process could not be read", &path, error)),
    }
}

/// The id in the file. Members that a later version adds are left alone, as Kafka Streams does.
fn process_id(text: &str) -> Option<Uuid> {
    let (_, rest) = text.split_once("\"processId\"")?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    Uuid::parse_str(value.split_once('"')?.0).ok()
}

/// Writes a file so that a crash leaves it complete or absent.
pub(super) fn write_atomically(directory: &Path, name: &str, content: &str) -> Result<()> {
    let (path, unfinished) = (directory.join(name), directory.join(format!("{name}.tmp")));
    let write = || {
        let mut file = File::create(&unfinished)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        // The rename itself is durable only with the directory.
        if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
    };
    write().map_err(|error| disk::error("a file of the state directory could not be written", &path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_kafka_streams_is_read() {
        let id = "c3e8b6d1-6d8f-4d5e-9f0a-0f6a4d1f2b3c";
        for text in
            [format!("{{\"processId\":\"{id}\",\"version\":1}}"), format!("{{ \"version\" : 2,\n \"processId\" : \"{id}\", \"more\": 1 }}")]
        {
            assert_eq!(process_id(&text).map(|id| id.to_string()).as_deref(), Some(id));
        }
        for text in ["", "{}", "{\"processId\":\"\"}", "{\"processId\":7}"] {
            assert_eq!(process_id(text), None);
        }
    }
}
