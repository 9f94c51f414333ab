//! [`StoreSupplier`].

use stream_state::{KeyValueBytesStoreSupplier, SessionBytesStoreSupplier, VersionedBytesStoreSupplier, WindowBytesStoreSupplier};

/// A store that a program gives to a table, with [`Materialized::supplied`](super::Materialized::supplied).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreSupplier {
    /// For tables without windows.
    KeyValue(KeyValueBytesStoreSupplier),
    /// For tables without windows whose rows keep their history.
    Versioned(VersionedBytesStoreSupplier),
    /// For aggregations over windows of time.
    Window(WindowBytesStoreSupplier),
    /// For aggregations over sessions.
    Session(SessionBytesStoreSupplier),
}

impl StoreSupplier {
    /// The store's name.
    ///
    /// ```
    /// use stream_dsl::StoreSupplier;
    /// use stream_state::Stores;
    ///
    /// let supplier: StoreSupplier = Stores::lru_map("latest", 1_000).into();
    /// assert_eq!(supplier.name(), "latest");
    /// ```
    pub fn name(&self) -> &str {
        match self {
            Self::KeyValue(supplier) => supplier.name(),
            Self::Versioned(supplier) => supplier.name(),
            Self::Window(supplier) => supplier.name(),
            Self::Session(supplier) => supplier.name(),
        }
    }
}

impl From<KeyValueBytesStoreSupplier> for StoreSupplier {
    fn from(supplier: KeyValueBytesStoreSupplier) -> Self {
        Self::KeyValue(supplier)
    }
}

impl From<VersionedBytesStoreSupplier> for StoreSupplier {
    fn from(supplier: VersionedBytesStoreSupplier) -> Self {
        Self::Versioned(supplier)
    }
}

impl From<WindowBytesStoreSupplier> for StoreSupplier {
    fn from(supplier: WindowBytesStoreSupplier) -> Self {
        Self::Window(supplier)
    }
}

impl From<SessionBytesStoreSupplier> for StoreSupplier {
    fn from(supplier: SessionBytesStoreSupplier) -> Self {
        Self::Session(supplier)
    }
}
