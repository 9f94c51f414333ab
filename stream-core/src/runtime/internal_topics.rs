//! The plan of a topology over the topics that the cluster has, and the topics that the application makes for itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Admin, NewTopic, TopicInfo};
use crate::error::{Error, ErrorKind, Result, ResultExt};
use crate::time::Clock;
use crate::topology::{BuiltTopology, ExistingTopic, InternalTopicSettings, PartitionPlan, PlanError, check_existing};

/// Between looks at the cluster while a source topic is missing.
const MISSING_TOPIC_BACKOFF: Duration = Duration::from_millis(250);

/// Reads the source topics' partition counts and plans the tasks.
///
/// # Errors
/// The outer one while the cluster does not answer; [`PlanError`] when topics are missing or do not fit together.
pub(crate) fn plan(admin: &Admin, topology: &BuiltTopology) -> Result<Result<PartitionPlan, PlanError>> {
    let topics: BTreeMap<Arc<str>, TopicInfo> = if topology.has_pattern() {
        admin.all_topics()?
    } else {
        let names: Vec<Arc<str>> = topology.external_source_topics().into_iter().collect();
        admin.topics(&names)?
    };
    let counts: BTreeMap<Arc<str>, i32> = topics.into_iter().map(|(name, info)| (name, info.partitions)).collect();
    Ok(crate::topology::plan(topology, &counts))
}

/// As [`plan`], waiting for source topics that do not exist yet. `wait` says whether to go on; `None` when it said no.
///
/// # Errors
/// When a source topic is missing for `timeout`, topics do not fit together, or the cluster does not answer for that long.
pub(crate) fn wait_for_plan(
    admin: &Admin,
    topology: &BuiltTopology,
    clock: &dyn Clock,
    timeout: Duration,
    wait: &mut dyn FnMut(Duration) -> bool,
) -> Result<Option<PartitionPlan>> {
    let started = clock.monotonic();
    loop {
        let failure = match plan(admin, topology) {
            Ok(Ok(plan)) => return Ok(Some(plan)),
            Ok(Err(error)) if error.is_missing_topics() => Error::from(error),
            Ok(Err(error)) => return Err(error.into()),
            Err(error) if error.kind() == ErrorKind::Retriable => error,
            Err(error) => return Err(error),
        };
        let waited = clock.monotonic().saturating_sub(started);
        if waited >= timeout {
            return Err(failure.with_kind(ErrorKind::Invalid).at(format_args!("waited {} ms for the source topics", waited.as_millis())));
        }
        tracing::warn!(error = %failure, "waiting for the source topics");
        if !wait(MISSING_TOPIC_BACKOFF.min(timeout.saturating_sub(waited))) {
            return Ok(None);
        }
    }
}

/// Creates the internal topics that are missing and checks those that exist.
///
/// # Errors
/// When one exists with another partition count or cleanup policy, or cannot be created; the text says what to do. `Retriable` while
/// the cluster does not know the new ones yet.
pub(crate) fn ensure(
    admin: &Admin,
    topology: &BuiltTopology,
    plan: &PartitionPlan,
    settings: &InternalTopicSettings,
    replication_factor: i32,
) -> Result<()> {
    let wanted = plan.internal_topics(topology, settings);
    if wanted.is_empty() {
        return Ok(());
    }
    let names: Vec<Arc<str>> = wanted.iter().map(|topic| Arc::clone(&topic.name)).collect();
    let found = admin.topics(&names)?;
    let found_names: Vec<Arc<str>> = found.keys().cloned().collect();
    let mut configs = if found_names.is_empty() { BTreeMap::new() } else { admin.topic_configs(&found_names)? };
    let existing = found
        .into_iter()
        .map(|(name, info)| {
            let configs = configs.remove(&name).unwrap_or_default();
            (name, ExistingTopic { partitions: info.partitions, configs })
        })
        .collect();
    let missing = check_existing(&wanted, &existing)?;
    if missing.is_empty() {
        return Ok(());
    }
    let new: Vec<NewTopic> = missing
        .into_iter()
        .map(|topic| NewTopic { name: topic.name, partitions: topic.partitions, replication_factor, configs: topic.configs })
        .collect();
    for (name, created) in admin.create_topics(&new)? {
        match created {
            Ok(is_new) if is_new => tracing::info!(topic = %name, "created"),
            // Another process of the application was faster; what it made is checked by the next look.
            Ok(_) => {}
            Err(error) => return Err(error).at(|| format!("creation of internal topic {name}")),
        }
    }
    // Until the cluster knows the topics, a transaction that writes them would fail.
    let known = admin.topics(&names)?;
    match names.iter().find(|name| !known.contains_key(*name)) {
        Some(missing) => Err(Error::retriable(format!("internal topic {missing} is not known to the cluster yet"))),
        None => Ok(()),
    }
}
