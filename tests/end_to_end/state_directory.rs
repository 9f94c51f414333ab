//! The state directory: deleted, shared, foreign, of a newer version; and what a restart replays.

use std::fs;
use std::path::Path;

use crate::harness::{Cluster, Example, PATIENCE, Vocabulary, WordCount, send};
use rdkafka::producer::{BaseRecord, Producer};

#[test]
fn deleted_state_is_restored_from_the_changelog() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 3);
    let mut vocabulary = Vocabulary::new(500, 5, 1);
    let first = word_count.start(state.path());
    word_count.feed(vocabulary.by_ref().take(2000));
    word_count.await_processed();
    assert_eq!(first.terminate().restored, 0);
    let different = word_count.truth().len() as u64;

    fs::remove_dir_all(state.path()).expect("the state can be deleted");
    let second = word_count.start(state.path());
    word_count.feed(vocabulary.by_ref().take(2000));
    word_count.await_processed();
    let finished = second.terminate();
    assert!(finished.restored >= different, "each of {different} words has at least one record in the changelog: {finished:?}");
    word_count.assert_exactly_once();
}

#[test]
fn a_clean_stop_leaves_nothing_to_replay() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 3);
    let mut vocabulary = Vocabulary::new(500, 5, 2);
    for _ in 0..3 {
        let example = word_count.start(state.path());
        word_count.feed(vocabulary.by_ref().take(500));
        word_count.await_processed();
        assert_eq!(example.terminate().restored, 0);
    }
    word_count.assert_exactly_once();
}

#[test]
fn after_kill_9_only_the_tail_since_the_last_flush_is_replayed() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 3);
    let mut vocabulary = Vocabulary::new(2000, 5, 3);
    let first = word_count.start(state.path());
    word_count.feed(vocabulary.by_ref().take(10_000));
    word_count.await_processed();
    // A clean stop flushes; what follows is not flushed for half a minute.
    first.terminate();
    let mut second = word_count.start(state.path());
    word_count.feed(vocabulary.by_ref().take(100));
    word_count.await_processed();
    second.kill();

    let third = word_count.start(state.path());
    word_count.feed(vocabulary.by_ref().take(100));
    word_count.await_processed();
    let restored = third.terminate().restored;
    assert!((1..=500).contains(&restored), "500 words were written since the flush, {restored} records were replayed");
    word_count.assert_exactly_once();
}

/// Directories of stores that were set aside.
fn set_aside(state: &Path) -> usize {
    let entries = fs::read_dir(state).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.is_dir()).map(|path| if path.to_string_lossy().contains(".corrupt-") { 1 } else { set_aside(&path) }).sum()
}

#[test]
fn state_that_is_older_than_deletions_are_kept_is_rebuilt_from_the_beginning() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 2);
    // Nobody may rely on the deletions in such a changelog for any time.
    cluster.create_topic(&word_count.changelog(), 2, &[("cleanup.policy", "compact"), ("delete.retention.ms", "0")]);
    let mut vocabulary = Vocabulary::new(200, 5, 4);
    let first = word_count.start(state.path());
    word_count.feed(vocabulary.by_ref().take(500));
    word_count.await_processed();
    first.terminate();
    let different = word_count.truth().len() as u64;

    let second = word_count.start(state.path());
    word_count.feed(vocabulary.by_ref().take(500));
    word_count.await_processed();
    let stderr = second.stderr();
    let restored = second.terminate().restored;
    assert!(restored >= different, "the whole changelog has at least {different} records, {restored} were read");
    assert!(stderr.contains("delete.retention.ms") && stderr.contains(&word_count.changelog()), "the reason is logged: {stderr}");
    assert_eq!(set_aside(state.path()), 2, "the old directories are kept");
    word_count.assert_exactly_once();
}

