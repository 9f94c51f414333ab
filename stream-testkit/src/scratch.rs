//! [`ScratchDirectory`]: where persistent stores of a driver lie, if they are ever flushed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder that nobody else uses. It is made by the first store that writes to it, and removed with this value.
#[derive(Debug)]
pub(crate) struct ScratchDirectory(PathBuf);

impl ScratchDirectory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("stream-testkit-{}-{number}", std::process::id())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchDirectory {
    fn drop(&mut self) {
        // Usually nothing was ever flushed; what cannot be removed lies in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_by_who_writes_and_removed_in_the_end() {
        let (one, two) = (ScratchDirectory::new(), ScratchDirectory::new());
        assert_ne!(one.path(), two.path());
        assert!(!one.path().exists());
        std::fs::create_dir_all(one.path().join("0_0")).expect("a folder");
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists());
    }
}
