//! Numbers and booleans, in the bytes of Kafka's own serdes: big endian, fixed length.

use std::sync::Arc;

use super::{DefaultSerde, Serde, SerdeContext, SerdeError, SerdeRef};

/// Numbers as fixed-length big-endian bytes. `i16`, `i32`, `i64`, `f32` and `f64` are Java's `Short`, `Integer`, `Long`, `Float` and
/// `Double`; the others follow the same rule and have no counterpart in Java.
#[derive(Clone, Copy, Debug, Default)]
pub struct BigEndian;

macro_rules! big_endian {
    ($($number:ty),*) => {$(
        impl Serde<$number> for BigEndian {
            fn serialize(&self, value: &$number, out: &mut Vec<u8>, _cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
                out.extend_from_slice(&value.to_be_bytes());
                Ok(())
            }

            fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<$number, SerdeError> {
                fixed(bytes, stringify!($number), cx).map(<$number>::from_be_bytes)
            }
        }

        impl DefaultSerde for $number {
            fn default_serde() -> SerdeRef<Self> {
                Arc::new(BigEndian)
            }
        }
    )*};
}

big_endian!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64);

/// Booleans as one byte, 0 or 1, as Java's `Boolean`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneByteBool;

impl Serde<bool> for OneByteBool {
    fn serialize(&self, value: &bool, out: &mut Vec<u8>, _cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.push(u8::from(*value));
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<bool, SerdeError> {
        match fixed::<1>(bytes, "bool", cx)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(SerdeError::bad(format!("the {} is the byte {other}, but a boolean is 0 or 1", cx.role.as_str()))),
        }
    }
}

impl DefaultSerde for bool {
    fn default_serde() -> SerdeRef<Self> {
        Arc::new(OneByteBool)
    }
}

/// The bytes of a value whose length is fixed.
fn fixed<const N: usize>(bytes: &[u8], kind: &str, cx: &SerdeContext<'_>) -> Result<[u8; N], SerdeError> {
    bytes.try_into().map_err(|_| SerdeError::bad(format!("the {} has {} bytes, but `{kind}` has {N}", cx.role.as_str(), bytes.len())))
}
