//! Serdes: how keys and values become bytes and back.
//!
//! A [`Serde`] of a type that is not an `Option` never sees null: a null key or value is then a bad record, and the
//! deserialization handler decides. `Option<T>` is the type of what may be null.

#[cfg(feature = "bincode")]
mod bincode;
mod factory;
#[cfg(feature = "json")]
mod json;
mod list;
mod nullable;
mod number;
mod text;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
pub use factory::Serdes;
#[cfg(feature = "json")]
pub use json::Json;
pub use list::List;
pub use nullable::Nullable;
pub use number::{BigEndian, OneByteBool};
pub use text::{AlwaysNull, Raw, Utf8, UuidText};

use crate::error::BoxError;
use crate::record::Headers;

/// Whether a serde serves keys or values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The key of a record.
    Key,
    /// The value of a record.
    Value,
}

impl Role {
    /// `key` or `value`, for error texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
        }
    }
}

/// What a serde is told about the record.
#[derive(Clone, Copy, Debug)]
pub struct SerdeContext<'a> {
    /// The topic that the bytes come from or go to (for a store: its changelog topic).
    pub topic: &'a str,
    /// The record's headers.
    pub headers: &'a Headers,
    /// Key or value.
    pub role: Role,
}

/// Why bytes could not be read or a value not be written.
#[derive(Debug)]
pub struct SerdeError {
    message: String,
    retriable: bool,
    source: Option<BoxError>,
}

impl SerdeError {
    /// The record is bad and will stay bad: the handler decides.
    pub fn bad(message: impl Into<String>) -> Self {
        Self { message: message.into(), retriable: false, source: None }
    }

    /// Not now: something that the serde needs is away. The partition is paused and the record kept.
    pub fn not_now(message: impl Into<String>) -> Self {
        Self { message: message.into(), retriable: true, source: None }
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the same bytes may be readable later.
    pub fn is_retriable(&self) -> bool {
        self.retriable
    }
}

impl fmt::Display for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SerdeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Writes values of one type as bytes and reads them back: `deserialize(serialize(x)) == x`.
///
/// Mirrors Kafka's `Serde` with its `Serializer` and `Deserializer`.
pub trait Serde<T>: Send + Sync + 'static {
    /// Appends the bytes of `value` to `out`.
    ///
    /// # Errors
    /// When the value has no representation; the production handler decides.
    fn serialize(&self, value: &T, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError>;

    /// Reads a value.
    ///
    /// # Errors
    /// When the bytes are not those of a `T`; the deserialization handler decides.
    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<T, SerdeError>;

    /// The part of a key's bytes that the default partitioner hashes: all of them, except for windowed keys, whose windows go where
    /// their key goes.
    fn partitioning_bytes<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes
    }

    /// Whether `value` is written as null. [`serialize`](Self::serialize) is not called for it.
    fn is_null(&self, _value: &T) -> bool {
        false
    }

    /// What null reads as.
    ///
    /// # Errors
    /// By default null is a bad record: the type says that it cannot be.
    fn deserialize_null(&self, cx: &SerdeContext<'_>) -> Result<T, SerdeError> {
        Err(SerdeError::bad(format!(
            "the {} is null, but type `{}` holds no null; read it as `Option<_>` if it may be null",
            cx.role.as_str(),
            std::any::type_name::<T>()
        )))
    }
}

/// A serde shared by the nodes and stores that use it.
pub type SerdeRef<T> = Arc<dyn Serde<T>>;

/// Types that have a serde by default, so that a program need not name one.
pub trait DefaultSerde: Sized + 'static {
    /// The serde.
    fn default_serde() -> SerdeRef<Self>;
}

/// Reads `bytes`, which may be null.
///
/// # Errors
/// As [`Serde::deserialize`] and [`Serde::deserialize_null`].
pub fn deserialize<T: 'static>(serde: &dyn Serde<T>, bytes: Option<&[u8]>, cx: &SerdeContext<'_>) -> Result<T, SerdeError> {
    match bytes {
        Some(bytes) => serde.deserialize(bytes, cx),
        None => serde.deserialize_null(cx),
    }
}

/// Writes `value` into the emptied `buffer`; `None` when it is null.
///
/// # Errors
/// As [`Serde::serialize`].
pub fn serialize<'b, T: 'static>(
    serde: &dyn Serde<T>,
    value: &T,
    buffer: &'b mut Vec<u8>,
    cx: &SerdeContext<'_>,
) -> Result<Option<&'b [u8]>, SerdeError> {
    buffer.clear();
    if serde.is_null(value) {
        return Ok(None);
    }
    serde.serialize(value, buffer, cx)?;
    Ok(Some(buffer))
}

#[cfg(test)]
mod tests;
