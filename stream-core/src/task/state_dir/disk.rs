//! Errors of the disk.

use std::io;
use std::path::Path;

use crate::error::{Error, ErrorKind};

/// What failed, where, and what can be done about it.
pub(super) fn error(what: &str, path: &Path, error: io::Error) -> Error {
    let place = path.display();
    let text = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            let free = free_bytes(path).map_or_else(String::new, |bytes| format!(" ({bytes} bytes are free there)"));
            format!("{what}: no space is left for {place}{free}; free some, or set `state.dir` to a larger disk")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("{what}: this process may not write {place}; change its owner or mode, or set `state.dir` to another folder")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            format!("{what}: {place} is in the way; move it, or set `state.dir` to another folder")
        }
        _ => format!("{what}: {place}"),
    };
    Error::new(ErrorKind::Storage, text).with_source(error)
}

/// The bytes that are free for this process where `path` lies.
fn free_bytes(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists())?;
    free_bytes_of(existing)
}

#[cfg(unix)]
fn free_bytes_of(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes_of(_path: &Path) -> Option<u64> {
    None
}
