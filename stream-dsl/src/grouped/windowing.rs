//! [`TimeWindowing`]: which windows of time an aggregation has.

use std::sync::Arc;

use stream_core::topology::NodeHandle;
use stream_core::{Topology, TopologyError};

use super::fold::Fold;
use super::sliding_aggregate::SlidingAggregate;
use super::window_aggregate::WindowAggregate;
use super::window_rows::WindowTable;
use crate::table::{Change, TableForwarder};
use crate::window::{SlidingWindows, Windowed, Windows};

/// Windows that are aligned to time, or to records.
#[derive(Clone)]
pub(crate) enum TimeWindowing {
    Aligned(Arc<dyn Windows>),
    Sliding(SlidingWindows),
}

impl TimeWindowing {
    pub(crate) fn size_ms(&self) -> i64 {
        match self {
            Self::Aligned(windows) => windows.size_ms(),
            Self::Sliding(windows) => windows.time_difference_ms(),
        }
    }

    pub(super) fn grace_ms(&self) -> i64 {
        match self {
            Self::Aligned(windows) => windows.grace_ms(),
            Self::Sliding(windows) => windows.grace_ms(),
        }
    }

    /// How long a store must keep windows, ms. A late record looks at windows that end before it, so sliding ones are kept twice as long.
    pub(crate) fn least_retention_ms(&self) -> i64 {
        let size = match self {
            Self::Aligned(windows) => windows.size_ms(),
            Self::Sliding(windows) => windows.time_difference_ms().saturating_mul(2),
        };
        size.saturating_add(self.grace_ms())
    }

    pub(crate) fn is_sliding(&self) -> bool {
        matches!(self, Self::Sliding(_))
    }

    pub(super) fn do_close(&self) -> bool {
        match self {
            Self::Aligned(windows) => windows.do_close(),
            Self::Sliding(_) => true,
        }
    }

    pub(super) fn check(&self) -> Result<(), TopologyError> {
        match self {
            Self::Aligned(windows) => windows.check(),
            Self::Sliding(_) => Ok(()),
        }
    }

    /// Adds the aggregating processor.
    pub(super) fn add_processor<F, K, V, A>(
        self,
        topology: &mut Topology,
        name: &str,
        parent: &NodeHandle<K, V>,
        fold: Fold<F, A>,
        table: WindowTable<K, A>,
        forwarder: TableForwarder,
    ) -> Result<NodeHandle<Windowed<K>, Change<A>>, TopologyError>
    where
        F: Fn(&K, V, Option<A>) -> Option<A> + Send + Sync + 'static,
        K: Clone + 'static,
        V: Clone + 'static,
        A: Clone + 'static,
    {
        match self {
            Self::Aligned(windows) => topology
                .add_processor(name, &[parent], move || WindowAggregate::new(fold.clone(), Arc::clone(&windows), table.clone(), forwarder)),
            Self::Sliding(windows) => {
                topology.add_processor(name, &[parent], move || SlidingAggregate::new(fold.clone(), windows, table.clone(), forwarder))
            }
        }
    }
}

impl std::fmt::Debug for TimeWindowing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimeWindowing").field("size_ms", &self.size_ms()).field("grace_ms", &self.grace_ms()).finish()
    }
}
