//! The second example on its sample logs, compared with counts made without the library.

use std::collections::BTreeMap;
use std::io::Write;

use crate::harness::{Cluster, Example, PATIENCE, Row};
use serde_json::Value;

const FILES: [&str; 5] = ["nginx-access.log", "dpkg.log", "syslog.log", "services.jsonl", "apt-history.log"];

fn logs() -> String {
    let read = |name| std::fs::read_to_string(format!("examples/data/logs/{name}")).expect("a sample log");
    FILES.iter().map(read).collect()
}

/// The newest finding of each key.
fn findings(cluster: &Cluster, topic: &str) -> BTreeMap<String, Value> {
    let rows = cluster.read_all(topic);
    rows.iter().map(|row| (row.key_text(), serde_json::from_str(&row.value_text()).expect("a JSON object"))).collect()
}

#[test]
fn counts_rates_owners_and_unparsable_lines_are_right() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let topics = ["logs", "findings", "unparsable", "owners"].map(|name| cluster.topic(name, 3, &[]));
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(logs().as_bytes()).expect("it can be written");
    let application = cluster.unique("logs");
    let mut command = Example::command("log_aggregation", &cluster, &application, state.path());
    for (flag, topic) in ["--input-topic", "--output-topic", "--unparsable-topic", "--owners-topic"].iter().zip(&topics) {
        command.args([flag, topic.as_str()]);
    }
    command.args(["--owners", "examples/data/logs/owners.csv", "--year", "2024", "--processing-guarantee", "exactly_once_v2", "--input"]);
    command.arg(file.path());
    let mut example = Example::spawn(command);
    let status = example.await_end(PATIENCE);
    assert!(status.success(), "{}", example.output());
    assert_eq!(example.finished().dropped, 0, "no line is late");

    let logs = logs();
    let lines: Vec<&str> = logs.lines().filter(|line| !line.is_empty()).collect();
    let access: Vec<&str> = lines.iter().copied().filter(|line| line.contains("\" HTTP/1.1") || line.contains(" HTTP/1.1\" ")).collect();
    let findings = findings(&cluster, &topics[1]);
    let of_kind = |kind: &str| findings.values().filter(|finding| finding["kind"] == kind).cloned().collect::<Vec<Value>>();
    let counts = of_kind("count");
    let sum = |service: &str, level: Option<&str>| -> i64 {
        let of_service = counts.iter().filter(|finding| finding["service"] == service);
        of_service
            .filter(|finding| level.is_none_or(|level| finding["level"] == level))
            .filter_map(|finding| finding["count"].as_i64())
            .sum()
    };
    assert_eq!(sum("nginx", None), access.len() as i64);
    let errors = access.iter().filter(|line| line.contains("\" 500 ") || line.contains("\" 502 ")).count() as i64;
    assert_eq!(sum("nginx", Some("error")), errors);
    let dpkg = std::fs::read_to_string("examples/data/logs/dpkg.log").expect("a sample log").lines().count() as i64;
    assert_eq!(sum("dpkg", None), dpkg);

    let unparsable = lines.iter().filter(|line| line.starts_with("-- ") || line.starts_with('{') && !line.ends_with('}')).count();
    assert!(unparsable > 0);
    assert_eq!(cluster.read_all(&topics[2]).len(), unparsable, "unparsable lines are kept");
    assert_eq!(findings["unparsable"]["count"].as_i64(), Some(unparsable as i64));
    let counted: i64 = counts.iter().filter_map(|finding| finding["count"].as_i64()).sum();
    assert_eq!(counted as usize + unparsable, lines.len(), "every line is counted once");

    let owners = cluster.read_all(&topics[3]);
    assert!(!owners.is_empty() && owners.iter().all(|row| row.timestamp == 1), "owners are older than every line: {owners:?}");
    let rates = of_kind("error-rate");
    // Nobody owns the kernel.
    assert!(rates.iter().all(|rate| rate["owner"].is_string() == (rate["service"] != "kernel")), "each service has its owner");
    let nginx: Vec<&Value> = rates.iter().filter(|rate| rate["service"] == "nginx").collect();
    assert!(nginx.iter().all(|rate| rate["owner"] == "edge"));
    assert_eq!(nginx.iter().filter_map(|rate| rate["lines"].as_i64()).sum::<i64>(), access.len() as i64);
    assert_eq!(nginx.iter().filter_map(|rate| rate["errors"].as_i64()).sum::<i64>(), errors);
    let top = of_kind("message");
    let masked = top.iter().find(|finding| finding["message"] == "GET /api/orders/# HTTP/#.# #").expect("a masked message");
    let orders = access.iter().filter(|line| line.contains("GET /api/orders/")).count() as i64;
    assert_eq!(masked["count"].as_i64(), Some(orders));
}

