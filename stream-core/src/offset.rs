//! Where reading begins.

use std::str::FromStr;
use std::time::Duration;

use crate::time::parse_iso8601;

/// Where a source begins that has no committed offset. Mirrors `AutoOffsetReset` (KIP-1106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoOffsetReset {
    /// At the first record.
    Earliest,
    /// Behind the last record.
    Latest,
    /// Nowhere: the task stops with an error.
    None,
    /// At the first record that is at most this old.
    ByDuration(Duration),
}

impl FromStr for AutoOffsetReset {
    type Err = String;

    /// `earliest`, `latest`, `none`, or `by_duration:` and an ISO 8601 duration, as in `by_duration:P7D`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            "none" => Ok(Self::None),
            _ => text.strip_prefix("by_duration:").and_then(parse_iso8601).map(Self::ByDuration).ok_or_else(|| {
                "expected `earliest`, `latest`, `none` or `by_duration:` with an ISO 8601 duration, as in `by_duration:P7D`".to_owned()
            }),
        }
    }
}
