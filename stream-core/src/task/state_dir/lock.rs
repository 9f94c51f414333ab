//! The lock of a state directory: the operating system's, so that it ends with the process, however that ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::disk;
use crate::error::{Error, Result};

const FILE: &str = ".lock";

/// Held as long as it lives. The file stays: deleting it would let two processes lock two files of one name.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    file: File,
}

impl DirectoryLock {
    pub(super) fn take(directory: &Path) -> Result<Self> {
        let path = directory.join(FILE);
        let failed = |error| disk::error("the state directory could not be locked", &path, error);
        let mut file = match open(&path) {
            Err(error) if is_held(&error) => return Err(in_use(directory, &path)),
            opened => opened.map_err(failed)?,
        };
        if !lock(&file).map_err(failed)? {
            return Err(in_use(directory, &path));
        }
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { file })
    }
}

impl Drop for DirectoryLock {
    /// Unlocks, which frees the directory at once. To close the file alone would not: a child process that the program is just starting
    /// has a copy of it until its `exec`, and a lock ends with the last copy.
    fn drop(&mut self) {
        if let Err(error) = unlock(&self.file) {
            tracing::debug!(%error, "the state directory could not be unlocked; it is free when its file is closed");
        }
    }
}

fn in_use(directory: &Path, path: &Path) -> Error {
    let mut holder = String::new();
    // Between taking the lock and writing its pid, the other process has nothing to show.
    let pid = File::open(path).and_then(|mut file| file.read_to_string(&mut holder)).ok().and_then(|_| holder.trim().parse::<u32>().ok());
    let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("the process with pid {pid}"));
    Error::invalid(format!(
        "the state directory {} is in use by {who}; stop that process, or give this one a `state.dir` of its own",
        directory.display()
    ))
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// `false`: another process, or another handle of this one, has it.
#[cfg(unix)]
fn lock(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(unix)]
fn unlock(file: &File) -> io::Result<()> {
    Ok(rustix::fs::flock(file, rustix::fs::FlockOperation::Unlock)?)
}

#[cfg(unix)]
fn is_held(_error: &io::Error) -> bool {
    false
}

/// On Windows an open file is the lock: others may read it meanwhile, but not open it to write.
#[cfg(windows)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_SHARE_READ: u32 = 1;
    OpenOptions::new().read(true).write(true).create(true).truncate(false).share_mode(FILE_SHARE_READ).open(path)
}

#[cfg(windows)]
fn lock(_file: &File) -> io::Result<bool> {
    Ok(true)
}

#[cfg(windows)]
fn unlock(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(windows)]
fn is_held(error: &io::Error) -> bool {
    const ERROR_SHARING_VIOLATION: i32 = 32;
    error.raw_os_error() == Some(ERROR_SHARING_VIOLATION)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_was_given_up_is_free_although_a_child_process_still_has_a_copy_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let held = DirectoryLock::take(directory.path()).unwrap();
        // What a child has between fork and exec.
        let copy = held.file.try_clone().unwrap();
        assert!(DirectoryLock::take(directory.path()).is_err());
        drop(held);
        #[cfg(unix)]
        DirectoryLock::take(directory.path()).unwrap();
        drop(copy);
    }
}
