//! A member in a process of its own, to be stopped and killed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use stream_core::membership::Membership;
use stream_core::time::SystemClock;

use crate::support::{self, Cluster, Member, PATIENCE};

pub struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Process {
    /// Starts it and waits until it is assigned all tasks.
    pub fn start(cluster: &Cluster, topics: &[(&str, i32)], fingerprint: &str) -> Self {
        let topics: Vec<String> = topics.iter().map(|(name, partitions)| format!("{name}={partitions}")).collect();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "process::member"])
            .env("MEMBER_BOOTSTRAP", &cluster.bootstrap)
            .env("MEMBER_GROUP", &cluster.group)
            .env("MEMBER_TOPICS", topics.join(","))
            .env("MEMBER_FINGERPRINT", fingerprint)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let process = Self { child, stdin, lines };
        process.expect("assigned ");
        process
    }

    /// The next line that begins so.
    pub fn expect(&self, start: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no line `{start}…`: {error}"));
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// Whether it has printed a line that begins so. Lines before it are forgotten.
    pub fn has_said(&self, start: &str) -> bool {
        self.lines.try_iter().any(|line| line.starts_with(start))
    }

    pub fn tell(&mut self, command: &str) {
        writeln!(self.stdin, "{command}").unwrap();
    }

    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The process itself: says what it is assigned, and commits when it is told.
#[test]
#[ignore = "run by other tests, as a process of its own"]
fn member() {
    let variable = |name: &str| std::env::var(name).expect("set by the test");
    let (group, topics) = (variable("MEMBER_GROUP"), variable("MEMBER_TOPICS"));
    let topics: Vec<(&str, i32)> =
        topics.split(',').filter_map(|topic| topic.split_once('=')).map(|(name, count)| (name, count.parse().unwrap())).collect();
    let plan = support::plan(&group, &topics, &variable("MEMBER_FINGERPRINT"));
    let mut member = Member::join(&variable("MEMBER_BOOTSTRAP"), &group, "process", &plan, &[], &(Arc::new(SystemClock::new()) as _));
    let tokens = member.membership.tokens();
    let committer = member.membership.committer();
    let (sender, owned) = mpsc::channel::<Vec<stream_core::TaskId>>();
    let topic = support::topic(&group, topics[0].0);
    // A worker: commits for the tasks that it was last given, whatever has happened to the membership since.
    std::thread::spawn(move || {
        let mut tasks = Vec::new();
        for line in std::io::stdin().lines().map_while(Result::ok) {
            tasks = owned.try_iter().last().unwrap_or(tasks);
            if line == "commit" {
                let offsets: Vec<_> =
                    tasks.iter().filter(|task| task.subtopology == 0).map(|task| support::position(&topic, task.partition, 1)).collect();
                let result = tokens.lease(&tasks).and_then(|lease| committer.commit(&lease, &offsets));
                println!("\ncommit {}", result.map_or_else(|error| format!("{:?}", error.kind()), |()| "ok".into()));
            }
        }
    });
    let mut last = None;
    loop {
        member.turn();
        if member.assigned != last {
            last.clone_from(&member.assigned);
            if let Some(tasks) = &last {
                sender.send(tasks.iter().copied().collect()).unwrap();
                println!("\nassigned {}", tasks.len());
            }
        }
    }
}
