//! The state directory: deleted, shared, foreign, of a newer version; and what a restart replays.

mod harness;

use std::fs;

use harness::{Cluster, Example, PATIENCE, Vocabulary, WordCount};

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
