//! [`ApplicationContext`]: what all tasks of an application have in common, for their processors.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::executor::Executor;
use crate::metrics::MetricRegistry;

/// One for each application, shared by its threads.
#[derive(Default)]
pub(crate) struct ApplicationContext {
    /// Where futures run.
    pub(crate) executor: Executor,
    /// What processors measure.
    pub(crate) metrics: Arc<MetricRegistry>,
    /// The settings, with those of the program's own.
    pub(crate) configs: BTreeMap<String, String>,
}
