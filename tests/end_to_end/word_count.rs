//! The demo text through the word count example, compared with a count made without the library.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use crate::harness::{Audit, Cluster, Example, PATIENCE, assert_same_counts, count_words};

const BOOKS: &str = include_str!("../../examples/data/books.txt");

fn word_count_of_the_books_equals_the_true_count(guarantee: &str) {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let (input, output) = (cluster.topic("lines", 4, &[]), cluster.topic("counts", 4, &[]));
    let application = cluster.unique("word-count");
    let mut command = Example::command("word_count", &cluster, &application, state.path());
    command.args(["--input-topic", &input, "--output-topic", &output, "--input", "examples/data/books.txt"]);
    command.args(["--processing-guarantee", guarantee, "--commit-interval-ms", "100", "--threads", "2"]);
    let mut example = Example::spawn(command);
    let status = example.await_end(PATIENCE);
    assert!(status.success(), "{status}\n{}", example.output());

    let truth = count_words(BOOKS.lines());
    assert!(truth.values().sum::<i64>() >= 100_000, "the demo text has at least 100,000 words");
    let mut counts = BTreeMap::new();
    for row in cluster.read_all(&output) {
        counts.insert(row.key_text(), row.value_long());
    }
    assert_same_counts(&counts, &truth);
    let finished = example.finished();
    assert_eq!(
        finished.records_in,
        BOOKS.lines().count() as u64 + truth.values().sum::<i64>() as u64,
        "lines, and words behind the repartition topic"
    );
    assert_eq!(finished.restored, 0);
    assert!(finished.commits > 0);

    let stdout = example.stdout();
    let (first, n) = truth.iter().max_by_key(|(_, n)| **n).expect("words");
    assert!(stdout.iter().any(|line| line.text.trim() == format!("{n}  {first}")), "the most frequent word is shown\n{}", example.output());
}

#[test]
fn word_count_of_the_books_equals_the_true_count_at_least_once() {
    word_count_of_the_books_equals_the_true_count("at_least_once");
}

#[test]
fn word_count_of_the_books_equals_the_true_count_exactly_once() {
    word_count_of_the_books_equals_the_true_count("exactly_once_v2");
}

#[test]
fn without_cache_every_update_comes_out_in_order() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let (input, output) = (cluster.topic("lines", 3, &[]), cluster.topic("counts", 3, &[]));
    let application = cluster.unique("word-count");
    let mut command = Example::command("word_count", &cluster, &application, state.path());
    command.args([
        "--input-topic",
        &input,
        "--output-topic",
        &output,
        "--cache-max-bytes",
        "0",
        "--processing-guarantee",
        "exactly_once_v2",
    ]);
    let example = Example::spawn(command);
    example.await_running();
    let lines: Vec<&str> = BOOKS.lines().take(2000).collect();
    cluster.produce(&input, lines.iter().map(|line| (None::<&str>, *line)));
    let truth = count_words(lines);
    let total = truth.values().sum::<i64>() as u64;
    let mut audit = Audit::new();
    cluster.read_until(&output, PATIENCE, |row| {
        audit.take(&row);
        audit.records() >= total
    });
    audit.assert_exactly_once(&truth);
    assert_eq!(example.terminate().restored, 0);
}

