//! The plan of a topology over the topics that the cluster has, and the topics that the application makes for itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Admin, NewTopic, TopicInfo};
use crate::config::StreamsConfig;
use crate::error::{Error, ErrorKind, Result, ResultExt};
use crate::time::Clock;
use crate::topology::{BuiltTopology, PartitionPlan, PlanError, SourceTopics};

/// Between looks at the cluster while a source topic is missing.
const MISSING_TOPIC_BACKOFF: Duration = Duration::from_millis(250);

/// Reads the source topics' partition counts and plans the tasks.
///
/// # Errors
/// [`PlanError`] when topics are missing or do not fit together; `Retriable` while the cluster does not answer.
pub(crate) fn plan(admin: &Admin, topology: &BuiltTopology) -> Result<Result<PartitionPlan, PlanError>> {
    let needs_all = topology.sources().any(|source| matches!(source.topics, SourceTopics::Pattern(_)));
    let topics: BTreeMap<Arc<str>, TopicInfo> = if needs_all {
        admin.all_topics()?
    } else {
        let names: Vec<Arc<str>> = topology.external_source_topics().collect();
        admin.topics(&names)?
    };
    let counts: BTreeMap<Arc<str>, i32> =
        topics.into_iter().filter(|(name, _)| topology.reads_external(name)).map(|(name, info)| (name, info.partitions)).collect();
    Ok(crate::topology::plan(topology, &counts))
}

/// As [`plan`], waiting for source topics that do not exist yet.
///
/// # Errors
/// When a source topic is missing for `timeout`, topics do not fit together, or the cluster does not answer for that long.
pub(crate) fn wait_for_plan(admin: &Admin, topology: &BuiltTopology, clock: &dyn Clock, timeout: Duration, wait: &mut dyn FnMut(Duration) -> bool) -> Result<Option<PartitionPlan>> {
    let started = clock.monotonic();
    loop {
        let failure = match plan(admin, topology) {
            Ok(Ok(plan)) => return Ok(Some(plan)),
            Ok(Err(error)) if error.is_missing_topic() => Error::from(error),
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
/// When one exists with another partition count or cleanup policy, or cannot be created; the text says what to do.
pub(crate) fn ensure(admin: &Admin, topology: &BuiltTopology, plan: &PartitionPlan, config: &StreamsConfig) -> Result<()> {
    let names: Vec<Arc<str>> = plan.internal_topics().map(|topic| Arc::clone(&topic.name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    let existing = admin.topics(&names)?;
    let existing_names: Vec<Arc<str>> = existing.keys().cloned().collect();
    let configs = if existing_names.is_empty() { BTreeMap::new() } else { admin.topic_configs(&existing_names)? };
    let existing = existing.into_iter().map(|(name, info)| {
        let config = configs.get(&name).cloned().unwrap_or_default();
        (name, (info.partitions, config))
    });
    let missing = crate::topology::check_existing(plan, &existing.collect(), topology, &config.internal_topics())?;
    if missing.is_empty() {
        return Ok(());
    }
    let new: Vec<NewTopic> = missing
        .iter()
        .map(|topic| NewTopic {
            name: Arc::clone(&topic.name),
            partitions: topic.partitions,
            replication_factor: config.replication_factor(),
            configs: topic.configs.clone(),
        })
        .collect();
    for (name, result) in admin.create_topics(&new)? {
        match result {
            Ok(()) => tracing::info!(topic = %name, "created"),
            // Another process of the application was faster; the next look checks what it made.
            Err(error) if error.is_topic_exists() => {}
            Err(error) => return Err(error.into_error()).at(|| format!("creation of internal topic {name}")),
        }
    }
    // Until every broker knows the topics, a transaction that writes them would fail.
    let known = admin.topics(&names)?;
    match names.iter().find(|name| !known.contains_key(*name)) {
        Some(missing) => Err(Error::retriable(format!("internal topic {missing} is not known to the cluster yet"))),
        None => Ok(()),
    }
}
