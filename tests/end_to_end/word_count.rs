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
    let wrong: [(&[&str], &str); 6] = [
        (&["--no-such-flag"], "--no-such-flag"),
        (&["--threads", "0"], "--threads"),
        (&["--processing-guarantee", "twice"], "exactly_once_v2"),
        (&["--config", "linger.ms"], "KEY=VALUE"),
        (&["--config", "no.such.setting=1"], "no.such.setting"),
        (&["--config", "enable.auto.commit=true"], "enable.auto.commit"),
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
