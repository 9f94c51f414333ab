//! [`Serdes`]: serdes by Kafka's names.

use std::sync::Arc;

use uuid::Uuid;

use super::{AlwaysNull, BigEndian, Nullable, OneByteBool, Raw, SerdeRef, Utf8, UuidText};

/// Serdes by the names that they have in Kafka's `Serdes`; their bytes are Java's.
///
/// ```
/// use stream_core::record::Headers;
/// use stream_core::serdes::{Role, SerdeContext, Serdes};
///
/// let cx = SerdeContext { topic: "counts", headers: &Headers::new(), role: Role::Value };
/// let mut bytes = Vec::new();
/// Serdes::long().serialize(&258, &mut bytes, &cx)?;
/// assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 1, 2]);
/// # Ok::<(), stream_core::serdes::SerdeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Serdes;

impl Serdes {
    /// Text in UTF-8.
    pub fn string() -> SerdeRef<String> {
        Arc::new(Utf8)
    }

    /// 16-bit integers.
    pub fn short() -> SerdeRef<i16> {
        Arc::new(BigEndian)
    }

    /// 32-bit integers.
    pub fn integer() -> SerdeRef<i32> {
        Arc::new(BigEndian)
    }

    /// 64-bit integers.
    pub fn long() -> SerdeRef<i64> {
        Arc::new(BigEndian)
    }

    /// 32-bit floating-point numbers.
    pub fn float() -> SerdeRef<f32> {
        Arc::new(BigEndian)
    }

    /// 64-bit floating-point numbers.
    pub fn double() -> SerdeRef<f64> {
        Arc::new(BigEndian)
    }

    /// Booleans.
    pub fn boolean() -> SerdeRef<bool> {
        Arc::new(OneByteBool)
    }

    /// Bytes as they are.
    pub fn byte_array() -> SerdeRef<Vec<u8>> {
        Arc::new(Raw)
    }

    /// UUIDs, as text.
    pub fn uuid() -> SerdeRef<Uuid> {
        Arc::new(UuidText)
    }

    /// Nothing: always null.
    pub fn void() -> SerdeRef<()> {
        Arc::new(AlwaysNull)
    }

    /// What may be null, over the serde of what is not.
    pub fn nullable<T: 'static>(serde: SerdeRef<T>) -> SerdeRef<Option<T>> {
        Nullable::over(serde)
    }

    /// JSON; see [`Json`](super::Json).
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + serde::de::DeserializeOwned + 'static>() -> SerdeRef<T> {
        super::Json::serde()
    }

    /// Bincode; see [`Bincode`](super::Bincode).
    #[cfg(feature = "bincode")]
    pub fn bincode<T: serde::Serialize + serde::de::DeserializeOwned + 'static>() -> SerdeRef<T> {
        super::Bincode::serde()
    }
}
