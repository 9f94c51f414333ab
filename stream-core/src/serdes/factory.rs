//! [`Serdes`]: serdes by Kafka's names.

use std::sync::Arc;

use uuid::Uuid;

use super::{AlwaysNull, BigEndian, List, Nullable, OneByteBool, Raw, SerdeRef, Utf8, UuidText};

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

    /// Lists of entries of any length, as Kafka's `ListSerde` writes them over texts or bytes.
    ///
    /// ```
    /// use stream_core::serdes::{SerdeRef, Serdes};
    ///
    /// let words: SerdeRef<Vec<String>> = Serdes::list(Serdes::string());
    /// let numbers: SerdeRef<Vec<i64>> = Serdes::list_of_fixed_size(Serdes::long(), 8);
    /// # let _ = (words, numbers);
    /// ```
    pub fn list<T: 'static>(entries: SerdeRef<T>) -> SerdeRef<Vec<T>> {
        Arc::new(List::of(entries))
    }

    /// Lists of entries of `size` bytes each, as Kafka's `ListSerde` writes them over its serdes of numbers, and over UUIDs (36 bytes).
    pub fn list_of_fixed_size<T: 'static>(entries: SerdeRef<T>, size: usize) -> SerdeRef<Vec<T>> {
        Arc::new(List::of_fixed_size(entries, size))
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
