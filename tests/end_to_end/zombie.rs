//! A process that was stopped past its session and continued: it cannot commit, and it rejoins.

use std::time::Duration;

use crate::harness::{Cluster, PATIENCE, Vocabulary, WordCount};

#[test]
fn a_process_that_slept_through_its_session_commits_nothing_and_rejoins() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, 4);
    let mut vocabulary = Vocabulary::new(300, 5, 5);
    let zombie = word_count.start(&state.path().join("zombie"));
    word_count.feed(vocabulary.by_ref().take(2000));
    word_count.await_processed();

    // It is stopped with work in its hands.
    word_count.feed_while(vocabulary.by_ref().take(30_000), || zombie.signal("STOP"));
    let asleep = zombie.stdout().len();
    let heir = word_count.start(&state.path().join("heir"));
    let all = 8;
    let mut from = 0;
    loop {
        // The heir has everything once the session of the sleeper is over.
        let (line, next) = heir.await_line("running: tasks", from, PATIENCE);
        from = next;
        if line.text.matches('_').count() == all {
            break;
        }
    }
    word_count.feed(vocabulary.by_ref().take(2000));
    word_count.await_processed();
    word_count.assert_exactly_once();

    zombie.signal("CONT");
    word_count.feed(vocabulary.by_ref().take(2000));
    let (line, _) = zombie.await_line("running: tasks", asleep, Duration::from_secs(60));
    assert!(line.at.elapsed() < Duration::from_secs(60));
    word_count.await_processed();
    word_count.assert_exactly_once();
    let (zombie, heir) = (zombie.terminate(), heir.terminate());
    assert!(zombie.commits > 0 && heir.commits > 0);
}
