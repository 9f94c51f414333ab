//! Example programs as child processes: started, awaited, killed, stopped and continued.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::{Cluster, PATIENCE};

/// One line of output, and when it came.
#[derive(Clone, Debug)]
pub struct Line {
    pub at: Instant,
    pub text: String,
}

#[derive(Default)]
struct Output {
    lines: Mutex<Lines>,
    grown: Condvar,
}

#[derive(Default)]
struct Lines {
    lines: Vec<Line>,
    ended: bool,
}

/// A running example. Dropping it kills the process; if the test fails, its output is shown.
pub struct Example {
    name: String,
    child: Child,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
}

impl Example {
    /// The program, as `cargo test` and `cargo build --examples` leave it beside the test's own binary.
    pub fn path(name: &str) -> PathBuf {
        let test = std::env::current_exe().expect("the test's own path");
        let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
        let path = profile.join("examples").join(name);
        assert!(path.exists(), "{} is missing: run `cargo build --release --examples` first", path.display());
        path
    }

    /// A command for an example on this cluster.
    pub fn command(name: &str, cluster: &Cluster, application_id: &str, state_dir: &Path) -> Command {
        let mut command = Command::new(Self::path(name));
        command
            .args(["--bootstrap-servers", cluster.bootstrap_servers(), "--application-id", application_id, "--state-dir"])
            .arg(state_dir);
        command
    }

    /// Starts it.
    pub fn spawn(command: Command) -> Self {
        let mut example = Self::start(command, Stdio::piped());
        example.stdout = collect(example.child.stdout.take().expect("piped"));
        example
    }

    /// Starts it with a standard output that nobody reads any more.
    pub fn spawn_unread(command: Command) -> Self {
        let mut example = Self::start(command, Stdio::piped());
        drop(example.child.stdout.take());
        example
    }

    /// Starts it with its standard output in a file.
    pub fn spawn_into(command: Command, file: File) -> Self {
        Self::start(command, Stdio::from(file))
    }

    fn start(mut command: Command, stdout: Stdio) -> Self {
        let name = format!("{:?}", command.get_program());
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let stderr = collect(child.stderr.take().expect("piped"));
        let unread = Lines { lines: Vec::new(), ended: true };
        let stdout = Arc::new(Output { lines: Mutex::new(unread), grown: Condvar::new() });
        Self { name, child, stdout, stderr }
    }

    /// The first line of standard output, from the `from`-th on, that begins with `prefix`; and the index behind it.
    pub fn await_line(&self, prefix: &str, from: usize, timeout: Duration) -> (Line, usize) {
        let deadline = Instant::now() + timeout;
        let mut output = self.stdout.lines.lock().expect("unpoisoned");
        loop {
            let found = output.lines.iter().enumerate().skip(from).find(|(_, line)| line.text.starts_with(prefix));
            if let Some((index, line)) = found {
                return (line.clone(), index + 1);
            }
            let remaining = deadline.saturating_duration_since(Instant::now());
            if output.ended || remaining.is_zero() {
                let state = if output.ended { "ended" } else { "runs" };
                drop(output);
                panic!("{} {state} without a line `{prefix}…`\n{}", self.name, self.output());
            }
            output = self.stdout.grown.wait_timeout(output, remaining).expect("unpoisoned").0;
        }
    }

    /// Waits until it runs for the first time; returns its tasks.
    pub fn await_running(&self) -> Vec<String> {
        let (line, _) = self.await_line("running: tasks", 0, PATIENCE);
        tasks(&line.text)
    }

    /// Its tasks as last printed.
    pub fn tasks(&self) -> Vec<String> {
        let output = self.stdout.lines.lock().expect("unpoisoned");
        output.lines.iter().rev().find(|line| line.text.starts_with("running: tasks")).map(|line| tasks(&line.text)).unwrap_or_default()
    }

