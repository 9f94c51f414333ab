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
    ///
    /// ```
    /// use stream_dsl::{Printed, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// // Without a label the lines begin with the node above: `[KSTREAM-SOURCE-0000000000]: "ada", 3`.
    /// builder.stream::<String, i64>("amounts").print(Printed::to_std_out());
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    pub fn to_std_out() -> Self {
        Self::new(Target::StdOut)
    }

    /// To a file, which is made anew when the application starts.
    ///
    /// ```
    /// use stream_dsl::{Printed, StreamsBuilder};
    /// let path = std::env::temp_dir().join(format!("amounts-{}.txt", std::process::id()));
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("in").print(Printed::to_file(&path).with_label("amounts"));
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// input.pipe_input("ada".into(), 3)?;
    /// assert_eq!(std::fs::read_to_string(&path)?, "[amounts]: \"ada\", 3\n");
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_file(path: impl Into<PathBuf>) -> Self {
        Self::new(Target::File(path.into()))
    }

    /// What stands before each record; the name of the node above, when not set.
    ///
    /// ```
    /// use stream_dsl::{Printed, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, i64>("amounts");
    /// // Two streams on one output are told apart: `[all]: "ada", 3` and `[large]: "bob", 300`.
    /// amounts.print(Printed::to_std_out().with_label("all"));
    /// amounts.filter(|_, amount| *amount > 100).print(Printed::to_std_out().with_label("large"));
    /// # builder.build()?;
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Another form than `key, value`.
    ///
    /// ```
    /// use stream_dsl::{Printed, StreamsBuilder};
    /// let path = std::env::temp_dir().join(format!("euro-{}.txt", std::process::id()));
    /// let builder = StreamsBuilder::new();
    /// let line = |who: &String, cents: &i64| format!("{who} {}", cents / 100);
    /// let euro = Printed::to_file(&path).with_label("euro").with_key_value_mapper(line);
    /// builder.stream::<String, i64>("in").print(euro);
    /// # let driver = stream_testkit::TopologyTestDriver::new(&builder.build()?)?;
    /// # let mut input = driver.create_input_topic::<String, i64>("in");
    /// input.pipe_input("ada".into(), 700)?;
    /// assert_eq!(std::fs::read_to_string(&path)?, "[euro]: ada 7\n");
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_key_value_mapper(mut self, mapper: impl Fn(&K, &V) -> String + Send + Sync + 'static) -> Self {
        self.line = Some(Arc::new(mapper));
        self
    }

    /// The name of the node.
    ///
    /// ```
    /// use stream_dsl::{Printed, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("amounts").print(Printed::to_std_out().with_name("show"));
    /// assert!(builder.build()?.describe().to_string().contains("Processor: show (stores: [])"));
    /// # Ok::<(), stream_core::TopologyError>(())
    /// ```
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
