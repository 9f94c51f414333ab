//! The topic configurations of Kafka: names, types, defaults, limits and the broker configuration that each default comes from.

/// The protocol's number of a configuration's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfigType {
    Boolean = 1,
    String = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

/// Which values are allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Allowed {
    Any,
    AtLeast(i64),
    Between(f64, f64),
    OneOf(&'static [&'static str]),
    /// A list, possibly empty, whose elements are all among these. Without a cleanup policy records stay (KIP-1161).
    Among(&'static [&'static str]),
}

/// One configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) config_type: ConfigType,
    pub(crate) default: &'static str,
    /// The broker configuration that sets the default.
    pub(crate) synonym: Option<&'static str>,
    pub(crate) allowed: Allowed,
    /// Not shown by `DescribeConfigs`.
    pub(crate) internal: bool,
}

const fn define(name: &'static str, config_type: ConfigType, default: &'static str, synonym: &'static str, allowed: Allowed) -> Definition {
    Definition { name, config_type, default, synonym: if synonym.is_empty() { None } else { Some(synonym) }, allowed, internal: false }
}

use Allowed::{Among, Any, AtLeast, Between, OneOf};
use ConfigType::{Boolean, Double, Int, List, Long, String as Text};

const FOREVER: &str = "9223372036854775807";
const BOOLEANS: Allowed = OneOf(&["true", "false"]);

/// All topic configurations, by name.
#[rustfmt::skip]
pub(crate) const DEFINITIONS: &[Definition] = &[
    define("cleanup.policy", List, "delete", "log.cleanup.policy", Among(&["delete", "compact"])),
    define("compression.gzip.level", Int, "-1", "compression.gzip.level", Between(-1.0, 9.0)),
    define("compression.lz4.level", Int, "9", "compression.lz4.level", Between(1.0, 17.0)),
    define("compression.type", Text, "producer", "compression.type",
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])),
    define("compression.zstd.level", Int, "3", "compression.zstd.level", Between(-131_072.0, 22.0)),
    define("delete.retention.ms", Long, "86400000", "log.cleaner.delete.retention.ms", AtLeast(0)),
    define("file.delete.delay.ms", Long, "60000", "log.segment.delete.delay.ms", AtLeast(0)),
    define("flush.messages", Long, FOREVER, "log.flush.interval.messages", AtLeast(1)),
    define("flush.ms", Long, FOREVER, "log.flush.interval.ms", AtLeast(0)),
    define("follower.replication.throttled.replicas", List, "", "", Any),
    define("index.interval.bytes", Int, "4096", "log.index.interval.bytes", AtLeast(0)),
    Definition { internal: true, ..define("internal.segment.bytes", Int, "", "", AtLeast(1)) },
    define("leader.replication.throttled.replicas", List, "", "", Any),
    define("local.retention.bytes", Long, "-2", "log.local.retention.bytes", AtLeast(-2)),
    define("local.retention.ms", Long, "-2", "log.local.retention.ms", AtLeast(-2)),
    define("max.compaction.lag.ms", Long, FOREVER, "log.cleaner.max.compaction.lag.ms", AtLeast(1)),
    define("max.message.bytes", Int, "1048588", "message.max.bytes", AtLeast(0)),
    define("message.timestamp.after.max.ms", Long, "3600000", "log.message.timestamp.after.max.ms", AtLeast(0)),
    define("message.timestamp.before.max.ms", Long, FOREVER, "log.message.timestamp.before.max.ms", AtLeast(0)),
    define("message.timestamp.type", Text, "CreateTime", "log.message.timestamp.type",
        OneOf(&["CreateTime", "LogAppendTime"])),
    define("min.cleanable.dirty.ratio", Double, "0.5", "log.cleaner.min.cleanable.ratio", Between(0.0, 1.0)),
    define("min.compaction.lag.ms", Long, "0", "log.cleaner.min.compaction.lag.ms", AtLeast(0)),
    define("min.insync.replicas", Int, "1", "min.insync.replicas", AtLeast(1)),
    define("preallocate", Boolean, "false", "log.preallocate", BOOLEANS),
    define("remote.log.copy.disable", Boolean, "false", "", BOOLEANS),
    define("remote.log.delete.on.disable", Boolean, "false", "", BOOLEANS),
    define("remote.storage.enable", Boolean, "false", "", BOOLEANS),
    define("retention.bytes", Long, "-1", "log.retention.bytes", Any),
    define("retention.ms", Long, "604800000", "log.retention.ms", AtLeast(-1)),
    define("segment.bytes", Int, "1073741824", "log.segment.bytes", AtLeast(1 << 20)),
    define("segment.index.bytes", Int, "10485760", "log.index.size.max.bytes", AtLeast(4)),
    define("segment.jitter.ms", Long, "0", "log.roll.jitter.ms", AtLeast(0)),
    define("segment.ms", Long, "604800000", "log.roll.ms", AtLeast(1)),
    define("unclean.leader.election.enable", Boolean, "false", "unclean.leader.election.enable", BOOLEANS),
];

/// The definition of a name.
pub(crate) fn find(name: &str) -> Option<&'static Definition> {
    DEFINITIONS.iter().find(|d| d.name == name)
}

impl Definition {
    /// Why `value` is not allowed; `None` if it is.
    pub(crate) fn objection(&self, value: &str) -> Option<String> {
        let trimmed = value.trim();
        let problem = match self.config_type {
            Boolean | Text | List => self.textual_problem(trimmed),
            Int => trimmed
                .parse::<i32>()
                .map_err(|_| "Not a number of type INT".to_owned())
                .map_or_else(Some, |n| self.numeric_problem(f64::from(n), n.into())),
            Long => trimmed
                .parse::<i64>()
                .map_err(|_| "Not a number of type LONG".to_owned())
                .map_or_else(Some, |n| self.numeric_problem(n as f64, n)),
            Double => trimmed
                .parse::<f64>()
                .map_err(|_| "Not a number of type DOUBLE".to_owned())
                .map_or_else(Some, |n| self.numeric_problem(n, n as i64)),
        };
        problem.map(|p| format!("Invalid value {value} for configuration {}: {p}", self.name))
    }

    fn textual_problem(&self, value: &str) -> Option<String> {
        match self.allowed {
            OneOf(values) if self.config_type == Boolean => {
                (!values.iter().any(|v| v.eq_ignore_ascii_case(value))).then(|| "Expected value to be either true or false".to_owned())
            }
            OneOf(values) => (!values.contains(&value)).then(|| format!("String must be one of: {}", values.join(", "))),
            Among(values) => elements(value).any(|v| !values.contains(&v)).then(|| format!("String must be one of: {}", values.join(", "))),
            _ => None,
        }
    }

    fn numeric_problem(&self, value: f64, integer: i64) -> Option<String> {
        match self.allowed {
            AtLeast(min) => (integer < min).then(|| format!("Value must be at least {min}")),
            Between(min, _) if value.is_nan() || value < min => Some(format!("Value must be at least {min}")),
            Between(_, max) if value > max => Some(format!("Value must be no more than {max}")),
            _ => None,
        }
    }
}

/// The elements of a list value.
pub(crate) fn elements(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|v| !v.is_empty())
}