#[test]
fn without_a_cluster_an_embedded_broker_serves_the_example() {
    let output = Command::new(Example::path("word_count")).args(["--input", "examples/data/README.md"]).output().expect("it runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("running: tasks 0_0 0_1 0_2 0_3 1_0 1_1 1_2 1_3"), "{stdout}");
    assert!(stdout.contains("finished: in "), "{stdout}");
}

#[test]
fn a_wrong_flag_ends_with_code_2_and_says_what_is_wrong() {
    let wrong: [(&[&str], &str); 10] = [
        (&["--no-such-flag"], "--no-such-flag"),
        (&["--threads", "0"], "--threads"),
        (&["--processing-guarantee", "twice"], "exactly_once_v2"),
        (&["--config", "linger.ms"], "KEY=VALUE"),
        (&["--config", "no.such.setting=1"], "no.such.setting"),
        (&["--config", "enable.auto.commit=true"], "enable.auto.commit"),
        // An embedded broker would start beside the cluster that is meant.
        (&["--config", "bootstrap.servers=127.0.0.1:9"], "--bootstrap-servers 127.0.0.1:9"),
        (&["--config", "processing.guarantee=exactly_once_v2"], "--processing-guarantee"),
        (&["--config", "commit.interval.ms=5"], "--commit-interval-ms"),
        (&["--config", "cache.max.bytes.buffering=0"], "--cache-max-bytes"),
    ];
    for (flags, expected) in wrong {
        let output = Command::new(Example::path("word_count")).args(flags).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {stderr}");
        assert!(stderr.contains(expected), "{flags:?}: {stderr}");
    }
}

#[test]
fn a_cluster_that_does_not_answer_is_an_error_after_the_configured_time_with_the_reason() {
    let started = std::time::Instant::now();
    // Port 9 (discard) of this machine: nobody listens.
    let flags = ["--bootstrap-servers", "127.0.0.1:9", "--connect-timeout-ms", "2000"];
    let output = Command::new(Example::path("pipe")).args(flags).output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("127.0.0.1:9") && stderr.contains("Connection refused"), "where, and why: {stderr}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

/// Whoever reads the output may leave, as `head` does: the example ends as if asked to, and says nothing of it.
#[test]
fn a_closed_standard_output_ends_an_example_cleanly() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let counted: &[&str] = &["--input", "examples/data/README.md"];
    for (name, flags) in [("pipe", &[][..]), ("word_count", counted), ("log_aggregation", counted)] {
        let mut command = Example::command(name, &cluster, &cluster.unique(name), state.path());
        command.args(flags);
        let mut example = Example::spawn_unread(command);
        let status = example.await_end(PATIENCE);
        assert_eq!(status.code(), Some(0), "{name}: {status}\n{}", example.output());
        assert!(!example.stderr().contains("panicked") && !example.stderr().contains("error"), "{name}: {}", example.output());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_output_that_takes_nothing_is_an_error_with_its_reason() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    for name in ["word_count", "log_aggregation"] {
        let mut command = Example::command(name, &cluster, &cluster.unique(name), state.path());
        command.args(["--input", "examples/data/README.md"]);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
        let mut example = Example::spawn_into(command, full);
        let status = example.await_end(PATIENCE);
        assert_eq!(status.code(), Some(1), "{name}: {status}\n{}", example.output());
        let stderr = example.stderr();
        assert!(stderr.contains("error: standard output cannot be written: No space left on device"), "{name}: {stderr}");
        assert!(!stderr.contains("panicked"), "{name}: {stderr}");
    }
}

#[test]
fn the_reason_of_a_failure_is_printed_once() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let (input, output) = (cluster.topic("in", 1, &[]), cluster.topic("out", 1, &[]));
    let mut command = Example::command("pipe", &cluster, &cluster.unique("pipe"), state.path());
    command.args(["--input-topic", &input, "--output-topic", &output]);
    let mut example = Example::spawn(command);
    example.await_running();
    cluster.produce(&input, [(None::<&str>, &[0xff_u8, 0xfe][..])]);
    let status = example.await_end(PATIENCE);
    assert_eq!(status.code(), Some(1), "{}", example.output());
    let stderr = example.stderr();
    assert_eq!(stderr.matches("is not text in UTF-8").count(), 1, "{stderr}");
    assert!(stderr.contains("error: task 0_0: "), "{stderr}");
}

/// What a killed process has left, the group gives to the next one only when the session of the first is over. Its lag is 0 before that.
#[test]
fn results_are_shown_after_the_tasks_of_a_killed_process_were_taken_over() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let (input, output) = (cluster.topic("lines", 2, &[]), cluster.topic("counts", 2, &[]));
    let application = cluster.unique("word-count");
    let command = || {
        let mut command = Example::command("word_count", &cluster, &application, state.path());
        command.args(["--input-topic", &input, "--output-topic", &output]);
        command.args(["--config", "session.timeout.ms=6000", "--config", "heartbeat.interval.ms=1500"]);
        command
    };
    let mut first = Example::spawn(command());
    first.await_running();
    cluster.produce(&input, [(None::<&str>, "one two two")]);
    cluster.await_processed(&application, &input, PATIENCE);
    first.kill();
    let mut again = command();
    again.args(["--input", "/dev/null"]);
    let mut second = Example::spawn(again);
    let status = second.await_end(PATIENCE);
    assert!(status.success(), "{}", second.output());
    let lines = second.stdout();
    let at = |begin: &str| lines.iter().position(|line| line.text.starts_with(begin));
    let (running, results) = (at("running: tasks 0_0"), at("2 different words"));
    assert!(running.is_some() && running < results, "{}", second.output());
}

/// How much is left cannot be read for as long; that is said, and read again later.
#[test]
fn a_broker_that_is_away_for_a_while_does_not_end_an_example_that_feeds_a_file() {
    let cluster = Cluster::start();
    let Some(broker) = cluster.embedded() else { return };
    let state = tempfile::tempdir().expect("a folder");
    let books = state.path().join("books");
    std::fs::write(&books, BOOKS.repeat(5)).expect("it can be written");
    let (input, output) = (cluster.topic("lines", 2, &[]), cluster.topic("counts", 2, &[]));
    let mut command = Example::command("word_count", &cluster, &cluster.unique("word-count"), state.path());
    command.args(["--input-topic", &input, "--output-topic", &output, "--input"]).arg(&books);
    let mut example = Example::spawn(command);
    example.await_running();
    broker.pause_network().expect("it runs");
    example.await_stderr("; trying again", PATIENCE);
    assert!(example.is_alive());
    broker.resume_network().expect("it runs");
    let status = example.await_end(PATIENCE);
    assert!(status.success(), "{}", example.output());
}
