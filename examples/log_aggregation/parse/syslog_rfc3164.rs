//! Syslog as in RFC 3164, and as `/var/log/syslog` holds it: `<34>Oct 11 22:14:15 host su[77]: message`, the priority optional.

use super::syslog::priority;
use crate::entry::{Level, LogEntry};
use crate::instant::{LineTime, parse_clock, parse_month};

pub fn parse(line: &str) -> Option<LogEntry> {
    let (severity, rest) = priority(line).map_or((None, line), |(severity, rest)| (Some(severity), rest));
    let (month, rest) = rest.split_once(' ')?;
    let (day, rest) = rest.trim_start().split_once(' ')?;
    let (clock, rest) = rest.split_once(' ')?;
    let (_host, rest) = rest.split_once(' ')?;
    let (tag, message) = rest.split_once(':')?;
    let service = tag.split('[').next()?;
    if service.is_empty() || service.contains(' ') {
        return None;
    }
    let day = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let time = LineTime::WithoutYear { month: parse_month(month)?, day, ms_of_day: parse_clock(clock)? };
    let message = message.trim_start();
    let level = severity.map_or_else(|| Level::from_message(message), Level::from_severity);
    Some(LogEntry { time, service: service.to_owned(), level, message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_priority_takes_its_level_from_it() {
        let entry = parse("<34>Oct 11 22:14:15 mymachine su[42]: 'su root' for lonvick on /dev/pts/8").expect("a syslog line");
        assert_eq!((entry.service.as_str(), entry.level), ("su", Level::Error));
        assert_eq!(entry.time, LineTime::WithoutYear { month: 10, day: 11, ms_of_day: 80_055_000 });
        assert_eq!(entry.message, "'su root' for lonvick on /dev/pts/8");
    }

    #[test]
    fn a_line_of_a_log_file_takes_its_level_from_its_words() {
        let entry = parse("Mar  5 07:01:02 web-1 sshd[991]: Connection refused by 192.0.2.7").expect("a syslog line");
        assert_eq!((entry.service.as_str(), entry.level), ("sshd", Level::Warning));
    }

    #[test]
    fn a_line_without_tag_is_refused() {
        assert_eq!(parse("Mar  5 07:01:02 web-1 last message repeated 2 times"), None);
    }
}