    /// All lines of standard output so far.
    pub fn stdout(&self) -> Vec<Line> {
        self.stdout.lines.lock().expect("unpoisoned").lines.clone()
    }

    /// Both outputs so far, for messages.
    pub fn output(&self) -> String {
        let text = |output: &Output| {
            output.lines.lock().expect("unpoisoned").lines.iter().map(|line| format!("  {}\n", line.text)).collect::<String>()
        };
        format!("stdout:\n{}stderr:\n{}", text(&self.stdout), text(&self.stderr))
    }

    pub fn stderr(&self) -> String {
        self.stderr.lines.lock().expect("unpoisoned").lines.iter().map(|line| format!("{}\n", line.text)).collect()
    }

    /// Waits until standard error has a line with `part` in it.
    pub fn await_stderr(&self, part: &str, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let mut output = self.stderr.lines.lock().expect("unpoisoned");
        while !output.lines.iter().any(|line| line.text.contains(part)) {
            let remaining = deadline.saturating_duration_since(Instant::now());
            if output.ended || remaining.is_zero() {
                drop(output);
                panic!("{} has not said `{part}`\n{}", self.name, self.output());
            }
            output = self.stderr.grown.wait_timeout(output, remaining).expect("unpoisoned").0;
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process to kill");
        self.child.wait().expect("its end");
    }

    /// Sends a signal by name: TERM, STOP, CONT.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{name} failed");
    }

    /// The most memory that it has had so far.
    #[cfg(target_os = "linux")]
    pub fn peak_memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a running process");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
        line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number") * 1024
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("a process").is_none()
    }

    /// Waits until its outputs end, and with them the process.
    pub fn await_end(&mut self, timeout: Duration) -> ExitStatus {
        let deadline = Instant::now() + timeout;
        for output in [&self.stdout, &self.stderr] {
            let mut lines = output.lines.lock().expect("unpoisoned");
            while !lines.ended {
                let remaining = deadline.saturating_duration_since(Instant::now());
                if remaining.is_zero() {
                    drop(lines);
                    panic!("{} did not end within {} s\n{}", self.name, timeout.as_secs(), self.output());
                }
                lines = output.grown.wait_timeout(lines, remaining).expect("unpoisoned").0;
            }
        }
        self.child.wait().expect("its end")
    }

    /// SIGTERM, and a clean end; returns the figures of its last line.
    pub fn terminate(mut self) -> Finished {
        self.signal("TERM");
        let status = self.await_end(PATIENCE);
        assert!(status.success(), "{} ended with {status}\n{}", self.name, self.output());
        self.finished()
    }

    /// The figures of its last line.
    pub fn finished(&self) -> Finished {
        let (line, _) = self.await_line("finished:", 0, Duration::ZERO);
        let figure = |name: &str| {
            let (_, rest) = line.text.split_once(&format!("{name} ")).unwrap_or_else(|| panic!("no `{name}` in {}", line.text));
            rest.split([',', ' ']).next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number in {}", line.text))
        };
        Finished { records_in: figure("in"), restored: figure("restored"), dropped: figure("dropped"), commits: figure("commits") }
    }
}

/// What an example prints at its end.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    pub records_in: u64,
    pub restored: u64,
    pub dropped: u64,
    pub commits: u64,
}

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}\n{}", self.name, self.output());
        }
    }
}

fn tasks(line: &str) -> Vec<String> {
    let names = line.trim_start_matches("running: tasks").split_whitespace();
    names.filter(|name| name.contains('_')).map(str::to_owned).collect()
}

fn collect(stream: impl Read + Send + 'static) -> Arc<Output> {
    let output = Arc::new(Output::default());
    let collected = Arc::clone(&output);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(text) = line else { break };
            collected.lines.lock().expect("unpoisoned").lines.push(Line { at: Instant::now(), text });
            collected.grown.notify_all();
        }
        collected.lines.lock().expect("unpoisoned").ended = true;
        collected.grown.notify_all();
    });
    output
}
