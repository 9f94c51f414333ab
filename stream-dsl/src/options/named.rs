//! [`Named`].

/// The name of a processor in the topology. Mirrors Kafka Streams' `Named`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    name: Option<String>,
}

impl Named {
    /// This name in place of a generated one.
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
