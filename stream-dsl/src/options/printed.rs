//! [`Printed`].

use std::path::PathBuf;
use std::sync::Arc;

/// Makes a line of a record.
pub(crate) type Line<K, V> = Arc<dyn Fn(&K, &V) -> String + Send + Sync>;

/// Where lines go.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    StdOut,
    File(PathBuf),
}

/// How a stream is printed: where to, under which label, in which form. Mirrors Kafka Streams' `Printed`.
pub struct Printed<K, V> {
    pub(crate) target: Target,
    pub(crate) label: Option<String>,
    pub(crate) line: Option<Line<K, V>>,
    pub(crate) name: Option<String>,
}

impl<K, V> Printed<K, V> {
    fn new(target: Target) -> Self {
        Self { target, label: None, line: None, name: None }
    }

    /// To the standard output.
    pub fn to_std_out() -> Self {
        Self::new(Target::StdOut)
    }

    /// To a file, which is made anew when the application starts.
    pub fn to_file(path: impl Into<PathBuf>) -> Self {
        Self::new(Target::File(path.into()))
    }

    /// What stands before each record; the name of the node above, when not set.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Another form than `key, value`.
    #[must_use]
    pub fn with_key_value_mapper(mut self, mapper: impl Fn(&K, &V) -> String + Send + Sync + 'static) -> Self {
        self.line = Some(Arc::new(mapper));
        self
    }

    /// The name of the node.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl<K, V> std::fmt::Debug for Printed<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printed").field("target", &self.target).field("label", &self.label).finish_non_exhaustive()
    }
}
