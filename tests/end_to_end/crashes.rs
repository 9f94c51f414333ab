//! Processes are killed while lines flow; what comes out is audited from outside.
//!
//! `KSTREAMS_TEST_LINES` and `KSTREAMS_TEST_KILLS` make it larger, `KSTREAMS_TEST_SEED` other.

use std::time::Duration;

use crate::harness::{Audit, Cluster, Example, PATIENCE, Vocabulary, count_words, send, size};
use rdkafka::producer::{BaseRecord, Producer};

const PROCESSES: usize = 3;

/// Three processes share the work; every few seconds one of them dies and is started again.
fn audit_after_kills(guarantee: &str, lines: u64, kills: u64) -> (Audit, std::collections::BTreeMap<String, i64>) {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let (input, output) = (cluster.topic("lines", 6, &[]), cluster.topic("counts", 6, &[]));
    let application = cluster.unique("crashes");
    let start = |process: usize| {
        let mut command = Example::command("word_count", &cluster, &application, &state.path().join(process.to_string()));
        command.args(["--input-topic", &input, "--output-topic", &output, "--cache-max-bytes", "0"]);
        command.args(["--processing-guarantee", guarantee, "--commit-interval-ms", "100"]);
        // The shortest that brokers allow by default, so that a dead process is missed soon.
        command.args(["--config", "session.timeout.ms=6000", "--config", "heartbeat.interval.ms=1500"]);
        command.args(["--config", "transaction.timeout.ms=6000"]);
        Example::spawn(command)
    };
    let mut examples: Vec<Example> = (0..PROCESSES).map(start).collect();
    for example in &examples {
        example.await_running();
    }
    let mut vocabulary = Vocabulary::new(2000, 2, size("KSTREAMS_TEST_SEED", 7));
    let producer = cluster.producer(&[]);
    let mut sent = Vec::new();
    for kill in 0..kills {
        // A part of the lines goes out in each round, spread over its time, so that the kill always meets work in progress.
        let until = lines * (kill + 1) / kills;
        let part = (until - sent.len() as u64).div_ceil(30).max(1);
        while (sent.len() as u64) < until {
            for _ in 0..part.min(until - sent.len() as u64) {
                let line = vocabulary.line();
                send(&producer, BaseRecord::<str, str>::to(&input).payload(&line));
                sent.push(line);
            }
            producer.poll(Duration::from_millis(100));
        }
        let victim = (kill % PROCESSES as u64) as usize;
        examples[victim].kill();
        examples[victim] = start(victim);
        // Every third time the next kill follows at once, into restoration and rebalance.
        if kill % 3 != 2 {
            examples[victim].await_running();
        }
    }
    producer.flush(PATIENCE).expect("all lines are acknowledged");
    let truth = count_words(sent.iter().map(String::as_str));
    let total = truth.values().sum::<i64>() as u64;
    let mut audit = Audit::new();
    cluster.read_until(&output, PATIENCE, |row| {
        audit.take(&row);
        audit.has_counted(total)
    });
    cluster.await_processed(&application, &input, PATIENCE);
    for example in examples {
        example.terminate();
    }
    // Whatever came after the last count that was waited for would be a repeat.
    let mut audit = Audit::new();
    for row in cluster.read_all(&output) {
        audit.take(&row);
    }
    (audit, truth)
}

#[test]
fn exactly_once_holds_while_processes_are_killed() {
    let (audit, truth) = audit_after_kills("exactly_once_v2", size("KSTREAMS_TEST_LINES", 500_000), size("KSTREAMS_TEST_KILLS", 20));
    audit.assert_exactly_once(&truth);
}

#[test]
fn at_least_once_loses_nothing_while_processes_are_killed() {
    let (audit, truth) =
        audit_after_kills("at_least_once", size("KSTREAMS_TEST_LINES", 500_000) / 5, (size("KSTREAMS_TEST_KILLS", 20) / 4).max(1));
    audit.assert_at_least_once(&truth);
}
