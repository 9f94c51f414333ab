//! Settings that are a choice.

use std::str::FromStr;

use crate::time::simple_name;

/// `processing.guarantee`: what a failure may do to results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessingGuarantee {
    /// No record is lost; some may be processed again.
    #[default]
    AtLeastOnce,
    /// Each record changes results and state exactly once: consumed positions, state and output are committed in one transaction.
    ExactlyOnceV2,
}

impl ProcessingGuarantee {
    /// Whether it is [`ExactlyOnceV2`](Self::ExactlyOnceV2).
    pub fn is_exactly_once(self) -> bool {
        self == Self::ExactlyOnceV2
    }

    /// Kafka's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at_least_once",
            Self::ExactlyOnceV2 => "exactly_once_v2",
        }
    }
}

impl FromStr for ProcessingGuarantee {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "at_least_once" => Ok(Self::AtLeastOnce),
            "exactly_once_v2" => Ok(Self::ExactlyOnceV2),
            "exactly_once" | "exactly_once_beta" => Err(format!("`{text}` was removed in Kafka 4.0; use `exactly_once_v2`")),
            _ => Err("expected `at_least_once` or `exactly_once_v2`".to_owned()),
        }
    }
}

/// `topology.optimization`: which rewrites of the topology are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Optimization {
    /// `reuse.ktable.source.topics`: a source topic serves as the changelog of its table.
    pub reuse_ktable_source_topics: bool,
    /// `merge.repartition.topics`: one repartition topic where several would hold the same.
    pub merge_repartition_topics: bool,
    /// `single.store.self.join`: a stream that is joined with itself is stored once.
    pub single_store_self_join: bool,
}

impl Optimization {
    /// `none`.
    pub const NONE: Self = Self { reuse_ktable_source_topics: false, merge_repartition_topics: false, single_store_self_join: false };
    /// `all`.
    pub const ALL: Self = Self { reuse_ktable_source_topics: true, merge_repartition_topics: true, single_store_self_join: true };
}

impl FromStr for Optimization {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => return Ok(Self::NONE),
            "all" => return Ok(Self::ALL),
            _ => {}
        }
        let mut optimization = Self::NONE;
        for word in text.split(',').map(str::trim) {
            match word {
                "reuse.ktable.source.topics" => optimization.reuse_ktable_source_topics = true,
                "merge.repartition.topics" => optimization.merge_repartition_topics = true,
                "single.store.self.join" => optimization.single_store_self_join = true,
                _ => {
                    return Err("expected `none`, `all`, or a list of `reuse.ktable.source.topics`, `merge.repartition.topics` and \
                                `single.store.self.join`"
                        .to_owned());
                }
            }
        }
        Ok(optimization)
    }
}

/// `dsl.store.suppliers.class`: where stores of the DSL keep their rows when the program does not say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreSuppliers {
    /// In RocksDB.
    #[default]
    RocksDb,
    /// In memory, restored from their changelogs at every start.
    InMemory,
}

impl FromStr for StoreSuppliers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match simple_name(text) {
            "rocksdb" | "rocksDB" | "RocksDBDslStoreSuppliers" => Ok(Self::RocksDb),
            "in-memory" | "in_memory" | "InMemoryDslStoreSuppliers" => Ok(Self::InMemory),
            _ => {
                Err("expected `rocksdb` or `in-memory`; a store of your own is given to each table, with `Materialized::supplied`"
                    .to_owned())
            }
        }
    }
}

/// What one of Kafka's own exception handlers does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum BuiltInHandler {
    #[default]
    LogAndFail,
    LogAndContinue,
}

impl FromStr for BuiltInHandler {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match simple_name(text) {
            "log-and-fail"
            | "LogAndFailExceptionHandler"
            | "LogAndFailProcessingExceptionHandler"
            | "DefaultProductionExceptionHandler" => Ok(Self::LogAndFail),
            "log-and-continue" | "LogAndContinueExceptionHandler" | "LogAndContinueProcessingExceptionHandler" => Ok(Self::LogAndContinue),
            _ => {
                Err("expected `log-and-fail` or `log-and-continue`; a handler of your own is passed to `StreamsConfig` as an object, with \
                      `deserialization_handler`, `processing_handler` or `production_handler`"
                    .to_owned())
            }
        }
    }
}
