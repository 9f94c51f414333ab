//! The topics that an application creates for itself: their configs, and whether existing ones can be used.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{BuiltTopology, Changelog, InternalTopic, PartitionPlan};
use crate::error::{Error, Result};
use crate::store::{ChangelogConfig, CleanupPolicy};

const CLEANUP_POLICY: &str = "cleanup.policy";
const RETENTION_MS: &str = "retention.ms";
const MIN_COMPACTION_LAG_MS: &str = "min.compaction.lag.ms";
const TIMESTAMP_TYPE: (&str, &str) = ("message.timestamp.type", "CreateTime");

/// What the application's configuration says about internal topics.
#[derive(Clone, Debug)]
pub struct InternalTopicSettings {
    /// `windowstore.changelog.additional.retention.ms`: added to the retention of windowed stores, since their clocks may lag.
    pub additional_retention_ms: i64,
    /// The settings with prefix `topic.`, without it. They win over the library's, and lose to those of a single store.
    pub topic_configs: BTreeMap<String, String>,
}

impl Default for InternalTopicSettings {
    fn default() -> Self {
        Self { additional_retention_ms: 24 * 60 * 60 * 1000, topic_configs: BTreeMap::new() }
    }
}

/// An internal topic as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopicSpec {
    /// The full name.
    pub name: Arc<str>,
    /// The partition count.
    pub partitions: i32,
    /// The topic configs; all others are the broker's defaults.
    pub configs: BTreeMap<String, String>,
}

/// An internal topic as the cluster has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExistingTopic {
    /// The partition count.
    pub partitions: i32,
    /// Its effective configs; what is missing is not checked.
    pub configs: BTreeMap<String, String>,
}

/// An internal topic as the topology asks for it, before the cluster's partition counts are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopicDefinition {
    /// The full name.
    pub name: Arc<str>,
    /// Whether it is a store's changelog; else it is a repartition topic.
    pub is_changelog: bool,
    /// The partition count, where the program fixed one.
    pub fixed_partitions: Option<i32>,
    /// The topic configs; all others are the broker's defaults.
    pub configs: BTreeMap<String, String>,
}

impl BuiltTopology {
    /// Every internal topic that the application would create, by name. Source topics that serve as changelogs are not among them.
    pub fn internal_topics(&self, settings: &InternalTopicSettings) -> Vec<InternalTopicDefinition> {
        let repartition = self.repartition_topics().map(|(name, topic)| InternalTopicDefinition {
            name: Arc::clone(name),
            is_changelog: false,
            fixed_partitions: topic.partitions,
            configs: repartition_configs(topic, settings),
        });
        let changelogs = self.changelogs().filter_map(|changelog| {
            Some(InternalTopicDefinition {
                name: Arc::clone(&changelog.topic),
                is_changelog: true,
                fixed_partitions: None,
                configs: changelog_configs(changelog.config.as_ref()?, settings),
            })
        });
        let mut topics: Vec<InternalTopicDefinition> = repartition.chain(changelogs).collect();
        topics.sort_by(|one, two| one.name.cmp(&two.name));
        topics
    }
}

impl PartitionPlan {
    /// Every internal topic of the application: repartition topics, then changelogs, each by name.
    pub fn internal_topics(&self, built: &BuiltTopology, settings: &InternalTopicSettings) -> Vec<InternalTopicSpec> {
        let mut repartition: Vec<InternalTopicSpec> = built
            .repartition_topics()
            .filter_map(|(name, topic)| {
                let partitions = self.partition_count(name)?;
                Some(InternalTopicSpec { name: Arc::clone(name), partitions, configs: repartition_configs(topic, settings) })
            })
            .collect();
        let mut changelogs: Vec<InternalTopicSpec> = built
            .subtopologies()
            .iter()
            .filter_map(|subtopology| Some((subtopology, self.task_count(subtopology.id)?)))
            .flat_map(|(subtopology, partitions)| {
                subtopology.changelogs.iter().filter_map(move |changelog| changelog_spec(changelog, partitions, settings))
            })
            .collect();
        repartition.sort_by(|one, two| one.name.cmp(&two.name));
        changelogs.sort_by(|one, two| one.name.cmp(&two.name));
        repartition.extend(changelogs);
        repartition
    }
}

fn changelog_spec(changelog: &Changelog, partitions: i32, settings: &InternalTopicSettings) -> Option<InternalTopicSpec> {
    let config = changelog.config.as_ref()?;
    Some(InternalTopicSpec { name: Arc::clone(&changelog.topic), partitions, configs: changelog_configs(config, settings) })
}

