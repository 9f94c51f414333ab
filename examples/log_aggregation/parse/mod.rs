//! Log formats: one file each, tried in turn. A format recognises its lines by their beginning, so that at most one accepts a line.

mod apt;
mod combined;
mod dpkg;
mod json;
mod syslog;
mod syslog_rfc3164;
mod syslog_rfc5424;

use crate::entry::LogEntry;

/// What a line says; `None` for a line in none of the formats.
pub fn parse(line: &str) -> Option<LogEntry> {
    const FORMATS: [fn(&str) -> Option<LogEntry>; 6] =
        [json::parse, dpkg::parse, apt::parse, syslog_rfc5424::parse, syslog_rfc3164::parse, combined::parse];
    FORMATS.iter().find_map(|format| format(line))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn prose_is_in_no_format() {
        for line in ["", "It was the best of times", "2024-99-99 10:00:00 startup", "<999>1 x", "{\"a\":1}", "\u{fffd}\u{fffd}"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
