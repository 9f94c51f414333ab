//! [`TimeWindowedSerde`]: the bytes of windowed keys.

use std::time::Duration;

use stream_core::serdes::{Serde, SerdeContext, SerdeError, SerdeRef};

use super::{TimeWindow, Windowed};

/// Windowed keys as Kafka Streams writes them: the key's bytes, then the window's start as 8 bytes, big-endian. The window's end is not
/// written: it follows from the size.
pub struct TimeWindowedSerde<K> {
    inner: SerdeRef<K>,
    size_ms: i64,
}

impl<K> TimeWindowedSerde<K> {
    /// Over the serde of the keys, for windows of this size.
    pub fn new(inner: SerdeRef<K>, window_size: Duration) -> Self {
        Self { inner, size_ms: i64::try_from(window_size.as_millis()).unwrap_or(i64::MAX) }
    }
}

impl<K: 'static> Serde<Windowed<K>> for TimeWindowedSerde<K> {
    fn serialize(&self, value: &Windowed<K>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        self.inner.serialize(&value.key, out, cx)?;
        out.extend_from_slice(&value.window.start_ms().to_be_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Windowed<K>, SerdeError> {
        match bytes.split_last_chunk::<8>() {
            Some((key, start)) => {
                let start = i64::from_be_bytes(*start);
                let window = TimeWindow::new(start, start.saturating_add(self.size_ms));
                Ok(Windowed { key: self.inner.deserialize(key, cx)?, window })
            }
            None => Err(SerdeError::bad(format!("a windowed key has at least 8 bytes, this one has {}", bytes.len()))),
        }
    }
}

impl<K> std::fmt::Debug for TimeWindowedSerde<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimeWindowedSerde").field("size_ms", &self.size_ms).finish_non_exhaustive()
    }
}
