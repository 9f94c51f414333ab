//! [`Bincode`]: any type of the crate `serde`, in a compact binary form.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Serde, SerdeContext, SerdeError, SerdeRef};

/// No value may claim more than this, whatever lengths its bytes contain: 64 MiB.
const LIMIT: usize = 64 << 20;

/// Values in bincode 2 with its standard configuration: little endian, integers of variable length, enum variants by number, no field
/// names. Compact and quick, but readable by Rust programs only, and only with the same type: a field that is added, removed or moved
/// makes old bytes unreadable or, worse, readable as something else. Use it for state and internal topics of one program.
///
/// ```
/// use stream_core::serdes::{Bincode, SerdeRef};
///
/// let serde: SerdeRef<(u32, String)> = Bincode::serde();
/// ```
pub struct Bincode<T>(PhantomData<fn() -> T>);

impl<T: Serialize + DeserializeOwned + 'static> Bincode<T> {
    /// The serde.
    pub fn serde() -> SerdeRef<T> {
        Arc::new(Self(PhantomData))
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Serde<T> for Bincode<T> {
    fn serialize(&self, value: &T, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        bincode::serde::encode_into_std_write(value, out, bincode::config::standard())
            .map(drop)
            .map_err(|error| SerdeError::bad(format!("the {} cannot be written by bincode", cx.role.as_str())).with_source(error))
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<T, SerdeError> {
        let expected = std::any::type_name::<T>();
        let (value, read) = bincode::serde::decode_from_slice(bytes, bincode::config::standard().with_limit::<LIMIT>())
            .map_err(|error| SerdeError::bad(format!("the {} is not a `{expected}` in bincode", cx.role.as_str())).with_source(error))?;
        if read != bytes.len() {
            let (role, rest) = (cx.role.as_str(), bytes.len() - read);
            return Err(SerdeError::bad(format!(
                "the {role} is a `{expected}` in bincode with {rest} bytes behind it: another type or version"
            )));
        }
        Ok(value)
    }
}

impl<T> std::fmt::Debug for Bincode<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bincode")
    }
}
