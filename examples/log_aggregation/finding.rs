//! What comes out: one JSON object per finding; a later one of the same key replaces the earlier one.

use kstreams::prelude::Windowed;
use serde::{Deserialize, Serialize};

use crate::entry::Level;
use crate::instant::minute_text;

/// What lines are counted by in a minute.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceLevel {
    pub service: String,
    pub level: Level,
}

/// A message of a service with its numbers and ids masked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceMessage {
    pub service: String,
    pub message: String,
}

/// How many lines of a service were errors, in a minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorRate {
    pub minute: String,
    pub lines: u64,
    pub errors: u64,
}

/// One result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Finding {
    /// Lines of a service and level in a minute.
    Count { minute: String, service: String, level: Level, count: i64 },
    /// The share of errors among a service's lines in a minute, and who owns the service.
    ErrorRate { minute: String, service: String, owner: Option<String>, lines: u64, errors: u64, rate: f64 },
    /// How often a message was logged so far.
    Message { service: String, message: String, count: i64 },
    /// Lines in no known format so far.
    Unparsable { count: i64 },
}

impl Finding {
    pub fn count(key: &Windowed<ServiceLevel>, count: i64) -> (String, Self) {
        let (minute, key) = (minute_text(key.window.start_ms()), key.key.clone());
        let name = format!("count|{}|{}|{minute}", key.service, key.level);
        (name, Self::Count { minute, service: key.service, level: key.level, count })
    }

    pub fn error_rate(service: String, rate: ErrorRate, owner: Option<String>) -> (String, Self) {
        let ErrorRate { minute, lines, errors } = rate;
        let name = format!("error-rate|{service}|{minute}");
        (name, Self::ErrorRate { minute, service, owner, lines, errors, rate: errors as f64 / lines.max(1) as f64 })
    }

    pub fn message(key: ServiceMessage, count: i64) -> (String, Self) {
        let name = format!("message|{}|{}", key.service, key.message);
        (name, Self::Message { service: key.service, message: key.message, count })
    }

    pub fn unparsable(count: i64) -> (String, Self) {
        ("unparsable".to_owned(), Self::Unparsable { count })
    }
}
