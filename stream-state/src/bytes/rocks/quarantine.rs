//! Directories that cannot be used are kept, under another name.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// Whether there is anything in the directory.
pub(crate) fn holds_files(directory: &Path) -> Result<bool, StoreError> {
    match std::fs::read_dir(directory) {
        Ok(mut files) => Ok(files.next().is_some()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        // A file in its place.
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(true),
        Err(error) => Err(StoreError::storage(directory, "read", error)),
    }
}

/// Renames the directory to `<directory>.corrupt-<ms>`; `None` when there is none.
pub(crate) fn set_aside(directory: &Path, now_ms: i64) -> Result<Option<PathBuf>, StoreError> {
    let mut stamp = now_ms;
    let aside = loop {
        let mut name = directory.as_os_str().to_owned();
        name.push(format!(".corrupt-{stamp}"));
        let aside = PathBuf::from(name);
        if !aside.exists() {
            break aside;
        }
        stamp += 1;
    };
    match std::fs::rename(directory, &aside) {
        Ok(()) => Ok(Some(aside)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::storage(directory, "set aside", error)),
    }
}
