use stream_core::store::ChangelogConfig;
use stream_core::topology::{InternalTopic, Regex, validate_name};
use stream_core::{Topology, TopologyError};

use crate::support::{Shape, consumed, produced, store, store_with, try_processor};

#[track_caller]
fn assert_names(error: &TopologyError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

#[test]
fn names_are_those_that_kafka_accepts() {
    for name in ["a", "Word.Count_1-x", &"x".repeat(249)] {
        assert!(validate_name(name).is_ok(), "{name}");
    }
    for name in ["", ".", "..", "not allowed", "a/b", "ä", &"x".repeat(250)] {
        assert!(matches!(validate_name(name), Err(TopologyError::InvalidName { .. })), "{name}");
    }
}

#[test]
fn illegal_names_of_application_topics_and_stores_are_refused() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    assert_names(&topology.build("my app").unwrap_err(), &["my app"]);
    let mut illegal_sink = topology.clone();
    illegal_sink.sink("k", "o ut", &[&source]);
    assert_names(&illegal_sink.build("app").unwrap_err(), &["o ut"]);
    let mut illegal_store = topology.clone();
    illegal_store.add_state_store(store("st/ore"), &[]).unwrap();
    assert_names(&illegal_store.build("app").unwrap_err(), &["st/ore"]);
    let mut too_long = topology;
    too_long.processor("p", &[&source]);
    too_long.add_state_store(store(&"s".repeat(240)), &["p"]).unwrap();
    assert_names(&too_long.build("app").unwrap_err(), &["app-sss", "249"]);
}

#[test]
fn a_topology_without_a_source_is_refused() {
    assert_eq!(Topology::new().build("app").unwrap_err(), TopologyError::NoSource);
}

#[test]
fn a_topic_has_one_reader() {
    let mut topology = Topology::new();
    topology.source("one", "in");
    assert_names(&topology.add_source("two", "in", consumed()).unwrap_err(), &["`two`", "`one`", "`in`"]);
    assert_names(&topology.add_source("two", Regex::new("i.").unwrap(), consumed()).unwrap_err(), &["`two`", "`one`", "`in`"]);
    topology.source("pattern", Regex::new("x.*").unwrap());
    assert_names(&topology.add_source("three", "xy", consumed()).unwrap_err(), &["`three`", "`pattern`", "`xy`"]);
    assert_names(&topology.add_source("three", ["c", "d", "c"], consumed()).unwrap_err(), &["`three`", "`c`", "twice"]);
    assert_names(&topology.add_source("three", Vec::<String>::new(), consumed()).unwrap_err(), &["`three`"]);
}

#[test]
fn nodes_have_unique_names_and_parents_that_exist() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    assert_eq!(try_processor(&mut topology, "s", &[&source]).unwrap_err(), TopologyError::DuplicateNode { node: "s".to_owned() });
    assert_eq!(try_processor(&mut topology, "p", &[]).unwrap_err(), TopologyError::NoParent { node: "p".to_owned() });
    let elsewhere = Topology::new().source("elsewhere", "x");
    assert_names(&try_processor(&mut topology, "p", &[&elsewhere]).unwrap_err(), &["`p`", "`elsewhere`"]);
    assert_eq!(topology.add_sink("k", "out", produced(), &[]).unwrap_err(), TopologyError::NoParent { node: "k".to_owned() });
}

#[test]
fn a_store_is_added_once_and_connected_to_processors_only() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    topology.processor("p", &[&source]);
    topology.add_state_store(store("st"), &["p"]).unwrap();
    assert_eq!(topology.add_state_store(store("st"), &[]).unwrap_err(), TopologyError::DuplicateStore { store: "st".to_owned() });
    assert_names(&topology.connect("p", &["no"]).unwrap_err(), &["`p`", "`no`"]);
    assert_names(&topology.connect("nobody", &["st"]).unwrap_err(), &["`nobody`"]);
    assert_eq!(topology.connect("s", &["st"]).unwrap_err(), TopologyError::NotAProcessor { node: "s".to_owned() });
}

