//! [`StoreError`]: what can go wrong below a typed store, and the one place where it becomes an [`Error`].

use std::path::{Path, PathBuf};

use stream_core::serdes::{Role, SerdeError};
use stream_core::{BoxError, Error, ErrorKind};

/// An error of a store, without the store's name.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// A serde cannot write or read a key or value.
    Serde { role: Role, source: SerdeError },
    /// The key is null.
    NullKey,
    /// A window starts before the epoch.
    NegativeStart { start: i64 },
    /// The disk failed, is full, or may not be read.
    Storage { path: PathBuf, action: &'static str, source: BoxError },
    /// What is on disk is not what was written.
    #[cfg_attr(not(feature = "rocksdb"), expect(dead_code, reason = "only files can be so"))]
    Corrupted { path: PathBuf, source: BoxError },
    /// The directory was written by a later release.
    #[cfg_attr(not(feature = "rocksdb"), expect(dead_code, reason = "only files can be so"))]
    NewerFormat { path: PathBuf, found: u32, known: u32 },
    /// A record of the changelog cannot belong to this store.
    ForeignRecord { reason: String },
    /// A global store was written by somebody else than its own processor.
    ReadOnly,
    /// An iterator was used after the call in which it was opened.
    StaleIterator,
}

impl StoreError {
    #[cfg_attr(not(feature = "rocksdb"), expect(dead_code, reason = "only stores on disk fail so"))]
    pub(crate) fn storage(path: &Path, action: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Storage { path: path.to_owned(), action, source: source.into() }
    }

    pub(crate) fn serde(role: Role) -> impl Fn(SerdeError) -> Self {
        move |source| Self::Serde { role, source }
    }

    /// The error as the runtime and processors see it.
    #[cold]
    pub(crate) fn of(self, store: &str) -> Error {
        let error = match self {
            Self::Serde { role, source } => Error::user(
                match role {
                    Role::Key => "the key serde failed",
                    Role::Value => "the value serde failed",
                },
                source,
            ),
            Self::NullKey => Error::invalid("the key is null; a store holds no null keys, filter them before"),
            Self::NegativeStart { start } => {
                Error::invalid(format!("a window starts at {start} ms, before the epoch; check the timestamps of the records"))
            }
            Self::Storage { path, action, source } => Error::storage(format!(
                "cannot {action} {}; nothing committed is lost: make room or repair the disk, then start again",
                path.display()
            ))
            .with_source(source),
            Self::Corrupted { path, source } => Error::new(
                ErrorKind::Corrupted,
                format!("the files in {} are damaged; the store is to be rebuilt from its changelog", path.display()),
            )
            .with_source(source),
            Self::NewerFormat { path, found, known } => Error::invalid(format!(
                "{} has format {found}, but this release knows formats up to {known}; run the release that wrote it, or move the directory away to rebuild the store from its changelog",
                path.display()
            )),
            Self::ForeignRecord { reason } => Error::invalid(format!(
                "a changelog record cannot belong to this store: {reason}; the changelog topic may have been written by another store"
            )),
            Self::ReadOnly => Error::invalid("a global store is written by its own processor only; write to its topic instead"),
            Self::StaleIterator => {
                Error::invalid("an iterator outlived the call of the processor in which it was opened; open a new one in each call")
            }
        };
        error.at(format_args!("store {store}"))
    }
}
