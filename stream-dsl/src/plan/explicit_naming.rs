//! `ensure.explicit.internal.resource.naming` (KIP-1111): a program whose stores and internal topics all have names of its own keeps
//! its state when operators are added or removed; a generated name would change.

use std::collections::BTreeSet;

use stream_core::{Topology, TopologyError};

/// What has a generated name.
#[derive(Default)]
pub(super) struct Generated {
    pub(super) stores: BTreeSet<String>,
    pub(super) repartition_topics: BTreeSet<String>,
}

impl Generated {
    /// Refuses what the topology really has of it; names that were only taken harm nobody.
    pub(super) fn check(&self, topology: &Topology) -> Result<(), TopologyError> {
        let mut wrong = Vec::new();
        let topics: Vec<&str> =
            self.repartition_topics.iter().map(String::as_str).filter(|name| topology.has_internal_topic(name)).collect();
        if !topics.is_empty() {
            wrong.push(format!("repartition topics {} (name them with `Grouped`, `Joined` or `Repartitioned`)", topics.join(", ")));
        }
        let stores: Vec<&str> = self.stores.iter().map(String::as_str).filter(|name| topology.has_store(name)).collect();
        if !stores.is_empty() {
            wrong.push(format!("stores {} (name them with `Materialized::named`)", stores.join(", ")));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let message = format!("`ensure.explicit.internal.resource.naming` is on, but these have generated names: {}", wrong.join("; "));
        Err(TopologyError::Invalid { message })
    }
}
