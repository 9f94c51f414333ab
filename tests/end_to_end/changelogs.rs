//! Changelogs whose ends hold no record: a commit marker, an aborted transaction, nothing at all.

use std::fs;

use crate::harness::{Cluster, Vocabulary, WordCount};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const PARTITIONS: i32 = 2;

fn delete_all_records(cluster: &Cluster, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = cluster.client().create().expect("an admin client");
    let mut ends = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        ends.add_partition_offset(topic, partition, Offset::End).expect("an offset");
    }
    futures::executor::block_on(admin.delete_records(&ends, &AdminOptions::new())).expect("records are deleted");
}

#[test]
fn a_changelog_that_ends_in_a_commit_marker_or_an_aborted_transaction_is_restored() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, PARTITIONS);
    let mut vocabulary = Vocabulary::new(100, 5, 31);
    word_count.feed(vocabulary.by_ref().take(500));
    let first = word_count.start(state.path());
    word_count.await_processed();
    first.terminate();
    for aborted in [false, true] {
        // The last transaction of the application ended with a marker in each partition that it wrote to.
        if aborted {
            cluster.abort_a_transaction(&word_count.changelog(), PARTITIONS);
        }
        fs::remove_dir_all(state.path()).expect("the state can be deleted");
        let example = word_count.start(state.path());
        word_count.feed(vocabulary.by_ref().take(500));
        word_count.await_processed();
        assert!(example.terminate().restored >= 1);
    }
    word_count.assert_exactly_once();
}

#[test]
fn an_empty_changelog_with_a_high_end_offset_is_restored_at_once() {
    let cluster = Cluster::start();
    let state = tempfile::tempdir().expect("a folder");
    let mut word_count = WordCount::new(&cluster, PARTITIONS);
    word_count.start(state.path()).terminate();
    cluster.abort_a_transaction(&word_count.changelog(), PARTITIONS);
    delete_all_records(&cluster, &word_count.changelog());
    fs::remove_dir_all(state.path()).expect("the state can be deleted");
    let example = word_count.start(state.path());
    word_count.feed(Vocabulary::new(100, 5, 32).take(500));
    word_count.await_processed();
    assert_eq!(example.terminate().restored, 0);
    word_count.assert_exactly_once();
}
