//! A store of one task: layers, their owner, and the views that the runtime and the typed stores have of them.

mod account;
mod attached;
mod builder;
mod detached;
#[cfg(feature = "fault-injection")]
mod fault;
mod layers_cell;
mod open;
mod scan;
mod segmented;
mod shared;
mod typed;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use account::Account;
pub(crate) use attached::{AttachedStore, HandleFactory};
pub(crate) use builder::sealed;
pub use builder::{BytesStoreSupplier, StoreBuilder};
pub(crate) use detached::Detached;
use layers_cell::LayersCell;
pub(crate) use open::{StoreDescription, StoreOptions, open};
pub(crate) use scan::{RowScan, Rows};
pub(crate) use segmented::{KeyBounds, Segmented, bytes_of, contains};
use stream_core::serdes::{Role, SerdeContext};
use stream_core::store::{CurrentRecord, StoreAccess, StoreOwner};
use stream_core::{Error, Headers, Result};
pub(crate) use typed::Typed;

use crate::bytes::{ByteRange, Row};
use crate::error::StoreError;
use crate::layer::{ByteChange, Layers, Writer};

/// Serdes of stores see no headers, as in Java.
static NO_HEADERS: Headers = Headers::new();

/// A row that a scan gave, for typed iterators.
pub(crate) type ScannedRow = Result<Row>;

/// A store in the hands of its owner. All methods borrow the layers for a moment; no user code runs within.
pub(crate) struct LayeredStore {
    description: Arc<StoreDescription>,
    layers: LayersCell,
    current: Rc<CurrentRecord>,
    /// Whoever writes pays for the memory.
    account: Option<Account>,
    key_buffer: Cell<Vec<u8>>,
    value_buffer: Cell<Vec<u8>>,
}

impl LayeredStore {
    pub(crate) fn new(description: Arc<StoreDescription>, layers: Layers, owner: &StoreOwner) -> Self {
        let store = Self {
            description,
            layers: LayersCell::Own(RefCell::new(layers)),
            current: Rc::clone(&owner.current),
            account: Some(Account::new(Rc::clone(&owner.memory))),
            key_buffer: Cell::default(),
            value_buffer: Cell::default(),
        };
        store.with(|_| ());
        store
    }

    /// A view of a store that other threads have, too.
    fn shared(description: Arc<StoreDescription>, layers: Arc<Mutex<Layers>>, owner: &StoreOwner, access: StoreAccess) -> Self {
        let store = Self {
            description,
            layers: LayersCell::Shared(layers),
            current: Rc::clone(&owner.current),
            account: (access == StoreAccess::Write).then(|| Account::new(Rc::clone(&owner.memory))),
            key_buffer: Cell::default(),
            value_buffer: Cell::default(),
        };
        store.with(|_| ());
        store
    }

    pub(crate) fn name(&self) -> &str {
        &self.description.name
    }

    /// Runs `f` on the layers, then tells the owner what they take.
    #[inline]
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Layers) -> T) -> T {
        let (result, bytes, held_back) = self.layers.with(|layers| {
            let result = f(layers);
            (result, layers.bytes(), layers.held_back())
        });
        if let Some(account) = &self.account {
            account.set(bytes, held_back);
        }
        result
    }

    /// The value of a key, written into `value`; false when there is no row.
    #[inline]
    pub(crate) fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.with(|layers| {
            let found = layers.get(key, value)?;
            if found {
                layers.used(key);
            }
            Ok(found)
        })
        .map_err(|error| self.error(error))
    }

    /// Writes a row, or deletes it, in the name of the record that is being processed.
    #[inline]
    pub(crate) fn put(&self, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        self.put_at(key, value, self.current.timestamp())
    }

    /// As [`put`](Self::put), with a timestamp (ms) of the row's own in the changelog.
    #[inline]
    pub(crate) fn put_at(&self, key: &[u8], value: Option<&[u8]>, written_at: i64) -> Result<()> {
        let current = &self.current;
        if self.account.is_none() {
            return Err(self.error(StoreError::ReadOnly));
        }
        self.with(|layers| {
            layers.make_room(key, value.is_none(), written_at)?;
            layers.put(key, value, written_at)?;
            if layers.keeps_writers() {
                layers.written_by(Writer { headers: current.headers(), metadata: current.metadata() });
            }
            Ok(())
        })
        .map_err(|error| self.error(error))
    }

    pub(crate) fn scan(self: &Rc<Self>, ranges: impl IntoIterator<Item = ByteRange>, reverse: bool) -> RowScan {
        if self.layers.is_shared() {
            // The writer does not wait for readers, so a scan of a shared store is read as a whole, in one step.
            let rows = self.with(|layers| {
                let mut scan = layers.open_scan(ranges, reverse);
                let rows: Vec<_> = std::iter::from_fn(|| layers.advance(&mut scan).transpose()).collect();
                layers.close_scan(&scan);
                rows
            });
            return RowScan::read(Rc::clone(self), rows);
        }
        RowScan::new(Rc::clone(self), self.with(|layers| layers.open_scan(ranges, reverse)))
    }

    /// The next change of a cached table that no drain has taken.
    pub(crate) fn next_change(&self) -> Result<Option<ByteChange>> {
        self.with(Layers::next_change).map_err(|error| self.error(error))
    }

    /// Counts a row that the store leaves out.
    pub(crate) fn drop_row(&self) {
        self.current.drop_row();
    }

    pub(crate) fn is_caching(&self) -> bool {
        self.layers.with(|layers| layers.caching())
    }

    /// What serdes of this store are told.
    #[inline]
    pub(crate) fn serde_context(&self, role: Role) -> SerdeContext<'_> {
        SerdeContext { topic: &self.description.changelog_topic, headers: &NO_HEADERS, role }
    }

    /// Runs `f` with the emptied key buffer. A call within a call gets a new one.
    #[inline]
    pub(crate) fn with_key_buffer<T>(&self, f: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        with_buffer(&self.key_buffer, f)
    }

    /// As [`with_key_buffer`](Self::with_key_buffer), for values.
    #[inline]
    pub(crate) fn with_value_buffer<T>(&self, f: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        with_buffer(&self.value_buffer, f)
    }

    #[cold]
    pub(crate) fn error(&self, error: StoreError) -> Error {
        error.of(self.name())
    }
}

#[inline]
fn with_buffer<T>(buffer: &Cell<Vec<u8>>, f: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut bytes = buffer.take();
    bytes.clear();
    let result = f(&mut bytes);
    buffer.set(bytes);
    result
}
