//! The configuration of a topic: what was set on it, and the typed values that follow.

use std::collections::BTreeMap;

use super::config_definition::{self, Definition, elements};

/// `message.timestamp.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// What the broker's configuration sets for topics that do not set it themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicDefaults {
    /// `message.max.bytes`.
    pub(crate) message_max_bytes: i32,
    /// `log.retention.ms`; -1 keeps records for ever.
    pub(crate) retention_ms: i64,
    /// `log.flush.interval.messages`.
    pub(crate) flush_messages: i64,
    /// `log.flush.interval.ms`.
    pub(crate) flush_ms: i64,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct TopicConfig {
    overrides: BTreeMap<String, String>,
    defaults: TopicDefaults,
    pub(crate) cleanup_policy: Vec<String>,
    pub(crate) max_message_bytes: usize,
    pub(crate) timestamp_type: TimestampType,
    pub(crate) timestamp_after_max_ms: i64,
    pub(crate) timestamp_before_max_ms: i64,
    pub(crate) retention_ms: i64,
    pub(crate) retention_bytes: i64,
    pub(crate) segment_bytes: usize,
    pub(crate) segment_ms: i64,
    pub(crate) segment_index_bytes: usize,
    pub(crate) index_interval_bytes: usize,
    pub(crate) flush_messages: i64,
    pub(crate) flush_ms: i64,
    pub(crate) delete_retention_ms: i64,
    pub(crate) min_compaction_lag_ms: i64,
    pub(crate) max_compaction_lag_ms: i64,
    pub(crate) min_cleanable_dirty_ratio: f64,
}

impl TopicConfig {
    /// The configuration that `overrides` make.
    ///
    /// # Errors
    /// A name is unknown or a value not allowed; the text names both.
    pub(crate) fn new(overrides: BTreeMap<String, String>, defaults: TopicDefaults) -> Result<Self, String> {
        for (name, value) in &overrides {
            let definition = config_definition::find(name).ok_or_else(|| format!("Unknown topic config name: {name}"))?;
            if let Some(objection) = definition.objection(value) {
                return Err(objection);
            }
        }
        let mut config = TopicConfig {
            overrides,
            defaults,
            cleanup_policy: Vec::new(),
            max_message_bytes: 0,
            timestamp_type: TimestampType::CreateTime,
            timestamp_after_max_ms: 0,
            timestamp_before_max_ms: 0,
            retention_ms: 0,
            retention_bytes: 0,
            segment_bytes: 0,
            segment_ms: 0,
            segment_index_bytes: 0,
            index_interval_bytes: 0,
            flush_messages: 0,
            flush_ms: 0,
            delete_retention_ms: 0,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: 0,
            min_cleanable_dirty_ratio: 0.0,
        };
        config.cleanup_policy = elements(&config.value("cleanup.policy")).map(str::to_owned).collect();
        config.max_message_bytes = config.number("max.message.bytes") as usize;
        if config.value("message.timestamp.type") == "LogAppendTime" {
            config.timestamp_type = TimestampType::LogAppendTime;
        }
        config.timestamp_after_max_ms = config.number("message.timestamp.after.max.ms");
        config.timestamp_before_max_ms = config.number("message.timestamp.before.max.ms");
        config.retention_ms = config.number("retention.ms");
        config.retention_bytes = config.number("retention.bytes");
        // For tests that need many segments; the public setting has a floor of one mebibyte.
        config.segment_bytes = match config.number("internal.segment.bytes") {
            0 => config.number("segment.bytes") as usize,
            bytes => bytes as usize,
        };
        config.segment_ms = config.number("segment.ms");
        config.segment_index_bytes = config.number("segment.index.bytes") as usize;
        config.index_interval_bytes = config.number("index.interval.bytes") as usize;
        config.flush_messages = config.number("flush.messages");
        config.flush_ms = config.number("flush.ms");
        config.delete_retention_ms = config.number("delete.retention.ms");
        config.min_compaction_lag_ms = config.number("min.compaction.lag.ms");
        config.max_compaction_lag_ms = config.number("max.compaction.lag.ms");
        config.min_cleanable_dirty_ratio = config.value("min.cleanable.dirty.ratio").parse().unwrap_or(0.5);
        Ok(config)
    }

    /// The configuration with other overrides.
    ///
    /// # Errors
    /// As [`TopicConfig::new`].
    pub(crate) fn with_overrides(&self, overrides: BTreeMap<String, String>) -> Result<Self, String> {
        Self::new(overrides, self.defaults)
    }

    /// What was set on the topic.
    pub(crate) fn overrides(&self) -> &BTreeMap<String, String> {
        &self.overrides
    }

    /// The value in force, as text.
    pub(crate) fn value(&self, name: &str) -> String {
        self.overrides
            .get(name)
            .map(|value| value.trim().to_owned())
            .or_else(|| config_definition::find(name).map(|d| self.default_value(d)))
            .unwrap_or_default()
    }

    /// The value in force if nothing is set on the topic.
    pub(crate) fn default_value(&self, definition: &Definition) -> String {
        match definition.name {
            "max.message.bytes" => self.defaults.message_max_bytes.to_string(),
            "retention.ms" => self.defaults.retention_ms.to_string(),
            "flush.messages" => self.defaults.flush_messages.to_string(),
            "flush.ms" => self.defaults.flush_ms.to_string(),
            _ => definition.default.to_owned(),
        }
    }

    /// Whether retention applies.
    pub(crate) fn deletes(&self) -> bool {
        self.cleanup_policy.iter().any(|p| p == "delete")
    }

    /// Whether records need keys.
    pub(crate) fn compacts(&self) -> bool {
        self.cleanup_policy.iter().any(|p| p == "compact")
    }

    // Values were validated; what has no number (an unset internal setting) is 0.
    fn number(&self, name: &str) -> i64 {
        self.value(name).parse().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> Result<TopicConfig, String> {
        let overrides = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let defaults =
            TopicDefaults { message_max_bytes: 1_048_588, retention_ms: 604_800_000, flush_messages: i64::MAX, flush_ms: i64::MAX };
        TopicConfig::new(overrides, defaults)
    }

    #[test]
    fn defaults_are_those_of_kafka() {
        let config = config(&[]).unwrap();
        assert!(config.deletes() && !config.compacts());
        assert_eq!(config.retention_ms, 604_800_000);
        assert_eq!(config.segment_bytes, 1 << 30);
        assert_eq!(config.max_message_bytes, 1_048_588);
        assert_eq!(config.timestamp_after_max_ms, 3_600_000);
    }

    #[test]
    fn both_policies_together_delete_and_compact() {
        let config = config(&[("cleanup.policy", "compact, delete")]).unwrap();
        assert!(config.deletes() && config.compacts());
    }

    #[test]
    fn unknown_names_and_bad_values_are_refused_with_the_reason() {
        let refused = |name, value| config(&[(name, value)]).unwrap_err();
        assert_eq!(refused("no.such", "1"), "Unknown topic config name: no.such");
        assert!(refused("retention.ms", "soon").contains("Not a number of type LONG"));
        assert!(refused("segment.bytes", "1000").contains("at least 1048576"));
        assert!(refused("cleanup.policy", "shred").contains("one of: delete, compact"));
        assert!(refused("preallocate", "perhaps").contains("either true or false"));
        assert!(refused("min.cleanable.dirty.ratio", "1.5").contains("no more than 1"));
        assert!(refused("min.cleanable.dirty.ratio", "NaN").contains("at least 0"));
    }
}
