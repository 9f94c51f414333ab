//! [`StoreSupplier`].

use stream_state::{SessionBytesStoreSupplier, WindowBytesStoreSupplier};

/// A store that a program gives to a table, with [`Materialized::supplied`](super::Materialized::supplied).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreSupplier {
    /// For aggregations over windows of time.
    Window(WindowBytesStoreSupplier),
    /// For aggregations over sessions.
    Session(SessionBytesStoreSupplier),
}

impl StoreSupplier {
    /// The store's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Window(supplier) => supplier.name(),
            Self::Session(supplier) => supplier.name(),
        }
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
