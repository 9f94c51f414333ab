//! The plan of a topology over the topics that the cluster has, and the topics that the application makes for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Admin, NewTopic, TopicCreation};
use crate::error::{Error, ErrorKind, Result, ResultExt};
use crate::time::Clock;
use crate::topology::{BuiltTopology, ExistingTopic, InternalTopicSettings, PartitionPlan, PlanError, check_existing};

/// Between looks at the cluster while a source topic is missing.
const MISSING_TOPIC_BACKOFF: Duration = Duration::from_millis(250);

/// Reads the source topics' partition counts and plans the tasks.
///
/// # Errors
/// The outer one while the cluster does not answer; [`PlanError`] when topics are missing or do not fit together.
pub(crate) fn plan(admin: &Admin, topology: &BuiltTopology, timeout: Duration) -> Result<Result<PartitionPlan, PlanError>> {
    let mut names: BTreeSet<String> = topology.external_source_topics().iter().map(ToString::to_string).collect();
    if topology.has_pattern() {
        let reads = |name: &String| topology.subtopologies().iter().any(|subtopology| subtopology.source_of(name).is_some());
        names.extend(admin.list_topics(timeout)?.into_iter().filter(reads));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let topics = admin.topics(&names, timeout)?;
    let counts: BTreeMap<Arc<str>, i32> = topics.into_iter().map(|(name, info)| (Arc::from(name), info.partitions)).collect();
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
    request_timeout: Duration,
    timeout: Duration,
    wait: &mut dyn FnMut(Duration) -> bool,
) -> Result<Option<PartitionPlan>> {
    let started = clock.monotonic();
    loop {
        let failure = match plan(admin, topology, request_timeout) {
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
    replication_factor: i16,
    timeout: Duration,
) -> Result<()> {
    let wanted = plan.internal_topics(topology, settings);
    if wanted.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = wanted.iter().map(|topic| &*topic.name).collect();
    let found = admin.topics(&names, timeout)?;
    let found_names: Vec<&str> = found.keys().map(String::as_str).collect();
    let mut configs = admin.topic_configs(&found_names, timeout)?;
    let existing = found
        .into_iter()
        .map(|(name, info)| {
            let configs = configs.remove(&name).unwrap_or_default();
            (Arc::from(name), ExistingTopic { partitions: info.partitions, configs })
        })
        .collect();
    let missing = check_existing(&wanted, &existing)?;
    if missing.is_empty() {
        return Ok(());
    }
    let new: Vec<NewTopic> = missing
        .into_iter()
        .map(|topic| NewTopic { name: topic.name.to_string(), partitions: topic.partitions, replication_factor, configs: topic.configs })
        .collect();
    for (name, created) in admin.create_topics(new, timeout)? {
        match created {
            TopicCreation::Created => tracing::info!(topic = name, "created"),
            // Another process of the application was faster; the partition counts of one topology are the same everywhere.
            TopicCreation::Exists => {}
            TopicCreation::Failed(error) => return Err(error).at(|| format!("creation of internal topic {name}")),
        }
    }
    // Until the cluster knows the topics, a transaction that writes them would fail.
    let known = admin.topics(&names, timeout)?;
    match wanted.iter().map(|topic| &*topic.name).find(|name| !known.contains_key(*name)) {
        Some(missing) => Err(Error::retriable(format!("internal topic {missing} is not known to the cluster yet"))),
        None => Ok(()),
    }
}
