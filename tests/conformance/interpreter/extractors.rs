//! The timestamp extractor of the catalogue that is not one of Kafka's own.

use kstreams::core::BoxError;
use kstreams::core::time::{ConsumedRecord, TimestampExtractor};

use super::datum::{Datum, Nullable, Visible};

/// The time is in the value.
pub struct ValueNumber {
    otherwise: Fallback,
}

enum Fallback {
    Record,
    Skip,
    PartitionTime,
}

impl ValueNumber {
    pub fn of(spec: &str) -> Option<Self> {
        let otherwise = match spec {
            "value-number" | "value-number:record" => Fallback::Record,
            "value-number:skip" => Fallback::Skip,
            "value-number:partition-time" => Fallback::PartitionTime,
            _ => return None,
        };
        Some(Self { otherwise })
    }
}

fn number(value: &Nullable) -> Option<i64> {
    match value {
        Some(Datum::Long(number)) => Some(*number),
        Some(Datum::Text(text)) => text.split_once('@')?.1.parse().ok(),
        _ => None,
    }
}

impl<K: Visible, V: Visible> TimestampExtractor<K, V> for ValueNumber {
    fn extract(&self, record: &ConsumedRecord<'_, K, V>, partition_time: i64, _now_ms: i64) -> Result<i64, BoxError> {
        Ok(number(&record.value.datum()).unwrap_or(match self.otherwise {
            Fallback::Record => record.timestamp,
            Fallback::Skip => -1,
            Fallback::PartitionTime => partition_time,
        }))
    }

    fn extract_null(&self, record: &ConsumedRecord<'_, (), ()>, partition_time: i64, _now_ms: i64) -> Result<i64, BoxError> {
        Ok(match self.otherwise {
            Fallback::Record => record.timestamp,
            Fallback::Skip => -1,
            Fallback::PartitionTime => partition_time,
        })
    }
}