#[test]
fn state_of_a_changelog_that_was_deleted_and_made_anew_is_rebuilt_from_the_new_one() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 2);
    let mut vocabulary = Vocabulary::new(200, 5, 6);
    let first = word_count.start(state.path());
    word_count.feed(vocabulary.by_ref().take(500));
    word_count.await_processed();
    first.terminate();
    let changelog = word_count.changelog();
    let ends = cluster.ends(&changelog);
    cluster.delete_topic(&changelog);
    cluster.create_topic(&changelog, 2, &[("cleanup.policy", "compact")]);
    // It is longer than the old one, so that offsets say nothing; it knows one word, counted 1000 times.
    let producer = cluster.producer(&[]);
    for (partition, end) in (0..).zip(ends) {
        for _ in 0..=end {
            let record = BaseRecord::<str, [u8]>::to(&changelog).partition(partition).key("anew");
            send(&producer, record.payload(&1000_i64.to_be_bytes()));
        }
    }
    producer.flush(PATIENCE).expect("the new changelog is written");

    let second = word_count.start(state.path());
    let before: Vec<i64> = cluster.ends(word_count.output());
    word_count.feed(["anew known", "known"].map(str::to_owned));
    word_count.await_processed();
    let stderr = second.stderr();
    second.terminate();
    assert!(stderr.contains("made anew") && stderr.contains(&changelog), "the reason is logged: {stderr}");
    assert_eq!(set_aside(state.path()), 2, "the old directories are kept");
    let rows = cluster.read_all(word_count.output());
    let news = rows.iter().filter(|row| row.offset >= before[usize::try_from(row.partition).expect("a partition")]);
    let mut counts: Vec<(String, i64)> = news.map(|row| (row.key_text(), row.value_long())).collect();
    counts.sort_unstable();
    assert_eq!(counts, [("anew".to_owned(), 1001), ("known".to_owned(), 1), ("known".to_owned(), 2)]);
}

#[test]
fn a_directory_in_use_by_another_process_is_refused() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let word_count = WordCount::new(&cluster, 1);
    let _first = word_count.start(state.path());
    let mut second = Example::spawn(word_count.command(state.path()));
    let status = second.await_end(PATIENCE);
    assert!(!status.success());
    let stderr = second.stderr();
    assert!(stderr.contains(&state.path().display().to_string()), "the error names the folder: {stderr}");
    assert!(stderr.contains("process"), "the error says that another process has it: {stderr}");
}

#[test]
fn a_directory_of_a_newer_version_is_refused_and_left_alone() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let word_count = WordCount::new(&cluster, 1);
    word_count.start(state.path()).terminate();
    let marker = state.path().join(word_count.application()).join("kstreams-format");
    let text = fs::read_to_string(&marker).expect("the format is written down");
    let newer: String = text.chars().map(|character| if character.is_ascii_digit() { '9' } else { character }).collect();
    // Only the version: the application's name has digits, too.
    let newer: Vec<&str> =
        newer.lines().zip(text.lines()).map(|(new, old)| if old.contains(word_count.application()) { old } else { new }).collect();
    let newer = newer.join("\n") + "\n";
    assert_ne!(newer, text, "the format has a version");
    fs::write(&marker, &newer).expect("it can be written");
    let mut example = Example::spawn(word_count.command(state.path()));
    assert!(!example.await_end(PATIENCE).success());
    assert!(example.stderr().contains("kstreams-format") || example.stderr().contains("format"), "{}", example.stderr());
    assert_eq!(fs::read_to_string(&marker).expect("still there"), newer);
}

#[test]
fn a_directory_of_another_application_is_refused() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let (ours, theirs) = (WordCount::new(&cluster, 1), WordCount::new(&cluster, 1));
    theirs.start(state.path()).terminate();
    // As after a folder was moved by hand.
    fs::rename(state.path().join(theirs.application()), state.path().join(ours.application())).expect("it can be moved");
    let mut example = Example::spawn(ours.command(state.path()));
    assert!(!example.await_end(PATIENCE).success());
    assert!(example.stderr().contains(theirs.application()), "the error says whose it is: {}", example.stderr());
}