#[test]
fn a_growing_file_is_followed_also_when_it_is_replaced() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let topics = ["logs", "findings", "unparsable", "owners"].map(|name| cluster.topic(name, 1, &[]));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.log");
    let line = |n: u32| format!("{{\"ts\":\"2024-03-05T10:00:00Z\",\"service\":\"cart\",\"msg\":\"n {n}\"}}\n");
    std::fs::write(&path, line(1)).expect("it can be written");
    let mut command = Example::command("log_aggregation", &cluster, &cluster.unique("follow"), state.path());
    for (flag, topic) in ["--input-topic", "--output-topic", "--unparsable-topic", "--owners-topic"].iter().zip(&topics) {
        command.args([flag, topic.as_str()]);
    }
    command.args(["--follow", "--input"]).arg(&path);
    let example = Example::spawn(command);
    let await_line = |n: u32| cluster.read_until(&topics[0], PATIENCE, |row| row.value_text() == line(n).trim_end());
    await_line(1);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("it can be opened");
    // A line that comes in two pieces is one line.
    let second = line(2);
    let (head, tail) = second.split_at(20);
    file.write_all(head.as_bytes()).expect("it can be written");
    std::thread::sleep(std::time::Duration::from_millis(500));
    file.write_all(tail.as_bytes()).expect("it can be written");
    await_line(2);
    // Rotated right after the last line, and between the halves of one; each new file is shorter than the one before it.
    let mut n = 2;
    for generation in 0..3 {
        for _ in 0..20 {
            n += 1;
            file.write_all(line(n).as_bytes()).expect("it can be written");
        }
        n += 1;
        let halves = line(n);
        let (head, tail) = halves.split_at(20);
        file.write_all(head.as_bytes()).expect("it can be written");
        std::fs::rename(&path, folder.path().join(format!("app.log.{generation}"))).expect("it can be moved");
        file.write_all(tail.as_bytes()).expect("it can be written");
        n += 1;
        std::fs::write(&path, line(n)).expect("it can be written");
        await_line(n);
        file = std::fs::OpenOptions::new().append(true).open(&path).expect("it can be opened");
    }
    example.terminate();
    let mut lines: Vec<String> = cluster.read_all(&topics[0]).iter().map(Row::value_text).collect();
    let mut written: Vec<String> = (1..=n).map(|n| line(n).trim_end().to_owned()).collect();
    lines.sort();
    written.sort();
    assert_eq!(lines, written);
}

#[test]
fn flags_that_make_no_sense_end_with_code_2_and_say_why() {
    let hours = u64::MAX.to_string();
    let wrong: [(&[&str], &str); 2] = [
        (&["--follow", "--input", "-"], "--follow needs a file"),
        (&["--input", "examples/data/README.md", "--grace-hours", &hours], "--grace-hours"),
    ];
    for (flags, expected) in wrong {
        let output = std::process::Command::new(Example::path("log_aggregation")).args(flags).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {stderr}");
        assert!(stderr.contains(expected), "{flags:?}: {stderr}");
    }
}
