//! The combined format of nginx and Apache:
//! `192.0.2.1 - - [05/Mar/2024:10:11:12 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8.5"`.

use crate::entry::{Level, LogEntry};
use crate::instant::{LineTime, civil_ms, parse_clock, parse_month, parse_zone};

pub fn parse(line: &str) -> Option<LogEntry> {
    let (client, rest) = line.split_once(" [")?;
    if client.split(' ').count() < 3 {
        return None;
    }
    let (time, rest) = rest.split_once("] \"")?;
    let (request, rest) = rest.split_once("\" ")?;
    let status = rest.split(' ').next()?;
    let code: u16 = status.parse().ok()?;
    let message = format!("{request} {status}");
    Some(LogEntry { time: parse_time(time)?, service: "nginx".to_owned(), level: Level::from_status(code), message })
}

/// `05/Mar/2024:10:11:12 +0100`
fn parse_time(text: &str) -> Option<LineTime> {
    let (date, rest) = text.split_once(':')?;
    let (clock, zone) = rest.split_once(' ')?;
    let mut date = date.split('/');
    let (day, month, year) = (date.next()?.parse().ok()?, parse_month(date.next()?)?, date.next()?.parse().ok()?);
    Some(LineTime::At(civil_ms(year, month, day)? + parse_clock(clock)? - parse_zone(zone)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_gives_the_level() {
        let line =
            |status| format!(r#"192.0.2.1 - anna [05/Mar/2024:11:11:12 +0100] "GET /cart?id=7 HTTP/1.1" {status} 612 "-" "curl/8.5""#);
        let entry = parse(&line(502)).expect("an access line");
        assert_eq!((entry.level, entry.time), (Level::Error, LineTime::At(1_709_633_472_000)));
        assert_eq!(entry.message, "GET /cart?id=7 HTTP/1.1 502");
        assert_eq!(parse(&line(404)).map(|entry| entry.level), Some(Level::Warning));
        assert_eq!(parse(&line(200)).map(|entry| entry.level), Some(Level::Info));
    }

    #[test]
    fn a_line_without_status_is_refused() {
        assert_eq!(parse(r#"192.0.2.1 - - [05/Mar/2024:11:11:12 +0100] "GET / HTTP/1.1" - 0"#), None);
    }
}
