//! Raw lines as the input topic holds them, and the time that they happened.

use kstreams::prelude::*;

use crate::entry::LogEntry;
use crate::instant::civil_ms;
use crate::parse::parse;

/// A line and what it says, when it is in a known format.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    pub raw: String,
    pub entry: Option<LogEntry>,
}

/// Reads lines as UTF-8 text and parses them on the way, so that the timestamp extractor sees the parsed line.
pub struct LogLineSerde;

impl Serde<LogLine> for LogLineSerde {
    fn serialize(&self, line: &LogLine, out: &mut Vec<u8>, _: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.extend_from_slice(line.raw.as_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], _: &SerdeContext<'_>) -> Result<LogLine, SerdeError> {
        let raw = String::from_utf8_lossy(bytes).into_owned();
        let entry = parse(raw.trim_end());
        Ok(LogLine { raw, entry })
    }
}

/// Event time: when the line was written, by its own account. A line that tells no time was written when those before it were.
pub struct LineTimestamp {
    /// The year of lines that name none.
    pub year: Option<i64>,
}

impl TimestampExtractor<Option<String>, LogLine> for LineTimestamp {
    fn extract(&self, record: &ConsumedRecord<'_, Option<String>, LogLine>, partition_time: i64, now_ms: i64) -> Result<i64, BoxError> {
        let fed = if record.timestamp >= 0 { record.timestamp } else { now_ms };
        // Old logs must not begin with a line of today: all others would be late.
        let first = self.year.and_then(|year| civil_ms(year, 1, 1)).unwrap_or(fed);
        let before = if partition_time >= 0 { partition_time } else { first };
        Ok(record.value.entry.as_ref().and_then(|entry| entry.time.resolve(fed, self.year)).unwrap_or(before).max(0))
    }
}
