//! [`Nullable`]: what may be null.

use std::sync::Arc;

use super::{DefaultSerde, Serde, SerdeContext, SerdeError, SerdeRef};

/// Makes the serde of a type one of its `Option`: `None` is null.
///
/// ```
/// use stream_core::serdes::{Nullable, SerdeRef, Serdes};
///
/// let serde: SerdeRef<Option<String>> = Nullable::over(Serdes::string());
/// assert!(serde.is_null(&None));
/// ```
#[derive(Clone)]
pub struct Nullable<T>(SerdeRef<T>);

impl<T: 'static> Nullable<T> {
    /// The serde of `Option<T>`, over that of `T`.
    pub fn over(serde: SerdeRef<T>) -> SerdeRef<Option<T>> {
        Arc::new(Self(serde))
    }
}

impl<T: 'static> Serde<Option<T>> for Nullable<T> {
    fn serialize(&self, value: &Option<T>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        value.as_ref().map_or(Ok(()), |value| self.0.serialize(value, out, cx))
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Option<T>, SerdeError> {
        self.0.deserialize(bytes, cx).map(Some)
    }

    fn partitioning_bytes<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        self.0.partitioning_bytes(bytes)
    }

    fn is_null(&self, value: &Option<T>) -> bool {
        value.as_ref().is_none_or(|value| self.0.is_null(value))
    }

    fn deserialize_null(&self, _cx: &SerdeContext<'_>) -> Result<Option<T>, SerdeError> {
        Ok(None)
    }
}

impl<T: DefaultSerde> DefaultSerde for Option<T> {
    fn default_serde() -> SerdeRef<Self> {
        Nullable::over(T::default_serde())
    }
}

impl<T> std::fmt::Debug for Nullable<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nullable").finish_non_exhaustive()
    }
}
