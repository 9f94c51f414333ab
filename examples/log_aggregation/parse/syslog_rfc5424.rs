//! Syslog as in RFC 5424: `<165>1 2003-10-11T22:14:15.003Z host app 77 ID47 [data] message`.

use super::syslog::priority;
use crate::entry::{Level, LogEntry};
use crate::instant::{LineTime, parse_iso};

pub fn parse(line: &str) -> Option<LogEntry> {
    let (severity, rest) = priority(line)?;
    let rest = rest.strip_prefix("1 ")?;
    let mut fields = rest.splitn(6, ' ');
    let time = match fields.next()? {
        "-" => LineTime::Unknown,
        time => parse_iso(time)?,
    };
    let (_host, service, _process, _message_id) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let message = after_structured_data(fields.next()?)?.trim_start().trim_start_matches('\u{feff}');
    Some(LogEntry { time, service: service.to_owned(), level: Level::from_severity(severity), message: message.to_owned() })
}

/// Skips `-` or `[id name="value"]…`; inside a value, `\"`, `\\` and `\]` stand for themselves.
fn after_structured_data(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('-') {
        return Some(rest);
    }
    let mut rest = text;
    while let Some(element) = rest.strip_prefix('[') {
        let (mut quoted, mut escaped, mut end) = (false, false, None);
        for (index, character) in element.char_indices() {
            match character {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                ']' if !quoted => {
                    end = Some(index);
                    break;
                }
                _ => {}
            }
        }
        rest = &element[end? + 1..];
    }
    (rest.len() < text.len()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structured_data_is_skipped_also_with_brackets_in_quotes() {
        let line = r#"<165>1 2003-10-11T22:14:15.003Z host.example evntslog - ID47 [a@1 x="\"]\"" y="2"][b@1] An event"#;
        let entry = parse(line).expect("a syslog line");
        assert_eq!(entry.time, LineTime::At(1_065_910_455_003));
        assert_eq!((entry.service.as_str(), entry.level, entry.message.as_str()), ("evntslog", Level::Info, "An event"));
    }

    #[test]
    fn nil_fields_are_allowed() {
        let entry = parse("<11>1 - - app - - - it broke").expect("a syslog line");
        assert_eq!((entry.time, entry.level, entry.message.as_str()), (LineTime::Unknown, Level::Error, "it broke"));
    }

    #[test]
    fn unclosed_structured_data_is_refused() {
        assert_eq!(parse("<11>1 - - app - - [x y=\"1\" message"), None);
    }
}
