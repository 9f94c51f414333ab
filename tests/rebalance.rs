//! Processes come and go: tasks move, those that stay go on.
//!
//! `KSTREAMS_TEST_RESTORE_WORDS` makes the restored state larger.

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::{Cluster, Example, PATIENCE, Vocabulary, WordCount, send, size};
use rdkafka::Message;
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::{BaseRecord, Producer};

const PARTITIONS: i32 = 4;

/// Feeds lines steadily until it is told to stop; returns them.
fn feed_steadily(cluster: &Cluster, topic: &str, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<Vec<String>> {
    let (producer, topic, stop) = (cluster.producer(&[("linger.ms", "1")]), topic.to_owned(), Arc::clone(stop));
    std::thread::spawn(move || {
        let mut vocabulary = Vocabulary::new(200, 3, 11);
        let mut lines = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            for partition in 0..PARTITIONS {
                for _ in 0..5 {
                    let line = vocabulary.line();
                    send(&producer, BaseRecord::<str, str>::to(&topic).payload(&line).partition(partition));
                    lines.push(line);
                }
            }
            producer.poll(Duration::from_millis(20));
        }
        producer.flush(PATIENCE).expect("all lines are acknowledged");
        lines
    })
}

/// When committed records of each partition were seen.
fn watch(consumer: BaseConsumer, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<BTreeMap<i32, Vec<Instant>>> {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let mut seen: BTreeMap<i32, Vec<Instant>> = BTreeMap::new();
        while !stop.load(Ordering::Relaxed) {
            if let Some(Ok(record)) = consumer.poll(Duration::from_millis(50)) {
                seen.entry(record.partition()).or_default().push(Instant::now());
            }
        }
        seen
    })
}

fn longest_pause(seen: &[Instant], from: Instant, to: Instant) -> Duration {
    let within = seen.iter().copied().filter(|at| (from..=to).contains(at));
    let moments: Vec<Instant> = std::iter::once(from).chain(within).chain(std::iter::once(to)).collect();
    moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

/// The partitions of the counting tasks (sub-topology 1), whose results lie in the output partition of the same number.
fn counting(tasks: &[String]) -> BTreeSet<i32> {
    tasks.iter().filter_map(|task| task.strip_prefix("1_")?.parse().ok()).collect()
}

#[test]
fn tasks_that_stay_go_on_while_others_move_and_restore() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, PARTITIONS);
    let first = word_count.start(&state.path().join("first"));
    // Something to restore: the one that joins has no state.
    let words = size("KSTREAMS_TEST_RESTORE_WORDS", 200_000);
    word_count.feed((0..words / 10).map(|line| (0..10).map(|word| format!("x{}", line * 10 + word)).collect::<Vec<_>>().join(" ")));
    word_count.await_processed();
    let before = counting(&first.tasks());
    assert_eq!(before.len() as i32, PARTITIONS);

    let stop = Arc::new(AtomicBool::new(false));
    let feeder = feed_steadily(&cluster, word_count.input(), &stop);
    let watcher = watch(cluster.consumer(word_count.output()), &stop);
    cluster.read_until(word_count.output(), PATIENCE, |row| !row.key_text().starts_with('x'));

    let joins = Instant::now();
    let second = Example::spawn(word_count.command(&state.path().join("second")));
    let mut from = 0;
    let moved = loop {
        let (line, next) = second.await_line("running: tasks", from, PATIENCE);
        from = next;
        if line.text.contains("1_") {
            break line.at;
        }
    };
    std::thread::sleep(Duration::from_secs(2));
    let ends = Instant::now();
    let (stayed, gone) = (counting(&first.tasks()), counting(&second.tasks()));
    stop.store(true, Ordering::Relaxed);
    let seen = watcher.join().expect("the watcher ends");
    for line in feeder.join().expect("the feeder ends") {
        word_count.note(line);
    }
    assert!(!stayed.is_empty() && !gone.is_empty(), "both work: {stayed:?}, {gone:?}");
    assert!(stayed.is_disjoint(&gone) && stayed.len() + gone.len() == before.len(), "each task has one owner: {stayed:?}, {gone:?}");
    for partition in &stayed {
        let pause = longest_pause(seen.get(partition).map_or(&[], Vec::as_slice), joins, ends);
        assert!(pause < Duration::from_secs(1), "task 1_{partition}, which stayed, paused for {pause:?}");
    }
    println!("moved and restored after {:?}", moved - joins);

    word_count.await_processed();
    second.terminate();
    // Everything comes back to the first.
    word_count.feed(Vocabulary::new(200, 3, 12).take(1000));
    word_count.await_processed();
    first.terminate();
    word_count.assert_exactly_once();
}
