//! `kstreams-format`: which format the directory has, and whose it is.

use std::fs;
use std::io;
use std::path::Path;

use super::process_metadata::write_atomically;
use super::{cleanup, disk};
use crate::error::{Error, Result};

const FILE: &str = "kstreams-format";
/// The format that this version writes, and the newest that it reads. It changes only when an older version would misread it; the
/// format of a store is the store's own promise.
const VERSION: u32 = 1;

pub(super) fn check_or_mark(directory: &Path, application_id: &str) -> Result<()> {
    let path = directory.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            refuse_foreign_tasks(directory)?;
            return write_atomically(directory, FILE, &format!("format={VERSION}\napplication.id={application_id}\n"));
        }
        Err(error) => return Err(disk::error("the format of the state directory could not be read", &path, error)),
    };
    let place = path.display();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let version: u32 = field("format").and_then(|version| version.parse().ok()).ok_or_else(|| {
        Error::invalid(format!("{place} is damaged; move the state directory away, and the state is restored from the changelogs"))
    })?;
    if version > VERSION {
        return Err(Error::invalid(format!(
            "the state directory {} was written by a newer version (format {version}, this version reads up to {VERSION}); update this program, \
             or give it a `state.dir` of its own: the state is then restored from the changelogs",
            directory.display()
        )));
    }
    match field("application.id") {
        Some(owner) if owner == application_id => Ok(()),
        owner => Err(Error::invalid(format!(
            "the state directory {} belongs to the application `{}`, not to `{application_id}`; set another `state.dir` or `application.id`",
            directory.display(),
            owner.unwrap_or("(unknown)")
        ))),
    }
}

/// Task directories without our mark were written by another program: Kafka Streams in Java names them alike, but its stores are not ours.
fn refuse_foreign_tasks(directory: &Path) -> Result<()> {
    match cleanup::tasks(directory)?.first() {
        None => Ok(()),
        Some((task, path)) => Err(Error::invalid(format!(
            "the state directory holds {} (task {task}), which was not written by this library; set another `state.dir`, or move it away: \
             the state is restored from the changelogs",
            path.display()
        ))),
    }
}
