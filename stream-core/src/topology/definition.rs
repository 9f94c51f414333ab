//! The parts of a topology.

use std::any::{TypeId, type_name};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use regex::Regex;

use super::AutoOffsetReset;
use crate::node::{EdgeAdapter, NodeFactory};
use crate::processor::AsyncOptions;
use crate::store::StoreFactory;

/// One node: its name, its parents, and how a task makes it.
#[derive(Clone)]
pub(crate) struct NodeDefinition {
    pub(crate) name: Arc<str>,
    pub(crate) parents: Vec<Parent>,
    pub(crate) kind: NodeKind,
    pub(crate) factory: Arc<dyn NodeFactory>,
    /// What it forwards; a sink forwards nothing.
    pub(crate) forwards: Option<Forwards>,
    /// How its futures run, when it has any.
    pub(crate) asynchronous: Option<AsyncOptions>,
}

/// The types of the records that a node forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forwards {
    types: TypeId,
    key: &'static str,
    value: &'static str,
}

impl Forwards {
    pub(crate) fn of<K: 'static, V: 'static>() -> Self {
        Self { types: TypeId::of::<(K, V)>(), key: type_name::<K>(), value: type_name::<V>() }
    }

    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.types == other.types
    }
}

impl fmt::Display for Forwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key `{}` and value `{}`", self.key, self.value)
    }
}

/// An edge from a parent, with what narrows its type (innermost, next to the child, last).
#[derive(Clone)]
pub(crate) struct Parent {
    pub(crate) node: Arc<str>,
    pub(crate) adapters: Vec<Arc<dyn EdgeAdapter>>,
}

/// What a node is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NodeKind {
    /// Reads topics.
    Source {
        /// Which ones.
        topics: SourceTopics,
        /// Where to begin without a committed offset; `None`: as configured.
        reset: Option<AutoOffsetReset>,
        /// The extractor's name, when the program chose one.
        extractor: Option<&'static str>,
    },
    /// Runs a processor.
    Processor {
        /// The names of its stores.
        stores: Vec<String>,
    },
    /// Writes a topic.
    Sink {
        /// The topic; `None` when an extractor chooses it per record.
        topic: Option<Arc<str>>,
        /// The extractor's name, when there is one.
        extractor: Option<String>,
    },
}

/// A store and what it is connected to.
#[derive(Clone)]
pub(crate) struct StoreDefinition {
    pub(crate) factory: Arc<dyn StoreFactory>,
    /// The source topic that serves as changelog.
    pub(crate) source_changelog: Option<String>,
    /// Kept whole by every process, and read by all of its tasks.
    pub(crate) is_global: bool,
}

/// The topics of a source.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SourceTopics {
    /// By name.
    Named(Vec<String>),
    /// All whose whole name matches.
    Pattern(TopicPattern),
}

/// A pattern for whole topic names.
#[derive(Clone, Debug)]
pub struct TopicPattern {
    pattern: Regex,
    whole: Option<Regex>,
}

impl TopicPattern {
    /// The pattern as the program wrote it.
    pub fn as_str(&self) -> &str {
        self.pattern.as_str()
    }

    /// Whether it matches the whole name.
    ///
    /// ```
    /// use stream_core::topology::{Regex, TopicPattern};
    /// let pattern = TopicPattern::from(Regex::new("orders|orders-eu")?);
    /// assert!(pattern.matches("orders-eu") && !pattern.matches("orders-us"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn matches(&self, topic: &str) -> bool {
        match &self.whole {
            Some(whole) => whole.is_match(topic),
            None => self.pattern.find(topic).is_some_and(|found| found.len() == topic.len()),
        }
    }
}

impl From<Regex> for TopicPattern {
    /// Flags belong into the pattern, as in `(?i)orders.*`: those of a `RegexBuilder` are not seen.
    fn from(pattern: Regex) -> Self {
        // A search prefers the first alternative, not the longest: only anchors make `a|ab` match the whole of `ab`. The line end
        // closes a comment of a pattern with `(?x)`.
        let anchored = |end: &str| Regex::new(&format!(r"\A(?:{}{end})\z", pattern.as_str())).ok();
        let whole = anchored("").or_else(|| anchored("\n"));
        Self { pattern, whole }
    }
}

impl SourceTopics {
    /// Whether a topic belongs to the source.
    pub fn matches(&self, topic: &str) -> bool {
        match self {
            Self::Named(names) => names.iter().any(|name| name == topic),
            Self::Pattern(pattern) => pattern.matches(topic),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Named(names) if names.is_empty())
    }

    /// A topic that both name, as far as it can be known before the cluster is asked.
    pub(crate) fn overlap(&self, other: &Self) -> Option<String> {
        match (self, other) {
            (Self::Named(names), _) => names.iter().find(|name| other.matches(name)).cloned(),
            (Self::Pattern(_), Self::Named(names)) => names.iter().find(|name| self.matches(name)).cloned(),
            (Self::Pattern(one), Self::Pattern(two)) => (one.as_str() == two.as_str()).then(|| one.as_str().to_owned()),
        }
    }
}

impl From<&str> for SourceTopics {
    fn from(topic: &str) -> Self {
        Self::Named(vec![topic.to_owned()])
    }
}

impl From<String> for SourceTopics {
    fn from(topic: String) -> Self {
        Self::Named(vec![topic])
    }
}

impl From<Vec<String>> for SourceTopics {
    fn from(topics: Vec<String>) -> Self {
        Self::Named(topics)
    }
}

impl<const N: usize> From<[&str; N]> for SourceTopics {
    fn from(topics: [&str; N]) -> Self {
        Self::Named(topics.iter().map(|topic| (*topic).to_owned()).collect())
    }
}

impl From<Regex> for SourceTopics {
    fn from(pattern: Regex) -> Self {
        Self::Pattern(TopicPattern::from(pattern))
    }
}

/// A repartition topic, which the application creates for itself and reads in another task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InternalTopic {
    /// The name without the application id.
    pub name: String,
    /// The partition count, when the program fixed it.
    pub partitions: Option<i32>,
    /// Topic configs beside those that every repartition topic has.
    pub configs: BTreeMap<String, String>,
}

impl InternalTopic {
    /// A topic whose partition count follows from its sub-topology's sources.
    pub fn repartition(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: None, configs: BTreeMap::new() }
    }

    /// The same with a fixed partition count.
    #[must_use]
    pub fn with_partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// The same with a topic config of its own; it wins over the library's and over `topic.` settings.
    #[must_use]
    pub fn with_config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.insert(name.into(), value.into());
        self
    }
}
