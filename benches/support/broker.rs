//! The cluster of a run: the one that is named, or an embedded broker in a process of its own, so that its work does not count as ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use stream_broker::{Broker, BrokerConfig};

use super::{BOOTSTRAP_SERVERS, BenchResult, bootstrap_servers};

/// A cluster for as long as it lives.
pub enum Cluster {
    /// Somebody else's.
    Named(String),
    /// A child of this process.
    Embedded {
        /// Its address.
        address: String,
        /// The child, which ends with its standard input.
        child: Child,
        /// Held open meanwhile.
        input: Option<ChildStdin>,
    },
}

impl Cluster {
    /// The cluster that `KSTREAMS_BOOTSTRAP_SERVERS` names, else an embedded broker.
    pub fn start() -> BenchResult<Self> {
        if std::env::var_os(BOOTSTRAP_SERVERS).is_some() {
            return Ok(Self::Named(bootstrap_servers()?));
        }
        let mut child = Command::new(std::env::current_exe()?).arg("--broker").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix("listening on ").ok_or("the embedded broker did not start")?.to_owned();
        Ok(Self::Embedded { address, child, input })
    }

    /// Where clients connect.
    pub fn bootstrap_servers(&self) -> &str {
        match self {
            Self::Named(servers) => servers,
            Self::Embedded { address, .. } => address,
        }
    }

    /// What the report calls it.
    pub fn description(&self) -> String {
        match self {
            Self::Named(servers) => format!("the cluster at {servers}"),
            Self::Embedded { .. } => "an embedded broker in a process of its own".to_owned(),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Self::Embedded { child, input, .. } = self {
            drop(input.take());
            if let Err(error) = child.wait() {
                eprintln!("the embedded broker cannot be waited for: {error}");
            }
        }
    }
}

/// Runs a broker until standard input ends, which it does at the latest when the parent dies.
pub fn serve() -> BenchResult<()> {
    // The input's timestamps are old on purpose: nothing may expire.
    let config = BrokerConfig::default().listen("127.0.0.1:0").auto_create_topics(false).log_retention(None);
    let broker = Broker::start(config)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on {}", broker.address())?;
    stdout.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    broker.stop();
    Ok(())
}
