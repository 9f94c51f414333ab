//! [`TimeWindowedSerde`]: the bytes of windowed keys.

use std::sync::Arc;
use std::time::Duration;

use stream_core::serdes::{DefaultSerde, Serde, SerdeContext, SerdeError, SerdeRef};

use super::{TimeWindow, Windowed};

/// Windowed keys as Kafka Streams writes them: the key's bytes, then the window's start as 8 bytes, big-endian. The window's end is not
/// written: it follows from the size.
pub struct TimeWindowedSerde<K> {
    inner: SerdeRef<K>,
    size_ms: i64,
}

impl<K> TimeWindowedSerde<K> {
    /// Over the serde of the keys, for windows of this size.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_core::topology::Produced;
    /// use stream_dsl::{StreamsBuilder, TimeWindowedSerde, TimeWindows};
    /// let builder = StreamsBuilder::new();
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    /// let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count().to_stream().non_null_value();
    /// let keys = Arc::new(TimeWindowedSerde::new(Serdes::string(), Duration::from_millis(10)));
    /// counts.to_with("out", Produced::with(keys.clone(), Serdes::long()));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_input_at("ada".into(), "home".into(), 12)?;
    /// // Whoever reads the topic, in Java or here, must know the size: only the start is written.
    /// let output = driver.create_output_topic_with("out", keys, Serdes::long());
    /// let (key, count) = output.read_key_value()?;
    /// assert_eq!((key.window.start_ms(), key.window.end_ms(), count), (10, 20, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// All windows of a key lie in its partition (trap T100).
    fn partitioning_bytes<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.split_last_chunk::<8>().map_or(bytes, |(key, _)| self.inner.partitioning_bytes(key))
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

/// Writes any windowed key. What it reads has windows without an end, because the size is not in the bytes: to read, name a
/// [`TimeWindowedSerde`] with the size.
impl<K: DefaultSerde> DefaultSerde for Windowed<K> {
    fn default_serde() -> SerdeRef<Self> {
        Arc::new(TimeWindowedSerde { inner: K::default_serde(), size_ms: i64::MAX })
    }
}

impl<K> std::fmt::Debug for TimeWindowedSerde<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimeWindowedSerde").field("size_ms", &self.size_ms).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use stream_core::Headers;
    use stream_core::serdes::Role;

    use super::*;

    #[test]
    fn windowed_keys_have_kafkas_bytes_and_the_partition_of_their_key() {
        let (serde, headers) = (TimeWindowedSerde::new(String::default_serde(), Duration::from_millis(10)), Headers::new());
        let cx = SerdeContext { topic: "t", headers: &headers, role: Role::Key };
        let key = Windowed { key: "a".to_owned(), window: TimeWindow::new(20, 30) };
        let mut bytes = Vec::new();
        serde.serialize(&key, &mut bytes, &cx).expect("bytes");
        assert_eq!(bytes, [b'a', 0, 0, 0, 0, 0, 0, 0, 20]);
        assert_eq!(serde.deserialize(&bytes, &cx).expect("a key"), key);
        assert_eq!(serde.partitioning_bytes(&bytes), b"a");
        let unsized_windows = Windowed::<String>::default_serde().deserialize(&bytes, &cx).expect("a key");
        assert_eq!(unsized_windows.window.end_ms(), i64::MAX);
    }
}
