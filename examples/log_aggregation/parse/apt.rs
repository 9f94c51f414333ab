//! `/var/log/apt/history.log`: blocks of `Name: value` lines; only the first and the last of a block hold a time.

use crate::entry::{Level, LogEntry};
use crate::instant::{LineTime, parse_iso};

pub fn parse(line: &str) -> Option<LogEntry> {
    let (name, value) = line.split_once(": ")?;
    let (time, level) = match name {
        "Start-Date" | "End-Date" => (parse_iso(value)?, Level::Info),
        "Commandline" | "Requested-By" | "Install" | "Reinstall" | "Upgrade" | "Downgrade" | "Remove" | "Purge" => {
            (LineTime::Unknown, Level::Info)
        }
        "Error" => (LineTime::Unknown, Level::Error),
        _ => return None,
    };
    Some(LogEntry { time, service: "apt".to_owned(), level, message: line.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_line_by_line() {
        let start = parse("Start-Date: 2024-03-05  10:11:12").expect("an apt line");
        assert_eq!(start.time, LineTime::At(1_709_633_472_000));
        let command = parse("Commandline: apt-get install -y jq").expect("an apt line");
        assert_eq!((command.time, command.level), (LineTime::Unknown, Level::Info));
        let error = parse("Error: Sub-process /usr/bin/dpkg returned an error code (1)").expect("an apt line");
        assert_eq!(error.level, Level::Error);
    }

    #[test]
    fn other_names_are_refused() {
        assert_eq!(parse("Subject: hello"), None);
    }
}
