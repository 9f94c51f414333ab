//! What processes compare before they trust each other's assignments.

use super::{Counts, SubtopologyPlan};
use crate::topology::BuiltTopology;

/// FNV-1a, 64 bits, over length-prefixed parts. It must not change between releases that may run side by side in a group: so it is
/// written out here instead of taken from a library.
struct Hash(u64);

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    fn count(&mut self, count: i32) {
        self.bytes(&count.to_be_bytes());
    }
}

/// The names of nodes belong to it because task ids, and with them state directories and changelogs, follow from them.
pub(super) fn of(built: &BuiltTopology, plans: &[SubtopologyPlan], counts: &Counts) -> String {
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    hash.number(plans.len() as u64);
    for (subtopology, plan) in built.subtopologies().iter().zip(plans) {
        hash.number(u64::from(subtopology.id));
        hash.number(subtopology.nodes.len() as u64);
        let mut names: Vec<&str> = subtopology.nodes.iter().map(|node| &*built.node(*node).name).collect();
        names.sort_unstable();
        names.into_iter().for_each(|name| hash.text(name));
        hash.number(plan.changelogs.len() as u64);
        let mut changelogs: Vec<&str> = plan.changelogs.iter().map(|topic| &**topic).collect();
        changelogs.sort_unstable();
        changelogs.into_iter().for_each(|topic| hash.text(topic));
        hash.text(plan.anchor.as_deref().unwrap_or_default());
        let mut topics: Vec<&str> = plan.topics.iter().map(|topic| &**topic).collect();
        topics.sort_unstable();
        hash.number(topics.len() as u64);
        for topic in topics {
            hash.text(topic);
            hash.count(counts.get(topic).copied().unwrap_or(0));
        }
    }
    format!("{:016x}", hash.0)
}
