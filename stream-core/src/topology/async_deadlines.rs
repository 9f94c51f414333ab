//! How long a commit may have to wait for futures.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{BuiltTopology, NodeDefinition};

/// Async processors that follow one another in a task: a commit waits for one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct AsyncPath {
    /// Their names, from the source down.
    pub(crate) nodes: Vec<Arc<str>>,
    /// Their deadlines, one after the other.
    pub(crate) deadlines: Duration,
}

impl BuiltTopology {
    /// The most async processors that follow one another; 0 without any.
    pub(crate) fn async_depth(&self) -> usize {
        self.longest(|_| 1, |path, node| path.nodes.push(Arc::clone(&node.name))).0
    }

    /// The path of async processors with the longest time, where `default` is the deadline of those that have none of their own.
    pub(crate) fn longest_async_path(&self, default: Duration) -> AsyncPath {
        let deadline = |node: &NodeDefinition| node.asynchronous.and_then(|options| options.deadline()).unwrap_or(default);
        let add = |path: &mut AsyncPath, node: &NodeDefinition| {
            path.nodes.push(Arc::clone(&node.name));
            path.deadlines = path.deadlines.saturating_add(deadline(node));
        };
        self.longest(deadline, add).1
    }

    /// The heaviest path over async nodes. Nodes come after their parents, so one pass finds it.
    fn longest<W: Ord + Copy + Default + std::ops::Add<Output = W>>(
        &self,
        weight: impl Fn(&NodeDefinition) -> W,
        extend: impl Fn(&mut AsyncPath, &NodeDefinition),
    ) -> (W, AsyncPath) {
        let mut paths: HashMap<&str, (W, AsyncPath)> = HashMap::new();
        let mut longest = (W::default(), AsyncPath::default());
        for node in self.nodes() {
            let above = node.parents.iter().filter_map(|parent| paths.get(&*parent.node)).max_by_key(|(weight, _)| *weight);
            let (mut total, mut path) = above.cloned().unwrap_or_default();
            if node.asynchronous.is_some() {
                total = total + weight(node);
                extend(&mut path, node);
            }
            if total > longest.0 {
                longest = (total, path.clone());
            }
            paths.insert(&node.name, (total, path));
        }
        longest
    }
}
