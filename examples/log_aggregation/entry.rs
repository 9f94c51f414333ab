//! One log line, understood.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::instant::LineTime;

/// How serious a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

impl Level {
    /// From a syslog severity: 0 (emergency) to 7 (debug).
    pub fn from_severity(severity: u8) -> Self {
        match severity {
            0..=3 => Self::Error,
            4 => Self::Warning,
            5 | 6 => Self::Info,
            _ => Self::Debug,
        }
    }

    /// From an HTTP status.
    pub fn from_status(status: u16) -> Self {
        match status {
            500.. => Self::Error,
            400..=499 => Self::Warning,
            _ => Self::Info,
        }
    }

    /// From a word as loggers write it.
    pub fn from_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "trace" | "debug" | "fine" => Some(Self::Debug),
            "info" | "information" | "notice" => Some(Self::Info),
            "warn" | "warning" => Some(Self::Warning),
            "err" | "error" | "fatal" | "critical" | "crit" | "alert" | "emergency" | "emerg" | "panic" | "severe" => Some(Self::Error),
            _ => None,
        }
    }

    /// From the words of a message, for formats that have no level of their own.
    pub fn from_message(message: &str) -> Self {
        let message = message.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if has(&["error", "fail", "fatal", "panic", "denied"]) {
            Self::Error
        } else if has(&["warn", "timeout", "retry", "refused", "invalid"]) {
            Self::Warning
        } else {
            Self::Info
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What a log line says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// When, as far as the line tells.
    pub time: LineTime,
    /// Which program wrote it.
    pub service: String,
    /// How serious it is.
    pub level: Level,
    /// The rest.
    pub message: String,
}
