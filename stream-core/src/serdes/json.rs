//! [`Json`]: any type of the crate `serde`, as JSON.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Serde, SerdeContext, SerdeError, SerdeRef};

/// Values as JSON in UTF-8, compact. Readable by everything; the fields are those of the type's `Serialize` and `Deserialize`.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use stream_core::serdes::{DefaultSerde, Json, SerdeRef};
///
/// #[derive(Serialize, Deserialize)]
/// struct Order {
///     id: u64,
///     item: String,
/// }
///
/// // From here on streams of orders need no serde to be named.
/// impl DefaultSerde for Order {
///     fn default_serde() -> SerdeRef<Self> {
///         Json::serde()
///     }
/// }
/// ```
pub struct Json<T>(PhantomData<fn() -> T>);

impl<T: Serialize + DeserializeOwned + 'static> Json<T> {
    /// The serde.
    pub fn serde() -> SerdeRef<T> {
        Arc::new(Self(PhantomData))
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Serde<T> for Json<T> {
    fn serialize(&self, value: &T, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        serde_json::to_writer(out, value)
            .map_err(|error| SerdeError::bad(format!("the {} cannot be written as JSON", cx.role.as_str())).with_source(error))
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<T, SerdeError> {
        serde_json::from_slice(bytes).map_err(|error| {
            let expected = std::any::type_name::<T>();
            SerdeError::bad(format!("the {} is not the JSON of a `{expected}`", cx.role.as_str())).with_source(error)
        })
    }
}

impl<T> std::fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Json")
    }
}
