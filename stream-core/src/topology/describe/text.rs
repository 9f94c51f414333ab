//! The text of a description.

use std::fmt::{self, Display, Formatter};

use super::{NodeDescription, NodeRole, SubtopologyDescription, TopologyDescription};

impl Display for TopologyDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Topologies:\n ")?;
        for subtopology in &self.subtopologies {
            write!(f, "  {subtopology}")?;
        }
        Ok(())
    }
}

impl Display for SubtopologyDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = if self.is_global { " for global store (will not generate tasks)" } else { "" };
        writeln!(f, "Sub-topology: {}{kind}", self.id)?;
        for node in &self.nodes {
            writeln!(f, "    {node}")?;
        }
        if self.is_global { Ok(()) } else { writeln!(f) }
    }
}

impl Display for NodeDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (name, successors, predecessors) = (&self.name, names(&self.successors), names(&self.predecessors));
        match &self.kind {
            NodeRole::Source { topics } => write!(f, "Source: {name} (topics: [{}])\n      --> {successors}", topics.join(", ")),
            NodeRole::PatternSource { pattern } => write!(f, "Source: {name} (topics: {pattern})\n      --> {successors}"),
            NodeRole::Processor { stores } => {
                write!(f, "Processor: {name} (stores: [{}])\n      --> {successors}\n      <-- {predecessors}", stores.join(", "))
            }
            NodeRole::Sink { topic } => write!(f, "Sink: {name} (topic: {topic})\n      <-- {predecessors}"),
            NodeRole::ExtractorSink { extractor } => write!(f, "Sink: {name} (extractor class: {extractor})\n      <-- {predecessors}"),
        }
    }
}

fn names(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