fn layered(library: &[(&str, &str)], settings: &InternalTopicSettings, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut configs: BTreeMap<String, String> = library.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    configs.extend(settings.topic_configs.clone());
    configs.extend(own.clone());
    configs
}

/// The configs of a repartition topic. Its records are purged once they are committed, so they must not expire before.
pub(crate) fn repartition_configs(topic: &InternalTopic, settings: &InternalTopicSettings) -> BTreeMap<String, String> {
    let library = [(CLEANUP_POLICY, "delete"), (RETENTION_MS, "-1"), ("segment.bytes", "52428800"), TIMESTAMP_TYPE];
    layered(&library, settings, &topic.configs)
}

/// The configs of a changelog.
pub(crate) fn changelog_configs(config: &ChangelogConfig, settings: &InternalTopicSettings) -> BTreeMap<String, String> {
    let policy = match config.cleanup_policy {
        CleanupPolicy::Compact => "compact",
        CleanupPolicy::CompactDelete => "compact,delete",
        CleanupPolicy::Delete => "delete",
    };
    let mut configs = layered(&[(CLEANUP_POLICY, policy), TIMESTAMP_TYPE], settings, &config.topic_configs);
    // What follows from the store wins over `topic.` settings, which cannot know the store; only the store's own win over it.
    let mut derive = |name: &str, value: i64| {
        if !config.topic_configs.contains_key(name) {
            configs.insert(name.to_owned(), value.to_string());
        }
    };
    if let Some(retention_ms) = config.retention_ms {
        derive(RETENTION_MS, retention_ms.saturating_add(settings.additional_retention_ms));
    }
    if let Some(lag_ms) = config.min_compaction_lag_ms {
        derive(MIN_COMPACTION_LAG_MS, lag_ms);
    }
    configs
}

/// Compares the internal topics that are needed with those that exist, and gives those that must be created.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when an existing one has another partition count, or could lose records that
/// are still needed; the error names the topic, what was found, what is wanted and what to do.
pub fn check_existing(wanted: &[InternalTopicSpec], existing: &BTreeMap<Arc<str>, ExistingTopic>) -> Result<Vec<InternalTopicSpec>> {
    let mut missing = Vec::new();
    for spec in wanted {
        match existing.get(&spec.name) {
            Some(found) => check_one(spec, found)?,
            None => missing.push(spec.clone()),
        }
    }
    Ok(missing)
}

fn check_one(spec: &InternalTopicSpec, found: &ExistingTopic) -> Result<()> {
    let name = &spec.name;
    if found.partitions != spec.partitions {
        return Err(Error::invalid(format!(
            "internal topic {name} has {} partitions, but the topology needs {}; a source topic's partition count or the topology \
             has changed since it was created: restore the old count, or stop all processes, reset the application \
             (kafka-streams-application-reset, which deletes its internal topics, and remove its state directory) and start anew",
            found.partitions, spec.partitions
        )));
    }
    let (Some(found_policy), Some(wanted_policy)) = (found.configs.get(CLEANUP_POLICY), spec.configs.get(CLEANUP_POLICY)) else {
        return Ok(());
    };
    let (found_policies, wanted_policies) = (policies(found_policy), policies(wanted_policy));
    for (policy, loses) in
        [("delete", "records that are still needed expire"), ("compact", "older records of a key vanish before they are read")]
    {
        if found_policies.contains(&policy) && !wanted_policies.contains(&policy) {
            return Err(wrong_config(name, CLEANUP_POLICY, found_policy, wanted_policy, loses));
        }
    }
    if found_policies.contains(&"delete") {
        let retention = |configs: &BTreeMap<String, String>| configs.get(RETENTION_MS).and_then(|ms| ms.parse::<i64>().ok());
        if let (Some(found_ms), Some(wanted_ms)) = (retention(&found.configs), retention(&spec.configs)) {
            // -1 is for ever.
            let too_short = found_ms >= 0 && (wanted_ms < 0 || found_ms < wanted_ms);
            if too_short {
                let (found_ms, wanted_ms) = (found_ms.to_string(), wanted_ms.to_string());
                return Err(wrong_config(name, RETENTION_MS, &found_ms, &wanted_ms, "records that are still needed expire"));
            }
        }
    }
    Ok(())
}

fn policies(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|policy| !policy.is_empty()).collect()
}

fn wrong_config(topic: &str, config: &str, found: &str, wanted: &str, loses: &str) -> Error {
    Error::invalid(format!(
        "internal topic {topic} has {config}={found}, but the topology needs {config}={wanted}: with the present setting {loses}; \
         set it with `kafka-configs --alter --entity-type topics --entity-name {topic} --add-config '{config}=[{wanted}]'`"
    ))
}
