//! Text, bytes, UUIDs, and nothing.

use std::sync::Arc;

use uuid::Uuid;

use super::{DefaultSerde, Serde, SerdeContext, SerdeError, SerdeRef};

/// Text as UTF-8, as Java's `String`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8;

macro_rules! utf8 {
    ($($text:ty),*) => {$(
        impl Serde<$text> for Utf8 {
            fn serialize(&self, value: &$text, out: &mut Vec<u8>, _cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
                out.extend_from_slice(value.as_bytes());
                Ok(())
            }

            fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<$text, SerdeError> {
                utf8(bytes, cx).map(<$text>::from)
            }
        }

        impl DefaultSerde for $text {
            fn default_serde() -> SerdeRef<Self> {
                Arc::new(Utf8)
            }
        }
    )*};
}

utf8!(String, Box<str>, Arc<str>);

/// Bytes as they are, as Java's `byte[]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl Serde<Vec<u8>> for Raw {
    fn serialize(&self, value: &Vec<u8>, out: &mut Vec<u8>, _cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], _cx: &SerdeContext<'_>) -> Result<Vec<u8>, SerdeError> {
        Ok(bytes.to_vec())
    }
}

impl DefaultSerde for Vec<u8> {
    fn default_serde() -> SerdeRef<Self> {
        Arc::new(Raw)
    }
}

/// UUIDs as their 36 characters, as Java's `UUID`: not as 16 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct UuidText;

impl Serde<Uuid> for UuidText {
    fn serialize(&self, value: &Uuid, out: &mut Vec<u8>, _cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.extend_from_slice(value.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Uuid, SerdeError> {
        let text = utf8(bytes, cx)?;
        Uuid::try_parse(text)
            .map_err(|error| SerdeError::bad(format!("the {} is not a UUID in text form", cx.role.as_str())).with_source(error))
    }
}

impl DefaultSerde for Uuid {
    fn default_serde() -> SerdeRef<Self> {
        Arc::new(UuidText)
    }
}

/// Nothing: always null, as Java's `Void`. For topics without keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysNull;

impl Serde<()> for AlwaysNull {
    fn serialize(&self, (): &(), _out: &mut Vec<u8>, _cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        Err(SerdeError::bad(format!("the {} has {} bytes, but `()` is always null", cx.role.as_str(), bytes.len())))
    }

    fn is_null(&self, (): &()) -> bool {
        true
    }

    fn deserialize_null(&self, _cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        Ok(())
    }
}

impl DefaultSerde for () {
    fn default_serde() -> SerdeRef<Self> {
        Arc::new(AlwaysNull)
    }
}

fn utf8<'a>(bytes: &'a [u8], cx: &SerdeContext<'_>) -> Result<&'a str, SerdeError> {
    std::str::from_utf8(bytes).map_err(|error| SerdeError::bad(format!("the {} is not text in UTF-8", cx.role.as_str())).with_source(error))
}
