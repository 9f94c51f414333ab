//! The broker as a program: `stream-broker --listen 127.0.0.1:9092 --data-dir kafka-data`.

use std::io::{self, Write};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use stream_broker::{Broker, BrokerConfig};

const USAGE: &str = "\
stream-broker: a single-node Kafka broker, for development and tests

Usage: stream-broker [OPTIONS]

Options:
  --listen HOST:PORT           Address to listen on; port 0 takes a free one [127.0.0.1:9092]
  --advertised HOST:PORT       Address that clients are told to connect to [the one listened on]
  --data-dir FOLDER            Keep the data in this folder; without it they end with the program
  --flush-messages N           log.flush.interval.messages [never]
  --flush-ms N                 log.flush.interval.ms [never]
  --node-id N                  node.id [1]
  --partitions N               num.partitions: partitions of topics created without a count [1]
  --no-auto-create             auto.create.topics.enable=false
  --message-max-bytes N        message.max.bytes [1048588]
  --log-memory-mb N            What all logs together may hold, in MiB [8192]
  --retention-ms N             log.retention.ms; -1 keeps records for ever [604800000]
  --retention-check-ms N       log.retention.check.interval.ms [300000]
  --rebalance-delay-ms N       group.initial.rebalance.delay.ms [0]
  --min-session-timeout-ms N   group.min.session.timeout.ms [6000]
  -h, --help                   This text
  -V, --version                The version

It prints one line, `listening on HOST:PORT`, when clients can connect, and ends on SIGTERM or SIGINT.
";

/// The exit code of a wrong command line.
const USAGE_ERROR: u8 = 2;

enum Invocation {
    Run(Box<BrokerConfig>),
    Print(String),
}

fn main() -> ExitCode {
    let config = match parse(std::env::args().skip(1)) {
        Ok(Invocation::Run(config)) => *config,
        Ok(Invocation::Print(text)) => {
            return match io::stdout().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        Err(message) => {
            eprintln!("stream-broker: {message}\nTry 'stream-broker --help'.");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stream-broker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: BrokerConfig) -> Result<(), Box<dyn std::error::Error>> {
    // Signals are caught before the line is printed: whoever reads it may send one at once.
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let broker = Broker::start(config)?;
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on {}", broker.address())?;
    stdout.flush()?;
    signals.forever().next();
    broker.stop();
    Ok(())
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Invocation, String> {
    let mut config = BrokerConfig::default().listen("127.0.0.1:9092");
    while let Some(argument) = arguments.next() {
        let (flag, mut inline) = match argument.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
            _ => (argument, None),
        };
        let mut value = || inline.take().or_else(|| arguments.next()).ok_or_else(|| format!("option '{flag}' needs a value"));
        config = match flag.as_str() {
            "--listen" => config.listen(value()?),
            "--advertised" => config.advertised(value()?),
            "--data-dir" => config.data_dir(value()?),
            "--flush-messages" => config.log_flush_interval_messages(number(&flag, &value()?)?),
            "--flush-ms" => config.log_flush_interval(millis(&flag, &value()?)?),
            "--node-id" => config.node_id(number(&flag, &value()?)?),
            "--partitions" => config.num_partitions(number(&flag, &value()?)?),
            "--no-auto-create" => config.auto_create_topics(false),
            "--message-max-bytes" => config.message_max_bytes(number(&flag, &value()?)?),
            "--log-memory-mb" => {
                // With no memory at all, no record could ever be kept.
                let mebibytes: NonZeroU32 = number(&flag, &value()?)?;
                config.log_memory_bytes(u64::from(mebibytes.get()) << 20)
            }
            "--retention-ms" => {
                let text = value()?;
                let forever = text == "-1";
                config.log_retention(if forever { None } else { Some(millis(&flag, &text)?) })
            }
            "--retention-check-ms" => config.retention_check_interval(millis(&flag, &value()?)?),
            "--rebalance-delay-ms" => config.initial_rebalance_delay(millis(&flag, &value()?)?),
            "--min-session-timeout-ms" => config.group_min_session_timeout(millis(&flag, &value()?)?),
            "-h" | "--help" => return Ok(Invocation::Print(USAGE.to_owned())),
            "-V" | "--version" => {
                return Ok(Invocation::Print(format!("stream-broker {}\n", env!("CARGO_PKG_VERSION"))));
            }
            other => return Err(format!("unknown option '{other}'")),
        };
        if let Some(unused) = inline {
            return Err(format!("option '{flag}' takes no value, got '{unused}'"));
        }
    }
    Ok(Invocation::Run(Box::new(config)))
}

fn number<T: std::str::FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("option '{flag}' needs a number in its range, got '{value}'"))
}

fn millis(flag: &str, value: &str) -> Result<Duration, String> {
    number(flag, value).map(Duration::from_millis)
}