#[test]
fn an_internal_topic_needs_both_ends() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    topology.add_internal_topic(InternalTopic::repartition("r")).unwrap();
    let mut written = topology.clone();
    written.sink("k", "r", &[&source]);
    assert_names(&written.build("app").unwrap_err(), &["`k`", "`r`", "no source"]);
    let mut read = topology;
    read.source("s2", "r");
    assert_names(&read.build("app").unwrap_err(), &["`r`", "no sink"]);
}

#[test]
fn nodes_cannot_name_an_internal_topic_by_its_full_name() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    let grouped = topology.repartition("r", &source);
    let mut direct = topology.clone();
    direct.sink("k", "app-r", &[&grouped]);
    assert_names(&direct.build("app").unwrap_err(), &["`k`", "`app-r`", "without the application id"]);
    topology.processor("p", &[&grouped]);
    topology.add_state_store(store("st"), &["p"]).unwrap();
    let mut read = topology.clone();
    read.source("s3", "app-st-changelog");
    assert_names(&read.build("app").unwrap_err(), &["`s3`", "`app-st-changelog`"]);
    topology.sink("k", "app-st-changelog", &[&grouped]);
    assert_names(&topology.build("app").unwrap_err(), &["`k`", "`app-st-changelog`"]);
}

#[test]
fn a_topic_may_be_read_and_written() {
    let mut topology = Topology::new();
    let source = topology.source("s", "loop");
    topology.sink("k", "loop", &[&source]);
    assert!(topology.build("app").is_ok());
}

#[test]
fn a_source_topic_serves_one_store_of_its_own_subtopology_as_changelog() {
    let mut topology = Topology::new();
    let (one, two) = (topology.source("one", "t1"), topology.source("two", "t2"));
    topology.processor("p1", &[&one]);
    topology.processor("p2", &[&two]);
    topology.add_state_store(store_with("st", Some(ChangelogConfig::compact())), &["p1"]).unwrap();
    assert_names(&topology.use_source_as_changelog("st", "nowhere").unwrap_err(), &["`nowhere`"]);
    let mut elsewhere = topology.clone();
    elsewhere.use_source_as_changelog("st", "t2").unwrap();
    assert_names(&elsewhere.build("app").unwrap_err(), &["`st`", "`t2`"]);
    topology.add_state_store(store("st2"), &["p1"]).unwrap();
    topology.use_source_as_changelog("st", "t1").unwrap();
    topology.use_source_as_changelog("st2", "t1").unwrap();
    assert_names(&topology.build("app").unwrap_err(), &["`st`", "`st2`", "`t1`"]);
}

#[test]
fn fixed_partition_counts_of_joined_topics_must_agree() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    for (topic, partitions) in [("r1", 2), ("r2", 3)] {
        topology.add_internal_topic(InternalTopic::repartition(topic).with_partitions(partitions)).unwrap();
        topology.sink(&format!("{topic}-sink"), topic, &[&source]);
        topology.source(&format!("{topic}-source"), topic);
    }
    assert!(topology.build("app").is_ok());
    topology.copartition(&["r1", "r2"]);
    assert_names(&topology.build("app").unwrap_err(), &["app-r1", "app-r2", "2", "3"]);
    let mut none = Topology::new();
    none.source("s", "in");
    none.add_internal_topic(InternalTopic::repartition("r").with_partitions(0)).unwrap();
    assert_eq!(none.build("app").unwrap_err(), TopologyError::InvalidPartitionCount { topic: "r".to_owned(), partitions: 0 });
    none.copartition(&["in", "never-read"]);
}

#[test]
fn joined_topics_must_be_read() {
    let mut topology = Topology::new();
    topology.source("s", "in");
    topology.copartition(&["in", "never-read"]);
    assert_names(&topology.build("app").unwrap_err(), &["`never-read`"]);
}
