//! [`Named`].

/// The name of a processor in the topology. Mirrors Kafka Streams' `Named`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    name: Option<String>,
}

impl Named {
    /// This name in place of a generated one.
    ///
    /// ```
    /// use stream_dsl::{Named, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("amounts").filter_named(|_, amount| *amount != 0, Named::new("no-zeros"));
    /// // A string does, too.
    /// builder.stream::<String, i64>("counts").filter_named(|_, count| *count != 0, "no-counts-of-zero".into());
    /// let text = builder.build()?.describe().to_string();
    /// assert!(text.contains("Processor: no-zeros ") && text.contains("Processor: no-counts-of-zero "));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()) }
    }

    pub(crate) fn get(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl From<&str> for Named {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}
