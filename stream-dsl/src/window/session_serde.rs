//! [`SessionWindowedSerde`]: the bytes of keys with sessions.

use stream_core::serdes::{Serde, SerdeContext, SerdeError, SerdeRef};

use super::{TimeWindow, Windowed};

/// Keys with sessions as Kafka Streams writes them: the key's bytes, then the session's end and start as 8 bytes each, big-endian.
pub struct SessionWindowedSerde<K> {
    inner: SerdeRef<K>,
}

impl<K> SessionWindowedSerde<K> {
    /// Over the serde of the keys.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use stream_core::serdes::Serdes;
    /// use stream_core::topology::Produced;
    /// use stream_dsl::{SessionWindowedSerde, SessionWindows, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10));
    /// let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(visits).count().to_stream().non_null_value();
    /// // The default serde of `Windowed` writes a start alone, which is not enough for a session: name this one.
    /// let keys = Arc::new(SessionWindowedSerde::new(Serdes::string()));
    /// counts.to_with("out", Produced::with(keys.clone(), Serdes::long()));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, String>("in");
    /// input.pipe_input_at("ada".into(), "home".into(), 12)?;
    /// let (key, count) = driver.create_output_topic_with("out", keys, Serdes::long()).read_key_value()?;
    /// assert_eq!((key.window.start_ms(), key.window.end_ms(), count), (12, 12, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(inner: SerdeRef<K>) -> Self {
        Self { inner }
    }
}

impl<K: 'static> Serde<Windowed<K>> for SessionWindowedSerde<K> {
    fn serialize(&self, value: &Windowed<K>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        self.inner.serialize(&value.key, out, cx)?;
        out.extend_from_slice(&value.window.end_ms().to_be_bytes());
        out.extend_from_slice(&value.window.start_ms().to_be_bytes());
        Ok(())
    }

    /// All sessions of a key lie in its partition (trap T100).
    fn partitioning_bytes<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.split_last_chunk::<16>().map_or(bytes, |(key, _)| self.inner.partitioning_bytes(key))
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Windowed<K>, SerdeError> {
        let parts = bytes.split_last_chunk::<8>().and_then(|(rest, start)| Some((rest.split_last_chunk::<8>()?, start)));
        match parts {
            Some(((key, end), start)) => {
                let window = TimeWindow::new(i64::from_be_bytes(*start), i64::from_be_bytes(*end));
                Ok(Windowed { key: self.inner.deserialize(key, cx)?, window })
            }
            None => Err(SerdeError::bad(format!("a key with a session has at least 16 bytes, this one has {}", bytes.len()))),
        }
    }
}

impl<K> std::fmt::Debug for SessionWindowedSerde<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionWindowedSerde").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use stream_core::Headers;
    use stream_core::serdes::{Role, Serdes};

    use super::*;

    #[test]
    fn keys_with_sessions_have_kafkas_bytes_and_the_partition_of_their_key() {
        let (serde, headers) = (SessionWindowedSerde::new(Serdes::string()), Headers::new());
        let cx = SerdeContext { topic: "t", headers: &headers, role: Role::Key };
        let key = Windowed { key: "a".to_owned(), window: TimeWindow::new(20, 30) };
        let mut bytes = Vec::new();
        serde.serialize(&key, &mut bytes, &cx).expect("bytes");
        assert_eq!(bytes, [b'a', 0, 0, 0, 0, 0, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 20]);
        assert_eq!(serde.deserialize(&bytes, &cx).expect("a key"), key);
        assert_eq!(serde.partitioning_bytes(&bytes), b"a");
        assert!(serde.deserialize(&bytes[2..], &cx).is_err());
    }
}
