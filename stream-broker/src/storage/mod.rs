//! Files, as the logs need them.
//!
//! The core decides what is written where; a [`Storage`] does it. In a running broker that is [`Directory`]; in tests it is a
//! simulated one that can forget what was not made durable, cut a write short, or be full.
//!
//! What a `write` has returned from survives the end of the process, but not a loss of power: that takes a `sync`. All paths
//! are relative to the root of the storage.

mod directory;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use directory::Directory;

/// Room on the device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) total: u64,
    pub(crate) usable: u64,
}

/// A folder of files. An operation that fails has changed nothing, except that a failed `write` may have left a part of its
/// bytes behind the position that it was given.
pub(crate) trait Storage: Debug + Send + Sync {
    /// The folder, as an administrator names it.
    fn root(&self) -> &Path;

    /// Names of the files and folders in a folder; none if it does not exist.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// The size of a file; `None` if it does not exist.
    fn size(&self, file: &Path) -> io::Result<Option<u64>>;

    /// Fills the buffer with the bytes from `position` on.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before.
    fn read(&self, file: &Path, position: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes at `position`. The file and its folder come into being if need be.
    fn write(&self, file: &Path, position: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file to `size` bytes.
    fn truncate(&self, file: &Path, size: u64) -> io::Result<()>;

    /// Replaces the whole content of a file, durably: after a crash it has the old or the new one.
    fn replace(&self, file: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Gives a file another name, over one that may exist, or a folder one that is free.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Deletes a file; none there is no error.
    fn delete(&self, file: &Path) -> io::Result<()>;

    /// Deletes a folder with all that is in it; none there is no error.
    fn delete_folder(&self, folder: &Path) -> io::Result<()>;

    /// Makes a file and its name durable.
    fn sync(&self, file: &Path) -> io::Result<()>;

    /// Room on the device.
    fn space(&self) -> io::Result<Space>;

    /// The whole content of a file; `None` if it does not exist.
    fn read_all(&self, file: &Path) -> io::Result<Option<Vec<u8>>> {
        let Some(size) = self.size(file)? else {
            return Ok(None);
        };
        let size = usize::try_from(size).map_err(io::Error::other)?;
        let mut content = vec![0; size];
        self.read(file, 0, &mut content)?;
        Ok(Some(content))
    }
}

/// Adds what was tried, and on which file, to what the operating system says.
pub(crate) fn explain<'a>(action: &'a str, file: &'a Path) -> impl FnOnce(io::Error) -> io::Error + 'a {
    move |error| io::Error::new(error.kind(), format!("cannot {action} {}: {error}", file.display()))
}

/// The folder of a file.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    file.parent().map(Path::to_path_buf).unwrap_or_default()
}
