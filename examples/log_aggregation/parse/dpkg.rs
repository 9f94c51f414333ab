//! `/var/log/dpkg.log`: `2024-03-05 10:11:12 status installed bash:amd64 5.2`.

use crate::entry::{Level, LogEntry};
use crate::instant::parse_iso;

/// The words that begin an action of dpkg.
const ACTIONS: [&str; 11] =
    ["startup", "status", "install", "upgrade", "remove", "purge", "configure", "trigproc", "conffile", "disappear", "triggers-awaited"];

pub fn parse(line: &str) -> Option<LogEntry> {
    let (time, action) = line.split_at_checked(20)?;
    if !time.ends_with(' ') || !ACTIONS.contains(&action.split(' ').next()?) {
        return None;
    }
    let level = if action.contains("half-") { Level::Debug } else { Level::Info };
    Some(LogEntry { time: parse_iso(time)?, service: "dpkg".to_owned(), level, message: action.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instant::LineTime;

    #[test]
    fn actions_are_read() {
        let entry = parse("2024-03-05 10:11:12 status installed bash:amd64 5.2.15-2").expect("a dpkg line");
        assert_eq!(entry.time, LineTime::At(1_709_633_472_000));
        assert_eq!((entry.service.as_str(), entry.message.as_str()), ("dpkg", "status installed bash:amd64 5.2.15-2"));
    }

    #[test]
    fn other_lines_with_a_date_are_refused() {
        assert_eq!(parse("2024-03-05 10:11:12 hello world"), None);
    }
}
