//! [`MaybeNull`].

use stream_core::serdes::{Nullable, SerdeRef};

/// `T` itself, which is never null, or `Option<T>`, which may be: what operators take that accept both.
///
/// A left join with a table, for example, joins a record without a key with `None`, and takes a stream keyed by `String` as well as
/// one keyed by `Option<String>`. The trait is implemented for these two and for nothing else.
pub trait MaybeNull<T>: Clone + 'static {
    /// The value, unless it is null.
    fn into_option(self) -> Option<T>;

    /// A look at the value, unless it is null.
    fn as_option(&self) -> Option<&T>;

    /// The same as this type; `None` where null has no place in it.
    fn from_option(value: Option<T>) -> Option<Self>;

    /// The serde of this type, over that of `T`.
    fn serde_over(serde: SerdeRef<T>) -> SerdeRef<Self>;
}

impl<T: Clone + 'static> MaybeNull<T> for T {
    fn into_option(self) -> Option<T> {
        Some(self)
    }

    fn as_option(&self) -> Option<&T> {
        Some(self)
    }

    fn from_option(value: Option<T>) -> Option<Self> {
        value
    }

    fn serde_over(serde: SerdeRef<T>) -> SerdeRef<Self> {
        serde
    }
}

impl<T: Clone + 'static> MaybeNull<T> for Option<T> {
    fn into_option(self) -> Option<T> {
        self
    }

    fn as_option(&self) -> Option<&T> {
        self.as_ref()
    }

    fn from_option(value: Self) -> Option<Self> {
        Some(value)
    }

    fn serde_over(serde: SerdeRef<T>) -> SerdeRef<Self> {
        Nullable::over(serde)
    }
}
