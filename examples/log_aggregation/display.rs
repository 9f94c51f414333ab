//! Shows findings: a table that renews itself on a terminal, JSON lines elsewhere.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stdout};
use std::time::{Duration, Instant};

use crate::common::{Failure, print};
use crate::entry::Level;
use crate::finding::Finding;

const RENEWAL: Duration = Duration::from_millis(500);
const MESSAGES: usize = 10;

/// Where findings are shown.
pub enum Display {
    /// A terminal.
    Table(Box<Table>),
    /// Anything else.
    Lines,
}

/// The newest findings.
#[derive(Default)]
pub struct Table {
    levels: BTreeMap<String, BTreeMap<Level, BTreeMap<String, i64>>>,
    rates: BTreeMap<String, (String, Option<String>, f64)>,
    messages: BTreeMap<(String, String), i64>,
    unparsable: i64,
    drawn: Option<Instant>,
}

impl Display {
    /// For standard output as it is.
    pub fn new() -> Self {
        if stdout().is_terminal() { Self::Table(Box::default()) } else { Self::Lines }
    }

    /// Takes a finding as it stands in the output topic.
    pub fn take(&mut self, json: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Lines => print(&[json, b"\n"].concat()),
            Self::Table(table) => {
                match serde_json::from_slice(json) {
                    Ok(finding) => table.take(finding),
                    Err(error) => tracing::warn!(%error, "a record of the output topic is no finding"),
                }
                Ok(())
            }
        }
    }

    /// Draws the table when it is time to.
    pub fn renew(&mut self, now: bool) -> Result<(), Failure> {
        match self {
            Self::Table(table) if now || table.drawn.is_none_or(|drawn| drawn.elapsed() >= RENEWAL) => {
                table.drawn = Some(Instant::now());
                print(format!("\x1b[H\x1b[2J{table}").as_bytes())
            }
            _ => Ok(()),
        }
    }
}

impl Table {
    fn take(&mut self, finding: Finding) {
        match finding {
            Finding::Count { minute, service, level, count } => {
                self.levels.entry(service).or_default().entry(level).or_default().insert(minute, count);
            }
            Finding::ErrorRate { minute, service, owner, rate, .. } => {
                let newest = self.rates.entry(service).or_default();
                if minute >= newest.0 {
                    *newest = (minute, owner, rate);
                }
            }
            Finding::Message { service, message, count } => {
                self.messages.insert((service, message), count);
            }
            Finding::Unparsable { count } => self.unparsable = count,
        }
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let header = ["service", "owner", "debug", "info", "warning", "error", "newest minute", "errors in it"];
        let [service, owner, debug, info, warning, error, minute, rate] = header;
        writeln!(f, "{service:<14}{owner:<12}{debug:>8}{info:>8}{warning:>9}{error:>8}  {minute:<18}{rate}")?;
        for (service, levels) in &self.levels {
            let sum = |level| levels.get(&level).map_or(0, |minutes| minutes.values().sum::<i64>());
            let (minute, owner, rate) = self.rates.get(service).cloned().unwrap_or_default();
            let owner = owner.as_deref().unwrap_or("-");
            let [debug, info, warning, error] = [Level::Debug, Level::Info, Level::Warning, Level::Error].map(sum);
            let percent = rate * 100.0;
            writeln!(f, "{service:<14.13}{owner:<12.11}{debug:>8}{info:>8}{warning:>9}{error:>8}  {minute:<18}{percent:.1} %")?;
        }
        let mut messages: Vec<_> = self.messages.iter().collect();
        messages.sort_by(|(key, count), (other_key, other)| other.cmp(count).then_with(|| key.cmp(other_key)));
        writeln!(f, "\nmost frequent messages")?;
        for ((service, message), count) in messages.into_iter().take(MESSAGES) {
            writeln!(f, "{count:>8}  {service:<14.13}{message:.80}")?;
        }
        writeln!(f, "\nlines in no known format: {}", self.unparsable)
    }
}
