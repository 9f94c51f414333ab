//! One JSON object a line, with the names that common loggers use.

use serde_json::{Map, Value};

use crate::entry::{Level, LogEntry};
use crate::instant::{LineTime, parse_iso};

pub fn parse(line: &str) -> Option<LogEntry> {
    if !line.starts_with('{') {
        return None;
    }
    let fields: Map<String, Value> = serde_json::from_str(line).ok()?;
    let text = |names: &[&str]| names.iter().find_map(|name| fields.get(*name)?.as_str());
    let service = text(&["service", "app", "application", "logger", "program"])?;
    let message = text(&["message", "msg", "event"])?;
    let level = text(&["level", "severity", "lvl"]).and_then(Level::from_word).unwrap_or_else(|| Level::from_message(message));
    let time = ["timestamp", "time", "ts", "@timestamp"].iter().find_map(|name| time(fields.get(*name)?)).unwrap_or(LineTime::Unknown);
    Some(LogEntry { time, service: service.to_owned(), level, message: message.to_owned() })
}

/// Text as in ISO 8601, or a number of seconds or milliseconds since the epoch.
fn time(value: &Value) -> Option<LineTime> {
    match value {
        Value::String(text) => parse_iso(text),
        // Seconds reach this many in the year 5138, milliseconds had it in 1973.
        Value::Number(number) => {
            number.as_f64().map(|number| LineTime::At(if number < 1e11 { (number * 1000.0) as i64 } else { number as i64 }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_several_loggers_are_known() {
        let lines = [
            r#"{"timestamp":"2024-03-05T10:11:12Z","service":"cart","level":"ERROR","message":"boom"}"#,
            r#"{"ts":1709633472.0,"app":"cart","lvl":"fatal","msg":"boom"}"#,
            r#"{"time":1709633472000,"logger":"cart","severity":"critical","event":"boom"}"#,
        ];
        for line in lines {
            let entry = parse(line).expect("a JSON line");
            assert_eq!(
                (entry.service.as_str(), entry.level, entry.time),
                ("cart", Level::Error, LineTime::At(1_709_633_472_000)),
                "{line}"
            );
        }
    }

    #[test]
    fn objects_without_service_or_message_and_broken_ones_are_refused() {
        for line in [r#"{"message":"x"}"#, r#"{"service":"x"}"#, r#"{"service":"x","message":"#, "{}"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
