//! State that is larger than the memory it may take.
//!
//! `KSTREAMS_TEST_KEYS` (5,000,000 for the full size) and `KSTREAMS_TEST_MEMORY_BYTES` (67,108,864) set the sizes.

#![cfg(target_os = "linux")]

mod harness;

use std::time::Duration;

use harness::{Cluster, Example, PATIENCE, WordCount, size};

#[test]
fn memory_stays_bounded_while_the_state_does_not() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let (keys, limit) = (size("KSTREAMS_TEST_KEYS", 400_000), size("KSTREAMS_TEST_MEMORY_BYTES", 16 << 20));

    // What the clients alone need.
    let mut word_count = WordCount::new(&cluster, 4);
    let lines = (0..keys / 10).map(|line| (0..10).map(|word| format!("key{:08}", line * 10 + word)).collect::<Vec<_>>().join(" "));
    word_count.feed(lines);
    let piped = cluster.topic("piped", 4, &[]);
    let application = cluster.unique("pipe");
    let mut command = Example::command("pipe", &cluster, &application, &state.path().join("pipe"));
    command.args(["--input-topic", word_count.input(), "--output-topic", &piped]);
    let pipe = Example::spawn(command);
    pipe.await_running();
    cluster.await_processed(&application, word_count.input(), PATIENCE * 5);
    let pipe_peak = pipe.peak_memory_bytes();
    pipe.terminate();

    let mut command = word_count.command(&state.path().join("count"));
    command.args(["--config", &format!("state.memory.max.bytes={limit}")]);
    let mut example = Example::spawn(command);
    example.await_running();
    cluster.await_processed(word_count.application(), word_count.input(), Duration::from_secs(600));
    let peak = example.peak_memory_bytes();
    let above = peak.saturating_sub(pipe_peak);
    println!("{keys} keys, {limit} bytes: peak {} MB, pipe {} MB", peak >> 20, pipe_peak >> 20);
    assert!(above <= 150 << 20, "peak memory {} MB is {} MB above that of pipe", peak >> 20, above >> 20);
    example.kill();

    // And again over the same keys, from what the kill left.
    word_count.feed((0..keys / 40).map(|line| (0..10).map(|word| format!("key{:08}", line * 10 + word)).collect::<Vec<_>>().join(" ")));
    let mut command = word_count.command(&state.path().join("count"));
    command.args(["--config", &format!("state.memory.max.bytes={limit}")]);
    let example = Example::spawn(command);
    example.await_running();
    cluster.await_processed(word_count.application(), word_count.input(), Duration::from_secs(600));
    let finished = example.terminate();
    assert!(finished.restored < keys, "only a tail is replayed: {finished:?}");
    word_count.assert_exactly_once();
}
